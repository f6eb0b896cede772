"""What is known of some open descriptors together: those of one birth place, of one kind, in one state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from memprobe.ledger.handle_targets import NUMBERED, Target, targets_of
from memprobe.ledger.handles import OpenHandles
from memprobe.ledger.sites import STATE_NAMES
from memprobe.ledger.streams import Integers

NEWEST = 64
"""So many of the newest say what is being opened; older ones may be what is kept open on purpose."""

READ = 1024
"""Of what many point to, so much is read."""

EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class HandleGroup:
    """Some open descriptors of one process."""

    open: int
    median_age_s: float | None
    """None if there are none."""

    oldest_s: float | None
    states: tuple[tuple[str, int], ...]
    """Of TCP sockets: how many are in which state, most first."""

    examples: tuple[str, ...]
    """What some of the newest point to."""

    targets: tuple[Target, ...]
    """What most of them point to, and which share of them does."""

    median_size_bytes: int | None
    """Of files, when they were first seen; None if no size is known."""

    send_queue_bytes: int
    """What waits in sockets to be sent."""

    opened: int | None = None
    """How many were opened at these places since the attach; None where births are not seen."""

    closed: int | None = None


def handle_texts(handles: OpenHandles, members: Integers) -> list[str]:
    """Return what the rows `members` point to, as far as it is known; of very many, some evenly chosen."""
    return [text for text in dict.fromkeys(_texts(handles, members)) if text]


def _texts(handles: OpenHandles, members: Integers) -> Iterable[str]:
    """What each of them points to; of very many, each of some evenly chosen."""
    chosen = members[:: 1 + len(members) // READ]
    starts, lengths = (handles.rows[name][chosen].tolist() for name in ("text", "text_bytes"))
    return map(handles.texts.get, starts, lengths)


def handle_group(handles: OpenHandles, members: Integers, now_ns: int) -> HandleGroup:
    """Sum up the rows `members` of what is open."""
    rows = handles.rows[members]
    since = np.where(rows["birth_ns"] != 0, rows["birth_ns"], rows["seen_ns"]).astype(np.int64)
    ages = np.maximum(0, now_ns - since) / 1e9
    states = Counter(rows["state"][rows["state"] != 0].tolist())
    newest = members[np.argsort(-since, kind="stable")[:NEWEST]]
    sizes = rows["size_bytes"][rows["size_bytes"] != 0]
    texts = dict.fromkeys(handles.text(int(member)) for member in newest)
    return HandleGroup(
        open=len(rows),
        median_age_s=float(np.median(ages)) if len(ages) else None,
        oldest_s=float(ages.max()) if len(ages) else None,
        states=tuple((STATE_NAMES.get(state, "?"), count) for state, count in states.most_common()),
        examples=tuple(text for text in texts if text and not NUMBERED.match(text))[:EXAMPLES],
        targets=targets_of(_texts(handles, members)),
        median_size_bytes=int(np.median(sizes)) if len(sizes) else None,
        send_queue_bytes=int(rows["send_queue_bytes"].sum()),
    )
