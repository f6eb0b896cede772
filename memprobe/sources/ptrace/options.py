"""What can be asked of the engine ptrace."""

from __future__ import annotations

from dataclasses import dataclass

from memprobe.config import DEFAULTS, Config


@dataclass(frozen=True, slots=True)
class PtraceOptions:
    """What is settled before the first window."""

    tree: bool = False
    """Follow children."""

    slowdown_pct: float = DEFAULTS.budget.slowdown_pct
    """What the target may lose of its time."""

    slice_ns: int | None = None
    """For so long threads may be stopped in all before there is a pause; None: see Pauses.slice_ns."""

    stack_every: int = DEFAULTS.sampling.stack_every
    """One stack in this many births."""

    seed: int = DEFAULTS.sampling.seed
    """Of the choice of sampled stacks."""

    ring_bytes: int = 4 << 20
    """Room for what memprobe has not taken yet: a power of two."""

    @classmethod
    def of(cls, config: Config) -> PtraceOptions:
        """Return them as the settings of a run say."""
        return cls(
            tree=config.run.tree,
            slowdown_pct=config.budget.slowdown_pct,
            stack_every=config.sampling.stack_every,
            seed=config.sampling.seed,
        )
