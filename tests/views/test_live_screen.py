"""The live view: what is on it at any size, and in a real terminal with keys."""

from __future__ import annotations

import os
import subprocess
import sys
import termios
from dataclasses import replace
from pathlib import Path

import pytest

from memprobe.views.escaping import cells
from memprobe.views.live_frame import HEADING, MARKED, State, frame
from memprobe.views.live_screen import DOWN, ENTER_KEY, ESCAPE, UP, press, split_keys
from memprobe.views.sparkline import sparkline
from patience import PATIENCE_S
from views.made_up_report import report
from views.made_up_story import story
from views.tmux import terminal

ARTEFACTS = os.environ.get("MEMPROBE_ARTEFACTS")
PROGRAM = Path(__file__).parent / "live_program.py"
STORY = story()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 50), (40, 10), (10, 3), (1, 2)])
@pytest.mark.parametrize("is_open", [False, True])
def test_it_fits_and_hostile_names_stay_text(width: int, height: int, is_open: bool) -> None:
    for chosen in range(9):
        lines = frame(STORY, State(chosen=chosen, is_open=is_open), width, height)
        assert 0 < len(lines) <= height
        assert all(line.text.isprintable() and cells(line.text) <= width for line in lines)


def test_a_small_screen_has_every_part() -> None:
    lines = frame(STORY, State(), 80, 24)
    assert lines[0].text.startswith("pid 4711: 5 leaks: handles (97 %)")
    headings = [line.text for line in lines if line.style == HEADING]
    assert headings == ["findings", "growing, by growth", "memory grows at", "open handles by site"]
    assert "▁" in lines[1].text
    assert "█" in lines[1].text
    text = "\n".join(line.text for line in lines)
    for part in ("collector on, ran 5 4 3", "cost: 0.12 % to it, 2.5 % of a core", "q end"):
        assert part in text


def test_what_grows_is_sorted_as_chosen() -> None:
    def first(sort: int) -> str:
        lines = [line.text for line in frame(STORY, State(sort=sort), 120, 40)]
        return next(lines[number + 1] for number, line in enumerate(lines) if line.startswith("growing"))

    assert "HOLDER58" in first(0)  # the one that grows fastest
    assert first(2) != first(0)


def test_keys() -> None:
    assert split_keys(f"p{UP}\rq") == ["p", UP, "\n", "q"]
    state = State()
    for key in (DOWN, DOWN, UP, "p", "s", ENTER_KEY, DOWN):
        press(state, key)
    assert (state.chosen, state.is_paused, state.sort, state.is_open, state.scroll) == (1, True, 1, True, 1)
    press(state, ESCAPE)
    assert not state.is_open


def test_a_sparkline_is_as_wide_as_is_asked_for() -> None:
    assert sparkline([], 10) == ""
    assert sparkline([(0, 5)], 10) == "▁"
    assert sparkline([(float(n), float(n)) for n in range(100)], 8) == "▁▂▃▄▅▆▇█"
    assert len(sparkline([(float(n), float(n % 7)) for n in range(1000)], 33)) == 33


def test_in_a_terminal_with_keys_and_another_size(tmp_path: Path) -> None:
    pictures = Path(ARTEFACTS) if ARTEFACTS else tmp_path
    pictures.mkdir(parents=True, exist_ok=True)
    where = tmp_path / "reports"
    where.mkdir()
    command = ["sh", "-c", 'cd "$1" && exec "$2" "$3"', "sh", str(where), sys.executable, str(PROGRAM)]
    with terminal(tmp_path, command, 80, 24, {"PYTHONPATH": os.pathsep.join(sys.path)}) as shown:
        screen = shown.wait(lambda lines: any("q end" in line for line in lines))
        assert len(screen) == 24
        assert max(map(cells, screen)) <= 80
        assert screen[0].startswith("pid 4711: 5 leaks")
        shown.picture(pictures / "live-80x24.svg", 80)
        shown.resize(200, 50)
        screen = shown.wait(lambda lines: any("q end" in line for line in lines[40:]))
        assert max(map(cells, screen)) > 80
        shown.picture(pictures / "live-200x50.svg", 200)
        shown.press("p")
        shown.wait(lambda lines: lines[0].startswith("PAUSED"))
        shown.press("s")
        shown.wait(lambda lines: any(line.startswith("growing, by size") for line in lines))
        shown.press("Down", "Enter")
        screen = shown.wait(lambda lines: any("Esc back" in line for line in lines))
        assert any(line.startswith("stack, innermost first") for line in screen)
        shown.press("Escape")
        shown.wait(lambda lines: any("q end  p pause" in line for line in lines))
        shown.press("w")
        shown.wait(lambda lines: any("written: memprobe-4711.html" in line for line in lines))
        assert (where / "memprobe-4711.html").stat().st_size > 10_000
        shown.press("q")
        screen = shown.wait(lambda lines: "ended well" in lines)
        assert "icanon" in shown.wait(lambda lines: any("icanon" in line for line in lines))
        assert not any("pid 4711" in line for line in screen)


