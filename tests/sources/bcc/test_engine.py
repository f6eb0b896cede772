"""The engine bcc as users meet it: where BTF is missing it is taken, where it cannot work it says why."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from cli.running import complaint, document, run
from cli.test_attach import OPENED, attached, born, ended, frame_of, wait_for
from memprobe.errors import NoKernelSupport, NoMoreProcesses
from memprobe.sources.bcc import compiling
from memprobe.sources.bcc.compiling import compiled
from memprobe.sources.bcc.headers import find_headers
from pythons import own
from target.looking import needs_root

pytestmark = [pytest.mark.usefixtures("bpf"), needs_root]

HIDE = 'mount -t tmpfs none /sys/kernel/btf && exec "$@"'
WITHOUT_BTF = ("unshare", "--mount", "sh", "-c", HIDE, "sh")


def test_without_btf_it_is_taken_and_sees_the_same(targets: Path, tmp_path: Path) -> None:
    recording = tmp_path / "run.mprobe"
    with (
        own().spawn(targets / "leaking.py") as target,
        attached(target.pid, "--json", "--record", recording, wrapper=WITHOUT_BTF) as process,
    ):
        wait_for(recording, "pictures", process)
        truth = json.loads(target.ask(str(OPENED)))
        report = ended(process)
    evidence = report["evidence"]
    assert evidence["engine"] == "bcc", evidence["engine_why"]
    assert evidence["engine_why"].startswith("not libbpf: ")
    assert (report["target"]["tier"], evidence["invisible"]) == (2, [])
    assert sum(row["open"] for row in report["handles"]) == len(truth) - 1
    (files,) = born(report, "open_file")
    assert (files["open"], frame_of(files, "open_file")["line"]) == (OPENED, 11)


def test_libbpf_is_refused_there(targets: Path) -> None:
    with own().spawn(targets / "leaking.py") as target:
        refused = run("attach", target.pid, "--engine", "libbpf", "--duration", "1", wrapper=WITHOUT_BTF)
    assert "the kernel refuses memprobe's BPF program" in complaint(refused, 6)


def test_without_headers_it_says_what_to_install(targets: Path, tmp_path: Path) -> None:
    options = ("--engine", "bcc", "--kernel-headers", str(tmp_path))
    with own().spawn(targets / "leaking.py") as target:
        words = complaint(run("attach", target.pid, *options), 6)
    assert f"there are no kernel headers in {tmp_path}; apt-get install linux-headers-" in words


def test_without_bcc_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "PYTHONS", ("/bin/false", "/nowhere/python3"))
    compiling.python_with_bcc.cache_clear()
    with pytest.raises(NoKernelSupport, match="no package bcc") as refused:
        compiling.python_with_bcc()
    assert refused.value.remedy == "apt-get install python3-bpfcc"


def test_no_room_for_the_compiler_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> NoReturn:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(compiling, "python_with_bcc", lambda: sys.executable)
    monkeypatch.setattr(subprocess, "run", full)
    with pytest.raises(NoMoreProcesses, match=r"cannot start the compiler .*\(Resource temporarily"):
        compiled({"any": ""}, find_headers())


def test_the_words_of_the_compiler_are_told() -> None:
    with pytest.raises(NoKernelSupport, match=r"bcc cannot compile 'wrong': .*error: .*nonsense"):
        compiled({"wrong": "int wrong(void *context) { return nonsense; }"}, find_headers())


def test_doctor_has_tried_it() -> None:
    (told,) = [one for one in document("doctor")["engines"] if one["name"] == "bcc"]
    assert told["ok"], told
