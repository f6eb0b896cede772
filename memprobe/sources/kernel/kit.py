"""Where the programs of a run come from, and how tasks are gone over: what engines of probes differ in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from memprobe.native.bpf import BpfObject, object_path


class Kit(Protocol):
    """What `Programs` is made with."""

    @property
    def unused(self) -> frozenset[str]:
        """Programs of the table that are not loaded."""
        ...

    def prepare(self, names: Iterable[str], later: Iterable[str] = ()) -> None:
        """Get ready to open these objects, together; raises NotPermitted or NoKernelSupport.

        What may be opened `later`, when nobody has time to wait, is got ready too, if it can be.
        """
        ...

    def open(self, name: str) -> BpfObject:
        """Open an object, not loaded yet; raises BpfError."""
        ...

    def census(self, maps: BpfObject, *, tid: int = 0, pid: int = 0) -> bytes:
        """Run the census over a thread, a process (by memprobe's own numbers), or all; return its rows."""
        ...

    def close(self) -> None:
        """Let go of what it holds itself. May be called twice."""
        ...


class Precompiled:
    """memprobe's compiled objects: libbpf fits them to the kernel, by the kernel's BTF."""

    unused = frozenset({"task_counted"})

    def prepare(self, names: Iterable[str], later: Iterable[str] = ()) -> None:
        """Nothing is to be done."""

    def open(self, name: str) -> BpfObject:
        """Open the object that was compiled with memprobe."""
        return BpfObject(object_path(name), name=name)

    def census(self, maps: BpfObject, *, tid: int = 0, pid: int = 0) -> bytes:
        """Run the kernel's iterator over tasks."""
        return maps.iterate("census", tid=tid, pid=pid)

    def close(self) -> None:
        """There is nothing."""
