"""Mistakes with asyncio, each at its own rate: asynchronous.py NAME=RATE..."""

import asyncio
import itertools
import sys

numbers = itertools.count()
started = set()
consumers = []
loops = []
jobs = asyncio.Queue()
mail = None
slow = []


async def job(number):
    await asyncio.sleep(0)
    return number


def tasks_kept():
    started.add(asyncio.ensure_future(job(next(numbers))))


async def consume(queue):
    while True:
        await queue.get()


def tasks_pending():
    consumers.append(asyncio.ensure_future(consume(mail)))


def expire(number):
    pass


def timers():
    asyncio.get_event_loop().call_later(3600, expire, next(numbers))


def queues():
    jobs.put_nowait({"job": next(numbers)})


def loops_open():
    loops.append(asyncio.new_event_loop())


def no_drain():
    slow[0].write(b"x" * 4000)


async def at_rate(name, rate):
    while True:
        globals()[name]()
        await asyncio.sleep(1 / float(rate))


async def main():
    global mail
    mail = asyncio.Queue()
    server = await asyncio.start_server(lambda reader, writer: asyncio.sleep(3600), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    slow.append(writer)
    print("ready", flush=True)
    asked = [argument.partition("=") for argument in sys.argv[1:]]
    await asyncio.wait_for(asyncio.gather(*(at_rate(name, rate) for name, _, rate in asked)), 300)


asyncio.run(main())
