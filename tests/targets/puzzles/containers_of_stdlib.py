# holder: ~.ALL.maps[1][…][2][…][0].payload
"""ChainMap, OrderedDict, deque, defaultdict and SimpleNamespace around one object."""
import collections
import types
from marks import prize

inner = collections.defaultdict(list)
inner["x"].append(types.SimpleNamespace(payload=prize()))
recent = collections.OrderedDict(first=1, deque=collections.deque([1, 2, inner]))
ALL = collections.ChainMap({}, recent)
del inner, recent
