"""Which engine sees the events of a run: the best that works, found by trying, and why in one line.

An engine is a module `engine` in a room of `memprobe.sources`, with two functions:

    open_engine(process, python, config)   an Engine, not started; python is None where it is not known yet
    check_engine(config)                   try what it needs on this machine, without a target

Both raise NotPermitted or NoKernelSupport, with what helps, where it cannot work. /proc needs no engine: it
is read beside each of them, and alone where there is none.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from memprobe.config import Config
from memprobe.errors import MemprobeError, NoKernelSupport, NotPermitted
from memprobe.target.cpython.python import Python
from memprobe.target.inspection.diagnosis import EnginePart
from memprobe.target.proc.process import Process
from memprobe.vocab.engines import AUTO, BCC, ENGINES, LIBBPF, PROC, PTRACE
from memprobe.vocab.source import Engine

ROOMS = {
    LIBBPF: "memprobe.sources.kernel.engine",
    BCC: "memprobe.sources.bcc.engine",
    PTRACE: "memprobe.sources.ptrace.engine",
}
"""Imported when they are tried: one may be missing what it is made of."""

CALM = (LIBBPF, BCC)
"""What is tried unasked, the best first: none of them ever stops a process."""

OFFER = "--engine ptrace would see the lines of handles, at the price of short stops"

INSTEAD = "choose another engine: --engine proc"

UNSEEN = "Which lines open handles and where memory grows is not seen"


@dataclass(frozen=True, slots=True)
class Choice:
    """The engine of a run."""

    name: str
    """As --engine takes it."""

    engine: Engine | None
    """Started; None where /proc is all there is."""

    refusals: tuple[tuple[str, MemprobeError], ...] = ()
    """Those that were tried before, and why they cannot work."""

    offer: str = ""
    """What else could be asked for."""

    @property
    def why(self) -> str:
        """Why it is this one, as one line."""
        if not self.refusals:
            return "asked for" if self.name == PROC else "works here"
        told = [f"not {name}: {error.fact}" for name, error in self.refusals]
        return "; ".join([*told, self.offer] if self.offer else told)

    @property
    def invisible(self) -> tuple[str, ...]:
        """What nobody sees, as sentences; what an engine itself cannot see it says in its batches."""
        if self.engine is not None:
            return ()
        why = self.refusals[0][1].line if self.refusals else "the engine proc was asked for"
        return (f"{UNSEEN}: {why}.",)


def started_engine(process: Process, python: Python | None, config: Config) -> Choice:
    """Start the engine that the settings name, or the best that works; raise why that one does not.

    An engine that stops the process for moments must be asked for.
    """
    wanted = config.run.engine
    refusals: list[tuple[str, MemprobeError]] = []
    for name in CALM if wanted == AUTO else ROOMS.keys() & {wanted}:
        try:
            return Choice(name, _started(name, process, python, config), tuple(refusals))
        except (NotPermitted, NoKernelSupport) as error:
            if wanted != AUTO:
                raise
            refusals.append((name, error))
    offer = OFFER if wanted == AUTO and _tried(PTRACE, config).ok else ""
    return Choice(PROC, None, tuple(refusals), offer)


def _started(name: str, process: Process, python: Python | None, config: Config) -> Engine:
    engine: Engine = _room(name).open_engine(process, python, config)
    engine.start()
    return engine


def tried(config: Config) -> tuple[EnginePart, ...]:
    """Try what each engine needs on this machine."""
    return tuple(_tried(name, config) for name in ENGINES)


def _tried(name: str, config: Config) -> EnginePart:
    try:
        if name in ROOMS:
            _room(name).check_engine(config)
    except (MemprobeError, OSError) as error:  # a trial ends no run, whatever comes of it
        fact, remedy = (error.fact, error.remedy) if isinstance(error, MemprobeError) else (str(error), "")
        return EnginePart(name, False, ENGINES[name], fact, remedy or None)
    return EnginePart(name, True, ENGINES[name], None, None)


def _room(name: str) -> Any:
    try:
        return import_module(ROOMS[name])
    except ImportError as error:
        raise _not_built(name, error) from None


def _not_built(name: str, error: ImportError) -> NoKernelSupport:
    if name != PTRACE:
        return NoKernelSupport(f"memprobe was built without BPF ({error})")
    if (machine := os.uname().machine) != "x86_64":
        return NoKernelSupport(f"the engine ptrace does not know {machine} yet", remedy=INSTEAD)
    return NoKernelSupport(f"memprobe was built without the engine ptrace ({error})", remedy=INSTEAD)
