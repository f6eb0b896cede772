"""Generators and coroutines, driven by hand and by asyncio."""
import asyncio


def inner(block):
    try:
        yield block()
    finally:
        block()
def delegating(block): yield from inner(block)
def generator(block): return [item for item in delegating(block)]
def sum_of_generator(block): return sum(item or 0 for item in delegating(block))
def closing(block):
    (waiting := held(block)).send(None)
    waiting.close()
def held(block):
    try: yield
    finally: block()


async def awaited(block): return block()
async def outer(block): return await awaited(block)
async def items(block): yield await outer(block)
async def over_items(block): return [item async for item in items(block)]
def in_event_loop(block): return asyncio.new_event_loop().run_until_complete(over_items(block))
def sent(block):
    try: outer(block).send(None)
    except StopIteration: pass
SHAPES = [generator, sum_of_generator, closing, in_event_loop, sent]
