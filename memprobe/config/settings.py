"""Every setting of memprobe: the one source of defaults, help texts, docs and `memprobe config show`.

A section is a table in memprobe.toml ([thresholds]) and an object for whoever is configured by it. The units
are in the names; a number that is written without one is in that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from memprobe.config.setting import Setting, flag, integer, number, path, settings_of, word, words
from memprobe.config.units import DOLLARS, ENTRIES, PROBABILITY, Unit
from memprobe.vocab.engines import AUTO, ENGINES
from memprobe.vocab.finding import Kind

ANY = "any"
"""Of `fail_on`: every kind."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What is noticed from which value on."""

    confident: float = number(
        0.5, "From this confidence on it is a finding, below it a suspect.", unit=PROBABILITY, high=1.0
    )
    shown: float = number(0.1, "Below this confidence nothing is said.", unit=PROBABILITY, high=1.0)
    file_age_s: float = number(
        60.0,
        "Sockets that only wait to be closed are told from this age on; an open file is judged by how long "
        "such files are needed.",
    )
    timer_age_s: float = number(300.0, "Timers that have waited longer than this are the surer a leak.")
    cache_growth: int = integer(
        64,
        "Entries that a collection must have gained; and callbacks, tasks or timers that there must be.",
        unit=ENTRIES,
    )
    cache_items: int = integer(
        512, "Entries that a collection must have, unless its growth is certain by itself.", unit=ENTRIES
    )
    heavy_mb: float = number(
        4.0, "What takes so much more than at first need not be 100 entries, as many as a pool may have."
    )
    memory_mb: float = number(100.0, "A finding that holds so much is a warning, even if no limit is near.")


@dataclass(frozen=True, slots=True)
class Intervals:
    """How often everything is looked at; the budgets may make it less often."""

    scan_s: float = number(
        1.0, "Between two looks at /proc and at the lengths of what is watched.", low=0.1, high=3600.0
    )
    picture_s: float = number(
        3.0, "Between two looks at all descriptors of a process, at least.", low=0.1, high=86_400.0
    )
    heap_early_s: float = number(
        2.0, "Between two looks at a heap in its first half minute, at least.", low=0.1, high=86_400.0
    )
    heap_s: float = number(10.0, "Between two later looks at a heap, at least.", low=0.1, high=86_400.0)


@dataclass(frozen=True, slots=True)
class Sampling:
    """Of what is only a part looked at."""

    seed: int = integer(0, "Seed of all sampling.", high=0xFFFF_FFFF, option="--seed")
    stack_every: int = integer(
        1, "Of so many handles that are opened one has its stack taken.", low=1, high=1_000_000
    )
    growth_pages: int = integer(
        64, "Of so many pages of fast growth one has its stack taken.", low=1, high=1_000_000
    )


@dataclass(frozen=True, slots=True)
class Kinds:
    """Which kinds of leak are reported; the others are looked for all the same, and counted."""

    handles: bool = flag(True, "Files, pipes and other descriptors.")
    sockets: bool = flag(True, "Sockets.")
    caches: bool = flag(True, "Collections of data that only grow.")
    cycles: bool = flag(True, "Cycles that the collector does not free.")
    listeners: bool = flag(True, "Callbacks that are registered and stay.")
    tasks: bool = flag(True, "Tasks of asyncio that do not end.")
    timers: bool = flag(True, "Scheduled calls that neither run nor are cancelled.")
    threads: bool = flag(True, "Threads that do not end.")
    native: bool = flag(True, "Memory of native code.")

    def allows(self, kind: Kind) -> bool:
        """Return whether a kind is reported."""
        return bool(getattr(self, kind.value))


