"""`memprobe report`: the report of a recording."""

from __future__ import annotations

from dataclasses import replace

import click

from memprobe.cli import windows
from memprobe.cli.exporting import check, export, exports
from memprobe.cli.failing import fail_if_found, fails_on, usd_per_gb_hour
from memprobe.cli.options import as_json, full, source, verbose
from memprobe.cli.watching import recorded_story


@click.command()
@click.argument("recording", metavar="F")
@click.option("--window", metavar="A..B", help=windows.HELP)
@usd_per_gb_hour
@exports
@fails_on
@source
@full
@as_json
@verbose
def report(
    recording: str,
    window: str | None,
    usd_per_gb_hour: float | None,
    fail_on: tuple[str, ...],
    min_confidence: float,
    source: bool,
    full: bool,
    as_json: bool,
    **outputs: str | None,
) -> None:
    """Report on a recording as attach did on the process.

    The same batches go through the same ledger: a run that was killed reports as far as it was recorded.
    """
    from memprobe.views import output
    from memprobe.views.source_lines import with_source

    is_taken = check(outputs, as_json=as_json)
    story = recorded_story(recording, usd_per_gb_hour, None if window is None else windows.window_of(window))
    document = with_source(story.document) if source else story.document
    story = replace(story, document=document)
    export(story, outputs)
    if as_json:
        output.show_json(document)
    elif not is_taken:
        output.show_report(document, full=full)
    fail_if_found(document, fail_on, min_confidence)
