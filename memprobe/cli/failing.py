"""Options of commands that come to findings: what they cost, and which of them make the command fail."""

from __future__ import annotations

from typing import Any

import click

from memprobe.cli.options import Command
from memprobe.vocab.finding import USD_PER_GB_HOUR, Kind

FINDINGS = 1
ANY = "any"


def fails_on(command: Command) -> Command:
    """`--fail-on` and `--min-confidence`."""
    kinds = click.Choice([*(kind.value for kind in Kind), ANY])
    command = click.option(
        "--min-confidence",
        type=click.FloatRange(0, 1),
        default=0.5,
        show_default=True,
        metavar="P",
        help="How sure a finding must be for --fail-on.",
    )(command)
    return click.option(
        "--fail-on",
        type=kinds,
        multiple=True,
        metavar="KIND",
        help=f"Exit with 1 if there is such a finding: {', '.join(kinds.choices)}. May be repeated.",
    )(command)


def usd_per_gb_hour(command: Command) -> Command:
    """`--usd-per-gb-hour`: the price of memory."""
    return click.option(
        "--usd-per-gb-hour",
        type=click.FloatRange(0, 1e6),
        metavar="USD",
        help=f"What a gigabyte of memory costs in an hour; {USD_PER_GB_HOUR:.2f} unless told.",
    )(command)


def is_found(document: dict[str, Any], kinds: tuple[str, ...], min_confidence: float) -> bool:
    """Whether a report has come to what the command was told to fail on."""
    return any(
        (ANY in kinds or found["kind"] in kinds) and found["confidence"] >= min_confidence
        for found in document["findings"]
    )


def fail_if_found(document: dict[str, Any], kinds: tuple[str, ...], min_confidence: float) -> None:
    """End the command with 1 if it has come to what it was told to fail on."""
    if is_found(document, kinds, min_confidence):
        click.get_current_context().exit(FINDINGS)
