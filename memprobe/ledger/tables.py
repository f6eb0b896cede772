"""Tables of descriptors, and which process uses which.

The kernel's `files_struct` is what descriptors live in: threads share one, CLONE_FILES children too, fork and
unshare copy it. Its address names it until it is freed, and may name another one afterwards. Where there
are no probes, a process's pid stands for its table: kernel addresses begin far above.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from memprobe.ledger.entries import End, Mark
from memprobe.ledger.folding import close_all, find, merged, no_entries
from memprobe.ledger.streams import Integers
from memprobe.vocab.rows import Rows, no_rows

HORIZON_NS = 60_000_000_000
"""How long a table remembers when something last happened to a descriptor."""

TOUCHED = np.dtype([("descriptor", "<i4"), ("reserved", "<u4"), ("time_ns", "<u8")])
"""When something last happened to a descriptor."""


@dataclass(slots=True)
class Table:
    """The open descriptors of one files_struct."""

    rows: Rows = field(default_factory=no_entries)
    """ENTRY rows, by descriptor."""

    touched: Rows = field(default_factory=lambda: no_rows(TOUCHED))
    """TOUCHED rows, by descriptor."""

    users: set[int] = field(default_factory=set)
    """The processes whose threads use it."""

    since_ns: int = 0
    """No picture that began before this instant says anything about it."""

    pictured_ns: int = 0
    """When the picture ended that it was last compared with."""

    complete: bool = False
    """Whether everything that was open when it was first seen is in it."""

    trusted: bool = True
    """Whether its births and deaths were observed since it was last compared."""

    next_census: End | None = None
    """Set after a fork, exec or unshare: what is missing from the census that follows has ended so."""

    def touch(self, descriptors: Integers, time_ns: object) -> None:
        """Remember that something happened to these descriptors (sorted, each once)."""
        if not len(descriptors):
            return
        news = np.zeros(len(descriptors), TOUCHED)
        news["descriptor"] = descriptors
        news["time_ns"] = time_ns
        horizon = int(news["time_ns"].max()) - HORIZON_NS
        _, again = find(news["descriptor"], self.touched["descriptor"])
        keep = ~again & (self.touched["time_ns"] > max(0, horizon))
        self.touched = merged(self.touched, keep, news)

    def touched_since(self, time_ns: int) -> Integers:
        """Return the descriptors that something happened to at this instant or later."""
        descriptors: Integers = self.touched["descriptor"][self.touched["time_ns"] >= time_ns]
        return descriptors

    def copy(self, pid: int, time_ns: int, end: End) -> Table:
        """Return the copy that a fork, unshare or exec makes of it for a process."""
        rows = self.rows.copy()
        rows["marks"] |= np.uint8(Mark.COPIED)
        return Table(
            rows=rows,
            users={pid},
            since_ns=time_ns,
            complete=self.complete,
            trusted=self.trusted,
            next_census=end,
        )


class Tables:
    """All tables, by address."""

    def __init__(self) -> None:
        self._tables: dict[int, Table] = {}
        self._of: dict[int, int] = {}

    def __iter__(self) -> Iterator[Table]:
        return iter(self._tables.values())

    def items(self) -> Iterator[tuple[int, Table]]:
        """Every table with its address."""
        return iter(self._tables.items())

    def get(self, files: int) -> Table | None:
        """Return the table at this address, if it is known."""
        return self._tables.get(files)

    def used_by(self, files: int, pid: int) -> Table:
        """Return the table at this address, new if need be; the process uses it."""
        table = self._tables.setdefault(files, Table())
        table.users.add(pid)
        return table

    def of(self, pid: int) -> int:
        """Return the address of the table of a process's main thread."""
        return self._of.get(pid, pid)

    def addresses(self, pid: int) -> list[int]:
        """Return the tables that a process uses."""
        return [files for files, table in self._tables.items() if pid in table.users]

    def copy(self, source: int, files: int, pid: int, time_ns: int, end: End) -> None:
        """Put a copy of a table at another address, whatever was there."""
        original = self._tables.get(source) or Table()
        self._tables[files] = original.copy(pid, time_ns, end)

    def belongs(self, pid: int, files: int, *, surely: bool = True) -> None:
        """Note which table the main thread of a process uses.

        What pictures showed of the process before that was known belongs in this table. Not `surely`: some
        thread of the process uses it, and threads with tables of their own are rare.
        """
        before = self._of.get(pid, pid)
        if surely or before == pid:
            self._of[pid] = files
        if before == pid:
            self._adopt(pid, files)
        if surely:
            self._correct_users(pid, files, before)

    def _correct_users(self, pid: int, files: int, before: int) -> None:
        """Take processes off tables that they have left, where no record said so."""
        if before != files and before in self._tables and len(self._tables[before].users) > 1:
            self._tables[before].users.discard(pid)  # alone it would still be that of other threads
        table = self._tables.get(files)
        if table and len(table.users) > 1:
            table.users -= {
                user for user in table.users if user != pid and self._of.get(user, files) != files
            }

    def _adopt(self, pid: int, files: int) -> None:
        """Move what pictures showed of a process to the table that they showed."""
        pictured = self._tables.pop(pid, None)
        if pictured:
            table = self.used_by(files, pid)
            if not table.complete:
                _add_unknown(table, pictured)

    def leave(self, pid: int, end_ns: int, *, but: int | None = None) -> list[Rows]:
        """Take a process off its tables (all but one); return the lifetimes that this ends."""
        if but is None:
            self._of.pop(pid, None)
        return [self._discard(files, pid, end_ns) for files in self.addresses(pid) if files != but]

    def end(self, files: int, end_ns: int) -> Rows:
        """Drop a table; return the lifetimes that this ends."""
        table = self._tables.pop(files, None)
        return close_all(table.rows if table else no_entries(), end_ns, End.EXIT)

    def _discard(self, files: int, pid: int, end_ns: int) -> Rows:
        users = self._tables[files].users
        users.discard(pid)
        return close_all(no_entries(), end_ns, End.EXIT) if users else self.end(files, end_ns)


def _add_unknown(table: Table, before: Table) -> None:
    """Take over what is not in the table yet."""
    _, known = find(table.rows["descriptor"], before.rows["descriptor"])
    table.rows = merged(table.rows, np.ones(len(table.rows), bool), before.rows[~known])
    table.complete, table.pictured_ns = before.complete, before.pictured_ns
