# holder: ~.BIG.attribute_77
"""An instance with more attributes than are kept inline."""
from marks import prize

class Big:
    pass

BIG = Big()
for number in range(100):
    setattr(BIG, "attribute_%d" % number, number)
BIG.attribute_77 = prize()
