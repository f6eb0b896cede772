"""`memprobe blame`: which lines fill a container, and which ones empty it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from memprobe.cli.options import as_json, verbose
from memprobe.cli.watching import Ending, check_duration, pid_of
from memprobe.errors import UsageError

if TYPE_CHECKING:
    from memprobe.views.blame_report import Blamed

SHOWN_EVERY_S = 0.5


@click.command()
@click.argument("pid", metavar="PID")
@click.argument("holder", metavar="HOLDER")
@click.option("--duration", type=float, metavar="S", help="End after S seconds; without it, at Ctrl-C.")
@click.option(
    "--max-overhead",
    type=float,
    default=1.0,
    show_default=True,
    metavar="PCT",
    help="What the process may lose, in percent of one core.",
)
@click.option("--seed", type=int, default=0, metavar="N", help="Seed of when a busy container is watched.")
@as_json
@verbose
def blame(
    pid: str, holder: str, duration: float | None, max_overhead: float, seed: int, as_json: bool
) -> None:
    """Say which lines put entries into a container, and which ones take them out, how many a second.

    HOLDER is a path as reports show it (app.cache.SESSIONS; * stands for anything), the name of a type, or an
    address (0x7f...). A dict, list, set, deque, OrderedDict, defaultdict, lru_cache, or an object that has
    one: a watchpoint of the CPU on its size tells of every change, a few containers at a time.

    Needs tier 2 (CAP_BPF and CAP_PERFMON, usually root).
    """
    number = pid_of(pid)
    if number is None:
        raise UsageError(f"{pid!r} is not a pid", remedy="see: memprobe blame --help")
    if not 0 < max_overhead <= 100:
        raise UsageError("--max-overhead must be above 0 and at most 100 percent")
    check_duration(duration)
    from memprobe.session.blaming import BlameOptions
    from memprobe.views import output

    found = _sought(number, holder)
    document = _watched(number, found, BlameOptions(max_overhead, seed), duration)
    if as_json:
        output.show_json(document)
    else:
        from memprobe.views.blame_page import page

        output.show(page(document))


def _sought(pid: int, holder: str) -> dict[str, Any]:
    """Find the containers in a child: a heap is read."""
    from memprobe.heap.seeking import seek
    from memprobe.target import killable
    from memprobe.views.progress import ProgressBar

    bar = ProgressBar()
    try:
        found: dict[str, Any] = killable.call_telling(lambda tell: seek(pid, holder, tell), bar.show)
    finally:
        bar.erase()
    if not found["found"]:
        raise UsageError(
            f"process {pid} has no container that is called {holder!r}",
            remedy=f"`memprobe heap {pid} --holders '*'` shows what there is",
        )
    return found


def _watched(pid: int, found: dict[str, Any], options: Any, duration_s: float | None) -> dict[str, Any]:
    """Watch until somebody ends it, the time is over or the target is gone."""
    from memprobe.session.blaming import blaming
    from memprobe.views.blame_page import LiveTable
    from memprobe.views.blame_report import document

    ending, table, begin_s, shown_s = Ending(), LiveTable(), 0.0, 0.0

    def elapsed_s() -> float:
        return time.monotonic() - begin_s

    def show(report: Blamed) -> None:
        nonlocal shown_s
        if table.is_shown and elapsed_s() - shown_s >= SHOWN_EVERY_S:
            shown_s = elapsed_s()
            table.show(document(report, shown_s))

    with ending.heard(), blaming(pid, found, options) as run:
        begin_s = time.monotonic()
        try:
            run.run(lambda: not ending.is_asked and (duration_s is None or elapsed_s() < duration_s), show)
        finally:
            table.erase()
        return document(run.report(), elapsed_s())
