"""What may be chosen about a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from memprobe.config import DEFAULTS, Config


@dataclass(frozen=True, slots=True)
class Options:
    """What may be chosen about a run."""

    config: Config = DEFAULTS
    record: Path | None = None
    """Where it is recorded."""

    @property
    def with_keys(self) -> bool:
        """Whether keys of the target's dictionaries are read: only for a recording, and only if asked for.

        Whoever asks for a redacted recording as well (settings, the API) gets that.
        """
        kept = self.config.record
        return self.record is not None and kept.with_keys and not kept.redact
