"""Write the tables of settings and presets in docs/configuration.md from memprobe.config.

    python scripts/settings_table.py [--check]

With --check nothing is written and the exit code says whether the page is what would be generated.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from memprobe.config import PRESETS, SETTINGS
from memprobe.config.setting import Sort
from memprobe.views.settings_page import written

PAGE = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"


def settings() -> Iterator[str]:
    """Yield the lines of the table of settings."""
    yield "| setting | default | may be | option | meaning |"
    yield "|---|---:|---|---|---|"
    for key, one in SETTINGS.items():
        may_be = "true, false" if one.sort is Sort.FLAG else one.range
        option = f"`{one.option}`" if one.option else ""
        yield f"| `{key}` | {written(one.default)} | {may_be} | {option} | {one.meaning} |"


def presets() -> Iterator[str]:
    """Yield the lines of the table of presets."""
    yield "| preset | for | sets |"
    yield "|---|---|---|"
    for name, one in PRESETS.items():
        values = ", ".join(f"`{key}` {written(value)}" for key, value in one.values.items())
        yield f"| `{name}` | {one.meaning} | {values or 'nothing'} |"


def with_table(page: str, heading: str, lines: Iterable[str]) -> str:
    """Return the page with another table under a heading."""
    before, title, after = page.partition(f"\n## {heading}\n")
    old = re.search(r"(?:^\|.*\n)+", after, re.MULTILINE)
    assert old is not None, heading
    return "".join(
        (before, title, after[: old.start()], *(f"{line}\n" for line in lines), after[old.end() :])
    )


def main(arguments: list[str]) -> int:
    """Write the page, or compare it."""
    before = PAGE.read_text(encoding="utf-8")
    page = with_table(with_table(before, "Presets", presets()), "All settings", settings())
    if "--check" in arguments:
        return int(page != before)
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
