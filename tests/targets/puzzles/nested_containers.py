# holder: ~.TREE[…][2].user
"""A dict of lists of instances."""
from marks import prize

class Session:
    pass

TREE = {"alice": [None, None, Session()]}
TREE["alice"][2].user = prize()
