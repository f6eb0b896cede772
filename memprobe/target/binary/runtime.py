"""Finding _PyRuntime, the variable from which everything else in a CPython is reached."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from memprobe.errors import FreeThreaded, NotPython, TargetUnsupported, UnknownVersion, UnverifiedCollector
from memprobe.target.binary.binaries import LoadedFile, OpenBinary, loaded_files, open_binary, open_file
from memprobe.target.binary.elf import BadElf
from memprobe.target.binary.implementations import SUPPORTED, explain, not_python, other_implementation
from memprobe.target.binary.sections import find_section, local_symbol
from memprobe.target.binary.version import Version, runtime_version
from memprobe.target.layouts import VERSIONS, load_layout
from memprobe.target.proc.mappings import Mapping, find
from memprobe.target.proc.process import Process
from memprobe.target.proc.procfs import printable
from memprobe.vocab import Memory

RUNTIMES_LIMIT = 16
SUSPECTS_LIMIT = 8

SYMBOLS = (
    "PyType_Type", "PyBaseObject_Type", "PyModule_Type", "PyDict_Type", "PyUnicode_Type", "PyBytes_Type",
    "PyLong_Type", "PyTuple_Type", "PyList_Type", "PySet_Type", "PyFunction_Type", "PyCode_Type",
    "PyFrame_Type", "PyGen_Type", "PyCoro_Type", "PyAsyncGen_Type", "_Py_NoneStruct", "Py_Version",
    "_PyRuntime",
)  # fmt: skip
"""Exported symbols whose addresses are kept with the runtime: enough to decode an image offline."""

_LIBPYTHON = re.compile(r"libpython[0-9]")


@dataclass(frozen=True, slots=True)
class RuntimeLocation:
    """One _PyRuntime in a process; plain data, so that an image can carry it."""

    address: int
    """Of _PyRuntime in the target."""

    path: str
    """Of the binary, as maps has it."""

    mapping: Mapping
    """The mapping that holds the address."""

    build: str
    """"shared libpython", "static" (in the program itself) or "embedded" (in another library)."""

    build_id: str
    """Of the binary, in hexadecimal; empty if it has none."""

    bias: int
    """What was added to the addresses of the binary."""

    version: Version
    """As exactly as the binary tells it."""

    initialized: bool | None
    """Whether it has an interpreter; None if that could not be told."""

    from_file: bool
    """Whether the file could be opened; if not, the loaded image was read."""

    symbols: dict[str, int] = field(default_factory=dict)
    """Addresses in the target of those of SYMBOLS that the binary exports."""


def find_runtimes(
    process: Process, mappings: Sequence[Mapping], memory: Memory
) -> tuple[RuntimeLocation, ...]:
    """Find every _PyRuntime of a process, those that are in use first.

    Raises NotPython, OtherImplementation or UnknownVersion (Python 2 to 3.6) if there is none. The
    versions of what is found are not judged: see `check_supported`.
    """
    files = sorted(loaded_files(process, mappings), key=_rank)
    if other := other_implementation(process, files):
        raise other
    exported = (place for file in files for place in _runtimes_in(process, file, mappings, memory))
    hidden = (place for file in _suspects(files) for place in _hidden_in(process, file, mappings, memory))
    found = list(islice(exported, RUNTIMES_LIMIT)) or list(islice(hidden, RUNTIMES_LIMIT))
    if not found:
        process.check()
        raise _reason(process, files, memory)
    return tuple(sorted(found, key=lambda place: not place.initialized))


def check_supported(runtime: RuntimeLocation) -> None:
    """Raise the leaf of TargetUnsupported that says why this runtime cannot be read."""
    version = runtime.version
    name = f"CPython {version.text}"
    if version.minor is None:
        binary = printable(os.path.basename(runtime.path))
        raise UnknownVersion(f"cannot tell which CPython {binary} is", remedy=SUPPORTED)
    if version.minor not in VERSIONS:
        raise UnknownVersion(f"the target runs {name}", remedy=SUPPORTED)
    if version.free_threaded:
        raise FreeThreaded(
            f"the target runs a free-threaded build of {name}", remedy="use a build with the GIL"
        )
    if version.minor == (3, 14) and (version.hexversion or 0) < 0x030E05F0:
        raise UnverifiedCollector(
            f"the target runs {name}, whose incremental collector memprobe does not know",
            remedy="use 3.14.5 or newer",
        )
    if runtime.initialized is False:
        raise NotPython(f"{name} is loaded, but not initialized", remedy="try again when Python has started")


def is_newer(runtime: RuntimeLocation) -> bool:
    """Whether it is a CPython that came after this memprobe: it is known, its layout is not."""
    return runtime.version.minor is not None and runtime.version.minor > VERSIONS[-1]


def find_local_symbol(
    process: Process, runtime: RuntimeLocation, mappings: Sequence[Mapping], memory: Memory, name: str
) -> int | None:
    """Find the address of a symbol that is not exported; None if the file is stripped or gone."""
    for file in loaded_files(process, mappings):
        if file.path == runtime.path:
            descriptor = open_file(process, file, memory)
            if descriptor is None:
                return None
            try:
                symbol = local_symbol(descriptor, name)
            except BadElf:
                return None
            finally:
                os.close(descriptor)
            return None if symbol is None else symbol.address + runtime.bias
    return None


def _suspects(files: list[LoadedFile]) -> list[LoadedFile]:
    """Binaries worth the 50 ms and more that a look at their sections costs."""
    return [file for file in files if file.is_exe or "python" in file.name.lower()][:SUSPECTS_LIMIT]


def _rank(file: LoadedFile) -> tuple[bool, bool]:
    """A libpython first, then the program, then whatever else may embed Python."""
    return (not _LIBPYTHON.match(file.name), not file.is_exe)


def _runtimes_in(
    process: Process, file: LoadedFile, mappings: Sequence[Mapping], memory: Memory
) -> Iterator[RuntimeLocation]:
    """Yield the runtimes that a binary exports."""
    try:
        with open_binary(process, file, memory) as binary:
            symbol = binary.elf.symbol("_PyRuntime")
            if symbol is not None:
                yield from _locate(file, binary, symbol.address, mappings, memory)
    except BadElf:
        return


def _hidden_in(
    process: Process, file: LoadedFile, mappings: Sequence[Mapping], memory: Memory
) -> Iterator[RuntimeLocation]:
    """Yield the runtimes of a binary that exports nothing: by its section, or its full symbol table."""
    try:
        with open_binary(process, file, memory) as binary:
            if binary.descriptor is None:
                return
            file_descriptor = binary.descriptor
            place = find_section(file_descriptor, ".PyRuntime") or local_symbol(file_descriptor, "_PyRuntime")
            if place is not None:
                yield from _locate(file, binary, place.address, mappings, memory)
    except BadElf:
        return


def _locate(
    file: LoadedFile, binary: OpenBinary, address: int, mappings: Sequence[Mapping], memory: Memory
) -> Iterator[RuntimeLocation]:
    for bias in binary.biases:
        mapping = find(mappings, address + bias)
        # A bias that was computed from a coincidence does not lead to writable data.
        if mapping is None or not mapping.is_writable:
            continue
        version = runtime_version(binary.elf, memory, address + bias, (file.name, binary.elf.soname))
        yield RuntimeLocation(
            address=address + bias,
            path=file.path,
            mapping=mapping,
            build=_build(file),
            build_id=binary.elf.build_id,
            bias=bias,
            version=version,
            initialized=_is_initialized(memory, address + bias, version),
            from_file=binary.descriptor is not None,
            symbols=_exported(binary, bias),
        )


def _build(file: LoadedFile) -> str:
    if _LIBPYTHON.match(file.name):
        return "shared libpython"
    return "static" if file.is_exe else "embedded"


def _exported(binary: OpenBinary, bias: int) -> dict[str, int]:
    symbols = ((name, binary.elf.symbol(name)) for name in SYMBOLS)
    return {name: symbol.address + bias for name, symbol in symbols if symbol is not None}


def _is_initialized(memory: Memory, address: int, version: Version) -> bool | None:
    """Whether the runtime has an interpreter; the cookie of 3.13+ is there before that."""
    try:
        layout = load_layout(version.minor or (0, 0))
    except UnknownVersion:
        return None
    head = memory.read_many([(address + layout.offset("_PyRuntimeState.interpreters.head"), 8)])[0]
    return head != bytes(8) if len(head) == 8 else None


def _reason(process: Process, files: list[LoadedFile], memory: Memory) -> TargetUnsupported:
    for file in files:
        try:
            with open_binary(process, file, memory) as binary:
                if reason := explain(process, file, binary):
                    return reason
        except BadElf:
            continue
    return not_python(process, files)