IN_THE_BACKGROUND = """
import fcntl, os, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
if not (child := os.fork()):
    os.setpgid(0, 0)
    from memprobe.views.live_screen import LiveScreen, live_view
    os._exit(isinstance(live_view(), LiveScreen))
_, status = os.waitpid(child, os.WUNTRACED)
if os.WIFSTOPPED(status):
    os.kill(child, 9)
os._exit(0 if status == 0 else 1)
"""


def test_in_the_background_it_is_not_stopped() -> None:
    ours, theirs = os.openpty()
    try:
        termios.tcsetwinsize(theirs, (24, 80))
        command = [sys.executable, "-c", IN_THE_BACKGROUND]
        environment = {**os.environ, "TERM": "xterm", "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(
            command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, env=environment
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 0


STOPPED = """
import sys, termios
from memprobe.views.live_screen import LiveScreen, live_view
from memprobe.views.status_line import StatusLine
from views.test_live_screen import STORY

live, line = live_view(), StatusLine()
assert isinstance(live, LiveScreen)
assert line.is_shown
termios.tcflow(sys.stderr, termios.TCOOFF)
live.show(STORY)
line.overwrite("so far")
assert live.tick()
termios.tcflow(sys.stderr, termios.TCOON)
sys.stderr.write("not held up")
live.show(STORY)
live.erase()
"""


def test_a_terminal_that_is_stopped_holds_nothing_up() -> None:
    """Ctrl-S, or a connection that hangs: the loop of the run draws, and would stand still with it."""
    ours, theirs = os.openpty()
    try:
        termios.tcsetwinsize(theirs, (24, 80))
        command = [sys.executable, "-c", STOPPED]
        environment = {**os.environ, "TERM": "xterm", "PYTHONPATH": os.pathsep.join(sys.path)}
        subprocess.run(command, stdin=theirs, stderr=theirs, env=environment, timeout=PATIENCE_S, check=True)
        before, _, after = os.read(ours, 1 << 16).decode().partition("not held up")
    finally:
        os.close(ours)
        os.close(theirs)
    assert "pid 4711" not in before
    assert "pid 4711" in after


def test_without_a_terminal_nothing_is_drawn(capfd: pytest.CaptureFixture[str]) -> None:
    from memprobe.views.live_screen import live_view

    live = live_view()
    assert not live.is_shown
    live.show(STORY)
    assert live.tick()
    live.erase()
    assert capfd.readouterr().err == ""


def test_the_chosen_finding_is_seen_however_far_down_it_is() -> None:
    for chosen in range(len(report()["findings"])):
        lines = frame(STORY, State(chosen=chosen), 80, 24)
        assert [line.text[0] for line in lines if line.style == MARKED] == [">"]


def test_what_is_open_stays_open_when_others_come_before_it() -> None:
    state, findings = State(), report()["findings"]
    press(state, ENTER_KEY)
    shown = frame(STORY, state, 200, 50)[0].text
    assert findings[0]["title"][:20] in shown
    moved = replace(STORY, document=report(findings=[findings[1], findings[2], findings[0]]))
    assert frame(moved, state, 200, 50)[0].text == shown
    press(state, ESCAPE)
    lines = frame(moved, state, 80, 24)
    assert next(line for line in lines if line.style == MARKED).text.startswith(">")
    assert state.chosen == 2
