"""Works all the time in a thread: files, memory, garbage. Asked, does a fixed amount of the same; says its CPU time."""
import gc, os, sys, threading, time


def work(count):
    for number in range(count):
        os.close(os.open("/dev/null", os.O_RDONLY))
        kept = [bytes(300) for _ in range(20)], bytearray(200000)
        if number % 50 == 0:
            gc.collect(0)
        del kept


def forever():
    while True:
        work(5)
        time.sleep(0.001)


threading.Thread(target=forever, daemon=True).start()
print("ready", flush=True)
for line in sys.stdin:
    begin = time.thread_time_ns()
    work(int(line))
    print(time.thread_time_ns() - begin, flush=True)
