"""The interpreters and target programs of the tests, tested themselves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import pythons
from patience import until
from pythons import Interpreter, TargetFailed

ECHO = """
import json, os, sys
print("ready", json.dumps([os.getpid(), sys.version_info[:2], __file__, sys.argv[1:]]), flush=True)
for line in sys.stdin:
    print("echo", line.strip(), flush=True)
"""


@pytest.fixture
def echo(tmp_path: Path) -> Path:
    """A target program that says who it is and then repeats what it hears."""
    script = tmp_path / "echo.py"
    script.write_text(ECHO)
    return script


def test_run_gives_the_output(interpreter: Interpreter) -> None:
    output = interpreter.run("import platform, sys; print(platform.python_version(), sys.version_info[:2])")
    assert output == f"{interpreter.patch} {interpreter.version}\n"


def test_spawn_gives_the_pid_of_the_interpreter_itself(interpreter: Interpreter, echo: Path) -> None:
    with interpreter.spawn(echo, "one", "two") as target:
        pid, version, file, arguments = json.loads(target.ready)
        assert pid == target.pid
        assert Path(f"/proc/{pid}/exe").samefile(interpreter.path)
        assert tuple(version) == interpreter.version
        assert file == str(interpreter.path_inside(echo))
        assert arguments == ["one", "two"]
        assert target.ask("hello") == "echo hello"


def test_nothing_is_left_behind(interpreter: Interpreter, echo: Path) -> None:
    mounts = Path("/proc/self/mounts").read_text()
    with interpreter.spawn(echo) as target:
        pid = target.pid
    assert not Path(f"/proc/{pid}").exists()
    assert Path("/proc/self/mounts").read_text() == mounts
    assert sorted(path.name for path in echo.parent.iterdir()) == ["echo.py"]


def test_a_target_that_fails_says_why(tmp_path: Path) -> None:
    script = tmp_path / "bad.py"
    script.write_text("raise RuntimeError('on purpose')")
    with pytest.raises(TargetFailed, match="on purpose"), pythons.own().spawn(script):
        pass


def test_a_silent_target_is_given_up(echo: Path) -> None:
    with pythons.own().spawn(echo) as target, pytest.raises(TargetFailed):
        target.expect("never", timeout_s=0.05)


def test_targets_die_with_the_tests(echo: Path) -> None:
    program = (
        "import pathlib, pythons, sys, time\n"
        "with pythons.own().spawn(pathlib.Path(sys.argv[1])) as target:\n"
        "    print(target.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, echo],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(pythons.__file__).parent)},
    ) as tests:
        assert tests.stdout is not None
        pid = int(tests.stdout.readline())
        tests.kill()
    until(lambda: not _runs(pid))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_steering_variables_do_not_reach_a_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONMALLOC", "debug")
    monkeypatch.setenv("LD_PRELOAD", "/nonexistent.so")
    assert (
        pythons.own().run("import os; print('PYTHONMALLOC' in os.environ, 'LD_PRELOAD' in os.environ)")
        == "False False\n"
    )


def test_selection_by_minor_and_by_name() -> None:
    own = pythons.own()
    minor = f"{own.version[0]}.{own.version[1]}"
    assert own in pythons.selected(minor)
    assert pythons.selected(own.name) == (own,)
    assert set(pythons.selected(f" {own.name}, {minor}")) == set(pythons.selected(minor))
    assert set(pythons.selected("all")) == set(pythons.supported())


def test_selecting_what_is_not_there_names_it_and_what_is() -> None:
    with pytest.raises(LookupError, match=r"no interpreter 2\.7 here; found: .*3\.\d+"):
        pythons.selected(f"2.7,{pythons.own().name}")


def test_each_binary_is_listed_once() -> None:
    files = [(one.path.stat().st_dev, one.path.stat().st_ino) for one in pythons.discovered()]
    assert len(files) == len(set(files))
    names = [one.name for one in pythons.discovered()]
    assert len(names) == len(set(names))
