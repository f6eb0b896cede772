"""The report as lines of JSON: one record a line, for jq, grep and log collectors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from memprobe.views.output import without_surrogates

LISTS = {"findings": "finding", "handles": "handles", "growth": "growth"}
"""Parts of the document that are lists, and what one of them is called."""


def render(document: dict[str, Any]) -> bytes:
    """Return the records: first the run, then every finding, every row of handles and of growth."""
    lines = (json.dumps(without_surrogates(one), allow_nan=False) for one in records(document))
    return "".join(f"{line}\n" for line in lines).encode()


def records(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield one record after the other; `record` says what it is, the other names are the document's."""
    yield {"record": "run"} | {name: part for name, part in document.items() if name not in LISTS}
    for name, record in LISTS.items():
        yield from ({"record": record} | one for one in document[name])
