# holder: ~.task.calls[0][0][0]
"""A decorator that is a class and remembers its calls."""
from marks import prize

class Remember:
    def __init__(self, function):
        self.function, self.calls = function, []
    def __call__(self, *arguments, **keywords):
        self.calls.append((arguments, keywords))
        return self.function(*arguments, **keywords)

@Remember
def task(thing):
    pass

task(prize())
