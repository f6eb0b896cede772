"""A heap that nobody has: every part of the document filled."""

from __future__ import annotations

from memprobe.heap.document import (
    ContainerPart,
    EvidencePart,
    FrozenPart,
    GarbagePart,
    GarbageTypePart,
    GrowthPart,
    Heap,
    HeldPart,
    HolderPart,
    IntervalPart,
    ListenersPart,
    ReferrersPart,
    SampledPart,
    TotalsPart,
    TypePart,
    UnexplainedPart,
    WindowPart,
)
from views.made_up import INSPECTION

MIB = 1 << 20
TYPES = tuple(
    TypePart(name, objects, objects, objects * 48, objects * 112)
    for name, objects in (
        ("dict", 1_204_311),
        ("str", 900_100),
        ("app.models.Session", 400_000),
        ("bytes", 400_000),
        ("tuple", 310_000),
        ("app.models.User", 100_000),
        ("int", 90_000),
        ("list", 70_000),
    )
)
HOLDERS = (
    HolderPart(
        "app.cache.SESSIONS['…']",
        "dict",
        2_400_000,
        400 * MIB,
        400_000,
        (HeldPart("app.models.Session", 400_000, 300 * MIB),),
    ),
    HolderPart("<frame app.worker:run>.local pending", "list", 70_000, 12 * MIB, 70_000),
    HolderPart("<thread 12 'poller'> Thread._target.__self__.buffer", "app.poll.Buffer", 900, 40_000),
)
GARBAGE = GarbagePart(
    objects=3000,
    bytes=333_000,
    types=(
        GarbageTypePart("app.Node", 2000, 222_000, True),
        GarbageTypePart("dict", 1000, 111_000, False),
    ),
    uncollectable=2,
    frozen=12_000,
    enabled=False,
    counts=(698, 3, 1),
    thresholds=(700, 10, 10),
    collections=(12, 1, 0),
    starved=None,
)
CENSUS = Heap(
    created_at="2026-11-21T12:00:00Z",
    target=INSPECTION.target,
    window=WindowPart("2026-11-21T12:00:00Z", 1.25, None),
    evidence=EvidencePart(0, 0, 900 * MIB, {}, ()),
    totals=TotalsPart(
        900 * MIB, 3_474_411, 2_000_000, 333 * MIB, 812 * MIB, 931, 700, 700 * MIB, 84 * MIB, 12.0
    ),
    types=TYPES,
    holders=HOLDERS,
)
WHOLE = Heap(
    created_at=CENSUS.created_at,
    target=CENSUS.target,
    window=WindowPart("2026-11-21T12:00:00Z", 12.5, 10.0),
    evidence=EvidencePart(3, 7, 900 * MIB, {"unreadable pages": 4}, ("Objects of 2 interpreters.",)),
    totals=CENSUS.totals,
    types=tuple(
        TypePart(
            row.type,
            row.objects,
            row.tracked,
            row.getsizeof_bytes,
            row.allocated_bytes,
            churning=row.type == "dict",
            growth=GrowthPart(1000 - 200 * place, 48_000, 112_000 - 20_000 * place),
            interval=IntervalPart((row.objects - 9, row.objects + 9), (1, 2)),
        )
        for place, row in enumerate(TYPES)
    ),
    holders=HOLDERS,
    referrers=(ReferrersPart("dict", 3, 400_000),),
    unexplained=(UnexplainedPart("list", "app.codec.TABLE", 5, 3, 1, 4000),),
    garbage=GARBAGE,
    listeners=(
        ListenersPart("app.bus.Bus._handlers['…']", "list", 900, {"bound method": 890, "function": 10}),
    ),
    containers=(ContainerPart("app.cache.SESSIONS", "dict", 0x7F00, 400_000, 1000),),
    frozen=FrozenPart(12, 340.5, False),
    sampled=SampledPart(1 / 64, 700, 44_800, 0.95, 7),
    asked={"type": "app.models.Session"},
)
