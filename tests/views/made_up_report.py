"""A report that nobody made: all nine kinds, hostile names, and numbers that were not measured."""

from __future__ import annotations

from typing import Any

from memprobe.vocab.finding import Kind

HOSTILE = "<script>alert(1)</script>\x1b[2J\u202e;\"'\\\udc80[x](http://example.invalid)\n"
SITE = [
    {"function": "socketpair", "file": "/usr/lib/python3.11/socket.py", "line": 608},
    {"function": "call", "file": "/srv/app/main.py", "line": 7},
    {"function": HOSTILE, "file": f"/srv/app/{HOSTILE}.py", "line": 0},
    {"function": "<module>", "file": "/srv/app/main.py", "line": 90},
]


def finding(kind: Kind, number: int, **changes: Any) -> dict[str, Any]:
    """A finding of a kind."""
    return {
        "id": f"{kind.value}-{number:08x}",
        "kind": kind.value,
        "title": f"app.cache.{kind.value.upper()} (dict) has {1000 * number:,} entries, 5 more every second",
        "confidence": 0.97 - number / 10,
        "severity": ("critical", "warning", "info")[number % 3],
        "exhausts_in_s": 86_400.0 * number if number % 2 else None,
        "limit": "memory" if number % 2 else None,
        "count": 1000 * number,
        "added": 900,
        "count_per_s": 5.25,
        "bytes": number << 20 if number % 4 else None,
        "bytes_per_s": 512.5,
        "cost_usd_per_month": 1.5,
        "type": "app.models.Session",
        "holder": f"app.cache.{kind.value.upper()}",
        "site": SITE[number % 2 :],
        "age_s": {"p50": 10.0, "max": 100.0},
        "detected_after_s": 30.0 + number,
        "evidence": ["grew from 1 to 1,000 in 60 s, by 5 ± 0.1 a second", "it never fell"],
        "suggested_fix": "Limit it: evict the oldest beyond a size.",
        "limits": ["Who puts them in was not seen."],
        "below": [],
        "cause": "collection without a limit",
        "known": None,
    } | changes


KNOWN = {
    "pattern": "shop-orders",
    "title": "orders stay in the shop",
    "advice": "Upgrade shop to 1.4.",
    "source": "https://example.org/1",
    "package": "shop",
    "version": None,
    "fixed": "1.4",
}


def report(**changes: Any) -> dict[str, Any]:
    """A document memprobe.report/1."""
    findings = [finding(kind, number) for number, kind in enumerate(Kind)]
    findings[1] |= {"holder": HOSTILE, "title": f"{HOSTILE} piles up", "type": HOSTILE}
    findings[3] |= {"known": KNOWN}
    findings[2] |= {"site": [], "bytes": None, "count": None, "age_s": None, "holder": ""}
    return {
        "schema": "memprobe.report/1",
        "memprobe": "0.1.0",
        "created_at": "2026-11-21T12:00:00Z",
        "target": {
            "pid": 4711,
            "start_time": "2026-11-21T09:57:00Z",
            "cmdline": ["python3", "main.py", HOSTILE],
            "python": "3.11.7",
            "build": "static, stripped",
            "container": None,
            "tier": 2,
            "ended": None,
        },
        "window": {"start": "2026-11-21T12:00:00Z", "duration_s": 600.5},
        "overhead": {
            "target_slowdown_pct": 0.123,
            "target_slowdown_how": "calibrated",
            "profiler_cpu_pct": 2.5,
            "profiler_rss_mb": 80.0,
            "profiler_rss_peak_mb": 90.0,
            "longest_pause_ms": 0.0,
            "budget_pct": 1.0,
        },
        "evidence": {
            "engine": "libbpf",
            "engine_why": "works here",
            "events": 123_456,
            "lost": {"ring_full": 3},
            "repaired": 2,
            "snapshots": 10,
            "torn_objects": None,
            "invisible": ["Handles from before the attach have no stack.", HOSTILE],
        },
        "memory": {
            "rss_mb": 143.25,
            "rss_peak_mb": 150.0,
            "vms_mb": 900.0,
            "swap_mb": 0.0,
            "rss_growth_mb_per_h": 12.5,
            "python_mb": 90.0,
            "arena_free_mb": 2.5,
            "native_mb": 20.0,
            "mmap_mb": None,
            "limit_mb": 512.0,
            "limit_used_mb": 150.0,
            "verdict": "leak",
            "why": "it grew without a fall",
        },
        "process": {
            "cpu_pct": 12.0,
            "threads": 8,
            "fds": 120,
            "fd_limit": 1024,
            "gc": {
                "enabled": True,
                "counts": [1, 2, 3],
                "thresholds": [700, 10, 10],
                "collections": [5, 4, 3],
                "pause_ms": None,
            },
        },
        "handles": [handles(number) for number in range(60)],
        "growth": [growth(number) for number in range(60)],
        "findings": findings,
        "cost_usd_per_month": 12.0,
        "keys": None,
        "stamp": "0123456789abcdef",
    } | changes


def handles(number: int) -> dict[str, Any]:
    """A row of handles; every seventh has no stack."""
    return {
        "kind": ("file", "socket", "pipe")[number % 3],
        "open": 100 - number,
        "inherited": number % 4,
        "opened_per_s": 0.5,
        "closed_per_s": None,
        "oldest_s": 60.0,
        "site": [] if number % 7 == 0 else [SITE[0] | {"line": number}, *SITE[1:]],
        "born": "inherited" if number % 7 == 0 else "seen",
        "examples": [HOSTILE],
        "states": {},
    }


def growth(number: int) -> dict[str, Any]:
    """A row of growth."""
    site = [] if number == 3 else [SITE[1] | {"line": number}, *SITE[2:]]
    return {
        "bytes": (number + 1) << 16,
        "bytes_per_s": 10.0,
        "how": ("fault", "pool")[number % 2],
        "site": site,
    }
