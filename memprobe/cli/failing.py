"""Commands that fail by what they have found."""

from __future__ import annotations

from typing import Any

import click

from memprobe.config import Config
from memprobe.config.settings import ANY

FINDINGS = 1


def is_found(document: dict[str, Any], config: Config) -> bool:
    """Whether a report has come to what the command was told to fail on."""
    kinds, least = config.report.fail_on, config.report.min_confidence
    return any(
        (ANY in kinds or found["kind"] in kinds) and found["confidence"] >= least
        for found in document["findings"]
    )


def fail_if_found(document: dict[str, Any], config: Config) -> None:
    """End the command with 1 if it has come to what it was told to fail on."""
    if is_found(document, config):
        click.get_current_context().exit(FINDINGS)
