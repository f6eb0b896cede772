"""Opens, copies, passes and closes descriptors of every kind from 8 threads and from children; logs every birth.

every_birth.py BIRTHS SEED ROUNDS: at each checkpoint a line says what is open; the last one also says all births and their stacks.
"""
import _socket, array, ctypes, fcntl, json, os, platform, random, resource, select, sys, tempfile, threading

LIBC = ctypes.CDLL(None, use_errno=True)
CALL = LIBC.syscall
PATH = tempfile.mkdtemp() + "/file"
BYTES = PATH.encode()
BEFORE_ARM = platform.machine() == "x86_64"  # calls that newer architectures do not have
EVENTFD2, SIGNALFD4, INOTIFY_INIT1, DUP3, TIMERFD = (290, 289, 294, 292, 283) if BEFORE_ARM else (19, 74, 26, 24, 85)
PERF, MEMFD, BPF, USERFAULTFD, FANOTIFY = (298, 319, 321, 323, 300) if BEFORE_ARM else (241, 279, 280, 282, 262)
IO_URING, PIDFD_OPEN, CLOSE_RANGE, OPENAT2, GETFD, LANDLOCK, SECRET = 425, 434, 436, 437, 438, 444, 447
UNSHARE, CLONE_FILES = (272 if BEFORE_ARM else 97), 0x400
LOG, STACKS, HOLDS, LOCK = {}, {}, {}, threading.Lock()
MINE = threading.local()


def note(how, *descriptors, depth=2):
    """Descriptors that were just born in the line that calls this."""
    rows, frame = [], sys._getframe(depth - 1)
    while frame is not None:
        code = frame.f_code
        rows.append((getattr(code, "co_qualname", code.co_name), code.co_filename, frame.f_lineno))
        frame = frame.f_back
    if min(descriptors) < 0:
        raise OSError(ctypes.get_errno(), "%s: %s" % (rows[0], os.strerror(ctypes.get_errno())))
    with LOCK:
        number = STACKS.setdefault((how, tuple(rows)), len(STACKS))
    log = LOG.setdefault(threading.get_native_id(), [])
    for descriptor in descriptors:
        log.append((descriptor, number))
        HOLDS[descriptor] = number
    return list(descriptors)


fileno = lambda thing: thing.fileno()


def noted(how, *things):
    note(how, *map(fileno, things), depth=3)
    return things[0] if len(things) == 1 else things


def detached(things):
    return [thing.detach() for thing in things]


def opened():
    return note("OPEN", os.open(PATH, os.O_RDONLY)) + note("OPEN", os.open("/", os.O_PATH))


def opened_by_python():
    file = open(PATH, "rb", buffering=0, opener=opener)
    copy = note("DUP", os.dup(file.fileno()))
    file.close()
    return copy


def opener(path, flags):
    return note("OPEN", os.open(path, flags))[0]


def opened_as_ever():
    return note("OPEN", CALL(2, BYTES, 0)) + note("OPEN", CALL(85, BYTES, 0o600))


def opened_how():
    return note("OPEN", CALL(OPENAT2, -100, BYTES, (ctypes.c_uint64 * 3)(0, 0, 0), 24))


def missing():
    for name in ("/no-such-folder/x", "\N{SNOWMAN}"):
        try:
            os.open(name, 0)
        except OSError:
            pass
    LIBC.close(99999), LIBC.close(-1)
    return []


def sockets():
    return note("SOCKET", _socket.socket().detach()) + note("SOCKETPAIR", *detached(_socket.socketpair()))


def connected():
    client = noted("SOCKET", _socket.socket())
    client.connect(MINE.listener.getsockname())
    return client.detach()


def accepted():
    return [connected()] + note("ACCEPT", MINE.listener._accept()[0])


def accepted_as_ever():
    return [connected()] + note("ACCEPT", CALL(43, MINE.listener.fileno(), None, None))


def pipes():
    return note("PIPE", *os.pipe()) + note("PIPE", *os.pipe2(os.O_CLOEXEC))


def pipe_as_ever():
    pair = (ctypes.c_int * 2)()
    return note("PIPE", *(list(pair) if CALL(22, pair) == 0 else [-1]))


def copied():
    copy = note("DUP", os.dup(0)) + note("DUP", fcntl.fcntl(0, fcntl.F_DUPFD, 100))
    return copy + note("DUP", fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 10))


def copied_over():
    one, other, third = note("OPEN", os.open(PATH, 0)) + note("DUP", os.dup(0)) + note("DUP", os.dup(0))
    note("DUP", os.dup2(one, other, False)), os.dup2(other, other)  # the second does nothing at all
    return [one, other] + note("DUP", CALL(DUP3, one, third, 0))


