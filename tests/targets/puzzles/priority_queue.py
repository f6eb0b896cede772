# holder: ~.QUEUE.queue[0][1]
"""An item of a queue.PriorityQueue."""
import queue
from marks import prize

QUEUE = queue.PriorityQueue()
QUEUE.put((1, prize()))
