# holder: ~.Registry.plugins[…]
"""A metaclass that keeps every class it makes."""
from marks import keep

class Registry(type):
    plugins = {}

    def __new__(meta, name, bases, namespace):
        made = super().__new__(meta, name, bases, namespace)
        meta.plugins[name] = made
        return made

class Base(metaclass=Registry):
    pass

keep(Registry("Plugin", (Base,), {}))
