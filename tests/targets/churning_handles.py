"""Opens and closes descriptors from 8 threads; after each round it says what is open, and which stack opened it.

churning_handles.py OPENED: so many are opened in a round. A line on standard input begins one; "child" as well, with a child.
"""
import _socket, json, os, random, sys, threading

HELD, KEPT, OPENED = {}, [[] for _ in range(8)], int(sys.argv[1])


def held(*descriptors):
    rows, frame = [], sys._getframe(1)
    while frame is not None:
        rows.append([getattr(frame.f_code, "co_qualname", frame.f_code.co_name), frame.f_code.co_filename, frame.f_lineno])
        frame = frame.f_back
    HELD.update(dict.fromkeys(descriptors, rows))
    return list(descriptors)


KINDS = [  # each has a number of its own, for ever
    lambda: held(*os.pipe()),
    lambda: held(_socket.socket().detach()),
    lambda: held(*[one.detach() for one in _socket.socketpair()]),
]


def deeper(depth, kind):
    return deeper(depth - 1, kind) if depth else kind()


def work(live, quota, choice):
    while quota > 0:
        made = deeper(choice.randrange(8), choice.choice(KINDS))
        live += made
        quota -= len(made)
        while len(live) > 40:
            descriptor = live.pop(choice.randrange(len(live)))
            del HELD[descriptor]
            os.close(descriptor)


def say(kind):
    now = [int(one) for one in os.listdir("/proc/self/fd") if os.path.islink("/proc/self/fd/" + one)]
    data = json.dumps({"kind": kind, "pid": os.getpid(), "open": sorted(now), "held": HELD}).encode() + b"\n"
    while data:
        data = data[os.write(1, data) :]
    return sys.stdin.readline()


print("ready", flush=True)
order = sys.stdin.readline()
while order:
    threads = [threading.Thread(target=work, args=(live, OPENED // 8, random.Random(one))) for one, live in enumerate(KEPT)]
    [one.start() for one in threads], [one.join() for one in threads]
    if order == "child\n":
        number = os.fork()
        if number == 0:
            work(KEPT[0], 200, random.Random(9)), say("child"), os._exit(3)
        order = say("exit %d" % (os.waitpid(number, 0)[1] >> 8))
    else:
        order = say("round")
