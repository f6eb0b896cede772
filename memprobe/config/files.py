"""Which files set something, and what stands in them.

memprobe.toml, or [tool.memprobe] of a pyproject.toml, is searched for in the working directory and upwards;
the first folder that has one ends the search, and memprobe.toml counts where it has both. Below that counts
$XDG_CONFIG_HOME/memprobe/memprobe.toml (~/.config). A file that is named (--config, MEMPROBE_CONFIG) stands
for all of them. memprobe is often root, and may be anywhere: what it finds by itself must belong to whoever
runs it, to root, or to who called sudo.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from memprobe.config.lines import Path as KeyPath
from memprobe.config.lines import first_broken_line, key_lines, line_of
from memprobe.config.places import Layer, Place
from memprobe.errors import UsageError

NAME, PROJECT = "memprobe.toml", "pyproject.toml"
TABLE = ("tool", "memprobe")
"""Where in a pyproject.toml settings are."""

HEADER = b"[tool.memprobe"

MOST_BYTES = 1 << 20
_AT_LINE = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$")


@dataclass(eq=False)
class File:
    """A file that sets something."""

    path: str
    text: str
    content: Mapping[str, Any]
    table: KeyPath = ()
    """In which table of it."""

    @cached_property
    def _lines(self) -> dict[KeyPath, int]:
        try:
            return key_lines(self.text)
        except RecursionError:  # it is nested nearly too deeply; errors name the file alone
            return {}

    def place(self, *path: str | int) -> Place:
        """Return the place of a key, or of what it is in."""
        return Place(Layer.FILE, self.path, line_of((*self.table, *path), self._lines))


@dataclass(slots=True)
class Found:
    """The files that set something, each one counts more than those before it."""

    files: list[File] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    """Which ones do not count, and why."""


def named(path: str) -> Found:
    """Return the file that somebody has named."""
    try:
        data, _ = _read(path)
    except OSError as error:
        fact = f"{path}: the settings cannot be read: {error.strerror}"
        raise UsageError(fact, remedy="name a file of settings, or none") from error
    file = _file(path, data, is_project=os.path.basename(path) == PROJECT)
    if file is None:
        raise UsageError(
            f"{path}: there is no table [tool.memprobe] in it", remedy="write it, or name another file"
        )
    return Found([file])


def searched(directory: str | None, environment: Mapping[str, str]) -> Found:
    """Return the files that there are for a working directory."""
    found = Found()
    folders = [] if directory is None else [directory, *map(str, Path(directory).parents)]
    _take(list(_of_user(environment)), found, environment)
    for folder in folders:
        if _take([os.path.join(folder, name) for name in (NAME, PROJECT)], found, environment):
            break
    return found


def _of_user(environment: Mapping[str, str]) -> Iterator[str]:
    folder = environment.get("XDG_CONFIG_HOME", "")
    if not folder.startswith("/"):
        home = environment.get("HOME", "")
        folder = os.path.join(home, ".config")
    if folder.startswith("/"):
        yield os.path.join(folder, "memprobe", NAME)


def _take(paths: list[str], found: Found, environment: Mapping[str, str]) -> bool:
    """Take the first of some files that sets something; return whether one does."""
    for path in paths:
        if not os.path.isfile(path):
            continue
        is_project = os.path.basename(path) == PROJECT
        try:
            data, status = _read(path)
        except OSError as error:
            found.remarks.append(f"{path} does not count: it cannot be read: {error.strerror}.")
            continue
        stranger = _stranger(status, environment)
        if not stranger and (file := _file(path, data, is_project=is_project)) is not None:
            found.files.append(file)
            return True
        if stranger and (not is_project or HEADER in data):
            found.remarks.append(f"{path} does not count: {stranger}; --config {path} takes it.")
    return False


def _stranger(status: os.stat_result, environment: Mapping[str, str]) -> str:
    """Return why a file that was found may not be of whoever runs memprobe; "" if it is."""
    friends = {0, os.geteuid()}
    if os.geteuid() == 0 and environment.get("SUDO_UID", "").isdecimal():
        friends.add(int(environment["SUDO_UID"]))
    if status.st_uid not in friends:
        return f"it belongs to user {status.st_uid}"
    return "everybody may write to it" if status.st_mode & stat.S_IWOTH else ""


def _file(path: str, data: bytes, *, is_project: bool) -> File | None:
    """Return what a file sets; None if it is a pyproject.toml that says nothing of memprobe."""
    if is_project and b"memprobe" not in data:
        return None
    text = _text(path, data)
    content: Any = _parsed(path, text)
    table = TABLE if is_project else ()
    for number, name in enumerate(table, 1):
        content = content.get(name)
        if content is None:
            return None
        if not isinstance(content, dict):
            raise UsageError(f"{File(path, text, {}).place(*table[:number])}: {name} must be a table")
    return File(path, text, content, table)


def _read(path: str) -> tuple[bytes, os.stat_result]:
    """Read a file, and say whose it is: of the same one, whatever is called so a moment later."""
    with open(path, "rb") as file:
        return file.read(MOST_BYTES + 1), os.fstat(file.fileno())


def _text(path: str, data: bytes) -> str:
    if len(data) > MOST_BYTES:
        raise UsageError(f"{path}: the settings are longer than {MOST_BYTES >> 20} MB")
    try:
        return data.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}:{line}: this is not UTF-8") from error


def _parsed(path: str, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        said = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        match = _AT_LINE.search(said)
        line = match[1] if match and match[1] else first_broken_line(text)
        raise UsageError(f"{path}:{line}: this is no TOML: {_AT_LINE.sub('', said)}") from error
