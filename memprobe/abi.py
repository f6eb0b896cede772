"""The kernel side's records, maps, enums and losses.

GENERATED from probes/abi.h and probes/losses.json by scripts/generate_abi.py: do not edit.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

MAX_PYTHON_FRAMES = 128
MAX_NATIVE_WORDS = 64
MAX_PATH_BYTES = 256
MAX_TARGETS = 256
MAX_LAYOUTS = 16
NO_OFFSET = 0xffffffff
MAX_LINK_BYTES = 56
TABLE_WORDS = 64
MAX_TABLE_PARTS = 16
BLOCK_WORDS = 6
WATCH_UNKNOWN = 0xffffffffffffffff
MOST_LISTS = 16


class RecordKind(IntEnum):
    """enum record_kind."""

    STACK = 1
    BIRTH = 2
    DEATH = 3
    PROCESS = 4
    COLLECTION = 5
    TABLE = 6
    BLOCK = 7
    LINK = 8


class StackStatus(IntEnum):
    """enum stack_status."""

    COMPLETE = 0
    TRUNCATED = 1
    NO_THREAD_STATE = 2
    NO_FRAME = 3
    BROKEN = 4
    NOT_TAKEN = 5


class LayoutFlags(IntEnum):
    """enum layout_flags."""

    INTERPRETER_FRAME = 1
    CFRAME = 2


class TargetFlags(IntEnum):
    """enum target_flags."""

    TREE = 1


class BirthHow(IntEnum):
    """enum birth_how."""

    OPEN = 1
    SOCKET = 2
    SOCKETPAIR = 3
    ACCEPT = 4
    PIPE = 5
    DUP = 6
    EPOLL = 7
    EVENTFD = 8
    TIMERFD = 9
    SIGNALFD = 10
    INOTIFY = 11
    MEMFD = 12
    PIDFD = 13
    IO_URING = 14
    RECEIVED = 15
    OTHER = 16


class DeathHow(IntEnum):
    """enum death_how."""

    CLOSE = 1
    CLOSE_RANGE = 2
    REPLACED = 3


class ProcessHow(IntEnum):
    """enum process_how."""

    FORK = 1
    EXEC = 2
    EXIT = 3
    UNSHARE = 4
    TABLE_END = 5


class BlockHow(IntEnum):
    """enum block_how."""

    MALLOC = 0
    CALLOC = 1


class GrowthHow(IntEnum):
    """enum growth_how."""

    FAULT = 1
    MMAP = 2
    BRK = 3
    ARENA = 4
    POOL = 5
    LARGE = 6
    MMAP_FILE = 7
    RSS_FILE = 8
    RSS_ANONYMOUS = 9
    RSS_SWAP = 10
    RSS_SHARED = 11
    ADVISED = 12
    SAMPLED = 13


class MutatorHow(IntEnum):
    """enum mutator_how."""

    CHANGES = 0
    REALLOCATES = 1
    RESIZES = 2


class CookieRegister(IntEnum):
    """enum cookie_register."""

    CONSTANT = 0
    R15 = 1
    R14 = 2
    R13 = 3
    R12 = 4
    BP = 5
    BX = 6
    R11 = 7
    R10 = 8
    R9 = 9
    R8 = 10
    AX = 11
    CX = 12
    DX = 13
    SI = 14
    DI = 15
    SP = 20


RECORD_HEADER = np.dtype(
    {
        "names": ["kind", "size_bytes", "time_ns", "pid", "tid"],
        "formats": ["<u4", "<u4", "<u8", "<u4", "<u4"],
        "offsets": [0, 4, 8, 16, 20],
        "itemsize": 24,
    }
)
"""struct record_header."""

PYTHON_FRAME = np.dtype(
    {
        "names": ["code", "instruction", "identity"],
        "formats": ["<u8", "<u8", "<u8"],
        "offsets": [0, 8, 16],
        "itemsize": 24,
    }
)
"""struct python_frame."""

STACK_RECORD = np.dtype(
    {
        "names": [
            "header",
            "stack_id",
            "python_count",
            "native_count",
            "status",
            "native_instruction",
            "native",
            "python",
        ],
        "formats": [
            RECORD_HEADER,
            "<u8",
            "<u2",
            "<u2",
            "<u4",
            "<u8",
            ("<u8", (64,)),
            (PYTHON_FRAME, (128,)),
        ],
        "offsets": [
            0,
            24,
            32,
            34,
            36,
            40,
            48,
            560,
        ],
        "itemsize": 3632,
    }
)
"""struct stack_record."""

PYTHON_LAYOUT = np.dtype(
    {
        "names": [
            "flags",
            "runtime_interpreters",
            "runtime_current_thread",
            "interpreter_next",
            "interpreter_threads",
            "thread_links",
            "thread_id",
            "thread_frame",
            "cframe_frame",
            "frame_links",
            "frame_instruction",
            "owner_shift",
            "shim_owner",
            "code_identity",
            "code_identity_more",
            "name_hash",
            "code_masks",
            "previous_masks",
            "owner_masks",
        ],
        "formats": [
            "<u4",
            "<u4",
            "<u4",
            "<u4",
            "<u4",
            "<u4",
            "<u4",
            "<u4",
            "<u4",
            "<u4",
            "<u4",
            "<u4",
            "<u4",
            "<u4",
            "<u4",
            "<u4",
            ("<u8", (3,)),
            ("<u8", (3,)),
            ("<u8", (2,)),
        ],
        "offsets": [
            0,
            4,
            8,
            12,
            16,
            20,
            24,
            28,
            32,
            36,
            40,
            44,
            48,
            52,
            56,
            60,
            64,
            88,
            112,
        ],
        "itemsize": 128,
    }
)
"""struct python_layout."""

TARGET = np.dtype(
    {
        "names": ["runtime", "layout", "epoch", "flags", "reserved"],
        "formats": ["<u8", "<u4", "<u4", "<u4", "<u4"],
        "offsets": [0, 8, 12, 16, 20],
        "itemsize": 24,
    }
)
"""struct target."""

THREAD_KEY = np.dtype(
    {
        "names": ["thread_pointer", "pid", "reserved"],
        "formats": ["<u8", "<u4", "<u4"],
        "offsets": [0, 8, 12],
        "itemsize": 16,
    }
)
"""struct thread_key."""

BIRTH_RECORD = np.dtype(
    {
        "names": [
            "header",
            "files",
            "stack_id",
            "descriptor",
            "how",
            "source",
            "detail",
            "weight",
            "path_bytes",
            "path",
        ],
        "formats": [
            RECORD_HEADER,
            "<u8",
            "<u8",
            "<i4",
            "<u4",
            "<i4",
            "<u4",
            "<u4",
            "<u4",
            "S256",
        ],
        "offsets": [
            0,
            24,
            32,
            40,
            44,
            48,
            52,
            56,
            60,
            64,
        ],
        "itemsize": 320,
    }
)
"""struct birth_record."""

LINK_RECORD = np.dtype(
    {
        "names": ["header", "descriptor", "reserved", "text"],
        "formats": [RECORD_HEADER, "<i4", "<u4", "S56"],
        "offsets": [0, 24, 28, 32],
        "itemsize": 88,
    }
)
"""struct link_record."""

DEATH_RECORD = np.dtype(
    {
        "names": ["header", "files", "first", "last", "how", "flags"],
        "formats": [RECORD_HEADER, "<u8", "<i4", "<i4", "<u4", "<u4"],
        "offsets": [0, 24, 32, 36, 40, 44],
        "itemsize": 48,
    }
)
"""struct death_record."""

PROCESS_RECORD = np.dtype(
    {
        "names": ["header", "files", "from_files", "how", "other", "other_local", "reserved"],
        "formats": [RECORD_HEADER, "<u8", "<u8", "<u4", "<u4", "<u4", "<u4"],
        "offsets": [0, 24, 32, 40, 44, 48, 52],
        "itemsize": 56,
    }
)
"""struct process_record."""

TABLE_RECORD = np.dtype(
    {
        "names": ["header", "files", "first", "words", "table_words", "reserved", "open"],
        "formats": [RECORD_HEADER, "<u8", "<u4", "<u4", "<u4", "<u4", ("<u8", (64,))],
        "offsets": [0, 24, 32, 36, 40, 44, 48],
        "itemsize": 560,
    }
)
"""struct table_record."""

TASK_ROW = np.dtype(
    {
        "names": ["pid", "tid", "local_pid", "local_tid", "files", "address_space", "thread_pointer"],
        "formats": ["<u4", "<u4", "<u4", "<u4", "<u8", "<u8", "<u8"],
        "offsets": [0, 4, 8, 12, 16, 24, 32],
        "itemsize": 40,
    }
)
"""struct task_row."""

COLLECTION_RECORD = np.dtype(
    {
        "names": ["header", "duration_ns", "collected", "generation", "reserved"],
        "formats": [RECORD_HEADER, "<u8", "<i8", "<i4", "<u4"],
        "offsets": [0, 24, 32, 40, 44],
        "itemsize": 48,
    }
)
"""struct collection_record."""

BLOCK_RECORD = np.dtype(
    {
        "names": ["header", "address", "size_bytes", "stack_id", "before", "words"],
        "formats": [RECORD_HEADER, "<u8", "<u8", "<u8", "<u8", ("<u8", (6,))],
        "offsets": [0, 24, 32, 40, 48, 56],
        "itemsize": 104,
    }
)
"""struct block_record."""

BIRTH_WATCH = np.dtype(
    {
        "names": ["used_pools", "classes", "limit"],
        "formats": ["<u8", "<u8", "<u8"],
        "offsets": [0, 8, 16],
        "itemsize": 24,
    }
)
"""struct birth_watch."""

BIRTH_COUNTS = np.dtype(
    {
        "names": ["hits", "wanted", "unknown", "unsent", "last"],
        "formats": ["<u8", "<u8", "<u8", "<u8", "<u8"],
        "offsets": [0, 8, 16, 24, 32],
        "itemsize": 40,
    }
)
"""struct birth_counts."""

GROWTH_KEY = np.dtype(
    {
        "names": ["stack_id", "pid", "how"],
        "formats": ["<u8", "<u4", "<u4"],
        "offsets": [0, 8, 12],
        "itemsize": 16,
    }
)
"""struct growth_key."""

GROWTH_TOTAL = np.dtype(
    {
        "names": ["grown_bytes", "freed_bytes", "events"],
        "formats": ["<u8", "<u8", "<u8"],
        "offsets": [0, 8, 16],
        "itemsize": 24,
    }
)
"""struct growth_total."""

WATCH_KEY = np.dtype(
    {
        "names": ["address", "pid", "reserved"],
        "formats": ["<u8", "<u4", "<u4"],
        "offsets": [0, 8, 12],
        "itemsize": 16,
    }
)
"""struct watch_key."""

WATCH = np.dtype(
    {
        "names": [
            "last",
            "hits",
            "first_ns",
            "last_ns",
            "number",
            "width",
            "limit",
            "window_hits",
            "window_ns",
        ],
        "formats": [
            "<u8",
            "<u8",
            "<u8",
            "<u8",
            "<u4",
            "<u4",
            "<u4",
            "<u4",
            "<u8",
        ],
        "offsets": [
            0,
            8,
            16,
            24,
            32,
            36,
            40,
            44,
            48,
        ],
        "itemsize": 56,
    }
)
"""struct watch."""

CHANGE_KEY = np.dtype(
    {
        "names": ["stack_id", "number", "reserved"],
        "formats": ["<u8", "<u4", "<u4"],
        "offsets": [0, 8, 12],
        "itemsize": 16,
    }
)
"""struct change_key."""

CHANGE_TOTAL = np.dtype(
    {
        "names": ["added", "removed", "hits"],
        "formats": ["<u8", "<u8", "<u8"],
        "offsets": [0, 8, 16],
        "itemsize": 24,
    }
)
"""struct change_total."""

MUTATED = np.dtype(
    {
        "names": ["last", "stack_id", "hits", "room", "number", "reserved"],
        "formats": ["<u8", "<u8", "<u8", "<u8", "<u4", "<u4"],
        "offsets": [0, 8, 16, 24, 32, 36],
        "itemsize": 40,
    }
)
"""struct mutated."""

MUTATOR_LISTS = np.dtype(
    {
        "names": ["sizes"],
        "formats": [("<u8", (16,))],
        "offsets": [0],
        "itemsize": 128,
    }
)
"""struct mutator_lists."""

MUTATOR_WINDOW = np.dtype(
    {
        "names": ["is_open", "hits", "taken"],
        "formats": ["<u8", "<u8", "<u8"],
        "offsets": [0, 8, 16],
        "itemsize": 24,
    }
)
"""struct mutator_window."""

KNOBS = np.dtype(
    {
        "names": [
            "handles",
            "stacks",
            "stack_every",
            "stack_burst_ns",
            "growth",
            "growth_stacks",
            "growth_pages",
            "growth_gap_ns",
            "reserved",
            "seed",
        ],
        "formats": [
            "<u4",
            "<u4",
            "<u4",
            "<u4",
            "<u4",
            "<u4",
            "<u4",
            "<u4",
            "<u4",
            "<u4",
        ],
        "offsets": [
            0,
            4,
            8,
            12,
            16,
            20,
            24,
            28,
            32,
            36,
        ],
        "itemsize": 40,
    }
)
"""struct knobs."""


class Loss(NamedTuple):
    """One way to lose data."""

    id: int
    """Index into the map `losses`."""

    name: str
    """As it stands in reports."""

    sentence: str
    """What it means."""


LOSSES = (
    Loss(
        0,
        "stack_ring_full",
        "A stack was not sent because the ring buffer was full; it is sent again when it next occurs.",
    ),
    Loss(
        1,
        "thread_search_bound",
        "A thread's Python state was not found within the search bound; the stack of that "
        "event is unknown.",
    ),
    Loss(
        2,
        "stack_broken",
        "A Python stack could not be read to its end, because a page was not present or a "
        "frame made no sense.",
    ),
    Loss(
        3,
        "stack_truncated",
        "A Python stack was deeper than 128 frames; its outermost frames are not known.",
    ),
    Loss(
        4,
        "stack_layout_missing",
        "A process had no Python layout in the kernel yet; the stack of that event is unknown.",
    ),
    Loss(
        5,
        "thread_cache_full",
        "The place of a Python thread state could not be remembered; it is searched again "
        "(nothing but time is lost).",
    ),
    Loss(
        6,
        "birth_ring_full",
        "A descriptor's birth was not sent because the ring buffer was full; the next census "
        "repairs it, its birth line is unknown.",
    ),
    Loss(
        7,
        "death_ring_full",
        "A descriptor's death was not sent because the ring buffer was full; the next census "
        "repairs it.",
    ),
    Loss(
        8,
        "process_ring_full",
        "A fork, exec, exit or unshare was not sent because the ring buffer was full.",
    ),
    Loss(
        9,
        "table_ring_full",
        "The open descriptors of a table were not sent because the ring buffer was full.",
    ),
    Loss(
        10,
        "table_cut",
        "A process has more than 65,536 descriptors; those above are not in the census.",
    ),
    Loss(
        11,
        "collection_ring_full",
        "A collection was not sent because the ring buffer was full.",
    ),
    Loss(
        12,
        "targets_full",
        "A child process could not be followed because the table of followed processes is full.",
    ),
    Loss(
        13,
        "growth_full",
        "Growth was added to the unknown stack because the table of growing stacks is full.",
    ),
    Loss(
        14,
        "mappings_full",
        "A memory mapping could not be remembered; its release will not be credited to the "
        "stack that made it.",
    ),
    Loss(
        15,
        "address_spaces_full",
        "The exact account of a process could not be kept because the table of address spaces is full.",
    ),
    Loss(
        16,
        "threads_full",
        "Growth of a thread is attributed without sampling state because the table of growing "
        "threads is full.",
    ),
    Loss(
        17,
        "control_cut",
        "A message carried more descriptors than can be read; the next census repairs it, "
        "their birth line is unknown.",
    ),
    Loss(
        18,
        "arguments_unreadable",
        "What a system call left in the target's memory (a pair of descriptors, a message) "
        "could not be read; the next census repairs it.",
    ),
    Loss(
        19,
        "picture_cut",
        "A process had more descriptors than one look at /proc may take; those that were left "
        "out are looked at next time.",
    ),
    Loss(
        20,
        "socket_table_cut",
        "A table of sockets was too long to be read to its end; the states and peers of some "
        "sockets are not known.",
    ),
    Loss(
        21,
        "record_unreadable",
        "A record from the kernel made no sense and was left out.",
    ),
    Loss(
        22,
        "code_gone",
        "A code object was freed, or its process ended, before its name could be read; the "
        "frame has no name.",
    ),
    Loss(
        23,
        "program_skipped",
        "The kernel did not run a program because another one was at work on that CPU; what it "
        "would have told is missing until the next census.",
    ),
    Loss(
        24,
        "recording_paths_dropped",
        "Paths of opened files were not recorded because the disk was too slow; the run itself "
        "had them.",
    ),
    Loss(
        25,
        "recording_events_dropped",
        "Births and deaths of descriptors were not recorded because the disk was too slow; the "
        "next picture repairs it, their birth lines are unknown.",
    ),
    Loss(
        26,
        "recording_batches_dropped",
        "What a source saw between two looks was not recorded at all because the disk was too slow.",
    ),
    Loss(
        27,
        "recording_damaged",
        "Part of the recording is damaged: a batch, a table of a batch, or a stack is left out.",
    ),
    Loss(
        28,
        "changes_full",
        "Changes of a watched container were added to the unknown stack because the table of "
        "changing stacks is full.",
    ),
    Loss(
        29,
        "watch_unreadable",
        "The size of a watched container could not be read when it changed; the difference is "
        "part of the next change.",
    ),
)
"""By id."""
