"""What is left of a run where rights are missing: by seccomp, without capabilities, of another user."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

import pythons
from cli.running import complaint, document
from cli.unprivileged import as_nobody, needs_root
from inside.protected import ORDINARY

CONFINED = Path(__file__).with_name("confined.py")
WITHOUT_CAPABILITIES = ("setpriv", "--bounding-set", "-all", "--inh-caps", "-all", "--")
FOR = ("--duration", "1", "--no-learn")
BAR = 'mount --bind "$1" "/proc/$2/mem" && shift 2 && exec "$@"'


def confined(refusal: int) -> tuple[str, ...]:
    return sys.executable, str(CONFINED), str(refusal)


@pytest.mark.parametrize("refusal", [errno.EPERM, errno.ENOSYS], ids=errno.errorcode.__getitem__)
def test_a_seccomp_profile_that_forbids_all_but_files(targets: Path, refusal: int) -> None:
    """The memory is read all the same, through /proc/<pid>/mem: the kernel asks for the same right there."""
    with pythons.own().spawn(targets / "leaking.py") as target:
        report = document("attach", target.pid, *FOR, wrapper=confined(refusal))
        inspected = document("inspect", target.pid, wrapper=confined(refusal))
    evidence = report["evidence"]
    assert evidence["engine"] == "proc"
    assert all(f"not {name}: " in evidence["engine_why"] for name in ("libbpf", "bcc"))
    assert "ptrace" not in evidence["engine_why"]  # it would not work
    assert any("is not seen: " in sentence for sentence in evidence["invisible"])
    assert report["target"]["tier"] == 1
    assert report["process"]["gc"]["enabled"] is True
    assert inspected["target"]["tier"] == 1


@needs_root
def test_without_any_capability_a_process_of_the_same_user(targets: Path) -> None:
    with pythons.own().spawn(targets / "leaking.py", wrapper=WITHOUT_CAPABILITIES) as target:
        report = document("attach", target.pid, *FOR, wrapper=WITHOUT_CAPABILITIES)
        target.ask("3")
    assert report["target"]["tier"] == 1
    assert report["evidence"]["engine"] == "proc"
    assert "not libbpf: " in report["evidence"]["engine_why"]
    assert report["process"]["gc"]["enabled"] is True


@needs_root
def test_an_ordinary_user_and_a_process_of_his(targets: Path) -> None:
    with pythons.own().spawn(targets / "leaking.py", wrapper=ORDINARY) as target:
        report = document("attach", target.pid, *FOR, wrapper=ORDINARY)
    assert report["target"]["tier"] == 1
    assert "not libbpf: " in report["evidence"]["engine_why"]
    assert report["process"]["gc"]["enabled"] is True
    assert report["evidence"]["snapshots"] >= 1


@needs_root
@pytest.mark.parametrize("command", ["attach", "handles"])
def test_an_ordinary_user_and_a_process_of_another(targets: Path, command: str) -> None:
    with pythons.own().spawn(targets / "leaking.py") as target:
        words = complaint(as_nobody(command, target.pid, "--duration", "1"), 3)
    assert f"not permitted to read /proc/{target.pid}/maps" in words
    assert "run memprobe as root (sudo) or as the user who owns" in words


@needs_root
def test_memory_that_is_barred_leaves_what_proc_shows(targets: Path, tmp_path: Path) -> None:
    """Tier 0: the profile of a container, and a security module that bars the memory of others."""
    barred = tmp_path / "barred"
    barred.touch(mode=0)
    os.chown(barred, 65534, 65534)  # without capabilities root may not read it, either
    recording = str(tmp_path / "run.mprobe")
    with pythons.own().spawn(targets / "leaking.py", wrapper=WITHOUT_CAPABILITIES) as target:
        bar = ("unshare", "--mount", "sh", "-c", BAR, "sh", str(barred), str(target.pid))
        wrapper = (*bar, *WITHOUT_CAPABILITIES, *confined(errno.EPERM))
        report = document("attach", target.pid, *FOR, "--record", recording, wrapper=wrapper)
    assert report["target"]["tier"] == 0
    assert report["evidence"]["engine"] == "proc"
    assert any("no right to read the memory" in sentence for sentence in report["evidence"]["invisible"])
    assert report["memory"]["rss_mb"] > 1
    assert report["process"]["fds"] == sum(row["open"] for row in report["handles"])
    assert document("report", recording) == report
