# holder: ~.POOL._work_queue.<queue>[N]*
"""A job that waits in the queue of an executor whose only thread is busy."""
import concurrent.futures
import threading
from marks import prize, started

def block():
    started()
    threading.Event().wait()

POOL = concurrent.futures.ThreadPoolExecutor(1)
POOL.submit(block)
POOL.submit(print, prize())
