"""Who holds what in a running target, with everything that a command would have."""

from __future__ import annotations

import functools
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from memprobe.heap.graph import HeapGraph, build_graph, open_for_graph
from memprobe.heap.holders import Holders
from memprobe.heap.holding import Holding
from memprobe.heap.members import Members
from memprobe.heap.roots import Roots
from memprobe.target.cpython.python import Python
from memprobe.target.inspection.opening import opened
from memprobe.target.proc.mappings import read_mappings
from memprobe.target.proc.process import Process

HOARD = Path(__file__).resolve().parent.parent / "targets" / "hoard.c"


@dataclass(frozen=True)
class Look:
    """One graph of one target, and who holds what in it."""

    python: Python
    graph: HeapGraph
    holders: Holders

    def path(self, address: int) -> str:
        """The path to an object as text; empty if nothing holds it."""
        found = self.holders.path(address)
        return "" if found is None else found.text


@contextmanager
def looked_into(pid: int, *, with_keys: bool = False) -> Iterator[Look]:
    """Build the graph of a process and find its holders."""
    with opened(pid) as target:
        assert target.python is not None, target.invisible
        with open_for_graph(target.process, target.python) as heap:
            graph = build_graph(heap)
        yield Look(target.python, graph, _holders(target.process, target.python, graph, with_keys))


def _holders(process: Process, python: Python, graph: HeapGraph, with_keys: bool) -> Holders:
    members, mappings = Members(python, with_keys=with_keys), read_mappings(process)
    roots = Roots(python, members, mappings)
    found = roots.read(lambda kind: graph.node(kind) is None)
    return Holders(python, Holding(graph, found, roots.deferred()), members, mappings)


@functools.cache
def hoard_folder() -> Path:
    """The folder of a C extension that every version can import (limited API of 3.8)."""
    folder = Path(tempfile.mkdtemp(prefix="memprobe-hoard-"))
    include = sysconfig.get_paths()["include"]
    command = ["gcc", "-shared", "-fPIC", "-O1", f"-I{include}", str(HOARD), "-o", str(folder / "hoard.so")]
    subprocess.run(command, check=True)
    return folder
