"""Sockets in every state that one can keep a descriptor of; says which is which, and waits."""
import json
import socket
import sys

held, truth = [], {}


def keep(one, *said):
    held.append(one)
    truth[one.fileno()] = said
    return one


def pair(host, family):
    server = socket.socket(family)
    server.bind((host, 0))
    server.listen(1)
    client = socket.create_connection(server.getsockname()[:2])
    return server, client, server.accept()[0]


for host, family in (("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)):
    server, client, served = pair(host, family)
    keep(server, "LISTEN", 0, 0), keep(client, "ESTABLISHED", 0, 0), keep(served, "ESTABLISHED", 5, 0)
    client.send(b"hello")
    server, client, served = pair(host, family)
    client.send(b"bye")
    client.shutdown(socket.SHUT_WR)
    while client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != 5:  # FIN_WAIT2
        pass
    keep(server, "LISTEN", 0, 0), keep(client, "FIN_WAIT2", 0, 0), keep(served, "CLOSE_WAIT", 4, 0)
    keep(socket.socket(family), "CLOSE", 0, 0)
    datagrams = keep(socket.socket(family, socket.SOCK_DGRAM), "NONE", None, 0)
    datagrams.bind((host, 0))
    datagrams.sendto(b"x" * 100, datagrams.getsockname()[:2])

server, client, served = pair("127.0.0.1", socket.AF_INET)
served.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
served.close()  # sends a reset
keep(client, "CLOSE", 0, 0), keep(server, "LISTEN", 0, 0)

server = keep(socket.socket(), "LISTEN", 0, 0)
server.bind(("127.0.0.1", 0))
server.listen(0)
for number in range(4):  # the queue has room for one, the others' SYN is dropped
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex(server.getsockname())
keep(client, "SYN_SENT", None, None)

ours, theirs = socket.socketpair()
ours.send(b"unread")
keep(ours, "ESTABLISHED", 0, None), keep(theirs, "ESTABLISHED", 6, 0)
left, gone = socket.socketpair()
gone.close()
keep(left, "ESTABLISHED", 0, 0)
named = keep(socket.socket(socket.AF_UNIX), "LISTEN", 0, 0)
named.bind(sys.argv[1])
named.listen(5)
calling = keep(socket.socket(socket.AF_UNIX), "ESTABLISHED", 0, 0)
calling.connect(sys.argv[1])
keep(named.accept()[0], "ESTABLISHED", 0, 0)
waiting = keep(socket.socket(socket.AF_UNIX), "ESTABLISHED", 0, 0)
waiting.connect(sys.argv[1])
abstract = keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), "NONE", 0, 0)
abstract.bind(b"\0hidden \x1b[31m\xff")
keep(socket.socket(socket.AF_UNIX), "CLOSE", 0, 0)
keep(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0), "NONE", 0, 0).bind((0, 0))
# For experiments: of all protocols the SYN that is sent again would come in between two looks.
keep(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88B5)), "NONE", 0, 0)
keep(socket.socket(socket.AF_INET, socket.SOCK_RAW, 1), "NONE", 0, 0)
families = {one.fileno(): int(one.family) for one in held}
print("ready", json.dumps([[fd, families[fd], *said] for fd, said in truth.items()]), flush=True)
sys.stdin.readline()
