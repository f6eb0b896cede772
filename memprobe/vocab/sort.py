"""What sort of thing something is, as far as experience with others of its sort goes.

A sort is known by ever narrower names: its kind, the group in it (an extension, a class of peers), and the
place that makes it. All of them are the same from run to run, and when the program was edited.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from memprobe.vocab.stack import Frame, own_frame
from memprobe.vocab.subject import Subject, What

NAME_LIMIT = 200
"""Letters of a name that are kept: a target may make up names of any length."""

REGISTERED_PORTS = 32768
"""Below it a port names a service, from it on (Linux's `ip_local_port_range`) a connection."""

_EXTENSION = re.compile(r"[^/.]\.([A-Za-z][A-Za-z0-9_-]{0,7})$")
_ENDS = re.compile(r"(?:tcp|udp)6? (\S+?):([0-9]+)(?: -> (\S+):([0-9]+))?$")


@dataclass(frozen=True, slots=True)
class Sort:
    """From the widest to the narrowest; "" where it is not known."""

    kind: str
    """Of a handle its kind ("file"), else what is counted ("container")."""

    group: str = ""
    """".tmp", "private:5432"; of what is no handle its type."""

    site: str = ""
    """Where it is made ("app/db.py:connect"), or who holds it."""

    @classmethod
    def of(cls, subject: Subject) -> Sort:
        """Return the sort of what a subject counts."""
        site = site_of(subject.site)
        if subject.what is What.HANDLES:
            kind, _, group = subject.type.partition(" ")
            return cls(kind[:NAME_LIMIT], group[:NAME_LIMIT], site)
        return cls(subject.what.name.lower(), subject.type[:NAME_LIMIT], subject.holder[:NAME_LIMIT] or site)

    @property
    def widths(self) -> tuple[Sort, ...]:
        """Return the sorts that it belongs to, from the widest to itself."""
        return _widths(self)


@lru_cache(1024)
def _widths(sort: Sort) -> tuple[Sort, ...]:
    every = (Sort(sort.kind), Sort(sort.kind, sort.group), Sort(sort.kind, "", sort.site), sort)
    return tuple(dict.fromkeys(every))


def site_of(frames: Sequence[Frame]) -> str:
    """Return a name for a stack that outlives edits: the program's innermost function, with its file."""
    own = own_frame(tuple(frames))
    return f"{short_path(own.file)}:{own.function}"[-NAME_LIMIT:] if own else ""


def short_path(path: str) -> str:
    """Return the last two parts of a path."""
    return "/".join(path.split("/")[-2:])


def group_of(kind: str, text: str) -> str:
    """Return the group of a handle by what it points to: an extension, or a class of peers; "" if none."""
    if kind == "file":
        match = _EXTENSION.search(text.removesuffix(" (deleted)"))
        return f".{match[1].lower()}" if match else ""
    return _peers(text) if kind == "socket" else ""


def common_group(kind: str, texts: Iterable[str]) -> str:
    """Return the group of at least half of them; "" if there is none."""
    groups = Counter(group_of(kind, text) for text in texts)
    if not groups:
        return ""
    group, count = max(groups.items(), key=lambda item: (item[1], item[0]))
    return group if 2 * count >= groups.total() else ""


def _peers(text: str) -> str:
    """Sort a socket by how far away the peer is, and by the port that names the service."""
    if text.startswith("unix"):
        return "unix"
    match = _ENDS.match(text.rpartition(" ")[0] if text and text[-1].isupper() else text)
    if match is None:
        return ""
    local_port, address, port = int(match[2]), match[3], match[4]
    if address is None:
        return f"listening:{local_port}"
    service = min(local_port, int(port))
    return _distance(address) + (f":{service}" if service < REGISTERED_PORTS else "")


def _distance(text: str) -> str:
    try:
        address = ip_address(text.strip("[]"))
    except ValueError:
        return "elsewhere"
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return _class_of(address)


def _class_of(address: IPv4Address | IPv6Address) -> str:
    if address.is_loopback:
        return "loopback"
    return "private" if address.is_private else "public"
