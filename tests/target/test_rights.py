from __future__ import annotations

import os
import sys
from collections.abc import Callable

import pytest

import kernel
from memprobe import errors
from memprobe.target.rights import kernel_calls
from memprobe.target.rights.kernel_features import Check
from memprobe.target.rights.rights import Rights, check_rights, reached_tier
from target.looking import WAIT, as_nobody, drop_capabilities, in_a_child, needs_root, running

CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_PERFMON, CAP_BPF = 19, 21, 38, 39


def by_name(rights: Rights) -> dict[str, Check]:
    names = [check.name for check in rights.checks]
    assert len(names) == len(set(names))
    assert [check.tier for check in rights.checks] == sorted(check.tier for check in rights.checks)
    return {check.name: check for check in rights.checks}


def test_every_check_says_something() -> None:
    for check in check_rights().checks:
        assert check.detail
        assert check.ok or check.remedy or not check.required
        assert "\n" not in check.detail + check.remedy
        assert check.tier in (0, 1, 2)


@needs_root
def test_root_has_every_tier_where_the_kernel_has_bpf() -> None:
    if kernel.bpf_refusal():
        pytest.skip(kernel.bpf_refusal())
    rights = check_rights()
    assert rights.tier == 2, [check for check in rights.checks if check.required and not check.ok]


@needs_root
def test_nobody_and_a_foreign_process() -> None:
    with running(sys.executable, "-c", WAIT) as target:
        pid = target.pid
        rights = as_nobody(lambda: check_rights(pid))
        checks = by_name(rights)
        assert (rights.tier, rights.pid) == (0, pid)
        assert checks["proc"].ok
        assert not checks["read memory"].ok
        assert f"sudo memprobe doctor {pid}" in checks["read memory"].remedy
        assert not checks["CAP_SYS_PTRACE"].ok
        assert check_rights(pid).tier != 0


@needs_root
def test_nobody_and_an_own_child() -> None:
    checks = by_name(as_nobody(check_rights))
    assert checks["read memory"].ok
    assert "others need CAP_SYS_PTRACE" in checks["read memory"].detail
    assert not checks["bpf programs"].ok
    assert "sudo" in checks["bpf programs"].remedy


def with_only(*kept: int) -> Callable[[], Rights]:
    def look() -> Rights:
        drop_capabilities(*(number for number in range(41) if number not in kept))
        return check_rights()

    return look


@needs_root
def test_capabilities_of_a_sidecar() -> None:
    """CAP_BPF and CAP_PERFMON are tier 2, though perf events of uprobes and statistics want more."""
    if kernel.bpf_refusal():
        pytest.skip(kernel.bpf_refusal())
    rights = in_a_child(with_only(CAP_SYS_PTRACE, CAP_PERFMON, CAP_BPF))
    checks = by_name(rights)
    assert rights.tier == 2
    assert checks["CAP_BPF"].ok
    assert not checks["CAP_SYS_ADMIN"].ok
    assert not checks["bpf statistics"].ok
    assert not checks["map_files"].ok
    assert checks["uprobes"].ok


def test_no_such_process() -> None:
    with pytest.raises(errors.NoSuchProcess):
        check_rights(1 << 22)


def test_nothing_is_left() -> None:
    """No child, no descriptor, no program in the kernel."""
    check_rights()
    before = os.listdir("/proc/self/fd")
    check_rights()
    assert os.listdir("/proc/self/fd") == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def made_up(*rows: tuple[int, bool, bool]) -> tuple[Check, ...]:
    return tuple(
        Check(f"{number}", ok, "", "", tier, required) for number, (tier, ok, required) in enumerate(rows)
    )


def test_tier() -> None:
    fine = ((0, True, True), (1, True, True), (2, True, True))
    assert reached_tier(made_up(*fine)) == 2
    assert reached_tier(made_up(*fine, (2, False, False), (1, False, False))) == 2
    assert reached_tier(made_up(*fine, (2, False, True))) == 1
    assert reached_tier(made_up(*fine, (2, False, True), (1, False, True))) == 0
    assert reached_tier(made_up(*fine, (0, False, True))) is None


def test_a_machine_without_known_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "vax")
    with pytest.raises(kernel_calls.KernelRefused, match="not known"):
        kernel_calls.create_ring(4096)
