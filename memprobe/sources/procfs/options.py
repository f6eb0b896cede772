"""How often and how long /proc is looked at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from memprobe.config import DEFAULTS


@dataclass(frozen=True, slots=True)
class ProcfsOptions:
    """What may be chosen about a ProcfsSource."""

    tree: bool = False
    """Whether children are followed, and theirs."""

    reports_processes: bool = True
    """Whether forks, execs and exits become rows; False beside a source that sees them as they happen."""

    pictures: bool = True
    """Whether pictures of the descriptors are taken."""

    picture_interval_s: float = DEFAULTS.intervals.picture_s
    """The least time between two pictures of a process."""

    picture_limit_s: float = 1.0
    """What the pictures of one poll may take; 100,000 descriptors need about 0.7 s."""

    rare_interval_s: float = 5.0
    """The least time between two looks at what is dear or hardly changes: PSS, cgroup limit, arenas."""

    region_interval_s: float = 60.0
    """The least time between two looks at the whole address space."""

    picture_share: float = 0.02
    """The most of one CPU that the pictures of a process may cost on average."""

    rare_share: float = 0.005
    """The same of its rare numbers: while PSS is read the target cannot map memory."""

    def slower(self, one_in: int) -> Self:
        """Return options under which what is not done at every poll is done this much less often."""
        return replace(
            self,
            picture_interval_s=self.picture_interval_s * one_in,
            picture_share=self.picture_share / one_in,
            rare_interval_s=self.rare_interval_s * one_in,
            region_interval_s=self.region_interval_s * one_in,
            rare_share=self.rare_share / one_in,
        )
