"""Whose timers pile up in a loop: all of a program's are in one list."""

from __future__ import annotations

from memprobe.detectors.timers import of_callback
from memprobe.ledger.insertions import Filled, Flow
from memprobe.vocab.stack import Frame

LIBRARY = "/usr/lib/python3.12/asyncio"
CALL_AT = Frame("BaseEventLoop.call_at", f"{LIBRARY}/base_events.py", 740)
CALL_LATER = Frame("BaseEventLoop.call_later", f"{LIBRARY}/base_events.py", 720)
SLEEP = Frame("sleep", f"{LIBRARY}/tasks.py", 650)
RUN_ONCE = Frame("BaseEventLoop._run_once", f"{LIBRARY}/base_events.py", 1905)
PACER, SERVER = Frame("Service.run", "/srv/service.py", 102), Frame("Expiry.serve", "/srv/app.py", 20)

SLEEPS = Flow((CALL_AT, CALL_LATER, SLEEP, PACER), 21.0, 0.0, 3.0, 40)
SCHEDULES = Flow((CALL_AT, CALL_LATER, SERVER), 3.0, 0.0, 0.4, 9)
RUNS = Flow((RUN_ONCE,), 0.0, 21.0, 0.0, 40)


def ordered(callback: str) -> list[Flow]:
    return list(of_callback(Filled((SLEEPS, SCHEDULES, RUNS), 89, 1.0, 20.0, 60), callback).flows)


def test_a_callback_of_the_program_was_scheduled_by_the_program() -> None:
    assert ordered("app.Expiry.expire") == [SCHEDULES, SLEEPS, RUNS]
    assert ordered("asyncpg.pool.PoolHolder._deactivate") == [SCHEDULES, SLEEPS, RUNS]


def test_one_of_asyncio_was_scheduled_by_who_sleeps() -> None:
    assert ordered("asyncio.futures._set_result_unless_cancelled") == [SLEEPS, RUNS, SCHEDULES]
