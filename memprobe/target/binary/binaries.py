"""The binaries that a process has mapped, opened in the world of the process.

The file behind a mapping may be deleted, replaced, in another mount namespace or a chroot. In
order of trust: /proc/<pid>/map_files (the very file, needs CAP_CHECKPOINT_RESTORE), /proc/<pid>/exe
(the very file), the path below /proc/<pid>/root if it is still the same file, and at last the
loaded image in the memory of the process.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from memprobe.errors import NotPermitted
from memprobe.target.binary.elf import ET_EXEC, PAGE, BadElf, Binary, Reader, file_reader
from memprobe.target.proc.mappings import Mapping
from memprobe.target.proc.process import Process
from memprobe.vocab import Memory

FILES_LIMIT = 4096
"""No process needs more shared objects; what is beyond is not looked at."""


@dataclass(frozen=True, slots=True)
class LoadedFile:
    """A file that is mapped, with all its mappings."""

    path: str
    """As maps has it."""

    mappings: tuple[Mapping, ...]
    """In order of address."""

    is_exe: bool
    """Whether it is the program itself."""

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def is_code(self) -> bool:
        """Whether it is loaded as a binary; the program may have its code moved to huge pages."""
        return self.is_exe or any(mapping.is_executable for mapping in self.mappings)


@dataclass(frozen=True, slots=True)
class OpenBinary:
    """A binary that can be read."""

    elf: Binary
    """Its headers and dynamic symbols."""

    descriptor: int | None
    """The open file; None if it is read from memory."""

    biases: tuple[int, ...]
    """Where it is loaded; more than one if dlmopen has loaded it twice."""


def loaded_files(process: Process, mappings: Iterable[Mapping]) -> list[LoadedFile]:
    """Group the mappings of code by file, in order of address."""
    groups: dict[tuple[int, int, str], list[Mapping]] = {}
    for mapping in mappings:
        if mapping.inode and mapping.path.startswith("/"):
            groups.setdefault((mapping.device, mapping.inode, mapping.path), []).append(mapping)
    exe = exe_link(process)
    files = (LoadedFile(group[0].file_path, tuple(group), group[0].path == exe) for group in groups.values())
    return [file for file in files if file.is_code][:FILES_LIMIT]


def exe_link(process: Process) -> str:
    """The path of the program as maps would write it; empty if not permitted."""
    try:
        return process.folder.link("exe")
    except (NotPermitted, OSError):
        return ""


@contextmanager
def open_binary(process: Process, file: LoadedFile, memory: Memory) -> Iterator[OpenBinary]:
    """Open a mapped binary by the best way there is; BadElf if it cannot be read at all."""
    descriptor = open_file(process, file, memory)
    if descriptor is None:
        yield loaded_image(file, memory)
        return
    try:
        elf = Binary(file_reader(descriptor))
        yield OpenBinary(elf, descriptor, _biases(elf, file.mappings))
    finally:
        os.close(descriptor)


def loaded_image(file: LoadedFile, memory: Memory) -> OpenBinary:
    """Read a binary from its loaded image."""
    for mapping in file.mappings:
        if mapping.offset == 0 and mapping.is_readable:
            elf = Binary(memory_reader(memory, mapping.start), loaded_at=mapping.start)
            return OpenBinary(elf, None, (elf.bias,))
    raise BadElf("the headers are not mapped")


def memory_reader(memory: Memory, start: int) -> Reader:
    """Read a loaded image; what is not mapped comes back empty."""
    return lambda offset, size: memory.read_many([(start + offset, size)])[0]


def open_file(process: Process, file: LoadedFile, memory: Memory) -> int | None:
    """Open the very file that is mapped, or return None; the caller closes it."""
    descriptor = _open_mapped(process, file)
    return _open_by_path(process, file, memory) if descriptor is None else descriptor


def _open_mapped(process: Process, file: LoadedFile) -> int | None:
    first = file.mappings[0]
    links = [f"map_files/{first.start:x}-{first.end:x}"] + ["exe"] * file.is_exe
    for link in links:
        try:
            # A device that is mapped must not be opened: that can have effects.
            if stat.S_ISREG(os.stat(link, dir_fd=process.folder.descriptor).st_mode):
                return process.folder.open(link)
        except (OSError, NotPermitted):
            continue
    return None


def _open_by_path(process: Process, file: LoadedFile, memory: Memory) -> int | None:
    """Open the file by its path, and make sure that it is what is mapped."""
    for path in _paths(process, file.path):
        try:
            descriptor = _open_regular(path)
        except OSError:
            continue
        if _is_mapped_file(descriptor, file.mappings, memory):
            return descriptor
        os.close(descriptor)
    return None


def _paths(process: Process, path: str) -> Iterator[str]:
    """Where the file may be: maps writes paths from our root, or from that of the mount namespace."""
    below_root = f"{process.folder.path}/root"
    try:
        root = process.folder.link("root").rstrip("/")
    except (NotPermitted, OSError):
        return
    if root and path.startswith(f"{root}/"):
        yield below_root + path.removeprefix(root)
    yield below_root + path
    yield path


def _open_regular(path: str) -> int:
    """Open a regular file without touching fifos and devices, and without following a link."""
    handle = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise FileNotFoundError(path)
        return os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(handle)


def _is_mapped_file(descriptor: int, mappings: Sequence[Mapping], memory: Memory) -> bool:
    """Compare the inode, and the first page where memory can be read.

    The inode of a mapped file is not given away again. The device is not compared: on overlayfs
    and btrfs maps shows another one than stat.
    """
    if os.fstat(descriptor).st_ino != mappings[0].inode:
        return False
    head = os.pread(descriptor, PAGE, 0)
    regions = [(mapping.start, len(head)) for mapping in mappings if mapping.offset == 0]
    seen = [page for page in memory.read_many(regions) if page]
    return not seen or head in seen


def _biases(elf: Binary, mappings: Sequence[Mapping]) -> tuple[int, ...]:
    """The load biases under which the mapped code is that of the file."""
    if elf.type == ET_EXEC:
        return (0,)
    code = [mapping for mapping in mappings if mapping.is_executable]
    parts = code or [mapping for mapping in mappings if mapping.offset == 0]
    found: dict[int, None] = {}
    for mapping in parts:
        found.update(dict.fromkeys(elf.biases(mapping.start, mapping.offset, bool(code))))
    return tuple(found)
