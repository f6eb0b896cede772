"""`memprobe report`: the report of a recording."""

from __future__ import annotations

import click

from memprobe.cli.exporting import check, export, exports
from memprobe.cli.failing import fail_if_found, fails_on, usd_per_gb_hour
from memprobe.cli.options import as_json, verbose
from memprobe.cli.watching import recorded_story


@click.command()
@click.argument("recording", metavar="F")
@usd_per_gb_hour
@exports
@fails_on
@as_json
@verbose
def report(
    recording: str,
    usd_per_gb_hour: float | None,
    fail_on: tuple[str, ...],
    min_confidence: float,
    as_json: bool,
    **outputs: str | None,
) -> None:
    """Report on a recording as attach did on the process.

    The same batches go through the same ledger: a run that was killed reports as far as it was recorded.
    """
    from memprobe.views import output

    is_taken = check(outputs, as_json=as_json)
    story = recorded_story(recording, usd_per_gb_hour)
    document = story.document
    export(story, outputs)
    if as_json:
        output.show_json(document)
    elif not is_taken:
        from memprobe.views.report_page import page

        output.show(page(document))
    fail_if_found(document, fail_on, min_confidence)
