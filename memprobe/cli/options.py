"""Options that every command takes."""

from __future__ import annotations

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


def source(command: Command) -> Command:
    """`--source`: lines of the target's source."""
    return click.option(
        "--source", is_flag=True, help="Show lines of the program's source, as this machine has them now."
    )(command)


def full(command: Command) -> Command:
    """`--full`: more than fits a screen."""
    return click.option("--full", is_flag=True, help="On a terminal: all of it, not what fits the screen.")(
        command
    )


def as_json(command: Command) -> Command:
    """`--json`: one document on standard output."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")(
        command
    )


def duration(command: Command) -> Command:
    """`--duration`: how long a run lasts."""
    return click.option(
        "--duration", type=float, metavar="S", help="End after S seconds; without it, at Ctrl-C."
    )(command)


def max_overhead(command: Command) -> Command:
    """`--max-overhead`: the budget of the target."""
    return click.option(
        "--max-overhead",
        type=float,
        default=1.0,
        show_default=True,
        metavar="PCT",
        help="What the process may lose, in percent of the CPU time that it uses.",
    )(command)


def of_a_run(command: Command) -> Command:
    """`--tree`, `--seed` and `--no-learn`: how a process is watched."""
    return click.option("--tree", is_flag=True, help="Follow its children too.")(of_a_program(command))


def of_a_program(command: Command) -> Command:
    """`--seed` and `--no-learn`: how a process and its children are watched."""
    for option in (
        click.option(
            "--no-learn", is_flag=True, help="Ask nothing of earlier runs, and remember nothing of this one."
        ),
        click.option("--seed", type=int, default=0, metavar="N", help="Seed of all sampling."),
    ):
        command = option(command)
    return command
