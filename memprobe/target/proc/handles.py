"""Open handles of a process by kind, from the links in /proc/<pid>/fd."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

from memprobe.target.proc.process import Process
from memprobe.target.proc.procfs import printable
from memprobe.target.proc.sockets import SocketFacts, read_sockets
from memprobe.vocab.kinds import HandleKind as Kind

LINKS_LIMIT = 1 << 16
"""Links that are read, 3 us each; beyond that handles are counted but not told apart."""

EXAMPLES = 3

KINDS = tuple(kind.name.lower() for kind in Kind if kind)
"""Every kind there is, in the order of reports."""

ANONYMOUS = {"eventpoll": "epoll"} | {
    kind: kind for kind in ("eventfd", "timerfd", "signalfd", "inotify", "pidfd", "io_uring")
}
"""Names of anonymous inodes; the kernel puts brackets around most of them."""

_TTY = re.compile(r"/dev/(pts/[0-9]+|tty.*|console|ptmx)")
_INODE = re.compile(r"socket:\[([0-9]+)\]")


@dataclass(frozen=True, slots=True)
class HandleKind:
    """The open handles of one kind."""

    kind: str
    """One of KINDS."""

    open: int
    """How many there are."""

    examples: tuple[str, ...]
    """A few of them: path, peer, or what the kernel calls it."""

    families: tuple[tuple[str, int], ...] = ()
    """For sockets: how many of each family and TCP state, most first."""


@dataclass(frozen=True, slots=True)
class Handles:
    """All open handles of a process."""

    open: int
    """How many descriptors are open."""

    limit: int | None
    """RLIMIT_NOFILE, the soft one; None if unlimited or not known."""

    kinds: tuple[HandleKind, ...]
    """Those that occur, most first."""

    unread: int
    """Descriptors that were counted but not looked at, because there are too many."""


def read_handles(process: Process) -> Handles:
    """Count the open handles of a process by kind; needs the right to look into it."""
    numbers = process.folder.entries("fd")
    links = _links(process, numbers[:LINKS_LIMIT])
    kinds = [_kind(process, kind, found) for kind, found in _grouped(links).items()]
    return Handles(
        open=len(numbers),
        limit=read_limit(process, "Max open files"),
        kinds=tuple(sorted(kinds, key=lambda kind: (-kind.open, KINDS.index(kind.kind)))),
        unread=max(0, len(numbers) - LINKS_LIMIT),
    )


def read_limit(process: Process, name: str) -> int | None:
    """Read a soft limit such as "Max open files"; None if there is none."""
    for line in process.folder.read("limits").decode("ascii", "replace").splitlines():
        if line.startswith(name):
            soft = line[len(name) :].split()[0]
            return int(soft) if soft.isdecimal() else None
    return None


def handle_kind(link: str) -> str:
    """Tell the kind of a handle by where its link points."""
    if link.startswith("/"):
        if link.startswith("/memfd:"):
            return "memfd"
        return "tty" if _TTY.fullmatch(link) else "file"
    name, _, rest = link.partition(":")
    if name == "anon_inode":
        return ANONYMOUS.get(rest.strip("[]"), "other")
    return name if name in ("socket", "pipe", "pidfd") else "other"


def _links(process: Process, numbers: Iterable[str]) -> list[str]:
    """Read the links; a handle that is closed meanwhile is left out."""
    folder = process.folder.open("fd", os.O_RDONLY | os.O_DIRECTORY)
    links = []
    try:
        for number in numbers:
            try:
                links.append(os.readlink(number, dir_fd=folder))
            except OSError:
                continue
    finally:
        os.close(folder)
    return links


def _grouped(links: Iterable[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for link in links:
        groups.setdefault(handle_kind(link), []).append(link)
    return groups


def _kind(process: Process, kind: str, links: list[str]) -> HandleKind:
    if kind == "socket":
        return _sockets(process, links)
    return HandleKind(kind, len(links), tuple(map(printable, links[:EXAMPLES])))


def _sockets(process: Process, links: list[str]) -> HandleKind:
    inodes = {int(match[1]) for link in links if (match := _INODE.fullmatch(link))}
    known = read_sockets(process, inodes)
    families: dict[str, int] = {}
    for facts in known.values():
        name = f"{facts.family} {facts.state}".strip()
        families[name] = families.get(name, 0) + 1
    if len(known) < len(links):
        families["other"] = len(links) - len(known)
    ordered = sorted(families.items(), key=lambda item: -item[1])
    return HandleKind("socket", len(links), _examples(known, links), tuple(ordered))


def _examples(known: dict[int, SocketFacts], links: list[str]) -> tuple[str, ...]:
    texts = [facts.text for facts in known.values()] + links[len(known) :]
    return tuple(texts[:EXAMPLES])
