"""Where the store is, and how it is opened: what is broken or newer is kept aside, and never lost."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from memprobe.learned.format import APPLICATION_ID, SCHEMA, VERSION

NAME = "learned.sqlite3"
BUSY_S = 10.0
"""How long one run waits for another that writes, which takes milliseconds."""

PARTS = ("", "-wal", "-shm")
"""SQLite's own files beside the database."""

_HEADER_BYTES = 100
_MAGIC = b"SQLite format 3\0"


class StoreFailed(Exception):
    """The store cannot be had, or not be written; whoever wants it goes on without, or says so."""


@contextmanager
def failures(path: Path) -> Iterator[None]:
    """Turn what goes wrong with the file into StoreFailed."""
    try:
        yield
    except OSError as error:
        raise StoreFailed(f"{error.filename or path}: {error.strerror}") from error
    except sqlite3.Error as error:
        raise StoreFailed(f"{path}: {error}") from error


def default_path() -> Path:
    """Return where the store of this user is: under $XDG_STATE_HOME, or ~/.local/state.

    Raises StoreFailed if the user has no home.
    """
    state = os.environ.get("XDG_STATE_HOME", "")
    try:
        folder = Path(state) if state.startswith("/") else Path.home() / ".local" / "state"
    except RuntimeError:  # a user without a name, as in containers
        raise StoreFailed("this user has no home folder: set XDG_STATE_HOME") from None
    return folder / "memprobe" / NAME


def opened(path: Path) -> tuple[sqlite3.Connection, tuple[str, ...]]:
    """Open the store, made anew if need be; also say in sentences what was kept aside.

    Raises StoreFailed if there can be none here.
    """
    with failures(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(path):
            complaint = _complaint(path)
            said = () if complaint is None else (_kept_aside(path, *complaint),)
            return _connected(path), said


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep others from making the file, or keeping it aside, at the same time; ends with the process, too."""
    flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    lock = os.open(path.with_name(f"{path.name}.lock"), flags, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _complaint(path: Path) -> tuple[str, str] | None:
    """Return what is wrong with the file that is there: one word, and a clause; None if nothing is."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except FileNotFoundError:
        return None
    if not header:
        return None  # whoever made it was killed then
    if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
        return "broken", "is no database"
    (version,), (application,) = struct.unpack_from(">I", header, 60), struct.unpack_from(">I", header, 68)
    if application not in (0, APPLICATION_ID):
        return "broken", "is a database of something else"
    if version > VERSION:
        return "newer", f"has format {version}, and this memprobe knows formats up to {VERSION}"
    return _damage(path)


def _damage(path: Path) -> tuple[str, str] | None:
    database = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    try:
        (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            return "broken", f"is damaged ({found})"
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
        return None if not tables or "habits" in tables else ("broken", "is a database of something else")
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise  # locked, or not to be read: that is no damage
        return "broken", f"is damaged ({error})"
    finally:
        database.close()


def _kept_aside(path: Path, word: str, clause: str) -> str:
    """Rename the file and what belongs to it to a name that is free; return a sentence about it."""
    number = next(n for n in range(1, 1 << 20) if not _aside(path, word, n).exists())
    aside = _aside(path, word, number)
    for part in PARTS:
        if Path(f"{path}{part}").exists():
            os.rename(f"{path}{part}", f"{aside}{part}")
    return f"{path} {clause}: it is kept as {aside.name}, and learning begins anew."


def _aside(path: Path, word: str, number: int) -> Path:
    return path.with_name(f"{path.name}.{word}-{number}")


def _connected(path: Path) -> sqlite3.Connection:
    """Open the file, for its owner only; give it its tables if it has none."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    database = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    try:
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("PRAGMA journal_mode = WAL").fetchone()
        database.execute("PRAGMA synchronous = NORMAL")
        if not database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            database.executescript(
                f"BEGIN; {SCHEMA} PRAGMA application_id = {APPLICATION_ID}; "
                f"PRAGMA user_version = {VERSION}; COMMIT;"
            )
    except sqlite3.Error:
        database.close()
        raise
    return database