@dataclass(frozen=True, slots=True)
class Budget:
    """What a run may cost."""

    slowdown_pct: float = number(
        1.0,
        "What the process may lose, in percent of the CPU time that it uses.",
        above=True,
        high=100.0,
        option="--max-overhead",
    )
    cpu_pct: float = number(
        5.0,
        "What memprobe itself may use in the steady state, in percent of a core.",
        above=True,
        high=6400.0,
    )
    heap_pct: float = number(
        2.0, "What looks at heaps may use, in percent of a core.", above=True, high=6400.0
    )
    blame_pct: float = number(
        60.0,
        "Of what the process may lose: how much of it watchpoints on growing containers may take.",
        high=100.0,
    )
    bursts_pct: float = number(
        20.0,
        "The same for bursts in which all that the allocator hands out is traced.",
        high=100.0,
    )


@dataclass(frozen=True, slots=True)
class Running:
    """How a process is watched."""

    duration_s: float | None = number(
        None, "End after so many seconds; without it, at Ctrl-C.", above=True, option="--duration"
    )
    tree: bool = flag(False, "Follow its children too.", option="--tree")
    learn: bool = flag(
        True,
        "What earlier runs of the program have shown counts, and this one is remembered.",
        option="--no-learn",
        help="Ask nothing of earlier runs, and remember nothing of this one.",
    )
    engine: str = word(
        AUTO,
        "What sees the events of a process; auto takes the best that works here and never stops it.",
        choices=(AUTO, *ENGINES),
        unit=Unit("", "NAME"),
        option="--engine",
    )
    kernel_headers: str | None = path(
        "Where the headers of this kernel are, for the engine bcc; without it, in the usual places.",
        unit=Unit("", "DIR"),
        option="--kernel-headers",
    )


@dataclass(frozen=True, slots=True)
class Recorded:
    """What `memprobe record` keeps."""

    ring_minutes: float | None = number(
        None,
        "Keep only the last minutes: a flight recorder.",
        low=0.1,
        high=60.0 * 24 * 31,
        option="--ring",
    )
    on_exit: bool = flag(
        False, "When the process ends: seal the file, with how it ended.", option="--on-exit"
    )
    on_oom: bool = flag(
        False,
        "Look at the heap when the process is close to being killed for its memory; seal the file.",
        option="--on-oom",
    )
    redact: bool = flag(False, "Leave out what handles point to: paths and peers.", option="--redact")
    heap: bool = flag(
        False,
        "At the end, and when there is danger with --on-oom, keep the whole heap for memprobe heap F.",
        option="--heap",
    )
    with_keys: bool = flag(
        False,
        "Keep sampled keys of dictionaries that grow, whatever is in them.",
        option="--with-keys",
    )


@dataclass(frozen=True, slots=True)
class Reporting:
    """What a report says, and when a command fails by it."""

    usd_per_gb_hour: float = number(
        0.10,
        "What a gigabyte of memory costs in an hour.",
        unit=DOLLARS,
        high=1e6,
        option="--usd-per-gb-hour",
    )
    fail_on: tuple[str, ...] = words(
        (),
        "Exit with 1 if there is such a finding; may be repeated.",
        choices=(*(kind.value for kind in Kind), ANY),
        unit=Unit("", "KIND"),
        option="--fail-on",
    )
    min_confidence: float = number(
        0.5,
        "How sure a finding must be for --fail-on.",
        unit=PROBABILITY,
        high=1.0,
        option="--min-confidence",
    )
    show_protected: bool = flag(
        False, "Report what is protected, or of a kind that is off, as everything else."
    )
    source: bool = flag(
        False, "Show lines of the program's source, as this machine has them now.", option="--source"
    )
    full: bool = flag(False, "On a terminal: all of it, not what fits the screen.", option="--full")


SECTIONS: Mapping[str, type[Any]] = MappingProxyType(
    {
        "thresholds": Thresholds,
        "intervals": Intervals,
        "sampling": Sampling,
        "kinds": Kinds,
        "budget": Budget,
        "run": Running,
        "record": Recorded,
        "report": Reporting,
    }
)

SETTINGS: Mapping[str, Setting] = MappingProxyType(
    {one.key: one for section, kind in SECTIONS.items() for one in settings_of(section, kind)}
)
"""By key, in the order of the table."""
