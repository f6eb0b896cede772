"""Forks, execs and opens as it is told, one line at a time."""
import os, signal, subprocess, sys, threading


def open_some(count):
    return [os.open("/dev/null", os.O_RDONLY) for _ in range(count)]  # known line


def grandchild():
    if os.fork() == 0:
        open_some(2)
        os._exit(0)
    os.wait()


def child(count):
    pid = os.fork()
    if pid == 0:
        open_some(count)
        grandchild()
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


def keep():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    pid = os.fork()
    while pid == 0:
        signal.sigwait([signal.SIGUSR1])
        open_some(3)
    return pid


print("ready", flush=True)
for line in sys.stdin:
    word, *rest = line.split()
    if word == "fork":
        print(child(int(rest[0])), flush=True)
    elif word == "keep":
        print(keep(), flush=True)
    elif word == "open":
        print(*open_some(int(rest[0])), flush=True)
    elif word == "close":
        print(os.closerange(3, int(rest[0])), flush=True)
    elif word == "run":
        print(subprocess.run(rest).returncode, flush=True)
    elif word == "thread":
        threading.Thread(target=os.execv, args=(rest[0], rest)).start()
    elif word == "exec":
        os.execv(rest[0], rest)
    elif word == "end":
        break
