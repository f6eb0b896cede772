"""The thread states of interpreters, and the operating system's threads behind them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from memprobe.target.cpython.fields import Fields
from memprobe.target.cpython.frame_designs import innermost_frame
from memprobe.target.cpython.interpreters import Interpreter
from memprobe.target.cpython.objects import UNREADABLE, Objects, is_pointer

MAXIMUM_THREADS = 20_000
"""Thread states that are listed."""

_ATTEMPTS = 5
# Where the tid is in struct pthread is found, not assumed; but glibc's place is tried first.
_PTHREAD_BYTES = 1024
_GLIBC_TID_WORD = 0x2D0 // 4
_PTHREADS_COMPARED = 64


@dataclass(frozen=True, slots=True)
class OsThread:
    """A thread as the operating system lists it in /proc/<pid>/task."""

    tid: int
    """In memprobe's own pid namespace."""

    inner_tid: int
    """In the target's pid namespace: the last number of NSpid."""

    name: str
    """What comm says, at most 15 bytes."""


@dataclass(frozen=True, slots=True)
class ThreadState:
    """One PyThreadState."""

    address: int

    ident: int
    """What threading.get_ident() gives in that thread: its pthread_t."""

    native_id: int
    """The tid as the target sees it; 0 before 3.11, and in a thread that has not begun."""

    has_frame: bool
    """Whether it has run Python code."""


class ThreadStates:
    """Lists the thread states of the interpreters of one runtime."""

    def __init__(self, objects: Objects, runtime: int) -> None:
        layout = objects.layout
        self._memory = objects.memory
        self._runtime = runtime
        self._has_native_id = layout.has("PyThreadState.native_thread_id")
        frame, self._indirection = innermost_frame(layout)
        fields = ["next", "interp", frame, "thread_id"]
        self._fields = Fields(
            layout, "PyThreadState", *fields, *(["native_thread_id"] if self._has_native_id else [])
        )
        self._holder: Fields | None = None
        self._current: Fields | None = None
        if layout.version >= (3, 12):
            self._holder = Fields(layout, "_gil_runtime_state", "last_holder", "locked:signed")
        else:
            self._current = Fields(layout, "_PyRuntimeState", "gilstate.tstate_current")

    def read(self, interpreter: Interpreter, limit: int = MAXIMUM_THREADS) -> tuple[ThreadState, ...]:
        """List an interpreter's thread states; what ends while it is read may be missing."""
        best: tuple[ThreadState, ...] = ()
        for _ in range(_ATTEMPTS):
            states, closed = self._walk(interpreter, limit)
            best = max(best, states, key=len)
            if closed:
                return states
        return best

    def _walk(self, interpreter: Interpreter, limit: int) -> tuple[tuple[ThreadState, ...], bool]:
        """Follow the list once; say whether it came to a proper end."""
        found: dict[int, ThreadState] = {}
        address = interpreter.threads
        while address and len(found) < limit:
            if address in found or not is_pointer(address):
                return tuple(found.values()), False
            try:
                values = self._fields.read(self._memory, address)
            except UNREADABLE:
                return tuple(found.values()), False
            following, owner, frame, ident, *native = values
            if self._indirection is not None:
                frame = self._innermost(frame + self._indirection)
            if owner != interpreter.address:
                return tuple(found.values()), False
            found[address] = ThreadState(address, ident, sum(native), bool(frame))
            address = following
        return tuple(found.values()), True

    def _innermost(self, address: int) -> int:
        (block,) = self._memory.read_many([(address, 8)])
        return int.from_bytes(block, "little")

    def gil_holder(self, interpreter: Interpreter) -> int:
        """Return the address of the thread state that holds the interpreter's lock, or 0."""
        try:
            if self._current is not None:
                return self._current.read(self._memory, self._runtime)[0]
            assert self._holder is not None
            holder, locked = self._holder.read(self._memory, interpreter.gil)
        except UNREADABLE:
            return 0
        return holder if locked == 1 else 0


class TidFinder:
    """Finds the operating system's thread behind a thread state."""

    def __init__(self, objects: Objects, threads: Iterable[OsThread]) -> None:
        self._memory = objects.memory
        self._by_inner_tid = {thread.inner_tid: thread for thread in threads}
        # To 3.12 the state of a subinterpreter says which thread made it, whichever one runs it.
        self._can_be_foreign = objects.layout.version <= (3, 12)
        self._given: set[int] = set()

    def match(self, states: Sequence[ThreadState]) -> dict[int, OsThread]:
        """Return the thread behind each state that surely has one, by the state's address.

        To be called for one interpreter after the other, the main one first. To 3.11 a new
        thread's state carries its parent's identity until it runs: of several states of one
        interpreter with the same identity only one with a frame counts.
        """
        found = self._match(states)
        if self._can_be_foreign:
            found = {address: thread for address, thread in found.items() if thread.tid not in self._given}
            self._given.update(thread.tid for thread in found.values())
        return found

    def _match(self, states: Sequence[ThreadState]) -> dict[int, OsThread]:
        shared = Counter(state.ident for state in states)
        sure = [state for state in states if shared[state.ident] == 1 or state.has_frame]
        found = {
            state.address: self._by_inner_tid[state.native_id]
            for state in sure
            if state.native_id in self._by_inner_tid
        }
        # After a fork the native id of 3.11 is still the parent's.
        rest = [state for state in sure if state.address not in found]
        tids = self._tids_in_pthreads({state.ident for state in rest})
        for state in rest:
            if state.ident in tids:
                found[state.address] = self._by_inner_tid[tids[state.ident]]
        return found

    def _tids_in_pthreads(self, idents: Iterable[int]) -> dict[int, int]:
        """Find the tid inside each thread's struct pthread, at the one offset that fits all."""
        wanted = [ident for ident in idents if is_pointer(ident)]
        blocks = self._memory.read_many([(ident, _PTHREAD_BYTES) for ident in wanted])
        words = {
            ident: memoryview(block).cast("I")
            for ident, block in zip(wanted, blocks, strict=True)
            if len(block) == _PTHREAD_BYTES
        }
        offset = self._best_offset(list(words.values())[:_PTHREADS_COMPARED])
        if offset is None:
            return {}
        tids = {ident: block[offset] for ident, block in words.items()}
        seen = Counter(tids.values())
        return {ident: tid for ident, tid in tids.items() if tid in self._by_inner_tid and seen[tid] == 1}

    def _best_offset(self, blocks: Sequence[memoryview[int]]) -> int | None:
        """Return the index at which most of the blocks hold tids that are all different."""
        best, best_count = None, 0
        for index in (_GLIBC_TID_WORD, *range(_PTHREAD_BYTES // 4)):
            if best_count == len(blocks):
                break
            tids = [block[index] for block in blocks if block[index] in self._by_inner_tid]
            if len(tids) > best_count and len(set(tids)) == len(tids):
                best, best_count = index, len(tids)
        return best
