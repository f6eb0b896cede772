"""Growth of every kind: the line that grows is the first stack, and all stacks add up to what RSS grew by."""

from __future__ import annotations

import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kernel_source.folded import Folded, folded
from memprobe.config import DEFAULTS
from memprobe.ledger.growth import RESIDENT
from memprobe.session import Options, Session, session
from memprobe.vocab import Frame
from memprobe.vocab.stack import is_native, own_frame
from programs import Target
from pythons import Interpreter, own

pytestmark = pytest.mark.usefixtures("bpf")

TOLERANCE = 0.10
WAYS = ("list_", "dict_", "bytes_", "small_blocks", "large_blocks", "mapped")
"""Those that every interpreter has; numpy is there for our own."""

NATIVE = ("small_blocks", "large_blocks")
LOOKS = 3
"""So many looks at /proc are before the growth of a run, and as many after it."""

GROW = Frame("grow", "<grower.abi3.so>", 0)
"""What they call."""

Account = dict[tuple[Frame, ...], int]

NUMPY = Path(np.__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an extension module that every version loads."""
    made = tmp_path_factory.mktemp("extension") / "grower.abi3.so"
    source = Path(__file__).parent / "targets" / "grower.c"
    include = sysconfig.get_path("include")
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", f"-I{include}", "-o", made, source], check=True)
    return made.parent


def resident_bytes(pid: int) -> int:
    """Exactly: the page tables are walked, where statm is off by what each CPU keeps to itself."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no Rss")


def line_of(targets: Path, way: str) -> int:
    lines = (targets / "growing_ways.py").read_text().splitlines()
    return next(at for at, line in enumerate(lines, 1) if line.endswith(f"# {way.strip('_')}"))


def by_stack(run: Folded) -> Account:
    """Net resident bytes of each stack since the attach; two places in one line are one stack."""
    total: Account = {}
    for (_, number, how), one in run.ledger.growth.totals().items():
        if how in RESIDENT:
            frames = run.found.stacks[number].frames if number else ()
            total[frames] = total.get(frames, 0) + one.net_bytes
    return total


def settled(run: Folded) -> Account:
    run.found.source.settle()
    run.poll()
    return by_stack(run)


def grown(run: Folded, way: str) -> tuple[Account, int]:
    """What each stack grew by in a window in which the target grew in one way, and what RSS grew by."""
    before, resident = settled(run), resident_bytes(run.target.pid)
    run.ask(way)
    after, change = settled(run), resident_bytes(run.target.pid) - resident
    return {stack: net - before.get(stack, 0) for stack, net in after.items()}, change


def check_window(run: Folded, targets: Path, way: str) -> list[str]:
    """What is wrong about one way to grow."""
    account, change = grown(run, way)
    first = max(account, key=lambda frames: account[frames])
    frame = own_frame(first)
    wrong = []
    assert frame is not None
    if way in NATIVE and first[0] != GROW:
        wrong.append(f"{way}: the native function is {first[0]}")
    if change < 10 << 20:
        wrong.append(f"{way}: the target itself grew only by {change}")
    if (frame.function, frame.line) != (way, line_of(targets, way)):
        wrong.append(f"{way}: the first stack is {frame}")
    if abs(sum(account.values()) - change) > TOLERANCE * change:
        wrong.append(f"{way}: all stacks grew by {sum(account.values())}, RSS by {change}")
    if account[first] < 0.5 * change:
        wrong.append(f"{way}: the first stack has only {account[first]} of {change}")
    return wrong


def test_the_growing_line_is_first_and_the_account_closes(
    interpreter: Interpreter, targets: Path, extension: Path
) -> None:
    folder = str(interpreter.path_inside(extension))
    with interpreter.spawn(targets / "growing_ways.py", folder) as target, folded(target) as run:
        wrong = [one for way in WAYS for one in check_window(run, targets, way)]
        assert not wrong, "\n".join(wrong)


@pytest.mark.few_interpreters
@pytest.mark.parametrize("way", ["blocks", "heap"])
def test_what_is_dropped_is_taken_off_who_filled_it(
    interpreter: Interpreter, targets: Path, extension: Path, way: str
) -> None:
    """By munmap, or by a trim of the heap; in another line, another function, another stack."""
    folder = str(interpreter.path_inside(extension))
    with interpreter.spawn(targets / "growing_ways.py", folder) as target, folded(target) as run:
        run.ask(way)  # malloc finds its thresholds
        account, change = grown(run, way)
        taken = sum(
            one.grown_bytes for (_, _, how), one in run.ledger.growth.totals().items() if how in RESIDENT
        )
        assert taken > 500 << 20
        assert abs(sum(account.values()) - change) < 1 << 20
        assert max(map(abs, account.values())) < 0.05 * taken


def test_arrays_of_numpy(targets: Path, extension: Path) -> None:
    environment = {"PYTHONPATH": str(NUMPY)}
    script = targets / "growing_ways.py"
    with own().spawn(script, str(extension), environment=environment) as target, folded(target) as run:
        run.ask("arrays")  # and numpy itself
        account, change = grown(run, "arrays")
        first = max(account, key=lambda frames: account[frames])
        functions = [(one.function, one.line) for one in first if not is_native(one)]
        assert change > 10 << 20
        assert ("arrays", line_of(targets, "arrays")) in functions[:2], "numpy.ones is Python, too"
        assert abs(sum(account.values()) - change) < TOLERANCE * change


def run_while(pid: int, work: Callable[[], object]) -> tuple[list[tuple[Frame, ...]], float]:
    """A session around some work: the stacks that it reports, most first, and explained over changed."""
    looks = 0

    def looked(_: Session) -> None:
        nonlocal looks
        looks += 1
        if looks == LOOKS:
            work()

    with session(pid, Options(DEFAULTS.having({"run.learn": False}))) as watched:
        watched.run(lambda: looks < 2 * LOOKS, looked)
        (account,) = watched.ledger.growth.accounts()
        assert account.ratio is not None
        return [site.site for site in watched.ledger.growth_sites(pid)], account.ratio


@pytest.mark.parametrize("way", WAYS)
def test_a_whole_run_says_the_same(targets: Path, extension: Path, way: str) -> None:
    with own().spawn(targets / "growing_ways.py", str(extension)) as target:

        def grow(target: Target = target) -> None:
            for _ in range(3):
                target.ask(way)

        sites, ratio = run_while(target.pid, grow)
    frame = own_frame(sites[0])
    assert frame is not None
    assert (frame.function, frame.line) == (way, line_of(targets, way))
    assert abs(ratio - 1) < TOLERANCE
