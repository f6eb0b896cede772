"""What each setting changes: a function for each that is given the settings, and says what came of them."""

from __future__ import annotations

import io
import json
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import pythons
from config.running import run_on, tick
from detectors.made_up import grown, growth, suspect
from detectors.stories import ACCEPTED, FILE, Story
from governor.worlds import World
from memprobe.abi import GrowthHow
from memprobe.cli.main import main
from memprobe.config import Aspect, Config, Protection
from memprobe.detectors.caches import Caches
from memprobe.detectors.evidence import Detector, Evidence, Grown, Suspect
from memprobe.detectors.piles import is_heavy
from memprobe.detectors.ranking import severity
from memprobe.detectors.timers import Timers
from memprobe.detectors.verdicts import Verdicts
from memprobe.errors import NoKernelSupport
from memprobe.ledger import Ledger
from memprobe.recording import RecordingReader
from memprobe.session import Session, engines
from memprobe.session.arming import Armed
from memprobe.session.keeping import Keeper
from memprobe.session.listening import looks_of
from memprobe.sources.bcc.headers import find_headers
from memprobe.target.inspection.opening import opened
from memprobe.target.proc.pressure import Pressure
from memprobe.vocab import TargetId
from memprobe.vocab.finding import Finding, Kind
from memprobe.vocab.kinds import SocketState
from memprobe.vocab.subject import Elements, Subject, What
from patience import PATIENCE_S
from recording.writing import FACTS, batch
from views import made_up_report

NS = 1_000_000_000
TARGETS = Path(__file__).resolve().parent.parent / "targets"
ONE = TargetId(1, 1)


# Thresholds ---------------------------------------------------------------------------------------------


def leaking(config: Config) -> Story:
    story = Story(config=config)
    story.attach()
    for _ in range(40):
        story.open(FILE, 10)
        story.tell()
    return story


def surely_known_after_s(config: Config) -> float:
    """When the finding of a plain leak was as sure as it must be."""
    (found,) = leaking(config).findings()
    return found.detected_after_s


def told(config: Config) -> int:
    return len(leaking(config).findings())


def idle_sockets_told(config: Config) -> int:
    """Thirty connections whose peer has closed, for thirty seconds."""
    story = Story(states={ACCEPTED: SocketState.CLOSE_WAIT}, config=config)
    story.open(ACCEPTED, 30)
    story.attach()
    for _ in range(30):
        story.tell()
    return len(story.findings(Kind.SOCKETS))


def judged(detector: Detector, config: Config, subject: Subject, **values: Any) -> list[Suspect]:
    """What a detector says of one subject that grows."""
    return list(detector.suspects(evidence_of(replace(grown(**values), subject=subject), config)))


def evidence_of(one: Grown, config: Config) -> Evidence:
    return Evidence(Ledger(), one.pid, 0, 60 * NS, (one,), None, config.thresholds)


def old_timers(config: Config) -> float:
    timers = Subject(What.TIMERS, "app.tick")
    (found,) = judged(Timers(), config, timers, oldest_s=100.0)
    return found.confidence


CACHE = Subject(What.CONTAINER, "app.Session", holder="app.CACHE", elements=Elements.DATA, container="dict")


def small_caches(config: Config) -> int:
    return len(judged(Caches(), config, CACHE, count=40, added=40))


def doubtful_caches(config: Config) -> float:
    doubtful = growth(probability=0.4)
    (found,) = judged(Caches(), config, CACHE, count=300, added=300, growth=doubtful)
    return found.confidence


def few_heavy_ones(config: Config) -> bool:
    one = grown(count=10, added=10, bytes_per_s=50_000.0)  # 3 MB in a minute
    return is_heavy(evidence_of(one, config), one)


def much_memory(config: Config) -> str:
    return severity(None, 50 << 20, config.thresholds)


# Intervals and budgets ----------------------------------------------------------------------------------


