"""Chains of suspended coroutines: which one waits inside which, and on what line.

A task has the outermost coroutine. What a suspended one awaits lies on top of its frame's value
stack: the next coroutine, or what leads to it. So many chains are followed at once, one link of
all of them in a few batches:

    coroutine, generator, async generator   a frame, and what it awaits
    asend and athrow of an async generator  the async generator
    coroutine_wrapper, anext_awaitable      what they wrap
    _asyncio.FutureIter                     the end: a future
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from memprobe.heap.tasks.budget import Budget
from memprobe.heap.tasks.suspended import Suspended, suspended_frames
from memprobe.heap.tasks.types import Types
from memprobe.target.cpython.code_objects import CodeObjects
from memprobe.target.cpython.frame_designs import frame_design
from memprobe.target.cpython.objects import Objects, is_pointer
from memprobe.vocab import Frame

MAXIMUM_DEPTH = 2_000
"""Links of one chain; to await 1,000 coroutines deep is beyond Python's own recursion limit."""

MAXIMUM_LINKS = 3_000_000
"""Links that one look follows, those of repeated attempts too: some 60 s of work."""

ATTEMPTS = 5
"""How often a chain is read that changed meanwhile."""

GENERATORS = ("coroutine", "generator", "async_generator")
FUTURE_ITERATOR = "_asyncio.FutureIter"


@dataclass(slots=True)
class Chain:
    """The coroutines of one task, the outermost first."""

    start: int

    frames: list[Frame] = field(default_factory=list)
    """Outermost first."""

    end: int = 0
    """What the innermost coroutine awaits and has no frame; 0 if it yielded to the loop itself."""

    running: bool = False
    """Whether it runs just now: its inner frames are on the stack of a thread."""

    complete: bool = True
    """False if it changed at every attempt, or did not end."""

    links: list[tuple[int, Suspended | int]] = field(default_factory=list)
    """What was seen, to compare with a second look."""


class _Link(NamedTuple):
    seen: Suspended | int
    following: int


class Coroutines:
    """Reads coroutines of one target."""

    def __init__(self, objects: Objects, codes: CodeObjects, types: Types) -> None:
        layout = objects.layout
        self._objects = objects
        self._codes = codes
        self._types = types
        self._design = frame_design(layout)
        self._suspended = suspended_frames(objects)
        header = layout.size("PyObject")  # the C struct of anext_awaitable is in no table
        self._leads_to = {
            "async_generator_asend": layout.offset("PyAsyncGenASend.ags_gen"),
            "async_generator_athrow": layout.offset("PyAsyncGenAThrow.agt_gen"),
            "coroutine_wrapper": layout.offset("PyCoroWrapper.cw_coroutine"),
            "anext_awaitable": header,
        }
        self._budget = Budget(MAXIMUM_LINKS)
        self._future = layout.offset("futureiterobject.future")
        self._qualname = layout.offset("PyGenObject.gi_qualname")

    def chains(self, starts: Iterable[int]) -> dict[int, Chain]:
        """Follow the coroutines of many tasks; a chain that changes meanwhile is read again."""
        found: dict[int, Chain] = {}
        pending = list(dict.fromkeys(starts))
        for _ in range(ATTEMPTS):
            chains = [Chain(start) for start in pending]
            self._follow(chains)
            torn = self._torn(chains)
            found |= {chain.start: chain for chain in chains}
            pending = [chain.start for chain in torn]
            if not pending:
                break
        for start in pending:
            found[start].complete = False
        return found

    def future_of(self, address: int) -> int:
        """The future that the end of a chain stands for: its own address unless it is an iterator."""
        if self._types.name(self._types.of(address)) != FUTURE_ITERATOR:
            return address
        (block,) = self._objects.memory.read_many([(address + self._future, 8)])
        return int.from_bytes(block, "little") or address

    def names(self, addresses: Iterable[int]) -> dict[int, str]:
        """The qualified names of coroutines, ended ones too; of anything else the name of its type."""
        types = self._types.of_many(addresses)
        named = [one for one, kind in types.items() if self._types.name(kind) in GENERATORS]
        blocks = self._objects.memory.read_many([(one + self._qualname, 8) for one in named])
        behind = {one: int.from_bytes(block, "little") for one, block in zip(named, blocks, strict=True)}
        texts = self._objects.strings(behind.values())
        found = {address: self._types.label(kind) for address, kind in types.items()}
        return found | {one: texts[name] for one, name in behind.items() if name in texts}

    def _follow(self, chains: Sequence[Chain]) -> None:
        """Walk all chains from the outermost coroutine inwards, a link of each at a time."""
        at = {index: chain.start for index, chain in enumerate(chains) if is_pointer(chain.start)}
        seen: list[set[int]] = [set() for _ in chains]
        while at and self._budget.take(len(at)) == len(at):
            links = self._links(at.values())
            following: dict[int, int] = {}
            for index, address in at.items():
                chain, link = chains[index], links.get(address)
                if link is None:
                    chain.end = address
                    continue
                chain.links.append((address, link.seen))
                seen[index].add(address)
                if link.following in seen[index] or len(chain.links) >= MAXIMUM_DEPTH:
                    chain.complete = False
                elif link.following:
                    following[index] = link.following
            at = following
        for index in at:
            chains[index].complete = False
        self._name(chains)

    def _links(self, addresses: Iterable[int]) -> dict[int, _Link]:
        """Read one link of many chains; what is not one of the known kinds is left out."""
        types = self._types.of_many(addresses)
        names = {address: self._types.name(kind) for address, kind in types.items()}
        frames = self._suspended.read(
            {address: name for address, name in names.items() if name in GENERATORS}
        )
        links = {address: _Link(frame, frame.awaits) for address, frame in frames.items()}
        wrapping = [
            (address, self._leads_to[name]) for address, name in names.items() if name in self._leads_to
        ]
        blocks = self._objects.memory.read_many([(address + offset, 8) for address, offset in wrapping])
        for (address, _), block in zip(wrapping, blocks, strict=True):
            inner = int.from_bytes(block, "little")
            if is_pointer(inner):
                links[address] = _Link(inner, inner)
        return links

    def _name(self, chains: Sequence[Chain]) -> None:
        """Give the frames of all chains their names and lines."""
        shown = [
            (chain, frame)
            for chain in chains
            for _, frame in chain.links
            if isinstance(frame, Suspended) and frame.code
        ]
        codes = self._codes.load(frame.code for _, frame in shown)
        for chain, frame in shown:
            chain.running = chain.running or frame.executing
            code = codes.get(frame.code)
            named = None if code is None else self._design.frame(frame.raw, code)
            if named is None:
                chain.complete = False
            else:
                chain.frames.append(named)

    def _torn(self, chains: Sequence[Chain]) -> list[Chain]:
        """The chains that are not any more what they were."""
        wanted = {
            address for chain in chains for address, frame in chain.links if isinstance(frame, Suspended)
        }
        types = self._types.of_many(wanted)
        now = self._suspended.read({address: self._types.name(kind) for address, kind in types.items()})
        return [
            chain
            for chain in chains
            if any(
                isinstance(frame, Suspended) and not frame.is_like(now.get(address))
                for address, frame in chain.links
            )
        ]
