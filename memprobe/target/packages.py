"""Which packages a target has loaded, and in which version.

What is loaded the names in sys.modules say. Which package has them, and in which version, its metadata says
(*.dist-info or *.egg-info), in the folders of sys.path on the file system that the target sees. All of it is
chosen by the target: every length is bounded, and what does not look like a name or a version is left out.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from memprobe.errors import MemprobeError
from memprobe.target.cpython.objects import BadObject
from memprobe.target.cpython.python import Python
from memprobe.target.proc.procfs import ProcFolder
from memprobe.target.proc.root import Folder, folder_of

MOST_FOLDERS, MOST_PACKAGES = 64, 2_000
HEAD_BYTES, LIST_BYTES = 1 << 14, 1 << 20
"""Of METADATA, whose first lines tell; of a list of the files of a package."""

ALL_BYTES = 64 << 20
"""Of all files of one look."""

_METADATA = {".dist-info": "METADATA", ".egg-info": "PKG-INFO"}
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")
_VERSION = re.compile(r"[0-9][A-Za-z0-9.!+_-]{0,59}")
_DIRECTORY = re.compile(r"(?P<name>.+?)-(?P<version>[0-9][^-]*)(?:-py[0-9.]+)?")
_SEPARATORS = re.compile(r"[-_.]+")

Packages = dict[str, str]
"""Versions by normalised name."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the memory of a target says of what it has loaded."""

    modules: frozenset[str]
    """The first parts of the names of its modules, in small letters."""

    folders: tuple[str, ...]
    """Where it looks for modules: sys.path."""


def normalised(name: str) -> str:
    """Return the name of a package as all its spellings have it (PEP 503)."""
    return _SEPARATORS.sub("-", name).lower()


def loaded(python: Python) -> Loaded:
    """Read from the memory of a target what it has loaded; raises what is in UNREADABLE."""
    main = next(iter(python.interpreters()), None)
    if main is None:
        raise BadObject("no interpreter")
    modules = python.dictionaries.named_items(main.modules)
    path = python.dictionaries.find(main.sys_dict, "path")
    folders = python.objects.strings(python.objects.list_items(path, MOST_FOLDERS)) if path else {}
    tops = frozenset(name.partition(".")[0].lower() for name in modules)
    return Loaded(tops, tuple(text for text in folders.values() if text.startswith("/")))


def packages(process: ProcFolder, found: Loaded) -> Packages:
    """Return the packages that are loaded; of a name that is there twice the one that Python finds first."""
    versions: Packages = {}
    budget = _Budget(ALL_BYTES)
    for path in found.folders:
        try:
            with folder_of(process, path) as folder:
                for name, version in _in_folder(folder, found.modules, budget):
                    versions.setdefault(name, version)
        except (OSError, MemprobeError):
            continue  # not there, not permitted: Python finds nothing there either
    return versions


class _Budget:
    """How many bytes may still be read."""

    def __init__(self, size_bytes: int) -> None:
        self._left = size_bytes

    def read(self, folder: Folder, name: str, limit: int) -> str:
        """Read a text; empty if there is none, or no more may be read."""
        try:
            data = folder.read(name, min(limit, self._left)) if self._left else b""
        except OSError:
            return ""
        self._left -= len(data)
        return data.decode("utf-8", "replace")


def _in_folder(folder: Folder, modules: Collection[str], budget: _Budget) -> Iterator[tuple[str, str]]:
    named = [name for name in folder.names() if name.endswith(tuple(_METADATA))]
    for name in named[:MOST_PACKAGES]:
        told = _told(folder, name, modules, budget)
        if told is not None:
            yield told


def _told(folder: Folder, entry: str, modules: Collection[str], budget: _Budget) -> tuple[str, str] | None:
    """Return name and version of a package if it is loaded."""
    stem, ending = os.path.splitext(entry)
    match = _DIRECTORY.fullmatch(stem)
    name, version = (match["name"], match["version"]) if match else (stem, "")
    try:
        with folder.folder(entry) as inside:
            if normalised(name).replace("-", "_") not in modules and not _has_any(inside, modules, budget):
                return None
            head = _head(budget.read(inside, _METADATA[ending], HEAD_BYTES))
    except OSError:  # Debian has a file instead
        if normalised(name).replace("-", "_") not in modules:
            return None
        head = _head(budget.read(folder, entry, HEAD_BYTES))
    return _checked(head.get("name", name), head.get("version", version))


def _has_any(inside: Folder, modules: Collection[str], budget: _Budget) -> bool:
    """Tell whether a module of a package is loaded whose name is not that of the package."""
    tops = budget.read(inside, "top_level.txt", LIST_BYTES).split()
    if not tops:
        lines = budget.read(inside, "RECORD", LIST_BYTES).splitlines()
        tops = [re.split(r"[/.,]", line, maxsplit=1)[0] for line in lines]
    return any(top.lower() in modules for top in tops if top)


def _head(text: str) -> dict[str, str]:
    """Return the first lines of METADATA by their keys in small letters."""
    lines = text.partition("\n\n")[0].splitlines()
    pairs: Sequence[tuple[str, str, str]] = [line.partition(": ") for line in lines]
    return {key.lower(): value.strip() for key, colon, value in reversed(pairs) if colon}


def _checked(name: str, version: str) -> tuple[str, str] | None:
    if not _NAME.fullmatch(name):
        return None
    return normalised(name), version if _VERSION.fullmatch(version) else ""
