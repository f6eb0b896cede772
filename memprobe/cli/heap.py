"""`memprobe heap`: what is alive in a process, or was when it was recorded, and who holds it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from memprobe.cli.options import as_json, verbose
from memprobe.cli.watching import pid_of
from memprobe.errors import UnreadableRecording, UsageError

if TYPE_CHECKING:
    from memprobe.heap.document import Heap
    from memprobe.heap.wishes import Wishes

TOP = 6
"""Two tables of so many rows, and what belongs to them, are one screen of 24 lines."""

FREEZE_LIMIT_S = 5.0
LONGEST_FREEZE_S = 60.0


@click.command()
@click.argument("target", metavar="PID|F")
@click.option("--top", type=int, default=TOP, show_default=True, metavar="N", help="Rows of each table.")
@click.option("--type", "type_name", metavar="T", help="Only objects of type T, and who holds them.")
@click.option("--holders", metavar="PATTERN", help="Only holders whose path has PATTERN in it (* for any).")
@click.option("--garbage", is_flag=True, help="What waits for the garbage collector, too.")
@click.option("--sample", metavar="F", help="Read only this fraction (0.01, 1/64) and estimate.")
@click.option("--diff", type=float, metavar="SECONDS", help="Look twice, and show what grew between.")
@click.option("--freeze", is_flag=True, help="Stop the process while it is read: an exact picture.")
@click.option(
    "--freeze-limit",
    type=float,
    default=FREEZE_LIMIT_S,
    show_default=True,
    metavar="S",
    help="Let it go after S seconds, whatever happens.",
)
@click.option("--seed", type=int, default=0, metavar="N", help="Seed of --sample.")
@as_json
@verbose
def heap(
    target: str,
    top: int,
    type_name: str | None,
    holders: str | None,
    garbage: bool,
    sample: str | None,
    diff: float | None,
    freeze: bool,
    freeze_limit: float,
    seed: int,
    as_json: bool,
) -> None:
    """Say what is alive in a process, how much memory it takes, and who holds it.

    PID is a process; F is a recording that `record --heap` has made.

    Reads every object from outside, while the process runs: it is not stopped (unless by --freeze), and
    nothing is put into it.

    Needs tier 1, ptrace read access (usually root).
    """
    number = pid_of(target)
    if number is None and not os.path.exists(target):  # Path.exists raises on a name that is too long
        raise UsageError(f"{target!r} is neither a pid nor a file", remedy="see: memprobe heap --help")
    _check(top, diff, freeze_limit)
    from memprobe.heap.wishes import Wishes

    wishes = Wishes(
        type=type_name,
        holders=holders,
        garbage=garbage,
        sample=None if sample is None else _fraction(sample),
        diff_s=diff,
        freeze_s=freeze_limit if freeze else None,
        seed=seed,
        rows=top,
    )
    _show(_recorded(target, wishes) if number is None else _look(number, wishes), top, as_json)


def _check(top: int, diff: float | None, freeze_limit: float) -> None:
    """Raise UsageError for numbers that make no sense."""
    if top < 1:
        raise UsageError("--top must be at least 1")
    if diff is not None and not 0 < diff < 1e6:
        raise UsageError("--diff must be above 0 seconds")
    if not 0 < freeze_limit <= LONGEST_FREEZE_S:
        raise UsageError(f"--freeze-limit must be above 0 and at most {LONGEST_FREEZE_S:g} seconds")


def _fraction(text: str) -> float:
    """A fraction as people write it: 0.01 or 1/64."""
    over, slash, under = text.partition("/")
    try:
        value = float(over) / float(under) if slash else float(text)
    except (ValueError, ZeroDivisionError):
        value = 0.0
    if not 0 < value <= 1:
        raise UsageError(f"--sample must be above 0 and at most 1, not {text!r}")
    return value


def _recorded(file: str, wishes: Wishes) -> Heap:
    if wishes.sample is not None or wishes.diff_s is not None or wishes.freeze_s is not None:
        raise UsageError("--sample, --diff and --freeze are for a process", remedy="leave them out")
    from memprobe.heap.kept import asked
    from memprobe.recording import RecordingReader

    with RecordingReader(Path(file)) as reader:
        kept = reader.heap()
    if kept is None:
        raise UnreadableRecording(f"{file}: no heap is kept in it", remedy="record with --heap")
    return asked(kept, wishes, file)


def _look(pid: int, wishes: Wishes) -> Heap:
    if wishes.sample is not None and wishes.needs_graph:
        raise UsageError(
            "--sample cannot say who holds what", remedy="leave out --type, --holders, --garbage and --diff"
        )
    from memprobe.heap.document import Heap
    from memprobe.heap.look import look
    from memprobe.target import killable
    from memprobe.target.inspection.plain_data import as_plain, from_plain
    from memprobe.views.progress import ProgressBar

    bar = ProgressBar()
    try:
        plain = killable.call_telling(lambda tell: as_plain(look(pid, wishes, tell)), bar.show)
    finally:
        bar.erase()
    return from_plain(Heap, plain)


def _show(found: Heap, top: int, as_json: bool) -> None:
    from memprobe.views import output

    if as_json:
        output.show_json(found.to_dict())
    else:
        from memprobe.views.heap_page import page

        output.show(page(found, top=top))