def polls():
    return note("EPOLL", CALL(291 if BEFORE_ARM else 20, 0))


def epoll_as_ever():
    first = noted("EPOLL", select.epoll())
    copy = note("DUP", os.dup(first.fileno()))
    first.close()
    return copy + note("EPOLL", CALL(213, 3))


def events():
    return note("EVENTFD", CALL(EVENTFD2, 0, 0)) + note("TIMERFD", CALL(TIMERFD, 1, 0)) + note("INOTIFY", CALL(INOTIFY_INIT1, 0))


def events_as_ever():
    return note("EVENTFD", CALL(284, 0)) + note("INOTIFY", CALL(253)) + note("SIGNALFD", CALL(282, -1, (ctypes.c_uint64 * 1)(), 8))


def signals():
    mask = (ctypes.c_uint64 * 1)(0)
    made = note("SIGNALFD", CALL(SIGNALFD4, -1, mask, 8, 0))
    CALL(SIGNALFD4, made[0], mask, 8, 0)  # changes it
    return made


def memory():
    return note("MEMFD", CALL(MEMFD, b"memory", 0))


def processes():
    made = note("PIDFD", CALL(PIDFD_OPEN, os.getpid(), 0))
    return made + note("RECEIVED", CALL(GETFD, made[0], 0, 0))


def ring():
    return note("IO_URING", CALL(IO_URING, 4, ctypes.create_string_buffer(120)))


def others():
    attributes, rules = (ctypes.c_uint32 * 32)(1, 112), (ctypes.c_uint64 * 1)(1)
    made = note("OTHER", CALL(PERF, attributes, 0, -1, -1, 0)) + note("OTHER", CALL(FANOTIFY, 0, 0))
    CALL(LANDLOCK, None, 0, 1), CALL(BPF, 11, (ctypes.c_uint32 * 30)(0), 120)  # return numbers that are no descriptors
    return made + note("OTHER", CALL(BPF, 0, (ctypes.c_uint32 * 30)(2, 4, 8, 1), 120)) + note("OTHER", CALL(USERFAULTFD, 1))


def rules():
    return note("OTHER", CALL(LANDLOCK, (ctypes.c_uint64 * 1)(1), 8, 0))


def secret():
    return note("MEMFD", CALL(SECRET, 0))


def in_message(data, count):
    return list(array.array("i", data[: 4 * count]))


def sent(socket, descriptor, count):
    socket.sendmsg([b"x"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array.array("i", [descriptor] * count))])


def received():
    pair = noted("SOCKETPAIR", *_socket.socketpair(_socket.AF_UNIX, _socket.SOCK_DGRAM))
    made = note("OPEN", os.open(PATH, 0))
    count = random.choice([1, 2, 5, 40, 253])
    sent(pair[0], made[0], count)
    made += note("RECEIVED", *in_message(pair[1].recvmsg(1, _socket.CMSG_SPACE(4 * count))[1][0][2], count))
    [one.close() for one in pair]
    return made


class Header(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in ("name", "name_bytes", "vectors", "vector_count", "control", "control_bytes", "flags", "length")]


def received_at_once():
    pair = noted("SOCKETPAIR", *_socket.socketpair(_socket.AF_UNIX, _socket.SOCK_DGRAM))
    made = note("OPEN", os.open(PATH, 0))
    headers, byte, vectors = (Header * 3)(), ctypes.create_string_buffer(8), (ctypes.c_size_t * 2)()
    vectors[0], vectors[1] = ctypes.addressof(byte), 1
    controls = [ctypes.create_string_buffer(64) for _ in headers]
    for number, (header, control) in enumerate(zip(headers, controls)):
        sent(pair[0], made[0], number + 1)
        header.vectors, header.vector_count = ctypes.addressof(vectors), 1
        header.control, header.control_bytes = ctypes.addressof(control), 64
    numbers = lambda: [one for number, control in enumerate(controls) for one in in_message(control.raw[16:], number + 1)]
    made += note("RECEIVED", *(numbers() if CALL(299 if BEFORE_ARM else 243, pair[1].fileno(), headers, 3, 0, None) == 3 else [-1]))
    [one.close() for one in pair]
    return made


def far_away():
    return note("DUP", fcntl.fcntl(0, fcntl.F_DUPFD, 3000 + 64 * random.randrange(60)))


