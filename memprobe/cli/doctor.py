"""`memprobe doctor`: what memprobe may do on this machine, and the command for what it may not."""

from __future__ import annotations

import click

from memprobe.cli.options import as_json, verbose
from memprobe.config import read_config
from memprobe.errors import UsageError


@click.command()
@click.argument("pid", required=False, metavar="[PID]")
@as_json
@verbose
def doctor(pid: str | None, as_json: bool) -> None:
    """Say what memprobe may do here, and name the command that grants it the rest.

    Every right and kernel feature is tried, not guessed from version numbers. Without PID it lists the Python
    processes of the machine; with PID it says how deep memprobe can look into that one, and ends with the
    exit code that `memprobe inspect PID` would have.
    """
    if pid is not None and not (pid.isascii() and pid.isdecimal()):
        raise UsageError(f"{pid!r} is not a pid", remedy="see: memprobe doctor --help")
    from memprobe.session.engines import tried
    from memprobe.target.inspection.diagnosis import diagnose
    from memprobe.views import output

    diagnosis, error = diagnose(None if pid is None else int(pid[:12]), tried(read_config()))
    if as_json:
        output.show_json(diagnosis.to_dict())
    else:
        from memprobe.views.diagnosis import page

        output.show(page(diagnosis))
    if error is not None:
        raise error
