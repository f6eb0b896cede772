"""Where mm_struct has its account of resident memory, and how the counters in it are made."""

from __future__ import annotations

import mmap

import numpy as np
import numpy.typing as npt

from memprobe.errors import NoKernelSupport
from memprobe.sources.bcc.fields import PLAIN_COUNTERS, Offsets
from memprobe.sources.bcc.kernel_memory import KernelMemory, Words
from memprobe.sources.bcc.own import shared_pages, thread_count

LAYOUTS = ({"count": 8, "counters": 32}, {"count": 8, "counters": 16}, {"count": 0, "counters": 0})
"""struct percpu_counter with CONFIG_HOTPLUG_CPU and without; and single words, as before 6.2."""

KINDS = 4
"""Files, anonymous memory, swap, shared memory: MM_*PAGES."""

_ANONYMOUS = 1
_PAGES = 4096
"""Of anonymous memory are taken and given back to see which counter moves."""

_KEPT_PAGES = 128
"""What a thread may keep to itself before 6.2, and what others may have touched meanwhile."""

_MM_WORDS = 512


def find_account(memory: KernelMemory, mm: int, processor: int) -> Offsets:
    """Return the fields of the account; `processor` is how far this CPU's copies are from their pointers.

    Raises NoKernelSupport if not exactly one place fits.
    """
    moved = np.flatnonzero(_follows_memory(memory, mm)).tolist()
    words = memory.words(mm, _MM_WORDS)
    fitting = [
        (begin, layout)
        for layout in LAYOUTS
        for begin in (8 * at - _place(layout, _ANONYMOUS) for at in moved)
        if begin >= 0 and _is_account(memory, words[begin // 8 :], layout, processor)
    ]
    if len(fitting) != 1:
        raise NoKernelSupport(
            f"where this kernel has mm_struct.rss_stat cannot be told ({len(fitting)} places fit)"
        )
    begin, layout = fitting[0]
    counters = {f"percpu_counter.{name}": offset for name, offset in layout.items()}
    return {"mm_struct.rss_stat": begin, PLAIN_COUNTERS: int(layout is LAYOUTS[-1]), **counters}


def _place(layout: Offsets, kind: int) -> int:
    """Where the count of a kind of memory is, within the account."""
    return layout["count"] + kind * (layout["counters"] + 8)


def _follows_memory(memory: KernelMemory, mm: int) -> npt.NDArray[np.bool_]:
    """Which words grow with anonymous memory and shrink with it; each CPU keeps a part to itself."""
    with mmap.mmap(-1, _PAGES * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as room:
        before = memory.words(mm, _MM_WORDS)
        for page in range(_PAGES):
            room[page * mmap.PAGESIZE] = 1
        full = memory.words(mm, _MM_WORDS)
        room.madvise(mmap.MADV_DONTNEED)
        after = memory.words(mm, _MM_WORDS)
    size = min(len(before), len(full), len(after))
    moves = [(full[:size] - other[:size]).view("<i8") for other in (before, after)]
    within: npt.NDArray[np.bool_] = np.logical_and.reduce(
        [(move >= _PAGES // 2) & (move <= 2 * _PAGES) for move in moves]
    )
    return within


def _is_account(memory: KernelMemory, words: Words, layout: Offsets, processor: int) -> bool:
    """Whether these words can be the counters of all kinds."""
    counts = [_place(layout, kind) // 8 for kind in range(KINDS)]
    if len(words) <= counts[-1] + layout["counters"] // 8:
        return False
    if layout is LAYOUTS[-1]:
        files, _, _, shared = (int(words[at].view("<i8")) for at in counts)
        return abs(files + shared - shared_pages()) <= thread_count() * _KEPT_PAGES
    pointers = [int(words[at + (layout["counters"] - layout["count"]) // 8]) for at in counts]
    return all(pointer and _is_small(memory.read(pointer + processor, 4)) for pointer in pointers)


def _is_small(part: bytes) -> bool:
    """What one CPU keeps to itself."""
    return bool(part) and abs(int.from_bytes(part, "little", signed=True)) < 1 << 16
