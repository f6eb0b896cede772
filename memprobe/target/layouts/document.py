"""The committed form of layout tables: one JSON document for all patch releases of a minor.

    schema, version, machine
    patches      the releases that have the table below exactly, newest first
    constants    {name: value}
    structs      {name: {size, fields: {name: [offset, size]}, bits: {name: [offset, shift, width]},
                         hand_made: the source file, where no header declares the struct}}
    variants     [{patches, constants, structs}]: only what other releases have different

Names within "fields" and "bits" may have dots: they reach into nested structs.
"""

from __future__ import annotations

import json
from typing import Any

SCHEMA = "memprobe.layout/1"

Table = dict[str, Any]
"""The constants and structs of one release."""


def difference(base: Table, other: Table) -> Table:
    """Say what must change in `base` to become `other`; None stands for what goes away."""
    changed: Table = {}
    for key in sorted({*base, *other}):
        old, new = base.get(key), other.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            if inner := difference(old, new):
                changed[key] = inner
        elif old != new:
            changed[key] = new
    return changed


def make_document(machine: str, tables: list[tuple[str, Table]]) -> Table:
    """Fold the (release, table) pairs of one minor, newest first, into one document."""
    newest, base = tables[0]
    variants: list[tuple[list[str], Table]] = [([], {})]
    for release, table in tables:
        changed = difference(base, table)
        patches = next((known for known, same in variants if same == changed), None)
        if patches is None:
            variants.append((patches := [], changed))
        if release not in patches:
            patches.append(release)
    return {
        "schema": SCHEMA,
        "version": ".".join(newest.split(".")[:2]),
        "machine": machine,
        "patches": variants[0][0],
        **base,
        "variants": [{"patches": patches, **changed} for patches, changed in variants[1:]],
    }


def unknown_differences(document: Table, table: Table) -> Table:
    """Return what a table has different from a document's, or nothing if some variant is the same."""
    base = {key: document[key] for key in ("constants", "structs")}
    changed = difference(base, table)
    variants = [{key: part for key, part in one.items() if key != "patches"} for one in document["variants"]]
    return {} if changed in variants else changed


def render(document: Table) -> str:
    """Write a document with a line per struct, sorted, so that a diff shows what moved."""
    parts = []
    for key, value in document.items():
        if key in ("constants", "structs"):
            lines = (f"{json.dumps(name)}: {_compact(value[name])}" for name in sorted(value))
            parts.append(f'"{key}": {{\n' + ",\n".join(lines) + "\n}")
        elif key == "variants":
            parts.append('"variants": [' + ",".join(f"\n{_compact(one)}" for one in value) + "\n]")
        else:
            parts.append(f'"{key}": {_compact(value)}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _compact(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
