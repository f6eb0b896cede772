"""inspect under every interpreter: the document, the page, and the same from an image."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import pythons
from cli.running import complaint, document, run
from cli.unprivileged import needs_root
from memprobe.errors import LayoutCheckFailed, NotPermitted
from memprobe.target.inspection import assembly as inspection
from memprobe.target.inspection import py_spy
from memprobe.target.inspection.document import Inspection
from patience import PATIENCE_S

Look = Callable[[], Inspection]


def by_name(threads: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {thread["name"]: thread for thread in threads}


def test_the_document_agrees_with_the_target(interpreter: pythons.Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "service.py") as target:
        truth = json.loads(target.ready)
        seen = document("inspect", target.pid, "--stacks")
    assert seen["schema"] == "memprobe.inspect/1"
    assert seen["target"]["pid"] == target.pid
    assert seen["target"]["python"] == truth["version"] == seen["python"]["version"]
    assert seen["target"]["tier"] == 1
    assert seen["target"]["uid"] == truth["uid"]
    assert seen["target"]["cmdline"][-1].endswith("service.py")
    assert seen["python"]["hexversion"] == truth["hexversion"]
    assert all(check["passed"] for check in seen["python"]["checks"]), seen["python"]["checks"]
    assert [one["main"] for one in seen["python"]["interpreters"]] == [True]
    assert seen["process"]["fds"] == truth["fds"]
    assert seen["process"]["threads"] == 3
    assert seen["process"]["gc"]["thresholds"][:2] == truth["thresholds"][:2]
    assert seen["process"]["gc"]["enabled"] is True
    assert 1 < seen["memory"]["uss_mb"] <= seen["memory"]["pss_mb"] <= seen["memory"]["rss_mb"]
    assert sum(part["open"] for part in seen["handles"]) == truth["fds"]
    threads = by_name(seen["threads"])
    assert threads.keys() == {name for name, _, _ in truth["threads"]}
    for name, daemon, ident in truth["threads"]:
        assert (threads[name]["daemon"], threads[name]["thread_id"]) == (daemon, ident)
        assert threads[name]["complete"]
    assert threads["MainThread"]["tid"] == target.pid
    assert [frame["function"] for frame in threads["MainThread"]["frames"]] == ["answer", "<module>"]
    assert [frame["function"] for frame in threads["plain"]["frames"]][-4] == "wait_in_a_thread"


def test_an_image_shows_the_same_document(
    interpreter: pythons.Interpreter, targets: Path, tmp_path: Path
) -> None:
    image = tmp_path / "saved.mpimage"
    with interpreter.spawn(targets / "service.py") as target:
        seen = document("inspect", target.pid, "--save-image", str(image))
    assert image.stat().st_mode & 0o777 == 0o600
    assert document("inspect", str(image)) == seen
    shown = run("inspect", str(image), "--stacks")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "worker-日本" in shown.stdout


@needs_root
def test_a_target_in_namespaces_of_its_own(interpreter: pythons.Interpreter, targets: Path) -> None:
    """Own pid, mount and net namespace, and a root of its own where the interpreter has one."""
    script = interpreter.path_inside(targets / "service.py")
    enter = ["unshare", "--pid", "--mount", "--net", "--fork", "--kill-child"]
    with pythons.spawn_command([*enter, *interpreter.command(script)]) as target:
        truth = json.loads(target.ready)
        children = Path(f"/proc/{target.pid}/task/{target.pid}/children").read_text()
        seen = document("inspect", int(children))
    assert truth["pid"] == seen["target"]["ns_pid"] == 1
    assert seen["target"]["pid"] == int(children)
    assert seen["target"]["python"] == interpreter.patch
    assert {"mnt", "net", "pid"} <= set(re.findall(r"\w+", seen["target"]["container"]))
    threads = by_name(seen["threads"])
    assert threads.keys() == {name for name, _, _ in truth["threads"]}
    assert threads["MainThread"]["tid"] == int(children)
    assert all(thread["complete"] and thread["tid"] for thread in seen["threads"])


def test_the_page_is_plain_in_a_pipe(targets: Path) -> None:
    with pythons.own().spawn(targets / "service.py", "no-gc") as target:
        shown = run("inspect", target.pid, "--stacks").stdout
    assert re.match(rf"pid {target.pid} is CPython 3\.\d+\.\d+\S*: up ", shown)
    assert "garbage collector off" in shown.splitlines()[0]
    assert "\x1b" not in shown
    assert "worker-日本" in shown
    assert "wait_in_a_thread" in shown


def test_all_sizes_fit_a_terminal(targets: Path) -> None:
    with pythons.own().spawn(targets / "service.py") as target:
        for width in ("80", "160"):
            shown = in_a_terminal(["inspect", str(target.pid), "--stacks"], {"COLUMNS": width})
            lines = re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines()
            assert "\x1b[" in shown
            assert max(map(len, lines)) <= int(width)


def in_a_terminal(arguments: list[str], environment: dict[str, str]) -> str:
    """What the command prints when its standard output is a terminal."""
    from cli.running import COMMAND

    leader, follower = os.openpty()
    child = os.fork()
    if child == 0:
        os.dup2(follower, 1)
        os.environ.update({"TERM": "xterm-256color", **environment})
        os.environ.pop("NO_COLOR", None)
        os.execv(COMMAND[0], [*COMMAND, *arguments])
    os.close(follower)
    output = b""
    try:
        while chunk := os.read(leader, 65536):
            output += chunk
    except OSError:  # EIO: the last one who had the terminal open is gone
        pass
    os.close(leader)
    assert os.waitpid(child, 0)[1] == 0
    return output.decode()


def test_without_a_right_to_the_memory_it_shows_tier_0(
    targets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise NotPermitted("no right to read the memory of process 5", remedy="run memprobe with sudo")

    monkeypatch.setattr(inspection, "LiveMemory", refuse)
    with pythons.own().spawn(targets / "service.py") as target:
        seen = inspection.inspect_process(target.pid)
        with pytest.raises(NotPermitted):
            inspection.inspect_process(target.pid, save_image="/tmp/never-written")
    assert seen.target.tier == 0
    assert seen.target.python == pythons.own().patch
    assert seen.memory.rss_mb
    assert seen.process.fds
    assert seen.process.gc is None
    assert {thread.complete for thread in seen.threads} == {None}
    assert len(seen.threads) == 3
    assert "no right to read the memory of process 5; run memprobe with sudo" in seen.invisible[0]


@pytest.fixture
def with_a_failing_check(targets: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Look]:
    """Inspect a target whose layout is wrong, as far as memprobe can tell."""

    def fail(*_: object, **__: object) -> None:
        raise LayoutCheckFailed("the layout check 'type of type' failed: it is something else")

    monkeypatch.setattr(inspection, "attach_python", fail)
    monkeypatch.setattr(py_spy, "TIMEOUT_S", PATIENCE_S)
    with pythons.own().spawn(targets / "service.py") as target:
        yield lambda: py_spy.with_stacks(inspection.inspect_process(target.pid))


def test_a_failing_check_is_named_and_py_spy_takes_over(with_a_failing_check: Look) -> None:
    seen: Inspection = with_a_failing_check()
    assert seen.target.tier == 0
    assert seen.python is not None
    assert [check.passed for check in seen.python.checks] == [False]
    assert "type of type" in seen.invisible[0]
    assert seen.python.stacks_from == "py-spy"
    assert any("read by py-spy" in sentence for sentence in seen.invisible)
    threads = {thread.name: thread for thread in seen.threads}
    assert threads["MainThread"].tid == seen.target.pid
    assert [frame.function for frame in threads["MainThread"].frames] == ["answer", "<module>"]


def test_without_py_spy_it_says_what_would_help(
    with_a_failing_check: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(py_spy, "find", lambda: None)
    seen: Inspection = with_a_failing_check()
    assert seen.python is not None
    assert seen.python.stacks_from is None
    assert "pip install memprobe-ebpf[py-spy]" in seen.invisible[-1]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo nonsense", "could not read"),
        ("echo broken >&2; exit 1", "broken"),
        ("exec sleep 900", "no answer"),
    ],
)
def test_a_py_spy_that_fails_is_said_to_have_failed(
    with_a_failing_check: Look,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    script: str,
    words: str,
) -> None:
    program = tmp_path / "py-spy"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(py_spy, "find", lambda: str(program))
    if "sleep" in script:
        monkeypatch.setattr(py_spy, "TIMEOUT_S", 0.5)
    seen: Inspection = with_a_failing_check()
    assert words in seen.invisible[-1]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/nonexistent/folder/x.mpimage", "no file can be made in '/nonexistent/folder'"),
        ("/proc/x.mpimage", "no file can be made in '/proc'"),
        ("/tmp", "not a regular file"),
        ("/dev/null", "not a regular file"),
    ],
)
def test_an_image_that_cannot_be_written_is_refused_before_any_work(path: str, words: str) -> None:
    # Not a Python at all: had it been looked at, the complaint would be another one.
    assert words in complaint(run("inspect", os.getppid(), "--save-image", path), 8)


def test_an_image_of_an_image_is_a_usage_error(tmp_path: Path) -> None:
    image = tmp_path / "x.mpimage"
    image.touch()
    assert "--save-image needs a process" in complaint(run("inspect", str(image), "--save-image", "y"), 2)


@pytest.mark.root
def test_a_target_that_never_answers_is_given_up(targets: Path) -> None:
    own = pythons.own()
    if not (3, 9) <= own.version <= (3, 11):
        pytest.skip("the target knows the interpreter state of 3.9 to 3.11 only")
    with own.spawn(targets / "withholds_memory.py", ready="") as target:
        if target.ready == "refused":
            pytest.skip("this kernel has no userfaultfd for us")
        assert "does not return" in complaint(run("inspect", target.pid), 5)
