"""`memprobe replay`: a recording in the view in which the run was seen live."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from memprobe.cli.options import as_json, verbose
from memprobe.cli.watching import Ending

if TYPE_CHECKING:
    from memprobe.views.live_screen import LiveView

LONGEST_PAUSE_S = 5.0
"""Where nothing was seen for long, it is not waited for so long."""

KEYS_S = 0.1
"""So often the keys are asked."""


@click.command()
@click.argument("recording", metavar="F")
@click.option(
    "--speed",
    type=click.FloatRange(0),
    default=10.0,
    show_default=True,
    metavar="K",
    help="So many times as fast as it was; 0 for as fast as it goes.",
)
@as_json
@verbose
def replay(recording: str, speed: float, as_json: bool) -> None:
    """Play a recording in the live view, then report on it.

    Ctrl-C ends it early, with the report of what was played so far.
    """
    from memprobe.session import played
    from memprobe.views import output
    from memprobe.views.history import History
    from memprobe.views.live_screen import live_view
    from memprobe.views.report import document
    from memprobe.views.story import Story

    live, ending, history = live_view(), Ending(), History()
    before_ns, reached = None, None
    with ending.heard():
        try:
            for now_ns, ledger, run in played(Path(recording), None, history):
                reached = ledger, run
                if live.is_shown:
                    live.show(Story(document(ledger, run), ledger, history))
                    if before_ns is not None and speed:
                        _wait(live, min((now_ns - before_ns) / 1e9 / speed, LONGEST_PAUSE_S))
                before_ns = now_ns
                if ending.is_asked or not live.tick():
                    break
        finally:
            live.erase()
    assert reached is not None  # the end of a recording is always yielded
    shown = document(*reached)
    if as_json:
        output.show_json(shown)
    else:
        output.show_report(shown)


def _wait(live: LiveView, seconds: float) -> None:
    """Let time pass, and the keys be heard."""
    end_s = time.monotonic() + seconds
    while live.tick() and (left_s := end_s - time.monotonic()) > 0:
        time.sleep(min(left_s, KEYS_S))
