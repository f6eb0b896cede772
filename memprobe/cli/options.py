"""Options that every command takes."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

Command = Callable[..., Any]


@dataclass(slots=True)
class Invocation:
    """What is known about this run before any command has started."""

    verbose: bool = False
    """Show the traceback of a bug in memprobe."""

    ignored: tuple[signal.Signals, ...] = ()
    """What whoever started memprobe had ignored, and memprobe cannot: a program that it starts ignores it."""


def _be_verbose(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(Invocation).verbose = True


def verbose(command: Command) -> Command:
    """`-v`: more about what goes wrong."""
    return click.option(
        "-v",
        "--verbose",
        is_flag=True,
        expose_value=False,
        callback=_be_verbose,
        help="Say more: the traceback too, should memprobe itself fail.",
    )(command)


def as_json(command: Command) -> Command:
    """`--json`: one document on standard output."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")(
        command
    )
