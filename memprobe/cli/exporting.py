"""Options of `report` that write it in other forms."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

import click

from memprobe.cli.options import Command
from memprobe.errors import UsageError

if TYPE_CHECKING:
    from memprobe.views.story import Story

MACHINES = {
    "json_lines": "Write it as lines of JSON, one record a line.",
    "pprof": "Write it for go tool pprof and its like.",
    "speedscope": "Write it for speedscope.app.",
    "collapsed": "Write the growth as collapsed stacks, for flamegraph.pl and its like.",
    "sarif": "Write the findings as code annotations (SARIF 2.1.0).",
    "openmetrics": "Write the numbers as OpenMetrics text.",
}
"""The forms: a module of views.machines of the same name each, with a function render."""

HTML = "Write it as one HTML file that needs nothing else; - is standard output, here and below."
STDOUT = "-"


def exports(command: Command) -> Command:
    """`--html F`, `--pprof F` and so on; - is standard output."""
    for name, text in reversed({"html": HTML, **MACHINES}.items()):
        command = click.option(f"--{name.replace('_', '-')}", metavar="F", help=text)(command)
    return command


def check(outputs: Mapping[str, str | None], recording: str, *, as_json: bool) -> bool:
    """Raise UsageError if two want standard output, or one the recording; return whether one takes stdout."""
    taken = [f"--{name.replace('_', '-')}" for name, file in outputs.items() if file == STDOUT]
    taken += ["--json"] if as_json else []
    if len(taken) > 1:
        raise UsageError(f"{' and '.join(taken)} cannot both go to standard output")
    for file in filter(None, outputs.values()):
        if file != STDOUT and os.path.realpath(file) == os.path.realpath(recording):
            raise UsageError(f"{file} is the recording itself", remedy="choose another name for the report")
    return bool(taken)


def export(story: Story, outputs: Mapping[str, str | None]) -> None:
    """Write the report in every form that is asked for."""
    from memprobe.views import files, html

    for name, file in outputs.items():
        if file is None:
            continue
        if name in MACHINES:
            files.write(file, import_module(f"memprobe.views.machines.{name}").render(story.document))
        else:
            files.write(file, html.render(story))
