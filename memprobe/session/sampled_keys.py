"""Sampled keys of a run that was asked for them (`--with-keys`): as its recording keeps them, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from memprobe.config import DEFAULTS, Config
from memprobe.detectors.withholding import is_protected
from memprobe.ledger import Ledger
from memprobe.views.escaping import escape

MOST_KEYS, CHARACTERS = 16, 200
"""Of one holder; what is escaped is longer than what was read."""

MOST_HOLDERS, HOLDER_CHARACTERS = 128, 4096


def told_keys(
    keys: Mapping[int, Sequence[str]], ledger: Ledger, config: Config = DEFAULTS
) -> list[dict[str, Any]]:
    """Return keys by the holder that has them, as the recording and its reports have them.

    Of a holder that is protected nothing is told.
    """
    subjects = ledger.populations.subjects
    known = ((subjects[number].holder, found) for number, found in keys.items() if number in subjects)
    return [
        {"holder": escape(holder), "keys": [escape(key)[:CHARACTERS] for key in found]}
        for holder, found in known
        if not is_protected(holder, config)
    ]


def recorded_keys(facts: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Return those of a recording; None if its run was not asked for them.

    Of what somebody may have made up, as much is taken as a run would have kept.
    """
    kept = facts.get("keys")
    if not isinstance(kept, list):
        return None
    rows = [one for one in kept[:MOST_HOLDERS] if isinstance(one, dict)]
    return [
        {"holder": str(one.get("holder"))[:HOLDER_CHARACTERS], "keys": _texts(one.get("keys"))}
        for one in rows
    ]


def _texts(keys: Any) -> list[str]:
    found = keys if isinstance(keys, list) else []
    return [str(key)[:CHARACTERS] for key in found[:MOST_KEYS]]
