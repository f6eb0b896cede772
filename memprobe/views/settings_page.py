"""What `config show` says: every setting, its value, and where that came from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from memprobe import __version__
from memprobe.config import PRESETS, SETTINGS, Config
from memprobe.config.places import Layer, Place
from memprobe.config.setting import Value
from memprobe.views.page import Column, Notes, Page, Section, Table
from memprobe.views.quantities import count

SCHEMA = "memprobe.config/1"
NOTHING = "none"

Row = dict[str, Any]


def document(config: Config) -> dict[str, Any]:
    """Return the settings as a document."""
    return {
        "schema": SCHEMA,
        "memprobe": __version__,
        "preset": config.preset,
        "settings": [_setting(key, config) for key in SETTINGS],
        "protect": [
            {"what": one.aspect.value, "pattern": one.pattern, "reason": one.reason, **_place(one.place)}
            for one in config.protect
        ],
        "passed_over": list(config.remarks),
    }


def _setting(key: str, config: Config) -> Row:
    setting, place = SETTINGS[key], config.place(key)
    return {
        "key": key,
        "value": config.value(key),
        "unit": setting.unit.name or None,
        "default": setting.default,
        **_place(place),
        "option": setting.option or None,
        "variable": setting.variable,
        "meaning": setting.meaning,
    }


def _place(place: Place) -> Row:
    return {
        "from": place.layer.value,
        "where": place.where or None,
        "line": place.line,
    }


def page(document: dict[str, Any]) -> Page:
    """Return the settings as a page."""
    rows = document["settings"]
    changed = sum(row["from"] != Layer.DEFAULT.value for row in rows)
    preset = document["preset"]
    verdict = (
        f"{count(len(rows), 'setting')}, {changed} of them set; preset {preset}: {PRESETS[preset].meaning}"
    )
    return Page(verdict, (*_sections(rows), *_protected(document["protect"]), *_remarks(document)))


def _sections(rows: list[Row]) -> Iterator[Section]:
    columns = (
        Column("name"),
        Column("value", right=True),
        Column("unit"),
        Column("from", stretches=True),
        Column("meaning", stretches=True),
    )
    for section in dict.fromkeys(row["key"].partition(".")[0] for row in rows):
        cells = tuple(
            (
                row["key"].partition(".")[2],
                written(row["value"]),
                row["unit"] or "",
                _origin(row),
                row["meaning"],
            )
            for row in rows
            if row["key"].startswith(f"{section}.")
        )
        yield Section(f"[{section}]", (Table(columns, cells),))


def _protected(rows: list[Row]) -> Iterator[Section]:
    if rows:
        columns = (
            Column("what"),
            Column("pattern", stretches=True),
            Column("from", stretches=True),
            Column("reason", stretches=True),
        )
        cells = tuple((row["what"], row["pattern"], _origin(row), row["reason"]) for row in rows)
        yield Section("protected", (Table(columns, cells),))


def _remarks(document: dict[str, Any]) -> Iterator[Section]:
    if document["passed_over"]:
        yield Section("passed over", (Notes(tuple(document["passed_over"])),))


def _origin(row: Row) -> str:
    return str(Place(Layer(row["from"]), row["where"] or "", row["line"]))


def written(value: Value) -> str:
    """Return a value as it may be written on the command line."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, tuple):
        return ",".join(value) or NOTHING
    return f"{value:.12g}"
