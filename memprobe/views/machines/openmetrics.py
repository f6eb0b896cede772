"""The report as OpenMetrics text: what Prometheus and its like read. What was not measured is left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from memprobe.views.escaping import escape
from memprobe.views.places import place

SITES = 50
"""So many sites have numbers of their own, the largest; the others are added up as "other"."""

MIB = 1 << 20
Labels: TypeAlias = Mapping[str, str]
Value: TypeAlias = tuple[Labels, float | int | None]

MEMORY = {
    "rss_mb": ("resident_bytes", "What is in RAM."),
    "swap_mb": ("swap_bytes", "What is in swap."),
    "python_mb": ("python_bytes", "Live blocks of the allocator of Python."),
    "arena_free_mb": ("arena_free_bytes", "Held by the arenas of Python, but free."),
    "native_mb": ("native_bytes", "C heaps."),
    "mmap_mb": ("mapped_bytes", "Other anonymous memory."),
    "limit_mb": ("limit_bytes", "The limit of memory."),
}
FINDING = {
    "confidence": ("finding_confidence_ratio", "How sure a finding is."),
    "count": ("finding_objects", "How many there are of what leaks."),
    "count_per_s": ("finding_objects_per_second", "How many more there are every second."),
    "bytes": ("finding_bytes", "What a finding retains."),
    "bytes_per_s": ("finding_bytes_per_second", "How much more a finding retains every second."),
    "exhausts_in_s": ("finding_exhausts_in_seconds", "When the nearest limit is reached."),
}


def render(document: dict[str, Any]) -> bytes:
    """Return the exposition, with its end mark."""
    return "".join([*_lines(document), "# EOF\n"]).encode()


def _lines(document: dict[str, Any]) -> Iterator[str]:
    target, process, memory = document["target"], document["process"], document["memory"]
    known = {name: target[name] for name in ("python", "build", "container") if target[name]}
    yield from _family("target", "info", "The process.", [({"pid": str(target["pid"])} | known, 1)])
    for field, (name, text) in MEMORY.items():
        value = memory[field]
        yield from _gauge(name, text, [({}, None if value is None else round(value * MIB))])
    yield from _gauge("threads", "Threads of the process.", [({}, process["threads"])])
    yield from _gauge("descriptors", "Open descriptors of the process.", [({}, process["fds"])])
    yield from _gauge("descriptors_limit", "The most it may have open.", [({}, process["fd_limit"])])
    yield from _gauge("open_handles", "Open handles by kind and birth site.", _handles(document["handles"]))
    yield from _gauge("growth_bytes", "Growth by how and site.", _growth(document["growth"]))
    for field, (name, text) in FINDING.items():
        yield from _gauge(name, text, [(_finding(one), one[field]) for one in document["findings"]])
    lost = [({"name": name}, number) for name, number in document["evidence"]["lost"].items()]
    yield from _family("lost", "counter", "What was lost, by name.", lost)
    yield from _overhead(document["overhead"])


def _overhead(overhead: dict[str, Any]) -> Iterator[str]:
    for field, name, text in (
        ("target_slowdown_pct", "slowdown_ratio", "What the process loses, of its CPU time."),
        ("profiler_cpu_pct", "own_cpu_ratio", "What memprobe itself uses, of a core."),
    ):
        value = overhead[field]
        yield from _gauge(name, text, [({}, None if value is None else value / 100)])


def _handles(rows: Iterable[dict[str, Any]]) -> list[Value]:
    return _largest(({"kind": row["kind"], "site": place(row["site"])}, row["open"]) for row in rows)


def _growth(rows: Iterable[dict[str, Any]]) -> list[Value]:
    return _largest(({"how": row["how"], "site": place(row["site"])}, row["bytes"]) for row in rows)


def _largest(values: Iterable[tuple[Labels, int]]) -> list[Value]:
    """Add up what has the same labels, and the small ones."""
    sums: dict[tuple[tuple[str, str], ...], int] = {}
    for labels, value in values:
        key = tuple(labels.items())
        if key not in sums and len(sums) >= SITES:
            key = tuple((labels | {"site": "other"}).items())  # type: ignore[operator]
        sums[key] = sums.get(key, 0) + value
    return [(dict(key), value) for key, value in sums.items()]


def _finding(one: dict[str, Any]) -> Labels:
    return {name: str(one[name]) for name in ("id", "kind", "severity", "type", "holder")}


def _gauge(name: str, text: str, values: Iterable[Value]) -> Iterator[str]:
    return _family(name, "gauge", text, values)


def _family(name: str, sort: str, text: str, values: Iterable[Value]) -> Iterator[str]:
    measured = [(labels, value) for labels, value in values if value is not None]
    if not measured:
        return
    suffix = {"info": "_info", "counter": "_total"}.get(sort, "")
    yield f"# TYPE memprobe_{name} {sort}\n"
    unit = next((unit for unit in ("bytes", "ratio", "seconds") if name.endswith(f"_{unit}")), None)
    if unit is not None:
        yield f"# UNIT memprobe_{name} {unit}\n"
    yield f"# HELP memprobe_{name} {text}\n"
    for labels, value in measured:
        yield f"memprobe_{name}{suffix}{_labels(labels)} {value}\n"


def _labels(labels: Labels) -> str:
    pairs = ",".join(f'{name}="{_quoted(value)}"' for name, value in labels.items())
    return f"{{{pairs}}}" if pairs else ""


def _quoted(text: str) -> str:
    return escape(text).replace("\\", "\\\\").replace('"', '\\"')
