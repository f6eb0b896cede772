"""Registries of callbacks: one function again and again, methods of one object, of many, of what is needed."""
import sys

class Widget:
    def on_change(self):
        return 1

def heard():
    return 2

WIDGET, WIDGETS = Widget(), [Widget() for _ in range(100)]
AGAIN = [heard for _ in range(100)]
OF_ONE = [WIDGET.on_change for _ in range(100)]
OF_LOST = [Widget().on_change for _ in range(100)]
OF_NEEDED = [widget.on_change for widget in WIDGETS]
LAMBDAS = [lambda: 3 for _ in range(100)]

print("ready", flush=True)
sys.stdin.readline()
