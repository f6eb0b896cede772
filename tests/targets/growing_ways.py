"""Grows in the way it is told, a piece at a time, while other functions take and drop: growing_ways.py FOLDER."""
import mmap, sys

sys.path.insert(0, sys.argv[1])
import grower  # built by the test

LIST, DICT, BYTES, ARRAYS, MAPPED = [], {}, [], [], []
PIECES = 20


def list_():
    for _ in range(15000):
        LIST.append([])  # list


def dict_():
    for _ in range(12000):
        DICT[object()] = None  # dict


def bytes_():
    for _ in range(1500):
        BYTES.append(bytes(1000))  # bytes


def arrays():
    for _ in range(2):
        ARRAYS.append(numpy.ones(100000))  # arrays


def small_blocks():
    grower.grow(15000, 100)  # small_blocks


def large_blocks():
    grower.grow(5, 300000)  # large_blocks


def mapped():
    MAPPED.append(mmap.mmap(-1, 1500000))
    MAPPED[-1].write(b"x" * 1500000)  # mapped


def churn():
    taken = [str(number) for number in range(2000)]
    del taken


def take_block():
    return mmap.mmap(-1, 4 << 20)


def fill_block(block):
    block.write(b"x" * len(block))


def drop_block(block):
    block.close()


def blocks():  # takes and drops: no growth
    for _ in range(10):
        block = take_block()
        fill_block(block)
        drop_block(block)


def take_bytes():
    return [bytes(500 + number) for number in range(2000)]


def heap():  # takes and drops: no growth
    for _ in range(10):
        taken = take_bytes()
        del taken


churn()
print("ready", flush=True)
for line in sys.stdin:
    way = line.strip()
    if way == "arrays":
        import numpy

        numpy.ones(100)
    if way in globals():
        for _ in range(PIECES):
            globals()[way](), churn()
    print("done", flush=True)
