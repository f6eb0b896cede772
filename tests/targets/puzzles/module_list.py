# holder: ~.ITEMS[3]
"""One item of a list among others."""
from marks import prize

ITEMS = [1, 2, object(), prize(), 4]
