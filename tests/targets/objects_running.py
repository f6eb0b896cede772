"""Frames, generators, coroutines, exceptions, iterators, context variables, threads and asyncio."""
import asyncio, collections, contextvars, inspect, itertools, queue, sys, threading  # noqa: E401
import referents
loop, variable = asyncio.new_event_loop(), contextvars.ContextVar("variable", default=[1])
variables = [contextvars.ContextVar(str(number)) for number in range(60)]
def generator(a, b=[1]):
    local, cell = {"in": a}, [2]
    for item in [1, [2], 3]: yield local, lambda: cell
async def coroutine(future):
    local = [future]; return await future, local
async def asynchronous(future):
    local = [1]; yield local; await future
def advance(one, steps=1):
    [next(one, None) for _ in range(steps)]
    return one
def framed(): inside = ["local"]; return inspect.currentframe(), inspect.currentframe().f_locals, inside
def raised():
    try: [].missing
    except AttributeError as first:
        try: raise OSError(2, "no", "file") from first
        except OSError as second: return second
def work(started, name): local, own.value = [name], [name]; started.release(); threading.Event().wait()
own, started = threading.local(), threading.Semaphore(0)
[threading.Thread(target=work, args=(started, [n]), daemon=True).start() or started.acquire() for n in range(3)]
async def main():
    futures = [loop.create_future() for _ in range(3)]; tasks = [loop.create_task(coroutine(f)) for f in futures]
    tasks += [loop.create_task(coroutine(tasks[0])), loop.create_task(asyncio.sleep(999)), asyncio.gather(*tasks)]
    futures[2].set_exception(ValueError([3])); tasks[1].cancel(); futures[0].add_done_callback(print)
    await asyncio.sleep(0.01); return futures, tasks, loop.call_later(999, print, [1]), asyncio.Lock(), asyncio.Queue()
context = contextvars.copy_context(); context.run(lambda: [one.set([one]) for one in variables])
small = contextvars.copy_context(); small.run(lambda: [one.set([1]) for one in variables[:5]]); variable.set([2])
def nothing(): return None
simple = queue.SimpleQueue(); [simple.put([n]) for n in range(20)]; [simple.get() for _ in range(5)]
held = [loop.run_until_complete(main()), generator(1), advance(generator(2)), advance(generator(3), 9), (x for x in [1]), coroutine(0), asynchronous(0), asynchronous(1).__anext__(), framed(), raised(), simple, collections.deque(range(300)), collections.deque([[1]], 5), coroutine(1).__await__()]
held += [f(iter(x)) for f in (iter, advance, lambda i: advance(i, 99)) for x in ([1, [2]], (1, []), {1: []}, {1: []}.items(), {1}, "text", b"b", range(9), range(10**20), collections.deque([1]), [0])] + [enumerate([[]]), zip([1], [[2]]), map(str, [1]), filter(None, [1]), reversed([1]), iter(nothing, 1)]
held += [advance(k) for k in (itertools.chain([1], [2]), itertools.cycle([1, []]), itertools.islice([[1]], 1), itertools.count(10**20), itertools.repeat([1]), itertools.accumulate([1, 2]), itertools.groupby("aab"), itertools.product([1, 2], [[3]]), itertools.permutations([1, [2]]), itertools.combinations([1, [2]], 1), itertools.zip_longest([1], [2, []]), itertools.starmap(pow, [(1, 2)]), itertools.takewhile(bool, [1]), *itertools.tee(range(200)))]
referents.tell(sys.argv[1])
