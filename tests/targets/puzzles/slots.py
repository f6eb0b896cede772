# holder: ~.NODE.payload
"""A slot of an instance without a dict."""
from marks import prize

class Node:
    __slots__ = ("next", "payload")

NODE = Node()
NODE.payload = prize()