def looks(config: Config) -> int:
    """How often /proc was looked at in five rounds of the loop."""
    seen: list[int] = []
    with pythons.own().spawn(TARGETS / "piling_up.py") as target, run_on(target.pid, config) as run:
        tick(run, 5, lambda run: seen.append(run.ledger.now_ns))
    return len(seen)


def pictures(config: Config) -> int:
    """How many pictures of all descriptors there were in five rounds of the loop."""
    seen: set[int] = set()
    often = config.having({"intervals.scan_s": 0.1})

    def watch(run: Session) -> None:
        seen.add(run.ledger.handles.standing(run.target.process.pid).pictured_ns)

    with pythons.own().spawn(TARGETS / "piling_up.py") as target, run_on(target.pid, often) as run:
        tick(run, 5, watch)
    return len(seen - {0})


def next_look_s(config: Config, age_s: int, cost_s: float = 0.0) -> int:
    """When a heap is looked at after the look at this age."""
    pace = looks_of(config)
    pace.follow([ONE], 0)
    for now_s in (0, age_s):
        pace.begun(ONE, now_s * NS)
        pace.done(ONE, int(cost_s * NS), now_s * NS)
    return next(after_s for after_s in range(100_000) if pace.next((age_s + after_s) * NS) == ONE)


def shed(config: Config, slowdown_pct: float, cpu_pct: float) -> bool:
    """Whether a run sheds anything under a steady load."""
    with pythons.own().spawn(TARGETS / "piling_up.py") as target, run_on(target.pid, config) as run:
        limits = run._governor.governor.limits
    world = World(lambda _: slowdown_pct, (1.0, 0.5, 0.1), cpu=lambda _: cpu_pct, limits=limits)
    return max(world.run(200).positions) > 0


def allowed(name: str) -> Callable[[Config], float]:
    """What watchpoints or bursts are allowed, of what the process may lose."""

    def observed(config: Config) -> float:
        told: list[float] = []
        with pythons.own().spawn(TARGETS / "piling_up.py") as target, run_on(target.pid, config) as run:
            setattr(run._sources, name, mock.Mock(afford=told.append))
            run._wish()
            setattr(run._sources, name, None)
            return round(told[0] / run._governor.governor.allowed_pct, 6)

    return observed


# Sampling: by the programs in the kernel ----------------------------------------------------------------


@cache
def births(config: Config) -> list[int]:
    """The weights of two hundred births: how many each stack stands for, 0 for those without."""
    batches = seen_by_kernel(config, "family.py", "open 200")
    return [weight for one in batches for weight in one.births["weight"].tolist()]


def seeded(config: Config) -> list[int]:
    return births(config.having({"sampling.stack_every": 10}))


def share_with_stacks(config: Config) -> float:
    """How many births have their stack."""
    weights = births(config)
    return sum(weight > 0 for weight in weights) / len(weights)


def growth_with_stacks(config: Config) -> float:
    """New pools of Python's allocator that were credited to a stack: not those since the last one."""
    batches = seen_by_kernel(config, "piling_up.py", "grow 300000")
    return sum(int(one.growth["events"][one.growth["how"] == GrowthHow.POOL].sum()) for one in batches)


def seen_by_kernel(config: Config, name: str, order: str) -> list[Any]:
    with pythons.own().spawn(TARGETS / name) as target, opened(target.pid, patient=True) as process:
        armed = Armed(process.process, process.python, config)
        try:
            assert armed.engine is not None
            target.ask(order)
            armed.engine.settle()
            return [one for one in (armed.engine.poll() for _ in range(3)) if one is not None]
        finally:
            armed.close()


def headers_in_usual_places(config: Config) -> bool:
    """Whether those for the engine bcc are looked for there; they need not be installed."""
    try:
        return str(find_headers(config.run.kernel_headers).source).startswith(("/usr/src", "/lib/modules"))
    except NoKernelSupport as error:
        return "/lib/modules" in error.fact


def engine_chosen(config: Config) -> str:
    """Which one it is where all work."""
    room = mock.Mock(name="engine")
    with mock.patch.object(engines, "_room", return_value=room):
        return engines.started_engine(mock.Mock(), None, config).name


