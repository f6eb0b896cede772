"""What is not a CPython that memprobe can read, each told by its own error."""

from __future__ import annotations

import ctypes
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from memprobe import errors
from memprobe.target.binary.runtime import RuntimeLocation, check_supported
from memprobe.target.binary.version import Version, version_text
from memprobe.target.proc.mappings import read_mappings
from memprobe.target.proc.process import open_process
from target.looking import WAIT, compiled, of_kind, running, runtimes_of, shared_library


def test_not_initialized_yet(tmp_path: Path) -> None:
    library = shared_library(of_kind("shared"))
    source = """
    #include <stdio.h>
    int Py_IsInitialized(void);
    int main(void) { printf("ready %d\\n", Py_IsInitialized()); fflush(stdout); return getchar(); }"""
    program = compiled(tmp_path, "embeds", source, str(library), f"-Wl,-rpath,{library.parent}")
    with running(program) as target:
        (found,) = runtimes_of(target.pid)
        assert found.initialized is False
        with pytest.raises(errors.NotPython, match="not initialized") as caught:
            check_supported(found)
        assert "started" in caught.value.remedy


def test_stopped_at_the_first_instruction() -> None:
    """Only the program and the dynamic linker are mapped: libpython is not there yet."""
    shared = of_kind("shared")
    child = os.fork()
    if child == 0:
        ctypes.CDLL(None).ptrace(0, 0, 0, 0)
        os.execv(shared.path, [str(shared.path), "-c", "pass"])
    try:
        os.waitpid(child, 0)
        with pytest.raises(errors.NotPython, match="not loaded its Python runtime yet"):
            runtimes_of(child)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_not_python() -> None:
    other = pytest.raises(errors.NotPython, match=r"\(sh\) is not a Python process")
    with running("sh", "-c", "echo ready; read line") as target, other:
        runtimes_of(target.pid)


def test_pypy() -> None:
    with running(*of_kind("pypy").command("-c", WAIT)) as target:
        with pytest.raises(errors.OtherImplementation, match="PyPy") as caught:
            runtimes_of(target.pid)
        assert "3.8" in caught.value.remedy


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.7"])
def test_too_old(version: str) -> None:
    binaries = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
    if not binaries:
        pytest.skip(f"no CPython {version} on this machine")
    code = "import sys; sys.stdout.write('ready\\n'); sys.stdout.flush(); sys.stdin.read(1)"
    too_old = pytest.raises(errors.UnknownVersion, match=rf"CPython {version}\.[0-9]+")
    with running(binaries[0], "-c", code) as target, too_old:
        check_supported(runtimes_of(target.pid)[0])


REFUSED = [
    (None, None, False, errors.UnknownVersion, "cannot tell"),
    ((3, 7), 0x030710F0, False, errors.UnknownVersion, "CPython 3.7.16"),
    ((3, 16), 0x031000A1, False, errors.UnknownVersion, "CPython 3.16.0a1"),
    ((3, 13), 0x030D00F0, True, errors.FreeThreaded, "free-threaded"),
    ((3, 14), 0x030E00F0, False, errors.UnverifiedCollector, "3.14.0"),
    ((3, 14), 0x030E04F0, False, errors.UnverifiedCollector, "3.14.4"),
    ((3, 14), None, False, errors.UnverifiedCollector, "3.14"),
]


@pytest.mark.parametrize(("minor", "hexversion", "free_threaded", "kind", "fact"), REFUSED)
def test_refused(
    minor: tuple[int, int] | None,
    hexversion: int | None,
    free_threaded: bool,
    kind: type[errors.MemprobeError],
    fact: str,
) -> None:
    found = made_up(Version(minor, hexversion, free_threaded))
    with pytest.raises(errors.TargetUnsupported, match=fact) as caught:
        check_supported(found)
    assert type(caught.value) is kind
    assert caught.value.remedy


@pytest.mark.parametrize("hexversion", [0x030800F0, 0x030D00F0, 0x030E05F0, 0x030F00F0])
def test_accepted(hexversion: int) -> None:
    minor = (hexversion >> 24, hexversion >> 16 & 0xFF)
    check_supported(made_up(Version(minor, hexversion, False)))


def made_up(version: Version) -> RuntimeLocation:
    with open_process(os.getpid()) as process:
        mapping = read_mappings(process)[0]
    blank = RuntimeLocation(
        0, "/x/\x1b[31mlibpython.so", mapping, "", "", 0, Version(None, None, False), True, True
    )
    return replace(blank, version=version)


def test_version_text() -> None:
    texts = {0x030B07F0: "3.11.7", 0x030F00B2: "3.15.0b2", 0x030E00C1: "3.14.0rc1", 0x030D00A6: "3.13.0a6"}
    assert {number: version_text(number) for number in texts} == texts
