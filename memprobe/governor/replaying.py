"""A governor as plain data, so that a recording can have one decide again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from memprobe.governor.calibration import Calibration
from memprobe.governor.control import Limits
from memprobe.governor.governor import Governor
from memprobe.vocab.costs import Hook
from memprobe.vocab.knobs import Knob


def governor_facts(governor: Governor) -> dict[str, Any]:
    """What its decisions depend on beside the samples."""
    calibration = governor.calibration
    plain = {name: getattr(calibration, name) for name in _NUMBERS}
    plain["hook_ns"] = {hook.value: cost for hook, cost in calibration.hook_ns.items()}
    plain["measured"] = sorted(calibration.measured)
    knobs = sorted({rung.knob.value for rung in governor.rungs})
    return {"limits": asdict(governor.limits), "knobs": knobs, "calibration": plain}


def governor_of(facts: Mapping[str, Any]) -> Governor:
    """The governor that these facts describe; raises KeyError, TypeError or ValueError if they are none."""
    stored = facts["calibration"]
    calibration = Calibration(
        hook_ns={Hook(name): float(cost) for name, cost in stored["hook_ns"].items()},
        measured=frozenset(map(str, stored["measured"])),
        **{name: float(stored[name]) for name in _NUMBERS},
    )
    limits = Limits(**{name: float(value) for name, value in facts["limits"].items()})
    return Governor(limits, frozenset(map(Knob, facts["knobs"])), calibration)


_NUMBERS = ("syscall_ns", "foreign_run_ns", "assumed_run_ns", "switch_first_ns", "switch_more_ns")
