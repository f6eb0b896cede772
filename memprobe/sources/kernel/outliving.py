"""A call that SIGKILL on memprobe does not cut off.

While the kernel puts a trap into the code of a process, or takes it out, it gives up if whoever asked for
that is being killed: the trap stays ("failed to unregister, leaking uprobe"). So a child does it, and soon
ends by itself.
"""

from __future__ import annotations

import gc
import json
import os
import signal
from collections.abc import Callable
from typing import Any, NoReturn

MOST_BYTES = 1 << 16


def outliving(function: Callable[[], Any]) -> Any:
    """Call a short function in a child and wait for it; None if it has raised something.

    Its result must be plain data that JSON can hold, and few bytes. Raises OSError if there can be no child.
    """
    answers, answer = os.pipe()
    try:
        child = os.fork()
    except OSError:
        os.close(answers)
        os.close(answer)
        raise
    if child == 0:
        _be_the_child(answer, function)
    os.close(answer)
    with open(answers, "rb") as pipe:
        told = pipe.read(MOST_BYTES)
    os.waitpid(child, 0)
    return json.loads(told) if told else None


def _be_the_child(answer: int, function: Callable[[], Any]) -> NoReturn:
    try:
        os.setsid()  # what is sent to memprobe's group is not for it
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        gc.freeze()  # what the parent has made is never finalised here
        os.write(answer, json.dumps(function()).encode())
    finally:
        os._exit(0)  # never back into the parent's stack, never through its exit handlers
