"""`memprobe config show`, the help of commands, and the table that all of it comes from."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from cli.running import complaint, document, run
from memprobe.cli.main import memprobe
from memprobe.config import DEFAULTS, PRESETS, SETTINGS
from memprobe.config.setting import Sort

NAMED = {
    "thresholds.file_age_s": 60.0,
    "thresholds.timer_age_s": 300.0,
    "thresholds.cache_growth": 64,
    "thresholds.cache_items": 512,
    "intervals.scan_s": 1.0,
    "thresholds.memory_mb": 100.0,
}
"""The defaults that were asked for by name."""


def test_the_defaults_by_name() -> None:
    assert {key: DEFAULTS.value(key) for key in NAMED} == NAMED


def test_it_says_where_each_value_came_from(tmp_path: Path) -> None:
    (tmp_path / "memprobe.toml").write_text("preset = 'production'\n\n[kinds]\nnative = false\n")
    shown = document(
        *("config", "show", "--config", f"{tmp_path}/memprobe.toml", "--set", "run.tree=on"),
        *("--protect", "type=app.* # why"),
        environment={"MEMPROBE_SAMPLING_SEED": "7"},
    )
    rows = {row["key"]: row for row in shown["settings"]}
    assert list(rows) == list(SETTINGS)
    told = {key: (row["value"], row["from"], row["where"], row["line"]) for key, row in rows.items()}
    assert told["kinds.native"] == (False, "file", f"{tmp_path}/memprobe.toml", 4)
    assert told["sampling.seed"] == (7, "environment", "MEMPROBE_SAMPLING_SEED", None)
    assert told["run.tree"] == (True, "command line", "--set run.tree", None)
    assert told["intervals.heap_s"] == (60.0, "preset", "production", None)
    assert told["run.duration_s"] == (None, "default", None, None)
    assert rows["intervals.heap_s"]["unit"] == "s"
    assert shown["preset"] == "production"
    assert [(one["what"], one["pattern"], one["from"]) for one in shown["protect"]] == [
        ("type", "app.*", "command line")
    ]


def test_the_page(tmp_path: Path) -> None:
    (tmp_path / "memprobe.toml").write_text("[kinds]\nnative = false\n")
    page = run("config", "show", "--config", f"{tmp_path}/memprobe.toml").stdout
    assert page.startswith(f"{len(SETTINGS)} settings, 1 of them set; preset default")
    assert f"{tmp_path}/memprobe.toml:2" in page
    assert all(one.meaning in page for one in SETTINGS.values())
    assert "there is no preset 'x'" in complaint(run("config", "show", "--preset", "x"), 2)


@pytest.mark.parametrize("name", ["attach", "record", "report", "blame"])
def test_the_help_of_options_is_that_of_the_table(name: str) -> None:
    command = memprobe.get_command(click.Context(memprobe), name)
    assert command is not None
    rows = {one.option: one for one in SETTINGS.values() if one.option}
    options = {option: one for one in command.params for option in one.opts if isinstance(one, click.Option)}
    for option in options.keys() & rows:
        row, found = rows[option], options[option]
        assert isinstance(found, click.Option)
        assert (found.help or "").startswith((row.help or row.meaning).rstrip("."))
        if row.sort is Sort.NUMBER and row.default is not None:
            assert f"[default: {row.default:g}]" in (found.help or "")
    assert {"--config", "--set", "--preset", "--protect"} <= options.keys()
    given = command.make_context(name, ["1"], resilient_parsing=True).params
    assert {given[one] for one in given if one.startswith("setting_")} <= {None, ()}, "a second default"


def test_every_line_of_the_table_is_whole() -> None:
    for key, one in SETTINGS.items():
        assert one.meaning.endswith("."), key
        assert one.sort is not Sort.NUMBER or one.default is None or isinstance(one.default, float), key
    for preset in PRESETS.values():
        assert set(preset.values) <= set(SETTINGS)


def test_a_document_is_json(tmp_path: Path) -> None:
    done = run("config", "show", "--json")
    assert json.loads(done.stdout)["schema"] == "memprobe.config/1"
