"""A loop with timers of all kinds, that is held up while callbacks are ready."""
import asyncio, functools, threading, telling_tasks
class Poller:
    def poll(self): pass
    def __call__(self): pass
def later(*arguments): pass
def hold():
    for n in range(11): loop.call_soon(later, n)
    loop.call_soon(Poller().poll)
    loop.create_task(asyncio.sleep(3))
    telling_tasks.serve()
    threading.Event().wait()
loop = asyncio.new_event_loop()
callbacks = [later, Poller().poll, functools.partial(later, 3), lambda: None, print, [].append, Poller()]
for n in range(200):
    for callback in callbacks: loop.call_later(1_000 + n, callback, n)
for n in range(50): loop.call_at(loop.time() + 2_000 + n, later).cancel()
loop.call_at(10**18, later)
telling_tasks.loops.append(loop)
loop.call_soon(hold)
loop.run_forever()
