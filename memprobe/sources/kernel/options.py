"""What can be asked of the kernel source: before it starts, and while it runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from memprobe import abi
from memprobe.config import DEFAULTS, Config


@dataclass(frozen=True, slots=True)
class Settings:
    """What the programs do while they run: struct knobs of abi.h."""

    handles: bool = True
    """Births and deaths of descriptors are sent."""

    stacks: bool = True
    """With the stacks of the births."""

    stack_every: int = DEFAULTS.sampling.stack_every
    """One stack in this many births."""

    stack_burst_ns: int = 3_000_000
    """Once they have taken so long on one CPU, stacks thin out to a thousandth of the time; 0: never.

    Some 1,000 at once have their stacks, and 200 a second for ever.
    """

    growth: bool = True
    """Growth is added up."""

    growth_stacks: bool = True
    """By stack."""

    growth_pages: int = DEFAULTS.sampling.growth_pages
    """Fast growth gives one stack for so many pages."""

    growth_gap_ns: int = 1_000_000
    """The first growth after a pause of this long has a stack of its own."""

    def packed(self, seed: int) -> bytes:
        """The struct knobs of abi.h."""
        row = np.zeros(1, abi.KNOBS)
        for name in self.__slots__:
            row[name] = int(getattr(self, name))
        row["seed"] = seed & 0xFFFFFFFF
        return row.tobytes()


@dataclass(frozen=True, slots=True)
class KernelOptions:
    """What is settled before the programs are loaded."""

    tree: bool = False
    """Follow children."""

    ring_bytes: int = 4 << 20
    """Size of the ring buffer: a power of two, at least a page."""

    handles: bool = True
    """Load and attach what watches descriptors."""

    growth: bool = True
    """Load and attach what watches memory."""

    exact_account: bool = True
    """Take the exact account of memory (rss_stat) where the kernel has it; else page faults are counted."""

    pools: bool = True
    """Attach to the places where Python's allocator takes a new pool or arena."""

    large_blocks: bool = False
    """Attach to the place where it passes a block of more than 512 bytes on to malloc: 0.8 us for each."""

    settle_interval_s: float = 1.0
    """How often the exact account of memory is closed."""

    census_interval_s: float = 5.0
    """How often all tables of descriptors are reported, in the order of events; 0: never."""

    seed: int = DEFAULTS.sampling.seed
    """Of the choice of sampled stacks."""

    settings: Settings = Settings()
    """How they stand at the start."""

    @classmethod
    def of(cls, config: Config) -> KernelOptions:
        """Return them as the settings of a run say."""
        sampling = config.sampling
        settings = Settings(stack_every=sampling.stack_every, growth_pages=sampling.growth_pages)
        return cls(tree=config.run.tree, seed=sampling.seed, settings=settings)
