"""From a finding to a pattern that finds it again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from memprobe.detectors.patterns.format import LONGEST, Match, Pattern
from memprobe.detectors.patterns.matching import keyless, module
from memprobe.vocab.stack import Frame, own_frame

FRAMES = 64


def pattern_of(row: Mapping[str, Any], advice: str = "", source: str = "") -> Pattern:
    """Return the pattern of a finding, as a report has it; what is wanted too much a person may take out."""
    kind, type_name, holder = (str(row.get(name) or "") for name in ("kind", "type", "holder"))
    named = re.sub(r"[^a-z0-9-]", "-", str(row["id"]).lower())
    return Pattern(
        id=f"own-{named}",
        title=_line(f"{type_name or kind} held by {holder}" if holder else f"{type_name or kind} piles up"),
        advice=_line(advice or str(row.get("suggested_fix") or "")),
        matches=(Match(tuple(_wanted(kind, type_name, holder, row.get("site") or []))),),
        source=source,
    )


def _wanted(kind: str, type_name: str, holder: str, site: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield who holds them; if nobody is known who does, where they are made."""
    yield "kind", (kind,)
    if type_name:
        yield "type", (_line(keyless(type_name)),)
    if holder:
        yield "holder", (_line(keyless(holder)),)
    frame = own_frame(tuple(Frame(str(one["function"]), str(one["file"]), 0) for one in site[:FRAMES]))
    if frame is not None and not holder:
        yield "site", (_line(f"{module(frame.file)}:{frame.function}"),)


def _line(text: str) -> str:
    """Return what a file of patterns may have: names of a target have any letters, and any number of them."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:LONGEST]
