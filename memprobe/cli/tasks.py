"""`memprobe tasks`: which asyncio tasks a process has, where each one waits, and who awaits whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from memprobe.cli.options import as_json, verbose
from memprobe.errors import UsageError

if TYPE_CHECKING:
    from memprobe.heap.tasks.document import TasksDocument

BETWEEN_LOOKS_S = 1.0
LONGEST_S = 86_400.0


@click.command()
@click.argument("pid", metavar="PID")
@click.option("--tree", is_flag=True, help="Show who awaits whom, as a tree.")
@click.option("--stacks", is_flag=True, help="Show the whole stack of every task and thread.")
@click.option(
    "--duration",
    type=float,
    default=BETWEEN_LOOKS_S,
    show_default=True,
    metavar="S",
    help="Look twice, S seconds apart, to tell old tasks from new ones; 0: look once.",
)
@as_json
@verbose
def tasks(pid: str, tree: bool, stacks: bool, duration: float, as_json: bool) -> None:
    """Say which asyncio tasks a process has, where each one waits, and who awaits whom.

    Shows the tasks of all loops with the line that each waits on, also those that are done but retained;
    timers, ready callbacks, futures, the queues of executors, and threads. The process is read while it
    runs: it is not stopped, and nothing is put into it.

    Needs tier 1, ptrace read access (usually root).
    """
    if not (pid.isascii() and pid.isdecimal()):
        raise UsageError(f"{pid!r} is not a pid", remedy="see: memprobe tasks --help")
    if not 0 <= duration <= LONGEST_S:
        raise UsageError("--duration must be 0 or above, and at most a day")
    document = _look(int(pid[:12]), duration)
    from memprobe.views import output

    if as_json:
        output.show_json(document.to_dict())
    else:
        from memprobe.views.tasks import page

        output.show(page(document, as_tree=tree, stacks=stacks))


def _look(pid: int, duration_s: float) -> TasksDocument:
    from memprobe.heap.tasks.document import TasksDocument
    from memprobe.heap.tasks.looking import look_at_tasks
    from memprobe.target import killable
    from memprobe.target.inspection.plain_data import as_plain, from_plain

    plain = killable.call(
        lambda: as_plain(look_at_tasks(pid, between_s=duration_s)),
        # Between the looks the child sleeps, and is not held up.
        blocked_limit_s=killable.BLOCKED_LIMIT_S + duration_s,
    )
    return from_plain(TasksDocument, plain)
