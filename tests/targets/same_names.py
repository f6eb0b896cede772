"""Two loops with timers of one function, and classes of one name that are made again and again."""
import asyncio, gc, sys, threading

gc.disable()
LOOPS = [asyncio.new_event_loop() for _ in range(2)]

def wanted():
    return 1
def more(count):
    for _ in range(count):
        class Again:
            pass
        one, other = Again(), Again()
        one.other, other.other = other, one

def planned(loop, count):
    done = threading.Event()
    def plan():
        for _ in range(count):
            loop.call_later(1000, wanted)
        done.set()
    loop.call_soon_threadsafe(plan)
    done.wait()

[threading.Thread(target=loop.run_forever, daemon=True).start() for loop in LOOPS]
planned(LOOPS[0], 50), planned(LOOPS[1], 30), more(20)
Again = one = other = None
print("ready", flush=True)
sys.stdin.readline()