# Kinds, protection and price ----------------------------------------------------------------------------


class Everything:
    """Takes a collection for a leak of one kind."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind

    def suspects(self, evidence: Evidence) -> Iterator[Suspect]:
        for one in evidence.growing(What.CONTAINER):
            yield suspect(self.kind, one, holder=one.subject.holder)


def verdict_on_cache(config: Config, kind: Kind = Kind.CACHES, holder: str = "app.CACHE") -> Verdicts:
    story = Story(config=config)
    story.verdicts = Verdicts(story.pid, config, detectors=(Everything(kind),))
    story.attach()
    for second in range(40):
        story.heap = {replace(CACHE, holder=holder): (10 * second, 1000 * second)}
        story.tell()
    story.findings()
    return story.verdicts


def of_kind(kind: Kind) -> Callable[[Config], tuple[int, int]]:
    """Findings of a kind that are told, and those that are withheld."""

    def observed(config: Config) -> tuple[int, int]:
        verdict = verdict_on_cache(config, kind).verdict
        return len(verdict.findings), sum(one.findings + one.suspects for one in verdict.withheld)

    return observed


def protected_told(config: Config) -> int:
    held = replace(config, protect=(Protection(Aspect.HOLDER, "app.*", "on purpose"),))
    return len(verdict_on_cache(held).verdict.findings)


def cost(config: Config) -> float:
    (found,) = verdict_on_cache(config).verdict.findings
    assert isinstance(found, Finding)
    assert found.cost_usd_per_month is not None
    return round(found.cost_usd_per_month, 9)


# Commands -----------------------------------------------------------------------------------------------


def reported(config: Config, document: dict[str, Any]) -> tuple[int, str]:
    """What `memprobe report` ends with and prints of a made-up document, under such settings."""
    story = mock.Mock(document=document)
    printed = io.StringIO()
    with (
        mock.patch("memprobe.cli.configured.read_config", return_value=config),
        mock.patch("memprobe.cli.report.recorded_story", return_value=story),
        mock.patch("memprobe.cli.report.replace", lambda story, document: mock.Mock(document=document)),
        redirect_stdout(printed),
    ):
        return main(["report", "made.up", "--json"]), printed.getvalue()


def exit_code(config: Config) -> int:
    return reported(config, made_up_report.report())[0]


def exit_code_of_any(config: Config) -> int:
    return exit_code(config.having({"report.fail_on": ("any",)}))


def lines_of_source(config: Config) -> int:
    document = made_up_report.report()
    document["findings"][0]["site"] = [{"function": "source", "file": __file__, "line": 3}]
    return reported(config, document)[1].count('"source": "from __future__')


def lines_on_a_terminal(config: Config) -> bool:
    """Whether more lines were printed than the terminal has."""
    from memprobe.views import output

    printed = mock.Mock(wraps=io.StringIO(), isatty=lambda: True)
    with mock.patch.object(sys, "stdout", printed):
        output.show_report(made_up_report.report(), full=config.report.full)
    text = "".join(call.args[0] for call in printed.write.call_args_list)
    return text.count("\n") > 24


# Runs ---------------------------------------------------------------------------------------------------


def ends_by_itself(config: Config) -> bool:
    """Whether a run was over before somebody ended it, after some hundred looks at the clock."""
    from memprobe.cli import watching

    clock = map(float, range(1000, 10_000))
    rounds: list[int] = []

    class Run:
        ledger, recording_failure = Ledger(), None

        def run(self, goes_on: Callable[[], bool], show: object) -> None:
            while len(rounds) < 100 and goes_on():
                rounds.append(1)

        def report(self) -> None: ...

        def close(self) -> None: ...

    @contextmanager
    def session(*_: object) -> Any:
        yield Run()

    with (
        mock.patch("memprobe.session.session", session),
        mock.patch("memprobe.views.report.document", return_value={}),
        mock.patch("memprobe.cli.watching.time.monotonic", side_effect=clock),
    ):
        watching.watched(1, mock.Mock(config=config))
    return len(rounds) < 100


def processes_seen(config: Config) -> int:
    often = config.having({"intervals.scan_s": 0.1})
    with pythons.own().spawn(TARGETS / "family.py") as target:
        child = int(target.ask("keep"))
        try:
            with run_on(target.pid, often) as run:
                tick(run, 5)
                pids = (target.pid, child)
                return sum(run.ledger.processes.last(pid) is not None for pid in pids)
        finally:
            os.kill(child, 9)


def is_remembered(config: Config, folder: Path) -> bool:
    with (
        mock.patch.dict(os.environ, {"XDG_STATE_HOME": str(folder)}),
        pythons.own().spawn(TARGETS / "piling_up.py") as target,
        run_on(target.pid, config) as run,
    ):
        tick(run, 2)
    return any(folder.rglob("learned.sqlite3"))


# Recordings ---------------------------------------------------------------------------------------------


def kept(config: Config, folder: Path, seconds: int) -> Path:
    """A recording of a service that ended after so many seconds."""
    path, ledger = folder / "run.mprobe", Ledger(tree=False)
    keeper = Keeper(path, FACTS, config.record)
    for second in range(1, seconds + 1):
        one = batch(second)
        ledger.fold(one)
        keeper.queue.write(one)
        facts = FACTS | {"ending": None, "danger": None, "shed": [], "packages": {}, "keys": None}
        keeper.note(facts | {"ended": "it ended" if second == seconds else None}, ledger)
    keeper.close()
    return path


def is_cut_off(config: Config, folder: Path) -> bool:
    with RecordingReader(kept(config, folder, 150)) as reader:
        return reader.is_pruned


def is_sealed(config: Config, folder: Path) -> bool:
    return not kept(config, folder, 3).stat().st_mode & stat.S_IWUSR


def is_looked_at_in_danger(config: Config) -> bool:
    """Whether a process whose memory is nearly used up is looked at for that."""
    readings = (Pressure("g", 100 << 20, used << 20) for used in (10, 99))
    with (
        mock.patch("memprobe.session.fate.memory_pressure", side_effect=readings),
        pythons.own().spawn(TARGETS / "piling_up.py") as target,
        run_on(target.pid, config) as run,
    ):
        return run._fate.is_near(NS)


def paths_in_recording(config: Config, folder: Path) -> bool:
    """Whether what handles point to is in the recording of a run."""
    path = folder / "run.mprobe"
    with pythons.own().spawn(TARGETS / "leaking.py") as target, run_on(target.pid, config, path) as run:
        target.ask("3")
        tick(run, 2)
    with RecordingReader(path) as reader:
        handles = [picture for one in iter(reader.poll, None) for picture in one.handles]
    return "/etc/passwd" in json.dumps([picture.texts for picture in handles])


def heap_in_recording(config: Config, folder: Path) -> bool:
    path = folder / "run.mprobe"
    with pythons.own().spawn(TARGETS / "piling_up.py") as target, run_on(target.pid, config, path) as run:
        tick(run, 1)
    with RecordingReader(path) as reader:
        return reader.heap() is not None


def keys_in_recording(config: Config, folder: Path) -> bool:
    """Whether keys of what has grown between two looks are in the recording of a run."""
    path = folder / "run.mprobe"
    often = config.having({"intervals.heap_early_s": 0.1, "budget.heap_pct": 6400.0})
    with pythons.own().spawn(TARGETS / "keys_growing.py") as target, run_on(target.pid, often, path) as run:
        grown_over_looks(run, target)
    with RecordingReader(path) as reader:
        return bool(reader.facts["keys"])


def grown_over_looks(run: Session, target: pythons.Target, looks: int = 3) -> None:
    """Go through the loop until a dictionary was looked at so many times, and grew before each look."""
    end_s = time.monotonic() + PATIENCE_S

    def goes_on() -> bool:
        target.ask("grow 100")
        assert time.monotonic() < end_s
        return run.ledger.looks < looks

    run.run(goes_on)
