"""`memprobe inspect`: say exactly what a Python process is and what it is doing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from memprobe.cli.options import as_json, verbose
from memprobe.errors import UsageError

if TYPE_CHECKING:
    from memprobe.target.inspection.document import Inspection


@click.command()
@click.argument("target", metavar="PID|IMAGE")
@click.option("--stacks", is_flag=True, help="Show the whole Python stack of every thread.")
@click.option(
    "--save-image", metavar="F", help="Save what was read of the process; inspect F shows it again."
)
@as_json
@verbose
def inspect(target: str, stacks: bool, save_image: str | None, as_json: bool) -> None:
    """Say exactly what a Python process is and what it is doing.

    Shows its Python and how it was built, its threads and where each one is, the garbage collector, the
    memory by kind, and the open handles. PID is a process; IMAGE is a file that --save-image has written.

    The process is read while it runs: it is not stopped, and nothing is put into it.

    \b
    Tier 0, read access to /proc/PID: memory, handles, threads.
    Tier 1, ptrace read access (usually root): everything Python.
    """
    inspection = _look(target, save_image)
    from memprobe.views import output

    if as_json:
        output.show_json(inspection.to_dict())
    else:
        from memprobe.views.inspection import page

        output.show(page(inspection, stacks=stacks))


def _look(target: str, save_image: str | None) -> Inspection:
    if target.isascii() and target.isdecimal():
        return _look_at_process(int(target[:12]), save_image)
    if not os.path.exists(target):  # Path.exists raises on a name that is too long
        raise UsageError(f"{target!r} is neither a pid nor a file", remedy="see: memprobe inspect --help")
    if save_image is not None:
        raise UsageError("--save-image needs a process to read", remedy="copy the image instead")
    from memprobe.target.inspection.assembly import inspect_image

    return inspect_image(target)


def _look_at_process(pid: int, save_image: str | None) -> Inspection:
    from memprobe.target import killable
    from memprobe.target.inspection import assembly as inspection
    from memprobe.target.inspection import py_spy
    from memprobe.target.inspection.document import Inspection
    from memprobe.target.inspection.plain_data import as_plain, from_plain

    if save_image is not None:
        inspection.check_writable(save_image)
    plain = killable.call(lambda: as_plain(inspection.inspect_process(pid, save_image=save_image)))
    return py_spy.with_stacks(from_plain(Inspection, plain))
