"""What is known of one setting, and how a line of the table (settings.py) is written."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, TypeAlias

from memprobe.config.units import NONE, Unit, unit_of

Value: TypeAlias = float | int | bool | str | tuple[str, ...] | None
"""Of a setting, once it was checked."""

PREFIX = "MEMPROBE_"
"""What the names in the environment begin with."""

MOST = 1e9


class Sort(StrEnum):
    """What a value is, in the words of an error."""

    NUMBER = "a number"
    INTEGER = "a whole number"
    FLAG = "true or false"
    WORDS = "a list of words"
    WORD = "a word"
    PATH = "an absolute path"


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of the table."""

    sort: Sort
    default: Value
    meaning: str
    """One sentence: the help of the command line, and the line in the docs."""

    unit: Unit = NONE
    low: float = 0.0
    high: float = MOST
    above: bool = False
    """Whether `low` itself is too little."""

    optional: bool = False
    """Whether it may be without a value: "none"."""

    choices: tuple[str, ...] = ()
    """Of WORDS and WORD: which there are."""

    option: str = ""
    """Its own option on the command line; one that begins with --no- turns it off."""

    help: str = ""
    """Of the option, where that is not the meaning."""

    section: str = ""
    name: str = ""

    @property
    def key(self) -> str:
        """As it is written in a file: section and name."""
        return f"{self.section}.{self.name}"

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return f"{PREFIX}{self.section}_{self.name}".upper()

    @property
    def range(self) -> str:
        """What it may be, in words."""
        if self.choices:
            return f"of {', '.join(self.choices)}"
        if self.sort is Sort.PATH:
            return str(self.sort)
        unit = f" {self.unit.name}" if self.unit.name else ""
        if self.high == MOST:
            return f"{'above' if self.above else 'at least'} {self.low:g}{unit}"
        high = f"{self.high:,.12g}{unit}"
        return f"above {self.low:g} and at most {high}" if self.above else f"from {self.low:g} to {high}"


def number(default: float | None, meaning: str, **more: Any) -> Any:
    """A line with a number."""
    return _line(Setting(Sort.NUMBER, default, meaning, optional=default is None, **more))


def integer(default: int, meaning: str, **more: Any) -> Any:
    """A line with a whole number."""
    return _line(Setting(Sort.INTEGER, default, meaning, **more))


def flag(default: bool, meaning: str, **more: Any) -> Any:
    """A line with yes or no."""
    return _line(Setting(Sort.FLAG, default, meaning, **more))


def words(default: tuple[str, ...], meaning: str, **more: Any) -> Any:
    """A line with some of a few words."""
    return _line(Setting(Sort.WORDS, default, meaning, **more))


def word(default: str, meaning: str, **more: Any) -> Any:
    """A line with one of a few words."""
    return _line(Setting(Sort.WORD, default, meaning, **more))


def path(meaning: str, **more: Any) -> Any:
    """A line with the path of a file or folder; none by default."""
    return _line(Setting(Sort.PATH, None, meaning, optional=True, **more))


def _line(setting: Setting) -> Any:
    return field(default=setting.default, metadata={"setting": setting})


def settings_of(section: str, kind: type[Any]) -> tuple[Setting, ...]:
    """Return the settings that the fields of a section are."""
    return tuple(_named(one.metadata["setting"], section, one.name) for one in fields(kind))


def _named(setting: Setting, section: str, name: str) -> Setting:
    unit = unit_of(name) if setting.unit is NONE else setting.unit
    return replace(setting, section=section, name=name, unit=unit)
