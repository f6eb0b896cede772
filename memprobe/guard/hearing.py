"""The user's word on a finding, said by the application: it counts at once, and is remembered."""

from __future__ import annotations

import time
from typing import Any

from memprobe.learned import Said, Store, StoreFailed
from memprobe.models.learning.opinion import Opinion, Verdict
from memprobe.session import Session

LONGEST_KEY, LONGEST_REASON = 300, 1000


def take_word(run: Session, words: dict[str, Any]) -> dict[str, Any]:
    """Take a word in; return the answer to it."""
    key, is_leak = str(words.get("key", "")).strip(), words.get("is_leak") is True
    if not 0 < len(key) <= LONGEST_KEY:
        return {"error": "the key must be a finding's id, a birth site, or an extension such as .tmp"}
    verdict = Verdict.CONFIRMED if is_leak else Verdict.FALSE_POSITIVE
    reason = str(words.get("reason", ""))[:LONGEST_REASON]
    run.hear(Opinion(key, verdict, reason))
    try:
        with Store() as store:
            store.say(Said(key, verdict.value, reason, time.time()))
    except StoreFailed as error:
        return {"error": f"it counts in this run only, and is not remembered: {error}"}
    return {"heard": key}
