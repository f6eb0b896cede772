"""The parts put together: page.html with style, data and scripts inside.

No text of the target is ever markup: all of it stands in one JSON text in which `<` is escaped; the scripts
show it as text. What may run and how it may look is fixed by hashes in the policy of the page.
"""

from __future__ import annotations

import base64
import json
from importlib.resources import files
from typing import Any

from memprobe.views.escaping import escape
from memprobe.views.html.contents import contents
from memprobe.views.output import without_surrogates
from memprobe.views.story import Story

SCRIPTS = (
    "elements.js",
    "quantities.js",
    "tables.js",
    "lines.js",
    "trees.js",
    "flame.js",
    "treemap.js",
    "space.js",
    "findings.js",
    "main.js",
)
"""In the order in which they are run."""


def render(story: Story) -> bytes:
    """Return the file."""
    return page(contents(story)).encode()


def page(found: dict[str, Any]) -> str:
    """Return the file with these contents."""
    folder = files("memprobe.views.html")
    style = folder.joinpath("style.css").read_text("utf-8")
    script = "".join(folder.joinpath(name).read_text("utf-8") for name in SCRIPTS)
    allowed = f"style-src {_hash(style)}; script-src {_hash(script)}"
    parts = {
        "policy": f"default-src 'none'; base-uri 'none'; {allowed}",
        "style": style,
        "data": json_text(found),
        "script": script,
    }
    text = folder.joinpath("page.html").read_text("utf-8")
    for name, part in parts.items():
        before, after = text.split(f"%{name}%")
        text = before + part + after
    return text


def json_text(found: dict[str, Any]) -> str:
    """Return JSON that no element ends: `<` is escaped, and what would move or hide text is shown."""
    text = json.dumps(_escaped(without_surrogates(found)), allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("%", "\\u0025")


def _escaped(value: Any) -> Any:
    match value:
        case str():
            return escape(value)
        case dict():
            return {name: _escaped(part) for name, part in value.items()}
        case list() | tuple():
            return [_escaped(part) for part in value]
    return value


def _hash(text: str) -> str:
    import hashlib  # brings OpenSSL: 3.5 MB that only who writes a page takes

    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
