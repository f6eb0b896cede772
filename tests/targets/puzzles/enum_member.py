# holder: ~.Color.RED._value_
# holder: ~.Color._member_map_[…]._value_
# holder: ~.Color._value2member_map_.keys()[…]
# holder: ~.Color._value2member_map_[…]._value_
"""The value of a member of an enumeration."""
import enum
from marks import prize

class Color(enum.Enum):
    RED = prize()
    BLUE = 2
