"""The target, and with `tree` its children: who is followed, and what names their stacks."""

from __future__ import annotations

import time

from memprobe.abi import ProcessHow
from memprobe.errors import MemprobeError, NoKernelSupport
from memprobe.native.bpf import BpfError
from memprobe.sources.kernel.census import Census
from memprobe.sources.kernel.followed import (
    Followed,
    called_exec,
    descendants,
    forked,
    found_running,
    is_due,
    is_initial_namespace,
    look_for_python,
)
from memprobe.sources.kernel.naming import resolve
from memprobe.sources.kernel.numbers import Numbers
from memprobe.sources.kernel.options import KernelOptions
from memprobe.sources.kernel.pools import PoolWatch
from memprobe.sources.kernel.programs import Programs
from memprobe.sources.kernel.records import RawStack
from memprobe.sources.kernel.registry import Registry
from memprobe.sources.kernel.stacks import FREED, StackNames
from memprobe.sources.kernel.watching import Watching
from memprobe.target.cpython.python import Python
from memprobe.target.proc.mappings import read_mappings
from memprobe.target.proc.process import Process
from memprobe.vocab import Stack
from memprobe.vocab.rows import Rows

_POOLS_CHURN = (
    "New pools of small objects are not watched at present: too many are taken and given back."
    " New arenas and resident memory are."
)

ROUNDS = 4
"""How often descendants are looked for: a program that forks faster is not caught up with."""


