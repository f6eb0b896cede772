"""Runs programs with known leaks beside `memprobe attach`, and keeps what it finds: known_leaks/*.json.

    python tests/detectors/capture_known_leaks.py [NAME...] [--jobs N]

NAME is one of `CAPTURES`, or real-NAME of bench/corpus; none: all. Beside the findings stands what the target
had loaded, and what its twin with the fixed release has. What to expect of it a person writes: expected.json.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent.parent / "bench")]

from detection.cases import Case, cases  # noqa: E402
from detection.environments import command  # noqa: E402
from memprobe.target.inspection.opening import opened  # noqa: E402
from memprobe.target.packages import loaded, packages  # noqa: E402
from programs import Target, spawn_command  # noqa: E402

FOLDER = HERE / "known_leaks"
PROGRAMS = HERE.parent / "targets" / "known_leaks"
SETTLE_S, REAL_S, OWN_S = 1.5, 50, 40
FRAMES = 12
RELEASED = (
    "aiohttp",
    "blinker",
    "django",
    "httpx",
    "prometheus-client",
    "pyee",
    "pymongo",
    "requests",
    "sqlalchemy",
    "structlog",
)
FIELDS = ("kind", "title", "confidence", "type", "holder", "site", "below", "cause", "suggested_fix")


@dataclass(frozen=True, slots=True)
class Capture:
    """A program, and with what it is run."""

    script: str
    arguments: tuple[str, ...]
    python: str = "3.11"
    requirements: tuple[str, ...] = ()


def _stdlib(*arguments: str) -> Capture:
    return Capture("stdlib.py", arguments)


def _released(*arguments: str) -> Capture:
    return Capture("released.py", arguments, requirements=RELEASED)


CAPTURES = {
    "caches": _stdlib("lru_on_method=61", "lru_without_limit=83", "logging_loggers=37", "queues=101"),
    "listeners": _stdlib("logging_handlers=31", "logging_filters=43", "at_exit=59", "finalizers=71"),
    "threads": _stdlib("executors=3", "thread_pools=1.5", "thread_timers=5"),
    "handles": _stdlib("process_pipes=3", "databases=5", "pollers=8", "mappings=11"),
    "files": _stdlib("files_kept=7", "files_raw=4", "close_wait=3"),
    "memory": _stdlib("context_variables=47", "unique_warnings=61", "thread_locals=73", "exceptions_kept=29"),
    "collector": _stdlib("collector_off=60"),
    "tasks": Capture("asynchronous.py", ("tasks_kept=31", "tasks_pending=17", "timers=43")),
    "loops": Capture("asynchronous.py", ("queues=61", "loops_open=3", "no_drain=40")),
    "clients": _released("requests_session=3", "httpx_client=1.5"),
    "sessions": _released("aiohttp_session=3", "pymongo_client=1"),
    "stores": _released("sqlalchemy_engine=3", "prometheus_labels=61"),
    "signals": _released("pyee_on=31", "blinker_connect=43", "django_signal=59"),
    "querysets": _released("django_querysets=11"),
    "loggers": _stdlib("logging_loggers=37"),
    "handlers": _stdlib("logging_handlers=31"),
    "filters": _stdlib("logging_filters=43"),
    "executors": _stdlib("executors=3"),
    "pools": _stdlib("thread_pools=1.5"),
    "ended-tasks": Capture("asynchronous.py", ("tasks_kept=31",)),
    "httpx": _released("httpx_client=1.5"),
    "aiohttp": _released("aiohttp_session=3"),
}


def main(arguments: Sequence[str]) -> None:
    """Capture what was asked for, so many at a time."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*")
    parser.add_argument("--jobs", type=int, default=3)
    options = parser.parse_args(arguments)
    real = {case.name: case for case in cases() if case.is_real and case.truth is not None}
    FOLDER.mkdir(exist_ok=True)
    with ThreadPoolExecutor(options.jobs) as pool:
        names = options.names or [*CAPTURES, *real]
        for told in pool.map(lambda name: _captured(name, real), names):
            print(told, flush=True)


def _captured(name: str, real: Mapping[str, Case]) -> str:
    document = _of_case(real[name]) if name in real else _of_program(CAPTURES[name])
    (FOLDER / f"{name}.json").write_text(_without_places(json.dumps(document, indent=1)) + "\n")
    return f"{name}: {[(one['kind'], one['type'], one['holder']) for one in document['findings']]}"


def _of_program(capture: Capture) -> dict[str, Any]:
    run = command(capture.python, capture.requirements, PROGRAMS / capture.script)
    with _running([*run, *capture.arguments], "ready") as target:
        report = _attached(target.pid, OWN_S)
        return {**_facts(target.pid), "findings": _findings(report)}


def _of_case(case: Case) -> dict[str, Any]:
    """What a case of the corpus gives."""
    with _running_case(case) as target:
        facts = _facts(target.pid)
        report = _attached(target.pid, REAL_S)
    twin = next((one for one in cases() if one.name == f"{case.name}-fixed-version"), None)
    fixed = {}
    if twin is not None:
        with _running_case(twin) as target:
            fixed = {"fixed": _facts(target.pid)}
    return {**facts, **fixed, "findings": _findings(report)}


@contextmanager
def _running_case(case: Case) -> Iterator[Target]:
    run = command(case.python, case.requirements, case.script)
    with _running([*run, *case.arguments, "--seconds", "300"], "") as target:
        yield target


@contextmanager
def _running(run: list[str], ready: str) -> Iterator[Target]:
    with spawn_command(run, ready=ready) as target:
        time.sleep(SETTLE_S)
        yield target


def _facts(pid: int) -> dict[str, Any]:
    with opened(pid, patient=True) as found:
        assert found.python is not None, found.obstacle
        versions = packages(found.process.folder, loaded(found.python))
        return {"python": found.facts.python, "packages": dict(sorted(versions.items()))}


def _attached(pid: int, seconds: int) -> dict[str, Any]:
    run = [sys.executable, "-m", "memprobe.cli", "attach", str(pid), "--no-learn", "--json"]
    done = subprocess.run([*run, "--duration", str(seconds)], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-500:]
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def _findings(report: dict[str, Any]) -> list[dict[str, Any]]:
    found = [{name: one[name] for name in FIELDS} for one in report["findings"]]
    return [one | {name: one[name][:FRAMES] for name in ("site", "below")} for one in found]


def _without_places(text: str) -> str:
    """Put what the machine happens to have where into usual places."""
    text = re.sub(r"/[^\s\"():]*?/site-packages/", "/srv/venv/lib/python3/site-packages/", text)
    text = re.sub(r"/[^\s\"():]*?/lib/(python3\.\d+)/(?!site-packages)", r"/usr/lib/\1/", text)
    return re.sub(r"/[^\s\"():]*/(?=[\w-]+\.py\b)", _own_folder, text)


def _own_folder(match: re.Match[str]) -> str:
    is_library = re.match(r"/usr/lib/python3\.|/srv/venv/", match[0]) is not None
    return match[0] if is_library else "/srv/app/"


if __name__ == "__main__":
    main(sys.argv[1:])