OLD = [opened_as_ever, accepted_as_ever, pipe_as_ever, epoll_as_ever, events_as_ever]
KINDS = [opened, opened_by_python, opened_how, missing, sockets, accepted, pipes, copied, copied_over, polls, events, signals, memory]
KINDS += [processes, ring, others, rules, secret, received, received_at_once, far_away] + OLD * BEFORE_ARM
RARE = {ring: 0.02, others: 0.02, received: 0.1, secret: 0.1}


def deeper(depth, kind):
    return deeper(depth - 1, kind) if depth else kind()


def close(descriptor, way):
    if way < 0.1:
        os.closerange(descriptor, descriptor + 1)
    elif way < 0.2:
        CALL(CLOSE_RANGE, descriptor, descriptor, 0)
    else:
        os.close(descriptor)


def work(left, live, choice):
    while left > 0:
        kind = choice.choice(KINDS)
        if choice.random() < RARE.get(kind, 1):
            before = len(LOG.setdefault(threading.get_native_id(), []))
            live += deeper(choice.randrange(4), kind)
            left -= len(LOG[threading.get_native_id()]) - before
        while len(live) > 100:
            close(live.pop(choice.randrange(len(live))), choice.random())


def worker(quota, live, seed):
    MINE.listener = noted("SOCKET", _socket.socket())
    MINE.listener.bind(("127.0.0.1", 0)), MINE.listener.listen(64)
    choice = random.Random(seed)
    work(quota // 2, live, choice), BARRIER.wait(), BARRIER.wait(), work(quota - quota // 2, live, choice)
    MINE.listener.close()


def checked(*arguments):
    try:
        worker(*arguments)
    except BaseException:
        import traceback
        traceback.print_exc(), os._exit(9)


def alone():  # a thread with a table of its own, which dies with it
    CALL(UNSHARE, CLONE_FILES), os.open(PATH, 0), os.close(os.open(PATH, 0))


def truth():
    numbers = map(int, os.listdir("/proc/self/fd"))  # with that of the listing itself
    return [number for number in numbers if os.path.islink("/proc/self/fd/%d" % number)]


def say(kind, **more):
    now = sorted(truth())
    line = dict(more, kind=kind, pid=os.getpid(), open=now, holds={one: HOLDS[one] for one in now if one in HOLDS})
    data = json.dumps(line).encode() + b"\n"
    while data:
        data = data[os.write(1, data) :]
    os.read(0, 3)


NEW_PROGRAM = """import json, os
now = [one for one in map(int, os.listdir("/proc/self/fd")) if os.path.islink("/proc/self/fd/%d" % one)]
os.write(1, json.dumps(dict(kind="exec", pid=os.getpid(), open=sorted(now), holds={})).encode() + b"\\n")
os.read(0, 3), os._exit(0)
"""


def child(kind):
    if kind == 0:
        os.closerange(100, 200), [opened() for _ in range(3)], received()
    elif kind == 1:
        CALL(CLOSE_RANGE, 50, 0xFFFFFFFF, 2), pipes()  # UNSHARE
    elif kind == 2:
        CALL(UNSHARE, CLONE_FILES), copied_over()
    elif kind == 3:
        CALL(CLOSE_RANGE, 60, 0xFFFFFFFF, 4), os.set_inheritable(opened()[0], True)  # CLOEXEC
        os.execv(sys.executable, [sys.executable, "-S", "-c", NEW_PROGRAM])
    elif kind == 4:
        thread = threading.Thread(target=pipes)
        thread.start(), thread.join()
    say("child %d" % kind, log=LOG, stacks=list(STACKS))
    os._exit(0)


BIRTHS, SEED, ROUNDS = map(int, sys.argv[1:])
THREADS = 8
BARRIER = threading.Barrier(THREADS + 1)
open(PATH, "w").close()
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
print("ready", flush=True)
os.read(0, 3), say("begin")
kept = [[] for _ in range(THREADS)]
for turn in range(ROUNDS):
    made = [(BIRTHS // ROUNDS // THREADS, kept[one], SEED + THREADS * turn + one) for one in range(THREADS)]
    threads = [threading.Thread(target=checked, args=one) for one in made]
    [one.start() for one in threads], BARRIER.wait(), say("middle"), BARRIER.wait(), [one.join() for one in threads]
    say("dead threads")
    for kind in range(5):
        LOG_BEFORE, number = LOG, os.fork()
        if number == 0:
            LOG = {}
            child(kind)
        os.waitpid(number, 0)
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
    thread = threading.Thread(target=alone)
    thread.start(), thread.join(), kept.append(kept.pop(0)), say("after")
say("end", log=LOG, stacks=list(STACKS))
