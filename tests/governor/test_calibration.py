"""Calibration, on a clock that only the calls move."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from memprobe.governor.calibration import Calibration, Calibrator, Laboratory, time_per_call_ns
from memprobe.vocab.costs import Hook, ProgramRuns

RUN_NS = 110


class Machine:
    """A clock, two system calls, and a program on the second one."""

    def __init__(self, tax_ns: int = 70, dispatch_ns: int = 90, statistics: bool = True) -> None:
        self.now_ns, self.runs, self.statistics = 0, 0, statistics
        self.tax_ns, self.dispatch_ns, self.attached, self.jitter = tax_ns, dispatch_ns, False, 0

    def plain(self) -> None:
        self.jitter += 1
        self.now_ns += 180 + (self.tax_ns if self.attached else 0) + (self.jitter % 1_000 == 0) * 50_000

    def probed(self) -> None:
        self.plain()
        self.now_ns += 80
        if self.attached:
            self.runs += 1
            self.now_ns += self.dispatch_ns + RUN_NS

    def program(self) -> ProgramRuns:
        known = (self.runs, self.runs * RUN_NS) if self.statistics else (None, None)
        return ProgramRuns("born", Hook.SYSCALL, *known)

    def calibrate(self) -> Calibration:
        calibrator = Calibrator(Laboratory(self.plain, self.probed, lambda: self.now_ns))
        calibrator.before()
        self.attached = True
        return calibrator.after(self.program)


def test_it_finds_what_statistics_do_not_see() -> None:
    found = Machine().calibrate()
    assert found.syscall_ns == pytest.approx(70)
    assert found.hook_ns[Hook.SYSCALL] == pytest.approx(90)
    assert found.foreign_run_ns == pytest.approx(RUN_NS)
    assert found.measured == {"syscall", "dispatch", "foreign run"}


def test_without_statistics_only_the_tax_is_known() -> None:
    found = Machine(statistics=False).calibrate()
    assert found.measured == {"syscall"}
    assert found.hook_ns == Calibration().hook_ns


@pytest.mark.parametrize("tax_ns", [-50, 0, 5_000])
def test_a_difference_that_makes_no_sense_is_not_used(tax_ns: int) -> None:
    assert Machine(tax_ns=tax_ns).calibrate() == Calibration()


def test_it_ends_at_its_deadline() -> None:
    machine = Machine(tax_ns=1_000_000)
    machine.attached = True
    time_per_call_ns(machine.plain, lambda: machine.now_ns, limit_ns=1_000_000)
    assert machine.jitter == 400  # one round


def test_all_of_it_takes_less_than_50_ms() -> None:
    machine = Machine()
    machine.calibrate()
    assert machine.now_ns < 50_000_000


def test_after_without_before_changes_nothing() -> None:
    assert Calibrator().after(Machine().program) == Calibration()


def test_an_uprobe_is_timed_on_memprobes_own_function() -> None:
    machine = Machine(tax_ns=800)

    @contextmanager
    def attached() -> Iterator[Callable[[], ProgramRuns]]:
        machine.attached = True
        yield lambda: ProgramRuns("hit", Hook.UPROBE, 0, 0)

    calibrator = Calibrator(Laboratory(machine.plain, machine.probed, lambda: machine.now_ns))
    found = calibrator.uprobe(machine.plain, attached())
    assert found.hook_ns[Hook.UPROBE] == pytest.approx(800)
    assert found.measured == {"uprobe"}


def test_this_machine_can_be_timed() -> None:
    calibrator = Calibrator()
    calibrator.before()
    calibrator.after(lambda: ProgramRuns("none", Hook.SYSCALL, None, None))
    assert calibrator.calibration.syscall_ns > 0
