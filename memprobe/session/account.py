"""What a run knows of itself beside its ledger: since when, of whom, at what cost, and what is invisible."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from memprobe.config import Config
from memprobe.config.plain import plain
from memprobe.errors import OutputNotWritable
from memprobe.experience import Remembered
from memprobe.governor import Governor, governor_facts
from memprobe.session.engines import Choice
from memprobe.session.fate import Fate
from memprobe.target.inspection.evidence import iso
from memprobe.target.inspection.opening import Opened


class Account:
    """Keeps the facts of a run, which its report and its recording have."""

    def __init__(self, config: Config, known: Remembered, begun: tuple[float, int]) -> None:
        """It has begun at so many seconds since the epoch, and nanoseconds of the monotonic clock."""
        self._config = config
        self._learned = known.normal.as_json()
        self._begin_s, self._begin_ns = begun
        self._ended_s = 0.0
        self._engine: dict[str, str] | None = None
        self.ended: str | None = None
        """What became of the target; None as long as it runs."""

        self.invisible: list[str] = list(known.remarks)

    def take_engine(self, choice: Choice) -> None:
        """Say which engine it is, why, and what is not seen because of it."""
        self._engine = {"name": choice.name, "why": choice.why}
        self.invisible += choice.invisible

    def end(self, fate: Fate, since: str) -> None:
        """The target has ended: say how. May be said again, when more is to be seen of it."""
        self._ended_s = self._ended_s or time.time()
        fate.settle()
        self.ended = fate.told(self._ended_s - self._begin_s, since)

    def facts(
        self,
        target: Opened,
        root: int,
        *,
        tier: int,
        packages: Mapping[str, str],
        fate: Fate,
        governor: Governor,
        failure: OutputNotWritable | None,
        keys: list[dict[str, Any]] | None,
    ) -> dict[str, Any]:
        """Return what is known now; the failure is that of the recording, the keys were sampled for it."""
        unrecorded = () if failure is None else (f"The recording is not whole: {failure.fact}.",)
        return {
            "pid": target.process.pid,
            "root": root,
            "target": {**asdict(target.facts), "cmdline": list(target.facts.cmdline)},
            "created_at": iso(self._begin_s),
            "tier": tier,
            "engine": self._engine,
            "tree": self._config.run.tree,
            "seed": self._config.sampling.seed,
            "config": plain(self._config),
            "learned": self._learned,
            "packages": packages,
            "begin_ns": self._begin_ns,
            "ended": self.ended,
            **fate.facts(),
            "governor": governor_facts(governor),
            "overhead": governor.overhead,
            "invisible": [*target.invisible, *self.invisible, *unrecorded],
            "shed": governor.invisible,
            "keys": keys,
        }
