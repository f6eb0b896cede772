"""`memprobe diff`: what became of the growth between two recordings, or between two parts of one."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from memprobe import __version__
from memprobe.cli.failing import FINDINGS
from memprobe.cli.options import as_json, verbose
from memprobe.cli.windows import window_of
from memprobe.errors import UsageError

if TYPE_CHECKING:
    from memprobe.session.comparing import Row, Side

WORSE = ("worse", "new")
LIMITS = (
    "Rates are per second, whatever the load was: compare runs under the same load. "
    "What is too rare or too irregular to tell is not listed."
)


@click.command()
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.option(
    "--fail-on", type=click.Choice(["worse"]), help="Exit with 1 if something grows that did not, or faster."
)
@as_json
@verbose
def diff(before: str, after: str, fail_on: str | None, as_json: bool) -> None:
    """Compare what grows in two recordings: before a change, and after it.

    \b
    A and B are files, or parts of files: run.mprobe@5m..15m, run.mprobe@-10m..
    new        grows now, and did not
    worse      grows faster
    not fixed  still grows
    fixed      grew, and does not any more
    """
    from memprobe.session.comparing import compared, facts
    from memprobe.views import differences, output

    one, other = _side(before), _side(after)
    document: dict[str, Any] = {
        "schema": differences.SCHEMA,
        "memprobe": __version__,
        "before": facts(one),
        "after": facts(other),
        "rows": [_row(row) for row in compared(one, other)],
        "limits": LIMITS,
    }
    if as_json:
        output.show_json(document)
    else:
        for line in differences.page(document):
            click.echo(line)
    if fail_on and any(row["change"] in WORSE for row in document["rows"]):
        click.get_current_context().exit(FINDINGS)


def _side(text: str) -> Side:
    from memprobe.session import Window
    from memprobe.session.comparing import side

    path, mark, window = text.rpartition("@")
    if not mark or ".." not in window or "/" in window:
        return side(text, Window())
    if not path:
        raise UsageError(f"{text!r}: there is no file before the @", remedy="write FILE@5m..15m")
    return side(path, window_of(window))


def _row(row: Row) -> dict[str, Any]:
    return {
        "change": row.change.value,
        "sort": row.thing.sort,
        "name": row.thing.name,
        "before_per_s": round(row.before.per_s, 6),
        "before_error_per_s": round(row.before.error_per_s, 6),
        "after_per_s": round(row.after.per_s, 6),
        "after_error_per_s": round(row.after.error_per_s, 6),
        "errors": round(row.errors, 2),
        "after_count": row.count,
        "site": [asdict(frame) for frame in row.thing.site],
    }
