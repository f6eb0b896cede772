"""`memprobe blame`: which lines fill a container, and which ones empty it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from memprobe.cli.configured import configured
from memprobe.cli.options import as_json, verbose
from memprobe.cli.watching import Ending, pid_of
from memprobe.config import Config
from memprobe.errors import NoKernelSupport, UsageError

if TYPE_CHECKING:
    from memprobe.session.blaming import BlameOptions, Blaming
    from memprobe.session.surviving import Surviving

SHOWN_EVERY_S = 0.5


@click.command()
@click.argument("pid", metavar="PID")
@click.argument("holder", metavar="HOLDER", required=False)
@click.option(
    "--object-births", "births", metavar="TYPE", help="Which lines make objects of TYPE that stay (a glob)."
)
@click.option(
    "--references",
    metavar="TYPE",
    help="Which lines keep references to objects of TYPE that native code holds.",
)
@configured("run.duration_s", "budget.slowdown_pct", "sampling.seed")
@as_json
@verbose
def blame(
    pid: str,
    holder: str | None,
    births: str | None,
    references: str | None,
    config: Config,
    as_json: bool,
) -> None:
    """Say which lines put entries into a container, and which ones take them out, how many a second.

    HOLDER is a path as reports show it (app.cache.SESSIONS; * stands for anything), the name of a type, or an
    address (0x7f...). A dict, list, set, deque, OrderedDict, defaultdict, lru_cache, or an object that has
    one: a watchpoint of the CPU on its size tells of every change, a few containers at a time.

    With --object-births instead of HOLDER: bursts of a few milliseconds trace every block that Python's
    allocator hands out. What is still there ten seconds later has survived; a minute is a good while.

    With --references: of the objects of TYPE that are counted more often than anything refers to them, two
    are taken, and the changes of their counts are watched in bursts. Who takes more than it returns leaks.

    Needs tier 2 (CAP_BPF and CAP_PERFMON, usually root).
    """
    number = pid_of(pid)
    if number is None:
        raise UsageError(f"{pid!r} is not a pid", remedy="see: memprobe blame --help")
    if [holder, births, references].count(None) != 2:
        raise UsageError(
            "name one of HOLDER, --object-births TYPE and --references TYPE",
            remedy="see: memprobe blame --help",
        )
    _check_bpf()
    from memprobe.session.blaming import BlameOptions
    from memprobe.views import output

    options = BlameOptions(config.budget.slowdown_pct, config.sampling.seed)
    duration = config.run.duration_s
    if births is not None:
        _show_births(number, births, options, duration, as_json=as_json)
        return
    if references is not None:
        _show_references(number, references, options, duration, as_json=as_json)
        return
    assert holder is not None

    found = _sought(number, holder)
    document = _watched(number, found, options, duration)
    if as_json:
        output.show_json(document)
    else:
        from memprobe.views.blame_page import page

        output.show(page(document))


def _check_bpf() -> None:
    try:
        import memprobe.session.blaming  # noqa: F401
    except ImportError as error:
        raise NoKernelSupport(f"memprobe was built without BPF ({error})") from error


def _show_births(
    pid: int, type_name: str, options: BlameOptions, duration_s: float | None, *, as_json: bool
) -> None:
    from memprobe.session.surviving import surviving
    from memprobe.views import output
    from memprobe.views.births_page import page
    from memprobe.views.births_report import document
    from memprobe.views.blame_page import LiveTable

    ending, table = Ending(), LiveTable(page)
    shown_s = time.monotonic()

    def show(run: Surviving) -> None:
        nonlocal shown_s
        if table.is_shown and time.monotonic() - shown_s >= SHOWN_EVERY_S:
            shown_s = time.monotonic()
            table.show(document(run.report(), type_name))

    with ending.heard(), surviving(pid, options.max_overhead_pct, options.seed) as run:
        until_s = None if duration_s is None else time.monotonic() + duration_s
        try:
            run.run(lambda: not ending.is_asked and (until_s is None or time.monotonic() < until_s), show)
        finally:
            table.erase()
        found = document(run.report(), type_name)
    if as_json:
        output.show_json(found)
    else:
        output.show(page(found))


def _show_references(
    pid: int, type_name: str, options: BlameOptions, duration_s: float | None, *, as_json: bool
) -> None:
    from memprobe.session.referring import referring
    from memprobe.views import output
    from memprobe.views.references_report import document, page

    found = _unexplained(pid, type_name)
    ending = Ending()
    with ending.heard(), referring(pid, found, options.max_overhead_pct, options.seed) as run:
        until_s = None if duration_s is None else time.monotonic() + duration_s
        run.run(lambda: not ending.is_asked and (until_s is None or time.monotonic() < until_s))
        result = document(run.report())
    if as_json:
        output.show_json(result)
    else:
        output.show(page(result))


def _unexplained(pid: int, type_name: str) -> dict[str, Any]:
    """Find the objects in a child: a heap is read."""
    from memprobe.heap.unexplained import seek_unexplained
    from memprobe.target import killable
    from memprobe.views.progress import ProgressBar

    bar = ProgressBar()
    try:
        found: dict[str, Any] = killable.call_telling(
            lambda tell: seek_unexplained(pid, type_name, tell), bar.show
        )
    finally:
        bar.erase()
    if not found["found"]:
        raise UsageError(
            f"process {pid} has no object of type {type_name!r} with references that nothing explains",
            remedy=f"`memprobe heap {pid}` shows what native code holds",
        )
    return found


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


def _watched(
    pid: int, found: dict[str, Any], options: BlameOptions, duration_s: float | None
) -> dict[str, Any]:
    """Watch until somebody ends it, the time is over or the target is gone."""
    from memprobe.session.blaming import blaming
    from memprobe.views.blame_page import LiveTable
    from memprobe.views.blame_report import document

    ending, table, begin_s, shown_s = Ending(), LiveTable(), 0.0, 0.0

    def elapsed_s() -> float:
        return time.monotonic() - begin_s

    def show(run: Blaming) -> None:
        nonlocal shown_s
        if table.is_shown and elapsed_s() - shown_s >= SHOWN_EVERY_S:
            shown_s = elapsed_s()
            table.show(document(run.report(), shown_s))

    with ending.heard(), blaming(pid, found, options) as run:
        begin_s = time.monotonic()
        try:
            run.run(lambda: not ending.is_asked and (duration_s is None or elapsed_s() < duration_s), show)
        finally:
            table.erase()
        return document(run.report(), elapsed_s())
