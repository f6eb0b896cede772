"""Ways to call: each function ends up in block(), a call into C that does not return."""
import functools
import re


def recursion(block, depth=200):
    return recursion(block, depth - 1) if depth else block()


def key_of_sorted(block):
    return sorted([1, 2], key=lambda item: block() if item == 2 else item)


def maps_and_filters(block):
    return list(map(lambda one: list(filter(lambda two: block(), [one])), [1]))


def reduction(block):
    return functools.reduce(lambda total, item: block() or total, [1, 2, 3])


@functools.lru_cache(maxsize=None)
def callback_of_re(block):
    return re.sub("b", lambda match: str(block()), "abc")


partial = functools.partial(lambda block, one: "-".join(str(block()) for _ in range(one)), one=1)
partial.__name__ = "partial"
SHAPES = [recursion, key_of_sorted, maps_and_filters, reduction, callback_of_re, partial]
