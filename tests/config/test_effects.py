"""Every setting changes what it says it changes: each row of the table is a proof of one."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config import effects
from memprobe.config import DEFAULTS, SETTINGS
from memprobe.config.setting import Value
from memprobe.vocab.finding import Kind

Row = tuple[str, Value, Value, Callable[..., Any], Any, Any]

ROWS: list[Row] = [
    ("thresholds.shown", 0.1, 0.995, effects.told, 1, 0),
    ("thresholds.file_age_s", 60.0, 10.0, effects.idle_sockets_told, 0, 1),
    ("thresholds.cache_growth", 64, 32, effects.small_caches, 0, 1),
    ("thresholds.heavy_mb", 4.0, 2.0, effects.few_heavy_ones, False, True),
    ("thresholds.memory_mb", 100.0, 40.0, effects.much_memory, "info", "warning"),
    ("intervals.scan_s", 3600.0, 0.1, effects.looks, 1, 5),
    ("intervals.picture_s", 3600.0, 0.1, effects.pictures, 1, ...),
    ("intervals.heap_early_s", 2.0, 20.0, lambda config: effects.next_look_s(config, 1), 2, 20),
    ("intervals.heap_s", 10.0, 60.0, lambda config: effects.next_look_s(config, 40), 10, 60),
    ("budget.heap_pct", 2.0, 10.0, lambda config: effects.next_look_s(config, 40, 20.0), 1000, 200),
    ("budget.slowdown_pct", 1.0, 5.0, lambda config: effects.shed(config, 3.0, 0.5), True, False),
    ("budget.cpu_pct", 5.0, 25.0, lambda config: effects.shed(config, 0.1, 10.0), True, False),
    ("budget.blame_pct", 60.0, 30.0, effects.allowed("blame"), 0.6, 0.3),
    ("budget.bursts_pct", 20.0, 0.0, effects.allowed("births"), 0.2, 0.0),
    *((f"kinds.{kind}", True, False, effects.of_kind(kind), (1, 0), (0, 1)) for kind in Kind),
    ("run.duration_s", None, 20.0, effects.ends_by_itself, False, True),
    ("run.tree", False, True, effects.processes_seen, 1, 2),
    ("run.engine", "auto", "proc", effects.engine_chosen, "libbpf", "proc"),
    ("run.learn", False, True, effects.is_remembered, False, True),
    ("run.kernel_headers", None, "/nowhere", effects.headers_in_usual_places, True, False),
    ("record.ring_minutes", None, 1.0, effects.is_cut_off, False, True),
    ("record.on_exit", False, True, effects.is_sealed, False, True),
    ("record.on_oom", False, True, effects.is_looked_at_in_danger, False, True),
    ("record.redact", False, True, effects.paths_in_recording, True, False),
    ("record.heap", False, True, effects.heap_in_recording, False, True),
    ("record.with_keys", False, True, effects.keys_in_recording, False, True),
    ("report.fail_on", (), ("any",), effects.exit_code, 0, 1),
    ("report.min_confidence", 1.0, 0.1, effects.exit_code_of_any, 0, 1),
    ("report.show_protected", False, True, effects.protected_told, 0, 1),
    ("report.source", False, True, effects.lines_of_source, 0, 1),
    ("report.full", False, True, effects.lines_on_a_terminal, False, True),
]
"""The setting, two values of it, what is observed, and what comes of each (... for more)."""

MORE: list[tuple[str, Value, Value, Callable[..., float]]] = [
    ("thresholds.confident", 0.3, 0.8, effects.surely_known_after_s),
    ("thresholds.timer_age_s", 300.0, 60.0, effects.old_timers),
    ("thresholds.cache_items", 512, 128, effects.doubtful_caches),
    ("report.usd_per_gb_hour", 0.1, 0.3, effects.cost),
]
"""The setting, two values of it, and a number that is greater under the second one."""

IN_THE_KERNEL: list[tuple[str, Value, Value, Callable[..., float]]] = [
    ("sampling.stack_every", 10, 1, effects.share_with_stacks),
    ("sampling.growth_pages", 1_000_000, 1, effects.growth_with_stacks),
]
"""The same, of what programs in the kernel do."""

SEED = "sampling.seed"


def observed(key: str, value: Value, observe: Callable[..., Any], folder: Path) -> Any:
    config = DEFAULTS.having({"run.learn": False} | {key: value})
    if "folder" in inspect.signature(observe).parameters:
        own = folder / f"{random.random()}"  # a folder for each run
        own.mkdir()
        return observe(config, folder=own)
    return observe(config)


@pytest.mark.parametrize(
    ("key", "one", "other", "observe", "by_one", "by_other"),
    ROWS,
    ids=lambda row: str(row) if isinstance(row, str) else "",
)
def test_it_changes_what_it_says(
    tmp_path: Path,
    key: str,
    one: Value,
    other: Value,
    observe: Callable[..., Any],
    by_one: Any,
    by_other: Any,
) -> None:
    assert observed(key, one, observe, tmp_path) == by_one
    found = observed(key, other, observe, tmp_path)
    assert found > by_one if by_other is ... else found == by_other


@pytest.mark.parametrize(("key", "one", "other", "observe"), MORE, ids=[row[0] for row in MORE])
def test_there_is_more_of_it(
    tmp_path: Path, key: str, one: Value, other: Value, observe: Callable[..., float]
) -> None:
    assert observed(key, one, observe, tmp_path) < observed(key, other, observe, tmp_path)


@pytest.mark.parametrize(
    ("key", "one", "other", "observe"), IN_THE_KERNEL, ids=[row[0] for row in IN_THE_KERNEL]
)
def test_the_programs_in_the_kernel_heed_it(
    bpf: None, tmp_path: Path, key: str, one: Value, other: Value, observe: Callable[..., float]
) -> None:
    assert observed(key, one, observe, tmp_path) < observed(key, other, observe, tmp_path)


def test_the_seed_decides_what_is_sampled(bpf: None, tmp_path: Path) -> None:
    one, other = (observed(SEED, seed, effects.seeded, tmp_path) for seed in (0, 1))
    assert one != other
    assert len(one) == len(other) == 200


def test_every_setting_is_proven() -> None:
    assert {row[0] for row in (*ROWS, *MORE, *IN_THE_KERNEL)} | {SEED} == set(SETTINGS)
