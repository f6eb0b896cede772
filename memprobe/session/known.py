"""Known leaks in a run: what the target has loaded, and which of its findings others have had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from memprobe.detectors.patterns import Facts, library, with_known
from memprobe.errors import MemprobeError
from memprobe.target.cpython.objects import UNREADABLE
from memprobe.target.inspection.opening import Opened
from memprobe.target.packages import Packages, loaded, packages
from memprobe.target.patience import GaveUp, Patience
from memprobe.vocab.finding import Finding, Verdict

LOOK_NS = 5_000_000_000
"""At least between two looks: each takes some 10 ms."""

REMEMBERED = 4096
"""So many findings that have been looked for; more than that is a target that makes them up."""

LIMIT_S = 2.0
"""A file system of the target that does not answer for so long is not waited for."""


class LoadedPackages:
    """Looks what the target has loaded whenever there is a new finding: modules are loaded at any time."""

    def __init__(self) -> None:
        self.versions: Packages = {}
        self._target: Opened | None = None
        """Whose they are: a run may go on with another process of its program."""

        self._patience = Patience()
        self._ids: set[str] = set()
        self._due_ns = 0

    def note(self, target: Opened, findings: Sequence[Finding], now_ns: int) -> None:
        """Look if there is a finding that was not there at the last look."""
        if target is not self._target:
            self._target, self._ids = target, set()
        ids = {one.id for one in findings}
        if now_ns >= self._due_ns and not ids <= self._ids:
            self._due_ns = now_ns + LOOK_NS
            self._ids = ids if len(self._ids) >= REMEMBERED else self._ids | ids
            self._look(target)

    def close(self) -> None:
        """Let its thread go. May be called twice."""
        self._patience.close()

    def _look(self, target: Opened) -> None:
        python, folder = target.python, target.process.folder
        if python is None:
            return
        try:
            found = loaded(python)
            self.versions = self._patience.call(lambda: packages(folder, found), LIMIT_S) or self.versions
        except (*UNREADABLE, GaveUp, OSError, MemprobeError):
            return  # what was seen before stays


def advised(verdict: Verdict, facts: Mapping[str, Any]) -> Verdict:
    """Return a verdict whose findings say which known leak they are, by the facts of a run."""
    if not verdict.findings:
        return verdict
    python, packages = dict(facts.get("target") or {}).get("python"), facts.get("packages")
    versions = packages if isinstance(packages, Mapping) else {}
    known = Facts(str(python or ""), {str(name): str(version) for name, version in versions.items()})
    return with_known(verdict, known, library().patterns)


def remarks() -> tuple[str, ...]:
    """Return what is wrong with the user's own patterns, as sentences."""
    return library().remarks
