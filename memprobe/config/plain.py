"""The settings of a run as its recording keeps them: what its findings depend on, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from memprobe.config.config import Config
from memprobe.config.places import Place
from memprobe.config.protection import Aspect
from memprobe.config.settings import SETTINGS
from memprobe.config.values import protection_of, value_of

RECORDED = Place(where="the recording")


def plain(config: Config) -> dict[str, Any]:
    """Return settings as JSON takes them; without patterns of what is redacted: they could match nothing."""
    unknown = (Aspect.PATH, Aspect.PEER) if config.record.redact else ()
    protect = [one for one in config.protect if one.aspect not in unknown]
    return {
        "preset": config.preset,
        "values": {key: config.value(key) for key in SETTINGS},
        "protect": [{one.aspect.value: one.pattern, "reason": one.reason} for one in protect],
    }


def restored(facts: Mapping[str, Any]) -> Config:
    """Return the settings that a recording has kept; raise TypeError or UsageError if they are damaged.

    Of a setting that it does not know, the default counts; one that is no more is passed over.
    """
    values, protect = facts.get("values", {}), facts.get("protect", [])
    if not isinstance(values, Mapping) or not isinstance(protect, list):
        raise TypeError("these are no settings")
    known = {
        key: value_of(SETTINGS[key], "none" if value is None else value, RECORDED)
        for key, value in values.items()
        if key in SETTINGS
    }
    return Config.of(
        known,
        protect=tuple(protection_of(one, RECORDED) for one in protect),
        preset=str(facts.get("preset", "default")),
    )
