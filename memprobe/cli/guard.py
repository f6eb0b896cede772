"""`memprobe guard`: watch the process that has started it, on its orders; what protect() calls."""

from __future__ import annotations

import sys

import click

from memprobe.cli.options import verbose
from memprobe.cli.watching import Ending, pid_of
from memprobe.errors import UsageError


@click.command()
@click.argument("pid", metavar="PID")
@verbose
def guard(pid: str) -> None:
    """Watch a process on its own behalf: what `protect()` of memprobe's module for applications starts.

    Takes its orders as a line of JSON from standard input, writes what leaks to standard error, and answers
    the process on a unix socket. Ends with the process, or when that says so.
    """
    number = pid_of(pid)
    if number is None:
        raise UsageError(f"{pid!r} is not a pid", remedy="see: memprobe guard --help")
    from memprobe.guard import guarded, parse_orders
    from memprobe.guard.orders import LINE_LIMIT

    orders = parse_orders(sys.stdin.readline(LINE_LIMIT))
    ending = Ending()
    with ending.heard():
        guarded(number, orders, lambda: ending.is_asked)
