"""From what somebody wrote to the value of a setting, or to an error that names the place."""

from __future__ import annotations

import re
from typing import Any

from memprobe.config.nearest import remedy
from memprobe.config.places import Layer, Place
from memprobe.config.protection import MOST_LETTERS, Aspect, Protection
from memprobe.config.setting import MOST, Setting, Sort, Value
from memprobe.errors import UsageError

NOTHING = "none"
"""How a number that may be left out is left out, where something else had set it."""

_FLAGS = {
    "true": True,
    "on": True,
    "yes": True,
    "1": True,
    "false": False,
    "off": False,
    "no": False,
    "0": False,
}
_NUMBER = re.compile(r"([+-]?[0-9]+(?:_[0-9]+)*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?)\s*([^\s0-9]*)")
_SHOWN = 60
"""Letters of a wrong value that an error repeats."""


def value_of(setting: Setting, written: Any, place: Place) -> Value:
    """Return the value that was written in a file (as TOML has it), or elsewhere (as text)."""
    if setting.optional and written == NOTHING:
        return None
    if setting.sort is Sort.FLAG:
        return _flag(setting, written, place)
    if setting.sort is Sort.WORDS:
        return _words(setting, written, place)
    if setting.sort in (Sort.WORD, Sort.PATH):
        return _word(setting, written, place)
    return _in_range(setting, _number(setting, written, place), place)


def _flag(setting: Setting, written: Any, place: Place) -> bool:
    # In a file on purpose only true and false: TOML has a type for them.
    if isinstance(written, bool):
        return written
    if isinstance(written, str) and place.layer is not Layer.FILE and written.lower() in _FLAGS:
        return _FLAGS[written.lower()]
    raise _wrong_type(setting, written, place)


def _words(setting: Setting, written: Any, place: Place) -> tuple[str, ...]:
    if isinstance(written, str):
        written = [] if written in ("", NOTHING) else written.split(",")
    if not isinstance(written, list | tuple) or not all(isinstance(word, str) for word in written):
        raise _wrong_type(setting, written, place)
    found = tuple(word.strip() for word in written)
    for word in found:
        _check_choice(setting, word, place)
    return found


def _word(setting: Setting, written: Any, place: Place) -> str:
    if not isinstance(written, str) or not 0 < len(written.strip()) <= MOST_LETTERS:
        raise _wrong_type(setting, written, place)
    word = written.strip()
    if setting.choices:
        _check_choice(setting, word, place)
    elif not word.startswith("/"):
        raise _wrong_type(setting, written, place)
    return word


def _check_choice(setting: Setting, word: str, place: Place) -> None:
    if word not in setting.choices:
        subject = place.subject(setting.key)
        raise UsageError(f"{subject}: there is no {shown(word)}", remedy=remedy(word, setting.choices))


def _number(setting: Setting, written: Any, place: Place) -> float:
    if isinstance(written, str):
        return _read(setting, written, place)
    if isinstance(written, bool) or not isinstance(written, int | float):
        raise _wrong_type(setting, written, place)
    return written


def _read(setting: Setting, text: str, place: Place) -> float:
    """Return the number that a text is, in the unit of the setting."""
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        raise _wrong_type(setting, text, place)
    digits, unit = match.groups()
    factor = setting.unit.factor(unit)
    if factor is None:
        raise _wrong_unit(setting, unit, place)
    number = float(digits)
    return int(number) if factor == 1.0 and number.is_integer() else number * factor


def _in_range(setting: Setting, number: float, place: Place) -> float | int:
    is_low = number <= setting.low if setting.above else number < setting.low
    # Said so that NaN is outside, too.
    if is_low or not number <= setting.high:
        is_bounded = is_low or setting.high < MOST
        allowed = setting.range if is_bounded else f"at most {MOST:,.0f}"
        raise UsageError(f"{place.subject(setting.key)} must be {allowed}")
    if setting.sort is Sort.NUMBER:
        return float(number)
    if not isinstance(number, int):
        raise _wrong_type(setting, number, place)
    return number


def _wrong_type(setting: Setting, written: Any, place: Place) -> UsageError:
    fact = f"{place.subject(setting.key)} must be {setting.sort}, and {shown(written)} is none"
    return UsageError(fact, remedy=f"by default it is {_said(setting.default)}")


def _said(value: Value) -> str:
    """Return a value as one may write it."""
    if isinstance(value, bool):
        return str(value).lower()
    return "not set" if value in (None, ()) else str(value)


def _wrong_unit(setting: Setting, unit: str, place: Place) -> UsageError:
    subject, names = place.subject(setting.key), setting.unit.names
    if not names:
        return UsageError(f"{subject} has no unit, and {shown(unit)} was written behind it")
    return UsageError(
        f"{subject} is in {setting.unit.name}, and {shown(unit)} is no such unit",
        remedy=remedy(unit, names),
    )


def protection_of(written: Any, place: Place) -> Protection:
    """Return a pattern that is protected, as it stands in a file: {path = "...", reason = "..."}."""
    subject = place.subject("protect")
    if not isinstance(written, dict):
        raise UsageError(
            f"{subject} must be tables", remedy='write [[protect]], path = "...", reason = "..."'
        )
    known = [*Aspect, "reason"]
    for name, text in written.items():
        if name not in known:
            raise UsageError(f"{subject}: there is no {shown(name)}", remedy=remedy(name, known))
        if not isinstance(text, str) or not 0 < len(text.strip()) <= MOST_LETTERS:
            raise UsageError(f"{subject}: {name} must be a text of 1 to {MOST_LETTERS} letters")
    aspects = [one for one in Aspect if one in written]
    if len(aspects) != 1:
        raise UsageError(
            f"{subject} must have one of {', '.join(Aspect)}, and it has {len(aspects) or 'none'}"
        )
    if "reason" not in written:
        raise UsageError(
            f"{subject}: there is no reason for {shown(written[aspects[0]])}", remedy="write reason = ..."
        )
    return Protection(aspects[0], written[aspects[0]].strip(), written["reason"].strip(), place)


def protection_in(text: str, place: Place) -> Protection:
    """Return a pattern that is protected, as it is written in one line: path=... # reason."""
    pattern, mark, reason = text.partition(" #")
    aspect, equals, pattern = pattern.partition("=")
    if not mark or not equals:
        fact = f"{place.subject('protect')}: {shown(text)} is not of the form WHAT=PATTERN # REASON"
        raise UsageError(fact, remedy="for example 'holder=app.cache.* # bounded by the number of users'")
    return protection_of({aspect.strip(): pattern, "reason": reason}, place)


def shown(written: Any) -> str:
    """Return something that was written, as an error repeats it."""
    text = written if isinstance(written, str) else str(written)
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
