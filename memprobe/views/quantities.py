"""Numbers with their units, as people read them. What was not measured is "unknown", never 0."""

from __future__ import annotations

UNKNOWN = "unknown"


def megabytes(value: float | None) -> str:
    """A size given in units of 2**20 bytes."""
    if value is None:
        return UNKNOWN
    return f"{value / 1024:,.2f} GB" if value >= 10_240 else f"{value:,.1f} MB"


def size(number: int | None) -> str:
    """A size in bytes, in the unit that suits it; each unit is 1024 of the one before."""
    if number is None:
        return UNKNOWN
    if abs(number) < 1024:
        return f"{number} B"
    if abs(number) < 1 << 20:
        return f"{number / 1024:,.1f} kB"
    return megabytes(number / (1 << 20))


def more(text: str, number: int | None) -> str:
    """A difference: with a plus sign where it is one."""
    return f"+{text}" if number is not None and number > 0 else text


def duration(seconds: float | None) -> str:
    """A time span in its two largest units."""
    if seconds is None:
        return UNKNOWN
    whole = int(seconds)
    days, hours, minutes = whole // 86_400, whole // 3_600 % 24, whole // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"


def count(number: int | None, noun: str, plural: str = "") -> str:
    """A number with its noun, in the right form."""
    if number is None:
        return f"{UNKNOWN} {plural or noun + 's'}"
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
