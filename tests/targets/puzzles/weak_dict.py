# holder: ~.zoo.child
"""A weak dict knows the object; what holds it is something else."""
import weakref
from marks import prize

class Zoo:
    pass

BY_NAME = weakref.WeakValueDictionary()
zoo = Zoo()
zoo.child = prize()
BY_NAME["it"] = zoo.child
