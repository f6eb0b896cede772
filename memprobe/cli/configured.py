"""Options that are settings: their help and their defaults come from the table (memprobe.config.settings)."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from memprobe.cli.options import Command
from memprobe.config import PRESETS, SETTINGS, Spoken, read_config
from memprobe.config.setting import Setting, Sort

ENGINE = ("run.engine", "run.kernel_headers")
"""What sees the events of a process."""

OF_A_RUN = ("run.duration_s", "budget.slowdown_pct", "run.tree", "sampling.seed", "run.learn", *ENGINE)
"""How a process is watched."""

OF_A_PROGRAM = ("budget.slowdown_pct", "sampling.seed", "run.learn", *ENGINE)
"""How a program is watched that memprobe starts: all of it, to its end."""

FAILING = ("report.fail_on", "report.min_confidence")
OFF = "--no-"


def configured(*keys: str, is_recorded: bool = False) -> Callable[[Command], Command]:
    """Give a command --config, --preset, --set and --protect, and the options of some settings.

    It gets `config`, all layers put together. If what it reports on was recorded, it gets `said` too: what
    the command line alone says, for the rest is in the recording.
    """

    def decorated(command: Command) -> Command:
        @wraps(command)
        def with_config(**given: Any) -> Any:
            options = {key: given.pop(_parameter(SETTINGS[key])) for key in keys}
            spoken = Spoken(
                file=given.pop("config_file"),
                preset=given.pop("preset"),
                assignments=given.pop("assignments"),
                protect=given.pop("protect"),
                options={key: value for key, value in options.items() if value not in (None, ())},
            )
            given["config"] = read_config(spoken)
            if is_recorded:
                given["said"] = read_config(spoken, {}, searches=False)
            return command(**given)

        configured_command: Command = with_config
        options = [*_GENERAL, *(_option(SETTINGS[key]) for key in reversed(keys))]
        for option in options:
            configured_command = option(configured_command)
        return configured_command

    return decorated


def _parameter(setting: Setting) -> str:
    """Return under which name the value of an option arrives; no command has another of it."""
    return f"setting_{setting.section}_{setting.name}"


def _option(setting: Setting) -> Callable[[Command], Command]:
    parameter, meaning = _parameter(setting), setting.help or setting.meaning
    if setting.sort is Sort.FLAG:
        said = not setting.option.startswith(OFF)
        return click.option(setting.option, parameter, flag_value=said, default=None, help=meaning, type=bool)
    if setting.sort is Sort.WORDS:
        meaning = f"{meaning.rstrip('.')}: {', '.join(setting.choices)}."
        return click.option(
            setting.option, parameter, multiple=True, metavar=setting.unit.letters, help=meaning
        )
    if setting.choices:
        meaning = f"{meaning.rstrip('.')}: {', '.join(setting.choices)}."
    default = "" if setting.default is None else f"  [default: {_shown(setting.default)}]"
    return click.option(setting.option, parameter, metavar=setting.unit.letters, help=f"{meaning}{default}")


def _shown(default: object) -> str:
    return default if isinstance(default, str) else f"{default:g}"


_GENERAL: tuple[Callable[[Command], Command], ...] = (
    click.option(
        "--protect",
        multiple=True,
        metavar="'WHAT=PATTERN # REASON'",
        help="Never report this path, peer, type or holder (* for anything). May be repeated.",
    ),
    click.option(
        "--set",
        "assignments",
        multiple=True,
        metavar="KEY=VALUE",
        help="Any setting that `memprobe config show` lists. May be repeated.",
    ),
    click.option("--preset", metavar="NAME", help=f"Other defaults: {', '.join(PRESETS)}."),
    click.option("--config", "config_file", metavar="F", help="Settings from F, and from no other file."),
)
