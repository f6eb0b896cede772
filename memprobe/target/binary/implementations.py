"""What a process is when it is not a CPython that memprobe can read."""

from __future__ import annotations

import re
from collections.abc import Iterable

from memprobe.errors import NotPython, OtherImplementation, TargetUnsupported, UnknownVersion
from memprobe.target.binary.binaries import LoadedFile, OpenBinary
from memprobe.target.binary.version import binary_version
from memprobe.target.proc.process import Process
from memprobe.target.proc.procfs import printable

OTHERS = {
    "PyPy": re.compile(r"(lib)?pypy[0-9.]*(-c)?(\.so.*)?"),
    "GraalPy": re.compile(r"graalpy.*|libpythonvm\.so.*"),
    "MicroPython": re.compile(r"micropython.*|circuitpython.*"),
    "Pyston": re.compile(r"(lib)?pyston.*"),
    "RustPython": re.compile(r"rustpython.*"),
    "IronPython": re.compile(r"ipy[0-9]*(\.exe)?|ironpython.*"),
}
SUPPORTED = "memprobe reads CPython 3.8 to 3.15"


def other_implementation(process: Process, files: Iterable[LoadedFile]) -> OtherImplementation | None:
    """Recognise other Pythons by the names of what they have mapped."""
    for file in files:
        for name, pattern in OTHERS.items():
            if pattern.fullmatch(file.name):
                return is_other(process, name, file)
    return None


def is_other(process: Process, name: str, file: LoadedFile) -> OtherImplementation:
    """The error for another implementation."""
    return OtherImplementation(
        f"process {process.pid} ({process.name}) runs {name} ({printable(file.name)})", remedy=SUPPORTED
    )


def explain(process: Process, file: LoadedFile, binary: OpenBinary) -> TargetUnsupported | None:
    """Say what a binary without _PyRuntime is, if it has to do with Python at all."""
    if binary.elf.symbol("pypy_main_startup") or binary.elf.symbol("pypy_execute_source"):
        return is_other(process, "PyPy", file)
    # The dynamic linker maps the data of a library a moment after its code.
    if binary.elf.symbol("_PyRuntime") or _waits_for_libpython(file, binary):
        return NotPython(
            f"process {process.pid} ({process.name}) has not loaded its Python runtime yet",
            remedy="try again in a moment",
        )
    if binary.elf.symbol("Py_GetVersion") and binary.elf.symbol("PyEval_EvalCode"):
        version = binary_version(binary.elf, (file.name, binary.elf.soname))
        return UnknownVersion(f"process {process.pid} runs CPython {version.text}", remedy=SUPPORTED)
    return None


def _waits_for_libpython(file: LoadedFile, binary: OpenBinary) -> bool:
    return file.is_exe and any(name.startswith("libpython3") for name in binary.elf.needed)


def not_python(process: Process, files: list[LoadedFile]) -> NotPython:
    """The error for a process that has nothing to do with Python."""
    return NotPython(
        f"process {process.pid} ({process.name}) is not a Python process: "
        f"none of its {len(files)} mapped binaries has a Python runtime",
        remedy="give the pid of the interpreter itself (not of a shell or a launcher)",
    )
