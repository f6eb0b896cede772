from __future__ import annotations

import os
import random
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import pythons
from memprobe.target.binary.elf import PAGE, BadElf, Binary, Reader, file_reader, gnu_hash, sysv_hash
from memprobe.target.binary.sections import find_section, local_symbol
from memprobe.target.binary.version import binary_version, name_version
from target.looking import LIBRARY_WITH_LOCALS, compiled

ENDS_S = 60.0
"""CPU time: a thousand times what is needed, and nothing of what a walk without an end would take."""


@pytest.fixture(scope="module", params=["gnu", "sysv"])
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small library with exported and with static variables."""
    folder = tmp_path_factory.mktemp("elf")
    style = f"-Wl,--hash-style={request.param}"
    return compiled(
        folder, "made.so", LIBRARY_WITH_LOCALS, "-shared", "-fPIC", style, "-Wl,-soname,made.so.7"
    )


@pytest.fixture
def opened(library: Path) -> Iterator[int]:
    """The library, open for reading."""
    descriptor = os.open(library, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def nm(path: Path, *options: str) -> dict[str, int]:
    """Name to address of defined symbols, from another reader."""
    output = subprocess.run(
        ["nm", "--defined-only", *options, path], capture_output=True, text=True, check=True
    )
    rows = (line.split() for line in output.stdout.splitlines())
    return {row[2].partition("@")[0]: int(row[0], 16) for row in rows if len(row) == 3}


def test_every_exported_symbol_is_found(library: Path, opened: int) -> None:
    binary = Binary(file_reader(opened))
    exported = nm(library, "-D")
    assert len(exported) > 100
    for name, address in exported.items():
        symbol = binary.symbol(name)
        assert symbol is not None
        assert symbol.address == address
    for name in ("variable_0", "hidden_1", "puts", "", "x" * 10_000):
        assert binary.symbol(name) is None


def test_what_the_binary_says_of_itself(library: Path, opened: int) -> None:
    binary = Binary(file_reader(opened))
    notes = subprocess.run(["readelf", "-n", library], capture_output=True, text=True, check=True).stdout
    assert binary.build_id in notes
    assert len(binary.build_id) == 40
    assert (binary.soname, binary.needed, binary.machine) == ("made.so.7", ("libc.so.6",), os.uname().machine)


def test_local_symbols_and_sections(library: Path, opened: int) -> None:
    symbol = local_symbol(opened, "hidden_1")
    assert symbol is not None
    assert (symbol.address, symbol.size) == (nm(library)["hidden_1"], 8)
    assert local_symbol(opened, "hidden_2") is None
    assert local_symbol(opened, "den_1") is None
    section = find_section(opened, ".PyRuntime")
    assert section is not None
    assert section.address == nm(library)["in_a_section"]
    assert find_section(opened, ".nothing") is None


def test_a_stripped_file_has_no_local_symbols(library: Path, tmp_path: Path) -> None:
    stripped = tmp_path / "stripped.so"
    subprocess.run(["strip", "-o", stripped, library], check=True)
    descriptor = os.open(stripped, os.O_RDONLY)
    try:
        assert local_symbol(descriptor, "hidden_1") is None
        assert Binary(file_reader(descriptor)).symbol("variable_1") is not None
    finally:
        os.close(descriptor)


def test_a_whole_libpython(interpreter: pythons.Interpreter) -> None:
    """Every exported symbol of a real interpreter, against nm."""
    path = interpreter.path
    libraries = sorted(path.parent.parent.glob(f"lib/libpython{path.name[-4:].lstrip('n')}*.so.1.0"))
    if interpreter.name.endswith("shared"):
        path = libraries[0]
    exported = nm(path, "-D")
    descriptor = os.open(path, os.O_RDONLY)
    try:
        binary = Binary(file_reader(descriptor))
        found = {name: symbol.address for name in exported if (symbol := binary.symbol(name))}
        version = binary_version(binary, (path.name, binary.soname))
    finally:
        os.close(descriptor)
    assert len(exported) > 1000
    assert found == exported
    assert version.text.startswith(interpreter.patch.rstrip("+"))


def test_version_in_names() -> None:
    names = {"libpython3.8.so.1.0": (3, 8), "python3.11": (3, 11), "python3": None, "libfoo3.9.so": None}
    assert {name: name_version((name,)) for name in names} == names
    assert name_version(("x", "libpython3.10d.so")) == (3, 10)


def test_hashes() -> None:
    """Values from the ELF and GNU hash descriptions."""
    assert [gnu_hash(name) for name in ("", "printf", "exit")] == [0x1505, 0x156B2BB8, 0x7C967E3F]
    assert [sysv_hash(name) for name in ("", "printf", "exit")] == [0, 0x077905A6, 0x0006CF04]


def bytes_reader(content: bytes) -> Reader:
    return lambda offset, size: content[offset : offset + size]


def survive(content: bytes, folder: Path) -> None:
    """Ask everything of a binary; only BadElf may come out, and soon."""
    started = time.process_time()
    file = folder / "hostile"
    file.write_bytes(content)
    descriptor = os.open(file, os.O_RDONLY)
    try:
        for read, loaded_at in ((file_reader(descriptor), None), (bytes_reader(content), 0x7F0000000000)):
            ask_everything(read, loaded_at)
        with suppress(BadElf):
            local_symbol(descriptor, "hidden_1")
    finally:
        os.close(descriptor)
    assert time.process_time() - started < ENDS_S


def ask_everything(read: Reader, loaded_at: int | None) -> None:
    with suppress(BadElf):
        binary = Binary(read, loaded_at=loaded_at)
        binary_version(binary, (binary.soname, *binary.needed))
        for name in ("variable_1", "_PyRuntime", binary.build_id):
            binary.symbol(name)
        list(binary.biases(0x1000, 0, True))


@settings(max_examples=150)
@given(
    changes=some.lists(some.tuples(some.integers(0, 1 << 20), some.integers(0, 255)), max_size=20),
    seed=some.integers(),
)
def test_a_damaged_binary_is_survived(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], seed: int
) -> None:
    content = bytearray(small_binary(tmp_path_factory))
    headers = random.Random(seed).randrange(0, 2)
    for place, value in changes:
        # Half of the runs hit the headers and tables, where it hurts most.
        content[place % (PAGE if headers else len(content))] = value
    survive(bytes(content), tmp_path_factory.getbasetemp())


@settings(max_examples=50)
@given(length=some.integers(0, 20_000))
def test_a_binary_that_is_cut_off_is_survived(tmp_path_factory: pytest.TempPathFactory, length: int) -> None:
    survive(small_binary(tmp_path_factory)[:length], tmp_path_factory.getbasetemp())


@settings(max_examples=50)
@given(content=some.binary(max_size=10_000))
def test_garbage_is_survived(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    survive(b"\x7fELF\x02\x01" + content, tmp_path_factory.getbasetemp())
    survive(content, tmp_path_factory.getbasetemp())


_small: list[bytes] = []


def small_binary(folders: pytest.TempPathFactory) -> bytes:
    if not _small:
        folder = folders.mktemp("small")
        _small.append(compiled(folder, "small.so", LIBRARY_WITH_LOCALS, "-shared", "-fPIC").read_bytes())
    return _small[0]


def test_tables_without_an_end_are_left() -> None:
    """Every byte says that a chain goes on and that there is more."""

    def endless(offset: int, size: int) -> bytes:
        return b"\x02" * size

    class Endless(Binary):
        def __init__(self) -> None:
            self._read = endless
            self._first_page = b""
            self._loaded_at = 0x1000
            self._headers = []
            self.segments = ()
            self.__dict__["_tags"] = {0x6FFFFEF5: 0, 4: 0, 5: 0, 6: 0}

        @property
        def base(self) -> int:
            return 0

    started = time.process_time()
    assert Endless().symbol("name") is None
    assert time.process_time() - started < ENDS_S


def test_a_name_without_an_end_is_left(tmp_path: Path, library: Path) -> None:
    """The names of 4,000 sections reach through a file of 64 MiB without a zero byte."""
    content = bytearray(library.read_bytes())
    names = len(content)
    headers = names + (64 << 20)
    hostile = tmp_path / "hostile.so"
    row = struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0, names, 64 << 20, 0, 0, 1, 0)
    struct.pack_into("<Q", content, 40, headers)
    struct.pack_into("<HHH", content, 58, 64, 4000, 1)
    with hostile.open("wb") as file:
        file.write(content)
        file.write(b"A" * (64 << 20))
        file.write(row * 4000)
    started = time.process_time()
    descriptor = os.open(hostile, os.O_RDONLY)
    try:
        with pytest.raises(BadElf):
            find_section(descriptor, ".symtab")
    finally:
        os.close(descriptor)
    assert time.process_time() - started < ENDS_S
