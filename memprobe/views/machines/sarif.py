"""Findings as code annotations: SARIF 2.1.0, what code hosts and editors show beside the line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from memprobe import __version__
from memprobe.views.findings import SURE
from memprobe.views.machines.weights import frames_of
from memprobe.views.output import without_surrogates
from memprobe.vocab.finding import Kind
from memprobe.vocab.stack import Frame, own_frame

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {"critical": "error", "warning": "warning", "info": "note"}
ROOT = "%SRCROOT%"
"""What code hosts call the folder of the sources."""

RULES = {
    Kind.HANDLES: "Files, pipes or other descriptors that are opened and never closed.",
    Kind.SOCKETS: "Sockets that are never closed.",
    Kind.CACHES: "A collection that only grows.",
    Kind.CYCLES: "Reference cycles that are not collected.",
    Kind.LISTENERS: "Callbacks that are registered and never taken back.",
    Kind.TASKS: "asyncio tasks that pile up.",
    Kind.TIMERS: "Scheduled calls that pile up.",
    Kind.THREADS: "Threads that never end.",
    Kind.NATIVE: "Memory that native code allocates and does not free.",
}


def render(document: dict[str, Any], folder: Path | None = None) -> bytes:
    """Return the log; files below `folder` (the current one) are relative to it, as annotations must be."""
    base = _here() if folder is None else folder
    rules = [{"id": kind.value, "shortDescription": {"text": text}} for kind, text in RULES.items()]
    driver = {"name": "memprobe", "version": __version__, "rules": rules}
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": True, "startTimeUtc": document["created_at"]}],
        "originalUriBaseIds": {ROOT: {"uri": f"file://{quote(_prefix(base))}"}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(one, base) for one in document["findings"]],
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(without_surrogates(log), indent=1, allow_nan=False).encode()


def _result(one: dict[str, Any], base: Path) -> dict[str, Any]:
    frames = frames_of(one["site"]) if one["site"] else ()
    advice = one["known"]["advice"] if one["known"] else one["suggested_fix"]
    text = f"{one['title']}. {advice}" if advice else one["title"]
    result = {
        "ruleId": one["kind"],
        "level": LEVELS[one["severity"]] if one["confidence"] >= SURE else "note",
        "rank": round(100 * one["confidence"], 1),
        "message": {"text": _no_links(text)},
        "partialFingerprints": {"memprobe/1": one["id"]},
        "properties": {
            name: one[name]
            for name in ("confidence", "count", "count_per_s", "bytes", "bytes_per_s", "type", "evidence")
        },
    }
    locations = _locations(one, own_frame(frames), base)
    if frames:
        stack = [{"location": _location(frame, base)} for frame in frames]
        result["stacks"] = [{"message": {"text": "where it is made"}, "frames": stack}]
    return result | ({"locations": locations} if locations else {})


def _locations(one: dict[str, Any], frame: Frame | None, base: Path) -> list[dict[str, Any]]:
    location = {} if frame is None else _location(frame, base)
    if one["holder"]:
        holder = {"fullyQualifiedName": one["holder"], "kind": "variable"}
        location["logicalLocations"] = [*location.get("logicalLocations", ()), holder]
    return [location] if location else []


def _location(frame: Frame, base: Path) -> dict[str, Any]:
    location: dict[str, Any] = {
        "logicalLocations": [{"fullyQualifiedName": frame.function, "kind": "function"}]
    }
    if frame.file:
        region = {"region": {"startLine": frame.line}} if frame.line > 0 else {}
        location["physicalLocation"] = {"artifactLocation": _artifact(frame.file, base)} | region
    return location


def _artifact(file: str, base: Path) -> dict[str, Any]:
    path = file.encode("utf-8", "surrogateescape" if file.isprintable() else "backslashreplace")
    prefix = _prefix(base)
    if path.startswith(prefix):
        return {"uri": quote(path[len(prefix) :]), "uriBaseId": ROOT}
    return {"uri": f"file://{quote(path)}" if path.startswith(b"/") else quote(path)}


def _here() -> Path:
    try:
        return Path.cwd()
    except OSError:  # it was removed
        return Path("/")


def _prefix(base: Path) -> bytes:
    """Return what the paths of all files in a folder begin with: any bytes, not only UTF-8."""
    return os.fsencode(base).rstrip(b"/") + b"/"


def _no_links(text: str) -> str:
    """In a message `[a](b)` is a link; names of the target must not make one."""
    return text.replace("[", "\\[").replace("]", "\\]") if "](" in text else text
