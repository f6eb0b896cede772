"""Whether anybody takes what is written: a run waits for no terminal that is stopped (Ctrl-S) or hangs."""

from __future__ import annotations

import select
from typing import TextIO


def has_room(stream: TextIO) -> bool:
    """Tell whether a few lines can be written without waiting; what is closed says so when it is tried."""
    poll = select.poll()
    try:
        poll.register(stream.fileno(), select.POLLOUT)
    except (OSError, ValueError):
        return True
    return bool(poll.poll(0))