class Family:
    """All processes that are followed."""

    def __init__(self, programs: Programs, census: Census, options: KernelOptions) -> None:
        self.numbers = Numbers(is_initial=is_initial_namespace())
        self._tree = options.tree
        self._census = census
        self._registry = Registry(programs.maps, tree=options.tree)
        self._watching = Watching(programs, options)
        self._pools = PoolWatch(time.monotonic_ns())
        self._followed: dict[int, Followed] = {}
        self.codes_gone = 0
        """Frames that could not be named, ever."""
        self._left_out: set[int] = set()

    def __len__(self) -> int:
        return len(self._followed)

    @property
    def pids(self) -> list[int]:
        """In memprobe's own pid namespace."""
        return [one.pid for one in self._followed.values()]

    @property
    def invisible(self) -> tuple[str, ...]:
        """What is not watched at present, and whose stacks cannot be named, and why."""
        return (() if self._pools.is_wanted else (_POOLS_CHURN,)) + tuple(
            f"Stacks of process {one.pid} are not known: {one.reason}."
            for one in self._followed.values()
            if one.python is None and one.reason and not one.attempts_left
        )

    def knows_stacks(self, pid: int) -> bool:
        """Whether stacks of a process can be taken at present."""
        return any(one.pid == pid and one.python is not None for one in self._followed.values())

    @property
    def knows_python(self) -> bool:
        """Whether there is a Python in one of them at present."""
        return any(one.python is not None for one in self._followed.values())

    def followed(self, pid: int) -> Followed | None:
        """A process that is followed, by memprobe's own number."""
        return next((one for one in self._followed.values() if one.pid == pid), None)

    def threads(self, pid: int) -> list[int]:
        """The threads of a process that is followed; none if it has ended."""
        one = self.followed(pid)
        try:
            return [] if one is None else one.tids()
        except (MemprobeError, OSError):
            return []

    def close(self) -> None:
        """Let go of all."""
        for one in self._followed.values():
            one.close()
        self._followed.clear()

    # The beginning ----------------------------------------------------------------------------------

    def follow(self, process: Process, python: Python | None) -> None:
        """Follow the target itself; what was opened for it stays the caller's."""
        kernel_pid = self._kernel_pid(process.pid)
        if kernel_pid is None:
            process.check()
            raise NoKernelSupport(f"the kernel's list of tasks does not show process {process.pid}")
        names = None if python is None else StackNames(python.layout)
        main = Followed(process.pid, kernel_pid, process, python, names, mappings=read_mappings(process))
        main.since_s = time.monotonic()
        self._add(main)

    def follow_descendants(self, pid: int) -> None:
        """Follow the children that are there: the program at fork did not know their parents yet."""
        for _ in range(ROUNDS):
            known = {*self.pids, *self._left_out}
            new = [child for child in descendants(pid) if child not in known]
            for child in new:
                self._follow_running(child)
            if not new:
                return

    def _follow_running(self, pid: int) -> None:
        kernel_pid = self._kernel_pid(pid)
        if kernel_pid is None:
            return
        try:
            self._add(found_running(pid, kernel_pid, time.monotonic()))
        except BpfError:
            self._followed.pop(kernel_pid).close()
            self._left_out.add(pid)

    @property
    def left_out(self) -> int:
        """How many children that ran before the attach are not followed: there is no room for them."""
        return len(self._left_out)

    def _kernel_pid(self, pid: int) -> int | None:
        tasks = self._census.find(pid)
        self.numbers.learn(tasks)
        return int(tasks[0]["pid"]) if len(tasks) else None

    def _add(self, one: Followed) -> None:
        self._followed[one.kernel_pid] = one
        self._registry.add(one)

    def watch(self) -> None:
        """Attach what belongs to single processes: to the first at once, to others when they have lived."""
        for index, one in enumerate(self._followed.values()):
            one.has_edges = False
            self._watching.watch_faults(one)
            if index == 0:
                self._watching.watch(one)

    # What happens to them ---------------------------------------------------------------------------

    def take_forks(self, processes: Rows, now_s: float) -> None:
        """Follow the children that process records tell of."""
        if not self._tree:
            return
        for record in processes[processes["how"] == ProcessHow.FORK]:
            parent = self._followed.get(int(record["header"]["pid"]))
            kernel_pid, own = int(record["other"]), int(record["other_local"])
            if parent is not None and own:
                self.numbers.add(kernel_pid, own)
                self._followed[kernel_pid] = forked(parent, own, kernel_pid, now_s)

    def mind_pools(self, growth: Rows, now_ns: int, *, is_growth_watched: bool) -> None:
        """Leave new pools alone where they are no growth; `growth` is what came since the last call."""
        if self._pools.look(growth, now_ns):
            followed = self._followed.values() if is_growth_watched else ()
            self._watching.want_pools(self._pools.is_wanted, followed)

    def take_ends(self, processes: Rows, now_s: float) -> list[int]:
        """Note who called exec, and let go of who ended; return the kernel's pids of the latter."""
        ended = []
        for record in processes:
            kernel_pid, how = int(record["header"]["pid"]), int(record["how"])
            one = self._followed.get(kernel_pid)
            if one is not None and how in (ProcessHow.EXEC, ProcessHow.EXIT):
                self._watching.leave(one)
                if how == ProcessHow.EXEC:
                    called_exec(one, now_s)
                else:
                    one.close()
                    ended.append(kernel_pid)
                    del self._followed[kernel_pid]
        return ended

    def look_for_pythons(self, now_s: float) -> None:
        """After exec: a few attempts at each process; and long-lived children get their uprobes."""
        for one in list(self._followed.values()):
            if is_due(one, now_s) and look_for_python(one):
                self._registry.has_python(one)
        self._watching.watch_one(self._followed.values(), now_s)

    # What they sent ---------------------------------------------------------------------------------

    def resolve(self, stacks: list[RawStack]) -> dict[int, Stack]:
        """Name new stacks, process by process."""
        named = resolve(stacks, self._followed)
        self.codes_gone += sum(stack.frames.count(FREED) for stack in named.values())
        return named

    def learn_numbers(self, tables: tuple[Rows, ...]) -> None:
        """Find out the numbers in these rows that are not known yet; threads that have ended stay 0."""
        unknown = self.numbers.unknown(tables)
        if unknown:
            self.numbers.learn(self._census.look(self.pids))
            for number in unknown - self.numbers.known:
                self.numbers.add(number, 0)
