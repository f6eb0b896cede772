"""Calls that the interpreter makes of its own: specialised code enters some of them without C."""


class Implicit:
    def __init__(self, block=int): self.block = block; block()
    def __getitem__(self, index): return self.block()
    def __add__(self, other): return self[other]
    def __getattr__(self, name): return self.block() if name == "missing" else 0
    def __enter__(self): return self
    def __exit__(self, *error): return bool(self.block())
    def __iter__(self): yield self.block()
    attribute = property(lambda self: self.block() or 0)


class Late(Implicit):
    def __init__(self, block): super().__init__(); self.block = block


def initializer(block): return Implicit(block)
def subscript(block): return Late(block)[1]
def operator(block): return Late(block) + 1
def attribute(block): return Late(block).attribute
def missing(block): return Late(block).missing
def iteration(block): return [item for item in Late(block)]
def manager(block):
    with Late(block) as late:
        del late
SHAPES = [initializer, subscript, operator, attribute, missing, iteration, manager]
