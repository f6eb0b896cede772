"""`memprobe config`: the settings that hold here, and where each one came from."""

from __future__ import annotations

import click

from memprobe.cli.configured import configured
from memprobe.cli.options import as_json, verbose
from memprobe.config import Config


@click.group()
@verbose
def config() -> None:
    """Show the settings of memprobe.

    \b
    From the least to the most: the table of defaults, a preset, memprobe.toml or [tool.memprobe] of a
    pyproject.toml, MEMPROBE_* in the environment, the command line.
    """


@config.command()
@configured()
@as_json
@verbose
def show(config: Config, as_json: bool) -> None:
    """Show every setting, its value, and where that came from."""
    from memprobe.views import output
    from memprobe.views.settings_page import document, page

    shown = document(config)
    if as_json:
        output.show_json(shown)
    else:
        output.show(page(shown))
