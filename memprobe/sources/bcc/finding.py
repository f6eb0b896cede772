"""Where the kernel has the fields that the programs read: what the headers say, checked, or what is found.

memprobe knows much of what the kernel notes about it: numbers of threads, where their stacks are, which
descriptors are open, how much memory it has. So it looks for all that in the kernel's memory, starting at
its own threads. A place counts if everything that is known agrees there; of several that of the headers is
taken, or the only one. Nothing is guessed: a field without such a place ends it, under its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from memprobe.errors import NoKernelSupport
from memprobe.sources.bcc.account import find_account
from memprobe.sources.bcc.fields import Offsets
from memprobe.sources.bcc.kernel_memory import (
    KernelMemory,
    Thread,
    is_kernel_pointer,
    sleeping_threads,
)
from memprobe.sources.bcc.lists import lists_of_tasks, lists_of_threads
from memprobe.sources.bcc.own import open_descriptors, stat_field, thread_count

ATTEMPTS = 4
"""memprobe itself goes on meanwhile: descriptors and threads come and go."""

THREADS = 5
"""So many agree nowhere by chance."""

TASK_WORDS = 2048
"""More than a task_struct has."""

_REGISTERS = 21
_TELLING = (15, 17, 20)
_OF_THIS_CALL = (321, 0x33, 0x2B)
"""orig_ax, cs and ss of struct pt_regs in a call of bpf() by a program of 64 bits."""

_STACK_SIZES = (16384, 32768, 8192)
_PADDINGS = (0, 8, 16)


@dataclass(frozen=True, slots=True)
class KernelLayout:
    """What was found."""

    offsets: Offsets
    """Of every field."""

    stack_bytes: int
    """From the beginning of a kernel stack to the end of the registers of user space at its top."""

    corrected: tuple[str, ...]
    """Fields that lie elsewhere than the headers say."""


def find_layout(memory: KernelMemory, claims: Offsets) -> KernelLayout:
    """Look for all fields; raises NoKernelSupport with the name of the first that is not found."""
    for _ in range(ATTEMPTS - 1):
        with suppress(NoKernelSupport):
            return _find_once(memory, claims)
    return _find_once(memory, claims)


def _find_once(memory: KernelMemory, claims: Offsets) -> KernelLayout:
    with sleeping_threads(memory, THREADS) as threads:
        return _Finder(memory, claims, threads).find()


class _Finder:
    def __init__(self, memory: KernelMemory, claims: Offsets, threads: list[Thread]) -> None:
        self._memory, self._claims, self._threads = memory, claims, threads
        self._tasks = [memory.words(one.task, TASK_WORDS) for one in threads]
        room = min(map(len, self._tasks))
        self._tasks = [task[:room] for task in self._tasks]
        self._found: Offsets = {}
        self._stack_bytes = 0

    def find(self) -> KernelLayout:
        steps: tuple[Callable[[], None], ...] = (
            self._numbers,
            self._thread_pointer,
            self._flags,
            self._stack,
            self._group_leader,
            self._signal,
            self._files,
            self._thread_pid,
            self._break,
            self._per_cpu_pointers,
            self._resident,
            self._thread_list,
            self._task_list,
        )
        for step in steps:
            step()
        corrected = (name for name, offset in self._found.items() if self._claims.get(name) != offset)
        return KernelLayout(self._found, self._stack_bytes, tuple(corrected))

    def _settle(self, field: str, candidates: Iterable[int]) -> int:
        places = sorted(set(candidates))
        claim = self._claims.get(field, -1)
        if claim not in places and len(places) != 1:
            raise NoKernelSupport(f"where this kernel has {field} cannot be told ({len(places)} places fit)")
        self._found[field] = claim if claim in places else places[0]
        return self._found[field]

    def _everywhere(self, size: int, expected: Iterable[int]) -> list[int]:
        """Offsets at which every thread's task_struct has its own value, of 4 or 8 bytes."""
        kind = f"<u{size}"
        same = [task.view(kind) == value for task, value in zip(self._tasks, expected, strict=True)]
        return [size * int(at) for at in np.flatnonzero(np.logical_and.reduce(same))]

    def _shared_pointers(self) -> Iterator[tuple[int, int]]:
        """(offset, address) of what all threads point to alike."""
        for at in np.flatnonzero(np.logical_and.reduce([task == self._tasks[0] for task in self._tasks])):
            word = int(self._tasks[0][at])
            if is_kernel_pointer(word):
                yield 8 * int(at), word

    # The task itself --------------------------------------------------------------------------------

    def _numbers(self) -> None:
        groups = self._everywhere(4, [one.pid for one in self._threads])
        tids = self._everywhere(4, [one.tid for one in self._threads])
        at = self._settle("task_struct.pid", [tid for tid in tids if tid + 4 in groups])
        self._settle("task_struct.tgid", [at + 4])

    def _thread_pointer(self) -> None:
        self._settle("task_struct.thread.fsbase", self._everywhere(8, [one.pointer for one in self._threads]))

    def _flags(self) -> None:
        told = [stat_field(9, one.own_tid) for one in self._threads]
        self._settle("task_struct.flags", self._everywhere(4, told))

    def _stack(self) -> None:
        """The stack at whose top are the registers with which this thread has just called bpf()."""
        found = {
            8 * at: end
            for at, word in enumerate(self._memory.words(self._memory.this_thread().task, 64).tolist())
            if is_kernel_pointer(word)
            for end in self._ends_of_stack(word)
        }
        self._stack_bytes = found[self._settle("task_struct.stack", found)]

    def _ends_of_stack(self, begin: int) -> Iterator[int]:
        for size in _STACK_SIZES:
            for padding in _PADDINGS:
                end = size - padding
                words = self._memory.words(begin + end - 8 * _REGISTERS, _REGISTERS).tolist()
                if len(words) == _REGISTERS and tuple(words[at] for at in _TELLING) == _OF_THIS_CALL:
                    yield end

    def _group_leader(self) -> None:
        """The leader leads itself, too: whom threads have woken last, which may be the same, it has not."""
        numbers = self._found["task_struct.pid"]
        both = self._threads[0].pid.to_bytes(4, "little") * 2
        self._settle(
            "task_struct.group_leader",
            [
                at
                for at, task in self._shared_pointers()
                if self._memory.read(task + numbers, 8) == both
                and self._memory.read(task + at, 8) == task.to_bytes(8, "little")
            ],
        )

    def _signal(self) -> None:
        count = thread_count()
        found = []
        for at, address in self._shared_pointers():
            users, live, threads = np.frombuffer(self._memory.read(address, 12).ljust(12, b"\0"), "<u4")
            if live == threads == count and users >= count:
                found.append(at)
        self._settle("task_struct.signal", found)
        self._settle("signal_struct.live", [4])

    def _thread_pid(self) -> None:
        """In struct pid: how deep its namespace lies, and its number in each on the way there."""
        found: set[tuple[int, int]] = set()
        for at in range(len(self._tasks[0])):
            places = self._places_of_numbers(self._threads[0], int(self._tasks[0][at]))
            for one, task in zip(self._threads[1:], self._tasks[1:], strict=True):
                places = places and places & self._places_of_numbers(one, int(task[at]))
            found |= {(8 * at, numbers) for numbers in places}
        at = self._settle("task_struct.thread_pid", [one for one, _ in found])
        self._settle("pid.numbers", [numbers for one, numbers in found if one == at])
        for name, offset in (("pid.level", 4), ("upid.nr", 0), ("upid.ns", 8)):
            self._settle(name, [offset])

    def _places_of_numbers(self, thread: Thread, address: int) -> set[int]:
        if not is_kernel_pointer(address):
            return set()
        words = self._memory.words(address, 32)
        numbers = words.view("<u4").tolist()
        level = numbers[1] if len(numbers) > 1 else 33
        return {
            4 * at
            for at in range(2, len(numbers) - 4 * level - 3, 2)
            if level <= 32
            and numbers[at] == thread.tid
            and numbers[at + 4 * level] == thread.own_tid
            and is_kernel_pointer(int(words[at // 2 + 1]))
        }

    # What it points to ------------------------------------------------------------------------------

    def _files(self) -> None:
        found = {
            (at, 8 * place)
            for at, address in self._shared_pointers()
            for place, table in enumerate(self._memory.words(address, 32).tolist())
            if is_kernel_pointer(table) and self._is_own_table(table)
        }
        at = self._settle("task_struct.files", [one for one, _ in found])
        self._settle("files_struct.fdt", [place for one, place in found if one == at])
        # The same in every kernel there was; that the bits are right proves two of them.
        for name, offset in (("fdtable.max_fds", 0), ("fdtable.fd", 8), ("fdtable.open_fds", 24)):
            self._settle(name, [offset])
        self._settle("files_struct.count", [0])

    def _is_own_table(self, address: int) -> bool:
        words = self._memory.words(address, 4).tolist()
        room = words[0] & 0xFFFFFFFF if len(words) == 4 else 0
        if not 64 <= room <= 1 << 20 or room % 64 or not is_kernel_pointer(words[3]):
            return False
        bits = int.from_bytes(self._memory.read(words[3], min(room // 8, 4096)), "little")
        return bits == open_descriptors() & ((1 << min(room, 32768)) - 1)

    def _break(self) -> None:
        """mm_struct has the beginning of the heap, its end, and the stack side by side."""
        heap, stack = stat_field(47), stat_field(28)
        found = set()
        for at, address in self._shared_pointers():
            words = self._memory.words(address, 256)
            sides = np.flatnonzero((words[:-2] == heap) & (words[2:] == stack)) if len(words) > 2 else ()
            found |= {(at, 8 * (int(side) + 1)) for side in sides}
        # active_mm comes after mm and is the same in every thread of a process.
        at = self._settle("task_struct.mm", [min(one for one, _ in found)] if found else [])
        self._settle("mm_struct.brk", [place for one, place in found if one == at])

    def _per_cpu_pointers(self) -> None:
        """Two maps' pointers and this CPU's copies are equally far apart."""
        (one, other), (own, others) = self._memory.copies()
        firsts, seconds = self._memory.words(one, 128).tolist(), self._memory.words(other, 128).tolist()
        found = {
            8 * at: own - first
            for at, (first, second) in enumerate(zip(firsts, seconds, strict=False))
            if first != second and own - first == others - second
        }
        self._processor = found[self._settle("bpf_array.pptrs", found)]

    def _resident(self) -> None:
        mm = int(self._tasks[0][self._found["task_struct.mm"] // 8])
        self._found |= find_account(self._memory, mm, self._processor)

    # The lists that it is in ------------------------------------------------------------------------

    def _thread_list(self) -> None:
        signal = int(self._tasks[0][self._found["task_struct.signal"] // 8])
        addresses = [one.task for one in self._threads]
        self._settle(
            "task_struct.thread_node", lists_of_threads(self._memory, self._tasks, addresses, signal)
        )

    def _task_list(self) -> None:
        leader = int(self._tasks[0][self._found["task_struct.group_leader"] // 8])
        numbers = self._found["task_struct.pid"]
        self._settle("task_struct.tasks", lists_of_tasks(self._memory, leader, numbers, self._threads[0].pid))
