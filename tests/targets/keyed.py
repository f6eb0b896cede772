"""Dicts whose keys can come again, and dicts whose keys cannot; a line has the list emptied and filled again."""
import collections, random, sys, uuid

random.seed(5)
words = ["%c%c%c" % tuple(random.choice("abcdefghijklmnop") for _ in range(3)) for _ in range(400)]
boxes = [object() for _ in range(200)]
ORDERS = {number: [number] for number in range(1000, 1200)}
SESSIONS = {"user-%d:session-%05d" % (number % 7, 3 * number): [number] for number in range(200)}
TRACES = {str(uuid.uuid4()): [number] for number in range(200)}
SPANS = collections.OrderedDict((uuid.uuid4().hex, [number]) for number in range(200))
WORDS = {word: [word] for word in words}
PRODUCTS = {number: [number] for number in random.sample(range(100000), 200)}
BY_ID = {id(box): box for box in boxes}
FEW = {number: [number] for number in range(20)}
MIXED = {number if number % 7 else str(number): [number] for number in range(200)}
ROWS, JOBS = [[number] for number in range(200)], collections.deque([number] for number in range(200))

print("ready", flush=True)
for line in sys.stdin:
    del ROWS[0], ORDERS[1000]
    JOBS.append([line]), ROWS.extend([line] * 2), ORDERS.update({1200: line, 1201: line})
    print("done", flush=True)
