from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

import pythons
from memprobe.target.binary.binaries import LoadedFile, loaded_files, loaded_image, open_binary, open_file
from memprobe.target.binary.elf import BadElf, Binary
from memprobe.target.memory.fake import FakeMemory
from memprobe.target.proc.mappings import read_mappings
from memprobe.target.proc.process import open_process
from target.looking import WAIT, Look, compiled, looked_at, needs_root, running, without_map_files

SYMBOLS = ("_PyRuntime", "PyType_Type", "PyObject_Malloc", "Py_Version", "no_such_symbol")

LIBRARY = """
int answer[1024] = {42};
int *where(void) { return answer; }
"""
LOADS = """
import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
print("ready", ctypes.cast(library.answer, ctypes.c_void_p).value, flush=True)
input()
"""


def python_binary(look: Look) -> LoadedFile:
    """The libpython of a target, or its program."""
    files = loaded_files(look.process, look.mappings)
    return next(
        (file for file in files if "libpython" in file.name), next(file for file in files if file.is_exe)
    )


def facts(elf: Binary) -> list[object]:
    symbols = [elf.symbol(name) for name in SYMBOLS]
    return [elf.type, elf.machine, elf.build_id, elf.soname, elf.needed, elf.segments, *symbols]


def test_memory_says_what_the_file_says(interpreter: pythons.Interpreter) -> None:
    """The loaded image is what is left of a deleted file."""
    with running(*interpreter.command("-c", WAIT)) as target, looked_at(target.pid) as look:
        file = python_binary(look)
        image = loaded_image(file, look.memory)
        with open_binary(look.process, file, look.memory) as opened:
            assert opened.descriptor is not None
            assert facts(image.elf) == facts(opened.elf)
            assert image.biases == opened.biases
            assert opened.elf.symbol("_PyRuntime") is not None


def test_every_mapped_binary_can_be_opened(interpreter: pythons.Interpreter) -> None:
    with running(*interpreter.command("-c", WAIT)) as target, looked_at(target.pid) as look:
        files = loaded_files(look.process, look.mappings)
        assert sum(file.is_exe for file in files) == 1
        for file in files:
            with open_binary(look.process, file, look.memory) as binary:
                assert binary.descriptor is not None
                assert len(binary.biases) == 1
                expected = file.mappings[0].start - binary.elf.base
                assert binary.biases[0] == expected


OPTIONS = {
    "gnu hash": ["-Wl,--hash-style=gnu"],
    "sysv hash": ["-Wl,--hash-style=sysv"],
    "prelinked": ["-Wl,-Ttext-segment=0x7000000"],
    "one segment": ["-Wl,-z,noseparate-code"],
    "no build id": ["-Wl,--build-id=none"],
    "stripped": ["-s"],
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
@pytest.mark.parametrize("deleted", [False, True], ids=["on disk", "deleted"])
def test_however_it_was_linked(tmp_path: Path, options: list[str], deleted: bool) -> None:
    library = compiled(tmp_path, "made.so", LIBRARY, "-shared", "-fPIC", *options)
    with running(sys.executable, "-c", LOADS, library) as target:
        if deleted:
            library.unlink()

        def find() -> tuple[bool, list[int]]:
            with looked_at(target.pid) as look:
                (file,) = [
                    file for file in loaded_files(look.process, look.mappings) if file.name == "made.so"
                ]
                with open_binary(look.process, file, look.memory) as binary:
                    symbol = binary.elf.symbol("answer")
                    assert symbol is not None
                    assert symbol.size == 4096
                    assert binary.elf.symbol("question") is None
                    return binary.descriptor is None, [symbol.address + bias for bias in binary.biases]

        # Without the right to open map_files a deleted file is read from memory.
        is_root = os.geteuid() == 0
        assert find() == (deleted and not is_root, [int(target.ready)])
        if is_root:
            assert without_map_files(find) == (deleted, [int(target.ready)])


def test_data_that_is_only_mapped_is_no_binary(tmp_path: Path) -> None:
    code = (
        f"import mmap, sys; f = open(sys.argv[1]); m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ); {WAIT}"
    )
    copy = shutil.copy2("/bin/cat", tmp_path / "libpython3.9.so.1.0")
    with running(sys.executable, "-c", code, copy) as target, looked_at(target.pid) as look:
        assert any(mapping.path == str(copy) for mapping in look.mappings)
        assert all(file.path != str(copy) for file in loaded_files(look.process, look.mappings))


TRAPS = ("fifo", "symbolic link", "directory", "device", "nothing", "another file", "other content")


@needs_root
@pytest.mark.parametrize("at_the_path", [*TRAPS, "the file"])
def test_what_is_at_the_path_now_is_not_trusted(tmp_path: Path, at_the_path: str) -> None:
    """A fifo would block its reader, a device can have effects, a link leads out of the root."""
    library = compiled(tmp_path, "made.so", LIBRARY, "-shared", "-fPIC")
    with running(sys.executable, "-c", LOADS, library) as target, looked_at(target.pid) as look:
        (file,) = [file for file in loaded_files(look.process, look.mappings) if file.path == str(library)]
        head = b"other" if at_the_path == "other content" else library.read_bytes()
        memory = FakeMemory({file.mappings[0].start: head[:4096].ljust(4096, b"\0")}, pid=target.pid)
        put_there(at_the_path, library, library.rename(tmp_path / "moved.so"))

        def can_be_opened() -> bool:
            descriptor = open_file(look.process, file, memory)
            return descriptor is not None

        assert without_map_files(can_be_opened) is (at_the_path == "the file")


def put_there(what: str, path: Path, original: Path) -> None:
    if what == "fifo":
        os.mkfifo(path)
    elif what == "symbolic link":
        path.symlink_to(original)
    elif what == "directory":
        path.mkdir()
    elif what == "device":
        os.mknod(path, 0o20600, os.makedev(1, 3))
    elif what == "another file":
        shutil.copy2(original, path)
    elif what != "nothing":
        os.link(original, path)


def test_memory_that_is_no_binary() -> None:
    with open_process(os.getpid()) as process:
        mapping = next(mapping for mapping in read_mappings(process) if mapping.offset == 0)
        file = LoadedFile("/x", (mapping,), is_exe=False)
        with pytest.raises(BadElf):
            loaded_image(file, FakeMemory({}, pid=process.pid))
        with pytest.raises(BadElf):
            loaded_image(LoadedFile("/x", (), is_exe=False), FakeMemory({}, pid=process.pid))
