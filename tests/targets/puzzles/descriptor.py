# holder: ~.Model.field.values[…]
"""A descriptor that keeps the values of all instances by their id."""
from marks import prize

class Field:
    def __init__(self):
        self.values = {}
    def __set__(self, instance, value):
        self.values[id(instance)] = value

class Model:
    field = Field()

Model().field = prize()
