"""What every test shares, and what must be there before the first one runs."""

from __future__ import annotations

import compileall
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import kernel
import pythons

CI = os.environ.get("CI") == "true"
TARGETS = Path(__file__).resolve().parent / "targets"

# No test is timed: machines are noisy. Speed is measured in bench/.
settings.register_profile(
    "untimed",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=CI,  # CI judges a change, not its luck; the fuzzers look for what is new
)
settings.load_profile("untimed")

# What tests learn is forgotten with them; patterns and settings of the user do not count.
_state = tempfile.TemporaryDirectory(prefix="memprobe-state-")
os.environ["XDG_STATE_HOME"] = os.environ["XDG_CONFIG_HOME"] = _state.name

_passed_under: set[str] = set()

FEW = ("3.8", "3.11-debian-static", "3.13", "3.15")
"""One of each design of frames, instances and allocator: of two that match the last, which has symbols."""


def _selected() -> tuple[pythons.Interpreter, ...]:
    try:
        return pythons.INTERPRETERS
    except LookupError:  # which the start of the session reports
        return ()


@pytest.fixture(scope="session", params=_selected(), ids=str)
def interpreter(request: pytest.FixtureRequest) -> pythons.Interpreter:
    """Each selected interpreter in turn; a test that asks for it runs once under every one."""
    found = request.param
    assert isinstance(found, pythons.Interpreter)
    return found


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take few of many interpreters for the tests that say so; MEMPROBE_EXHAUSTIVE has them all."""
    if len(_selected()) <= len(FEW) or os.environ.get("MEMPROBE_EXHAUSTIVE"):
        return
    few = _few()
    left_out = [
        item for item in items if item.get_closest_marker("few_interpreters") and not _is_of(few, item)
    ]
    items[:] = [item for item in items if item not in set(left_out)]
    config.hook.pytest_deselected(items=left_out)


def _few() -> set[str]:
    matching = ([str(one) for one in _selected() if str(one).startswith(name)] for name in FEW)
    return {names[-1] for names in matching if names}


def _is_of(few: set[str], item: pytest.Item) -> bool:
    found = getattr(item, "callspec", None)
    interpreter = found.params.get("interpreter") if found else None
    return interpreter is None or str(interpreter) in few


@pytest.fixture(scope="session")
def targets() -> Path:
    """The folder of the target programs."""
    return TARGETS


@pytest.fixture(scope="session")
def bpf() -> None:
    """Skips the test where the kernel refuses BPF (in CI as root the session does not even start)."""
    if kernel.bpf_refusal():
        pytest.skip(f"no BPF: {kernel.bpf_refusal()}")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Stop at once, with the command that mends it, when something is missing."""
    for complaint in _complaints():
        raise pytest.UsageError(complaint)
    # What tests start writes no bytecode: every memprobe would compile itself, half a second each.
    compileall.compile_dir(pythons.ROOT / "memprobe", quiet=2)


def _complaints() -> Iterator[str]:
    try:
        pythons.selected(os.environ.get("MEMPROBE_PYTHONS", ""))
    except LookupError as error:
        yield f"MEMPROBE_PYTHONS: {error}; the missing minors may come with: make matrix"
    try:
        import memprobe.native  # noqa: F401
    except ImportError as error:
        yield f"the native extension is not built ({error}); run: make build"
    if CI and os.geteuid() == 0 and kernel.bpf_refusal():
        yield f"CI as root must be able to use BPF; bpf(2) says: {kernel.bpf_refusal()}"
    missing = pythons.missing_required() if CI else []
    if missing:
        yield f"CI must test CPython {', '.join(missing)}, not here or not selected; run: make matrix"


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note under which interpreters tests have really passed."""
    if report.when == "call" and report.passed:
        _passed_under.update(one.name for one in pythons.INTERPRETERS if one.name in report.nodeid)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI an interpreter under which nothing ran is a failure, not a quiet gap."""
    if not CI or exitstatus != pytest.ExitCode.OK:
        return
    chosen = [one for one in pythons.INTERPRETERS if one.name in _passed_under]
    idle = [wanted for wanted in pythons.REQUIRED if not any(one.matches(wanted) for one in chosen)]
    if idle:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        print(f"\nno test passed under CPython {', '.join(idle)}")
