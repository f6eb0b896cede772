"""`memprobe report`: the report of a recording."""

from __future__ import annotations

import click

from memprobe.cli.options import as_json, verbose
from memprobe.cli.watching import recorded


@click.command()
@click.argument("recording", metavar="F")
@as_json
@verbose
def report(recording: str, as_json: bool) -> None:
    """Report on a recording as attach did on the process.

    The same batches go through the same ledger: a run that was killed reports as far as it was recorded.
    """
    from memprobe.views import output

    document = recorded(recording)
    if as_json:
        output.show_json(document)
    else:
        from memprobe.views.report_page import page

        output.show(page(document))
