"""All layers put together: table, preset, files, environment, command line."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from memprobe.config.config import Config
from memprobe.config.files import File, Found, named, searched
from memprobe.config.nearest import nearest, remedy
from memprobe.config.places import Layer, Place
from memprobe.config.presets import PRESETS
from memprobe.config.protection import Protection
from memprobe.config.setting import PREFIX, Value
from memprobe.config.settings import SECTIONS, SETTINGS
from memprobe.config.values import protection_in, protection_of, shown, value_of
from memprobe.errors import UsageError

FILE_VARIABLE, PRESET_VARIABLE, PROTECT_VARIABLE = (
    f"{PREFIX}{name}" for name in ("CONFIG", "PRESET", "PROTECT")
)
OWN_VARIABLES = (FILE_VARIABLE, PRESET_VARIABLE, PROTECT_VARIABLE)
_BY_VARIABLE = {one.variable: one for one in SETTINGS.values()}
TOP = ("preset", "protect", *SECTIONS)

LISTED = "`memprobe config show` lists all"
LIKE = 0.8
"""A name in the environment that is so like a right one is a slip of the pen; others are somebody else's."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """What the command line says."""

    file: str | None = None
    """--config"""

    preset: str | None = None
    """--preset"""

    assignments: tuple[str, ...] = ()
    """--set: KEY=VALUE"""

    protect: tuple[str | Mapping[str, str], ...] = ()
    """--protect: WHAT=PATTERN # REASON; or as in a file."""

    options: Mapping[str, Any] = field(default_factory=dict)
    """By key: what the option of a setting was given; any key will do."""


@dataclass(frozen=True, slots=True)
class _Said:
    """One value that was written somewhere."""

    key: str
    written: Any
    place: Place


def read_config(
    spoken: Spoken | None = None,
    environment: Mapping[str, str] | None = None,
    *,
    directory: str | None = None,
    searches: bool = True,
) -> Config:
    """Return the settings that hold here, or in a directory; raise UsageError at the first that is wrong.

    Without `searches` only a file that is named counts.
    """
    spoken = Spoken() if spoken is None else spoken
    environment = os.environ if environment is None else environment
    path = spoken.file or environment.get(FILE_VARIABLE) or None
    found = Found()
    if path is not None:
        found = named(path)
    elif searches:
        found = searched(directory or _working_directory(), environment)
    said = [
        *(one for file in found.files for one in _in_file(file)),
        *_in_environment(environment),
        *_on_command_line(spoken),
    ]
    values: dict[str, Value] = {}
    places: dict[str, Place] = {}
    protect: list[Protection] = []
    preset = _preset(said)
    for one in (*_in_preset(preset), *said):
        if one.key == "protect":
            protect.append(_protection(one))
        elif one.key != "preset":
            values[one.key] = value_of(SETTINGS[one.key], one.written, one.place)
            places[one.key] = one.place
    return Config.of(
        values, protect=tuple(protect), preset=preset, places=places, remarks=tuple(found.remarks)
    )


def _working_directory() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None  # it was removed


def _in_file(file: File) -> Iterator[_Said]:
    for name, value in file.content.items():
        if name not in TOP:
            raise UsageError(f"{file.place(name)}: there is no {shown(name)}", remedy=_remedy(name))
        if name == "protect":
            yield from _protected_in(file, value)
        elif name == "preset":
            yield _Said(name, value, file.place(name))
        elif not isinstance(value, dict):
            raise UsageError(f"{file.place(name)}: {name} must be a table", remedy=f"write [{name}]")
        else:
            yield from _in_section(file, name, value)


def _in_section(file: File, section: str, table: Mapping[str, Any]) -> Iterator[_Said]:
    for name, value in table.items():
        key, place = f"{section}.{name}", file.place(section, name)
        if key not in SETTINGS:
            raise UsageError(f"{place}: there is no {shown(key)}", remedy=_remedy(key))
        yield _Said(key, value, place)


