"""The growth edges of builds without symbols."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kernel_source.following import following
from memprobe.abi import GrowthHow
from memprobe.sources.kernel.edges import find_edges, opened_binary
from memprobe.sources.kernel.stripped import AllocatorFunctions
from memprobe.target.binary.elf import BadElf, Binary, file_reader
from memprobe.target.binary.functions import Functions, read_functions, starts_in
from memprobe.target.binary.sections import read_sections
from memprobe.target.binary.symbols import local_functions
from memprobe.target.cpython.python import Python, attach_python
from pythons import Interpreter, spawn_command
from target.attaching import threads_of
from target.looking import looked_at

POOL = "allocate_from_new_pool"
ARENAS = ("_PyObject_ArenaMmap", "_PyMem_ArenaAlloc")


@contextmanager
def attached(pid: int) -> Iterator[tuple[Python, int]]:
    """The Python of a process, and the open file of its build."""
    with looked_at(pid) as look:
        python = attach_python(look.memory, look.runtimes()[0], look.mappings, threads_of(look.process))
        with opened_binary(look.process, python, look.mappings) as descriptor:
            yield python, descriptor


def test_pointers_lead_to_what_the_symbols_name(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "family.py") as target, attached(target.pid) as (python, descriptor):
        sections = read_sections(descriptor)
        found = AllocatorFunctions(
            Binary(file_reader(descriptor)), read_functions(descriptor, sections), python
        )
        named = local_functions(descriptor, sections, (POOL, *ARENAS))
        pool, arena = found.new_pool(), found.arena()
        if interpreter.version <= (3, 11):
            assert arena is not None
            assert (pool is not None) == (interpreter.version >= (3, 9))
        # From 3.12 on the allocators lie in _PyRuntime, to which not every compiler refers by one address.
        if named and pool is not None:
            assert pool.address in {one.address for one in named[POOL]}
        if named and arena is not None:
            assert arena.address in {one.address for name in ARENAS for one in named.get(name, ())}


@pytest.mark.usefixtures("bpf")
def test_a_build_that_was_stripped(interpreter: Interpreter, targets: Path, tmp_path: Path) -> None:
    """The same build without its symbols offers the same pools and arenas, and they are hit."""
    if interpreter.version >= (3, 12) or interpreter.root is not None:
        pytest.skip("pools are surely found to 3.11 only")
    stripped = tmp_path / "python3"
    subprocess.run(["strip", "-o", stripped, interpreter.path], check=True)
    home = str(interpreter.path.parent.parent)
    command = ["env", f"PYTHONHOME={home}", str(stripped), str(targets / "growing.py")]
    with spawn_command(command) as target, following(target.pid) as found:
        with attached(target.pid) as (python, descriptor):
            edges = find_edges(descriptor, python, pools=True, large_blocks=False)
        names = {place.name for place in edges.places} & {"pool", "arena"}
        assert names == ({"arena"} if interpreter.version == (3, 8) else {"pool", "arena"})
        found.poll()
        found.batches.clear()
        target.ask("small 400000")
        found.source.settle()
        found.poll()
        rows = found.table("growth")
        for how, name in ((GrowthHow.POOL, "pool"), (GrowthHow.ARENA, "arena")):
            grown = int(rows["grown_bytes"][rows["how"] == how].sum())
            assert (0.8 * 400_000 * 16 < grown < 1.7 * 400_000 * 16) == (name in names)
        assert "[uprobes]" not in Path(f"/proc/{target.pid}/maps").read_text(), "all of them are emulated"


def test_another_allocator_is_not_taken_for_pythons(interpreter: Interpreter, targets: Path) -> None:
    environment = {"PYTHONMALLOC": "malloc"}
    with (
        interpreter.spawn(targets / "family.py", environment=environment) as target,
        attached(target.pid) as (python, descriptor),
    ):
        functions = read_functions(descriptor, read_sections(descriptor))
        found = AllocatorFunctions(Binary(file_reader(descriptor)), functions, python)
        assert found.new_pool() is None


def test_functions_begin_where_the_table_says() -> None:
    functions = Functions([0x1000, 0x1040, 0x2000])
    first, last = functions.beginning_at(0x1000), functions.beginning_at(0x2000)
    assert first is not None
    assert (first.address, first.size) == (0x1000, 0x40)
    assert last is not None
    assert last.size == 64 << 10
    assert functions.beginning_at(0x1001) is None
    assert functions.beginning_at(0xFFF) is None


@pytest.mark.parametrize("content", [b"", b"\x01\x1b\x03\x3b", b"\x02\x1b\x03\x3b" + bytes(8), bytes(12)])
def test_a_table_of_another_kind_is_refused(content: bytes) -> None:
    with pytest.raises(BadElf):
        starts_in(content, 0x1000)


def test_a_table_that_says_too_much_is_cut() -> None:
    head = b"\x01\x1b\x03\x3b" + bytes(4) + (1 << 31).to_bytes(4, "little")
    assert starts_in(head + b"\x10\x00\x00\x00" + bytes(4), 0x1000) == [0x1010]
