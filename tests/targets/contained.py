"""Lives in a network of its own: opens its files and leaves connections half closed, from known lines."""
import fcntl, json, os, socket, struct, sys

KEPT = []


def raise_loopback():
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14x", b"lo", 0x41))  # SIOCSIFFLAGS: IFF_UP, IFF_RUNNING


def open_data():
    KEPT.append(open("/srv/data"))  # known line


def leave_half_closed(server):
    client = socket.create_connection(server.getsockname())
    KEPT.append(server.accept()[0])  # known line
    client.close()


raise_loopback()
listener = socket.socket()
listener.bind(("127.0.0.1", 8123)), listener.listen()
print("ready", flush=True)
for line in sys.stdin:
    for _ in range(int(line)):
        open_data(), leave_half_closed(listener)
    while any(one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != 8 for one in KEPT if hasattr(one, "recv")):
        pass  # until all are in CLOSE_WAIT
    print(json.dumps(sorted(map(int, os.listdir("/proc/self/fd")))), flush=True)