def _protected_in(file: File, value: Any) -> Iterator[_Said]:
    tables = value if isinstance(value, list) else [value]
    for number, table in enumerate(tables):
        path = ("protect", number) if isinstance(value, list) else ("protect",)
        yield _Said("protect", table, file.place(*path))


def _in_environment(environment: Mapping[str, str]) -> Iterator[_Said]:
    for name in sorted(name for name in environment if name.startswith(PREFIX)):
        written, place = environment[name], Place(Layer.ENVIRONMENT, name)
        if name in _BY_VARIABLE:
            yield _Said(_BY_VARIABLE[name].key, written, place)
        elif name == PRESET_VARIABLE:
            yield _Said("preset", written, place)
        elif name == PROTECT_VARIABLE:
            yield from (_Said("protect", line, place) for line in written.splitlines() if line.strip())
        elif name != FILE_VARIABLE:
            _refuse_slip(name)


def _refuse_slip(name: str) -> None:
    """Refuse a name that somebody meant for memprobe; Kubernetes makes others (MEMPROBE_PORT)."""
    tails = [right.removeprefix(PREFIX) for right in (*_BY_VARIABLE, *OWN_VARIABLES)]
    tail = name.removeprefix(PREFIX)
    is_ours = tail.partition("_")[0].lower() in SECTIONS
    found = nearest(tail, tails, 0.6 if is_ours else LIKE)
    if is_ours or found:
        right = f"write {PREFIX}{found}" if found else LISTED
        raise UsageError(f"{name}: there is no such setting in the environment", remedy=right)


def _on_command_line(spoken: Spoken) -> Iterator[_Said]:
    if spoken.preset is not None:
        yield _Said("preset", spoken.preset, Place(Layer.COMMAND_LINE, "--preset"))
    for text in spoken.protect:
        yield _Said("protect", text, Place(Layer.COMMAND_LINE, "--protect"))
    for text in spoken.assignments:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals:
            raise UsageError(f"--set: {shown(text)} is not of the form KEY=VALUE")
        if key not in SETTINGS:
            raise UsageError(f"--set: there is no {shown(key)}", remedy=_remedy(key))
        yield _Said(key, value.strip(), Place(Layer.COMMAND_LINE, f"--set {key}"))
    for key, written in spoken.options.items():
        if key not in SETTINGS:
            raise UsageError(f"there is no {shown(key)}", remedy=_remedy(key))
        yield _Said(key, written, Place(Layer.COMMAND_LINE, SETTINGS[key].option or key))


def _remedy(name: str) -> str:
    """Return what to write instead of a key: perhaps the section was left out, or another one meant."""
    if name in TOP or name in SETTINGS:
        return f"write {name}"
    bare = name.rpartition(".")[2]
    same = [key for key in SETTINGS if key.rpartition(".")[2] == bare]
    found = same[0] if same else nearest(name, [*TOP, *SETTINGS])
    if found is None:
        names = {key.rpartition(".")[2]: key for key in SETTINGS}
        found = names.get(nearest(bare, names) or "")
    return f"write {found}" if found else LISTED


def _preset(said: list[_Said]) -> str:
    """Return the preset that the highest layer names."""
    chosen = next((one for one in reversed(said) if one.key == "preset"), None)
    if chosen is None:
        return "default"
    if not isinstance(chosen.written, str) or chosen.written not in PRESETS:
        subject = chosen.place.subject("preset")
        wrong = chosen.written if isinstance(chosen.written, str) else ""
        raise UsageError(
            f"{subject}: there is no preset {shown(chosen.written)}", remedy=remedy(wrong, PRESETS)
        )
    return chosen.written


def _in_preset(preset: str) -> Iterator[_Said]:
    place = Place(Layer.PRESET, preset)
    return (_Said(key, value, place) for key, value in PRESETS[preset].values.items())


def _protection(one: _Said) -> Protection:
    read = (
        protection_in if isinstance(one.written, str) and one.place.layer is not Layer.FILE else protection_of
    )
    return read(one.written, one.place)
