"""`memprobe report`: the report of a recording."""

from __future__ import annotations

from dataclasses import replace

import click

from memprobe.cli import windows
from memprobe.cli.configured import FAILING, configured
from memprobe.cli.exporting import check, export, exports
from memprobe.cli.failing import fail_if_found
from memprobe.cli.options import as_json, verbose
from memprobe.cli.watching import recorded_story
from memprobe.config import Config


@click.command()
@click.argument("recording", metavar="F")
@click.option("--window", metavar="A..B", help=windows.HELP)
@exports
@configured("report.usd_per_gb_hour", *FAILING, "report.source", "report.full", is_recorded=True)
@as_json
@verbose
def report(
    recording: str,
    window: str | None,
    config: Config,
    said: Config,
    as_json: bool,
    **outputs: str | None,
) -> None:
    """Report on a recording as attach did on the process.

    The same batches go through the same ledger: a run that was killed reports as far as it was recorded.
    They are judged by the settings of the run, and by what the command line says otherwise.
    """
    from memprobe.views import output
    from memprobe.views.source_lines import with_source

    is_taken = check(outputs, recording, as_json=as_json)
    story = recorded_story(recording, said, None if window is None else windows.window_of(window))
    document = with_source(story.document) if config.report.source else story.document
    story = replace(story, document=document)
    export(story, outputs)
    if as_json:
        output.show_json(document)
    elif not is_taken:
        output.show_report(document, full=config.report.full)
    fail_if_found(document, config)
