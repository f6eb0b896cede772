"""The page of `memprobe heap`: what is alive, how much of it, and who holds it, on one screen of 80 x 24."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from memprobe.heap.document import (
    ContainerPart,
    GarbagePart,
    Heap,
    HolderPart,
    ListenersPart,
    TypePart,
)
from memprobe.views.escaping import shorten
from memprobe.views.page import Column, Facts, Notes, Page, Section, Table
from memprobe.views.quantities import UNKNOWN, count, duration, more, size

FEW = 3
"""Rows of tables that only come last on the screen."""

MANY_LISTENERS = 20
PATH_WIDTH = 40
NUMBERS = ("objects", "size")


def page(heap: Heap, *, top: int) -> Page:
    """What a person wants to see first; `top` rows a table. All rows are in the document."""
    sections = [
        *_types(heap, top),
        *_holders(heap, top),
        *_referrers(heap, top),
        *_unexplained(heap),
        *_garbage(heap.garbage, top),
        *_containers(heap.containers),
        *_facts(heap),
        *_invisible(heap),
    ]
    return Page(_verdict(heap), tuple(sections))


def _verdict(heap: Heap) -> str:
    pid, totals = str(heap.target.pid), heap.totals
    if heap.recording is not None:
        pid += f" at {heap.created_at}"
    if totals.objects is None:
        return f"pid {pid}: its objects cannot be seen, {size(totals.rss_bytes)} resident"
    about = "about " if heap.sampled else ""
    facts = [f"{about}{count(totals.objects, 'object')} in {size(totals.allocated_bytes)}"]
    if totals.rss_bytes is not None:
        facts.append(f"{size(totals.rss_bytes)} resident")
    if heap.window.apart_s is not None and heap.types is not None:
        facts.append(_grown(heap.types, heap.window.apart_s))
    return f"pid {pid}: {', '.join(facts)}"


def _grown(types: Sequence[TypePart], apart_s: float) -> str:
    objects = sum(row.growth.objects for row in types if row.growth)
    grown = sum(row.growth.allocated_bytes for row in types if row.growth)
    return f"{more(size(grown), grown)} and {objects:+,} objects in {duration(apart_s)}"


def _types(heap: Heap, top: int) -> Iterator[Section]:
    if not heap.types:
        return
    if heap.window.apart_s is not None:
        yield Section("what grew", (_growth_table(heap.types, top),))
    elif heap.sampled:
        yield Section("what is alive, estimated", (_sample_table(heap.types, top),))
    else:
        yield Section("what is alive", (_type_table(heap, top),))


def _type_table(heap: Heap, top: int) -> Table:
    columns = (*_numbers(*NUMBERS, "share"), _line("type"))
    whole = heap.totals.allocated_bytes or 0
    rows = tuple(
        (_count(row), size(row.allocated_bytes), _share(row.allocated_bytes, whole), row.type)
        for row in (heap.types or ())[:top]
    )
    return Table(columns, rows)


def _count(row: TypePart) -> str:
    return f"~{row.objects:,}" if row.churning else f"{row.objects:,}"


def _growth_table(types: Sequence[TypePart], top: int) -> Table:
    columns = (*_numbers("more", "size", "of", "size"), _line("type"))
    rows = tuple(
        (
            f"{row.growth.objects:+,}",
            more(size(row.growth.allocated_bytes), row.growth.allocated_bytes),
            _count(row),
            size(row.allocated_bytes),
            row.type,
        )
        for row in types[:top]
        if row.growth
    )
    return Table(columns, rows)


def _sample_table(types: Sequence[TypePart], top: int) -> Table:
    columns = (*_numbers("objects", "at least", "at most", "size"), _line("type"))
    rows = []
    for row in types[:top]:
        low, high = (f"{end:,}" for end in row.interval.objects) if row.interval else (UNKNOWN, UNKNOWN)
        rows.append((f"{row.objects:,}", low, high, size(row.allocated_bytes), row.type))
    return Table(columns, tuple(rows))


def _holders(heap: Heap, top: int) -> Iterator[Section]:
    if heap.holders is None:
        return
    title = _holders_title(heap)
    if not heap.holders:
        yield Section(title, (Notes(("nobody was found",)),))
        return
    last = "mostly" if any(row.holds for row in heap.holders[:top]) else "type"
    columns = (*_numbers("keeps", "objects"), _line("holder"), _line(last))
    rows = tuple(
        (size(row.retained_bytes), f"{row.objects:,}", _holder(row), _mostly(row))
        for row in heap.holders[:top]
    )
    yield Section(title, (Table(columns, rows),))


def _holders_title(heap: Heap) -> str:
    if "type" in heap.asked:
        return f"who holds {heap.asked['type']}"
    if "holders" in heap.asked:
        return f"who holds it, of {heap.asked['holders']}"
    return "who holds what grew" if heap.window.apart_s is not None else "who holds it"


def _holder(row: HolderPart) -> str:
    entries = "" if row.length is None else f" ({row.length:,})"
    return f"{row.path}{entries}"


def _mostly(row: HolderPart) -> str:
    return row.holds[0].type if row.holds else row.type


def _referrers(heap: Heap, top: int) -> Iterator[Section]:
    if heap.referrers:
        columns = (*_numbers("references", "from"), _line("of type"))
        rows = tuple((f"{row.references:,}", f"{row.objects:,}", row.type) for row in heap.referrers[:top])
        yield Section("what refers to them", (Table(columns, rows),))


def _unexplained(heap: Heap) -> Iterator[Section]:
    if heap.unexplained:
        columns = (*_numbers("references", "objects", "keep"), _line("type"), _line("one of them"))
        rows = tuple(
            (f"{row.references:,}", f"{row.objects:,}", size(row.retained_bytes), row.type, row.path)
            for row in heap.unexplained[:FEW]
        )
        yield Section("references that nothing explains: C code", (Table(columns, rows),))


def _garbage(garbage: GarbagePart | None, top: int) -> Iterator[Section]:
    if garbage is None:
        return
    columns = (*_numbers(*NUMBERS), Column("__del__"), _line("type"))
    rows = tuple(
        (f"{row.objects:,}", size(row.bytes), "yes" if row.has_del else "", row.type)
        for row in garbage.types[:top]
    )
    blocks = (Table(columns, rows),) if rows else ()
    yield Section("garbage that waits for the collector", (*blocks, Facts(tuple(_collector(garbage)))))


def _collector(garbage: GarbagePart) -> Iterator[tuple[str, str]]:
    yield "in all", f"{count(garbage.objects, 'object')}, {size(garbage.bytes)}"
    state = {None: UNKNOWN, True: "on", False: "OFF"}[garbage.enabled]
    starved = ", but the oldest generation waits" if garbage.starved else ""
    yield "collector", f"{state}{starved}"
    for name, numbers in (("counts", garbage.counts), ("thresholds", garbage.thresholds)):
        if numbers:
            yield name, ", ".join(f"{number:,}" for number in numbers)
    if garbage.uncollectable:
        yield "gc.garbage", count(garbage.uncollectable, "object")
    if garbage.frozen:
        yield "gc.freeze", count(garbage.frozen, "object")


def _containers(containers: tuple[ContainerPart, ...] | None) -> Iterator[Section]:
    grown = [row for row in containers or () if row.growth]
    if grown:
        columns = (*_numbers("more", "entries"), _line("container"), _line("type"))
        rows = tuple((f"{row.growth:+,}", f"{row.length:,}", row.path, row.type) for row in grown[:FEW])
        yield Section("containers that grew", (Table(columns, rows),))


def _listeners(listeners: tuple[ListenersPart, ...] | None) -> Iterator[tuple[str, str]]:
    """The largest registry, if it is so large that somebody may have forgotten to leave it."""
    row = max(listeners or (), key=lambda one: one.length, default=None)
    if row is not None and row.length >= MANY_LISTENERS:
        kind = max(row.kinds, key=row.kinds.__getitem__, default="callables")
        yield "listeners", f"{row.length:,} in {shorten(row.path, PATH_WIDTH)}, mostly {kind}"


def _facts(heap: Heap) -> Iterator[Section]:
    pairs = tuple(_evidence(heap))
    if pairs:
        yield Section("", (Facts(pairs),))


def _evidence(heap: Heap) -> Iterator[tuple[str, str]]:
    totals, evidence = heap.totals, heap.evidence
    if totals.arenas_bytes is not None:
        free = "" if totals.fragmentation_pct is None else f", {totals.fragmentation_pct:.0f} % of it free"
        yield "arenas", f"{size(totals.arenas_bytes)}{free}"
    yield from _listeners(heap.listeners)
    if heap.frozen:
        exact = "" if heap.frozen.exact else ", not to the end of the reading"
        yield "stopped", f"{heap.frozen.held_ms:,.0f} ms, {count(heap.frozen.threads, 'thread')}{exact}"
    if heap.sampled:
        yield "read", f"{heap.sampled.fraction:.2%} of the pools; 95 % of the intervals hold the truth"
    if evidence.torn_objects or evidence.lost:
        lost = {"torn objects": evidence.torn_objects or 0, **evidence.lost}
        yield "not seen", ", ".join(f"{number:,} {name}" for name, number in lost.items() if number)


def _invisible(heap: Heap) -> Iterator[Section]:
    if heap.evidence.invisible:
        yield Section("not visible", (Notes(heap.evidence.invisible),))


def _numbers(*headings: str) -> tuple[Column, ...]:
    return tuple(Column(heading, right=True) for heading in headings)


def _line(heading: str) -> Column:
    return Column(heading, stretches=True, one_line=True)


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else UNKNOWN
