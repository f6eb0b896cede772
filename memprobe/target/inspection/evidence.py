"""What has to be known of a process, beside its memory, to understand that memory.

It is plain data: an image carries it, so that `inspect` of the image decodes the same memory with the
same knowledge and comes to the same document.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from typing import Any

from memprobe.errors import MemprobeError, UnreadableImage
from memprobe.target.binary.runtime import (
    RuntimeLocation,
    check_supported,
    find_local_symbol,
    find_runtimes,
    is_newer,
)
from memprobe.target.inspection.plain_data import WrongData, as_plain, from_plain
from memprobe.target.layouts import MACHINES
from memprobe.target.memory.fake import FakeMemory
from memprobe.target.proc.facts import ProcessFacts, describe, read_threads
from memprobe.target.proc.mappings import Mapping, read_mappings
from memprobe.target.proc.process import Process
from memprobe.vocab import Memory

KEY = "memprobe.evidence/1"
"""The name under which an image has it."""


LOCAL_SYMBOLS = ("arenas", "method_cache")
"""Wanted to 3.11, for the arenas, and to 3.9, for the cache of types: later the interpreter leads there."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One process at one moment, without its memory."""

    created_at: str
    """When this was collected: UTC, ISO 8601."""

    machine: str
    """The architecture, such as x86_64."""

    facts: ProcessFacts
    """What /proc says."""

    runtimes: tuple[RuntimeLocation, ...]
    """The Python runtimes in it, those in use first; the first one is supported."""

    mappings: tuple[Mapping, ...]

    local_symbols: dict[str, int]
    """Addresses of the symbols of LOCAL_SYMBOLS that the binary has but does not export."""

    memory_denied: str
    """Why its memory could not be read, and what would help; empty if it could."""


def collect(
    process: Process,
    memory: Memory | MemprobeError,
    *,
    arguments: bool = True,
    contents: bool = True,
    newer: bool = False,
) -> Evidence:
    """Look at everything but the memory; a runtime that cannot be read raises what `memprobe` says of it.

    Instead of a memory, the error says why there is none. Its arguments are read from there, too. Without
    `contents` it is not told what it has open, and where its memory is. With `newer` a CPython that is newer
    than memprobe is let pass: for who can do without its memory.
    """
    created_at = iso(time.time())
    mappings = read_mappings(process)
    denied = memory.line if isinstance(memory, MemprobeError) else ""
    # Even without a right to its memory, the binaries that it maps tell whether it is Python.
    readable = FakeMemory({}, pid=process.pid) if isinstance(memory, MemprobeError) else memory
    runtimes = find_runtimes(process, mappings, readable)
    if not (newer and is_newer(runtimes[0])):
        check_supported(runtimes[0])
    return Evidence(
        created_at=created_at,
        machine=os.uname().machine,
        facts=describe(process, arguments=arguments, contents=contents),
        runtimes=runtimes,
        mappings=mappings,
        local_symbols=_local_symbols(process, runtimes[0], mappings, readable),
        memory_denied=denied,
    )


def _local_symbols(
    process: Process, runtime: RuntimeLocation, mappings: tuple[Mapping, ...], memory: Memory
) -> dict[str, int]:
    if (runtime.version.minor or (0, 0)) > (3, 11):
        return {}
    found = {name: find_local_symbol(process, runtime, mappings, memory, name) for name in LOCAL_SYMBOLS}
    return {name: address for name, address in found.items() if address is not None}


def with_threads_of_now(process: Process, evidence: Evidence) -> Evidence:
    """The same evidence with a new look at the threads."""
    threads, count = read_threads(process), process.folder.stat().threads
    return replace(evidence, facts=replace(evidence.facts, threads=threads, thread_count=count))


def iso(seconds: float) -> str:
    """A moment as ISO 8601 in UTC, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def as_image_facts(evidence: Evidence) -> dict[str, Any]:
    """The evidence as an image carries it."""
    return {KEY: as_plain(evidence)}


def from_image_facts(facts: dict[str, Any], path: str) -> Evidence:
    """Read the evidence of an image; raises UnreadableImage if it was not written by memprobe."""
    if KEY not in facts:
        raise UnreadableImage(
            f"{path!r} is a memory image without the facts that inspect needs ({KEY})",
            remedy="save one with: memprobe inspect PID --save-image FILE",
        )
    try:
        evidence = from_plain(Evidence, facts[KEY], "evidence")
        return _checked(evidence)
    except WrongData as error:
        raise UnreadableImage(
            f"{path!r} is damaged: {error}", remedy="it was changed after memprobe wrote it"
        ) from None


def _checked(evidence: Evidence) -> Evidence:
    """Refuse values of the right type that no process has."""
    if evidence.machine not in MACHINES:
        raise WrongData(f"evidence.machine is none of {', '.join(MACHINES)}")
    if not evidence.runtimes:
        raise WrongData("evidence.runtimes is empty")
    addresses = [place.address for place in evidence.runtimes]
    addresses += [address for place in evidence.runtimes for address in place.symbols.values()]
    addresses += evidence.local_symbols.values()
    addresses += [edge for mapping in evidence.mappings for edge in (mapping.start, mapping.end)]
    if min(addresses) < 0:
        raise WrongData("evidence has a negative address")
    if any(len(mapping.permissions) != 4 for mapping in evidence.mappings):
        raise WrongData("evidence.mappings has permissions that are none")
    try:
        iso(evidence.facts.started_at)
    except (OverflowError, OSError, ValueError):
        raise WrongData("evidence.facts.started_at is no moment in time") from None
    return evidence
