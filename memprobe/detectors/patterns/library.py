"""All patterns that there are: those that come with memprobe, and those in the user's own folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from memprobe.detectors.patterns.format import BadPattern, Pattern, parsed
from memprobe.errors import UsageError

MOST_FILES, MOST_BYTES = 500, 1 << 20
"""Of the user's folder, and of one file in it."""


@dataclass(frozen=True, slots=True)
class Library:
    """All patterns, and what could not be used."""

    patterns: tuple[Pattern, ...]
    remarks: tuple[str, ...] = ()
    """A sentence for each file that was left out."""


def users_folder() -> Path:
    """Return where the user's own patterns are: under $XDG_CONFIG_HOME, or ~/.config.

    Raises UsageError if the user has no home.
    """
    config = os.environ.get("XDG_CONFIG_HOME", "")
    try:
        folder = Path(config) if config.startswith("/") else Path.home() / ".config"
    except RuntimeError as error:  # neither HOME nor a line in /etc/passwd, as in many containers
        fact = f"user {os.getuid()} has no home, so no patterns"
        raise UsageError(fact, remedy="XDG_CONFIG_HOME names the folder of configurations") from error
    return folder / "memprobe" / "patterns"


@cache
def library() -> Library:
    """Return all patterns, read once."""
    try:
        own, remarks = _users(users_folder())
    except UsageError:
        own, remarks = (), ()  # who has no home has none there
    return Library((*own, *built_in()), remarks)


@cache
def built_in() -> tuple[Pattern, ...]:
    """Return the patterns that come with memprobe."""
    files = [one for one in Path(__file__).parent.iterdir() if one.name.endswith(".toml")]
    texts = (one.read_text(encoding="utf-8") for one in sorted(files, key=lambda one: one.name))
    return tuple(pattern for text in texts for pattern in parsed(text))


def _users(folder: Path) -> tuple[tuple[Pattern, ...], tuple[str, ...]]:
    """Return the user's own patterns; a broken file costs that file only."""
    patterns: list[Pattern] = []
    remarks = []
    for path in _files(folder):
        try:
            patterns += parsed(_text(path), is_users=True)
        except BadPattern as error:
            remarks.append(f"A file of patterns was left out: {path}:{error}.")
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            remarks.append(f"A file of patterns was left out: {path}: {why}.")
    return tuple(patterns), tuple(remarks)


def _files(folder: Path) -> Iterator[Path]:
    try:
        found = sorted(folder.glob("*.toml"))
    except OSError:
        return
    yield from found[:MOST_FILES]


def _text(path: Path) -> str:
    if not path.is_file():
        raise ValueError("it is no file")
    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ValueError(f"it has more than {MOST_BYTES:,} bytes")
    return data.decode("utf-8")
