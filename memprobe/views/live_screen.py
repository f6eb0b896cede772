"""The live view: the whole terminal while a run goes on, and keys to look closer.

Drawn on standard error, so that standard output is the report's alone. Where that or standard input is no
terminal, or a poor one, a single line that is overwritten does.
"""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any, Protocol

from memprobe.errors import MemprobeError
from memprobe.views import files, html
from memprobe.views.live import LiveLine
from memprobe.views.live_frame import CRITICAL, DIM, HEADING, MARKED, SORTS, STRONG, WARNING, State, frame
from memprobe.views.room import has_room
from memprobe.views.story import Story

ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
HOME, ERASE_LINE, ERASE_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
CODES = {STRONG: "1", HEADING: "1;36", DIM: "2", MARKED: "7", WARNING: "33", CRITICAL: "31"}
COLOURS = (HEADING, WARNING, CRITICAL)
ESCAPE, ENTER_KEY, UP, DOWN = "\x1b", "\n", "\x1b[A", "\x1b[B"
SMALLEST = (40, 10)


class LiveView(Protocol):
    """What a run shows itself on."""

    @property
    def is_shown(self) -> bool:
        """Whether anybody sees it: if not, nothing need be computed."""
        ...

    def show(self, story: Story) -> None:
        """Show how the run stands."""
        ...

    def tick(self) -> bool:
        """Do what the keys say; False once the run is to end. Called several times a second."""
        ...

    def erase(self) -> None:
        """Leave the terminal as it was."""
        ...


def live_view() -> LiveView:
    """The view that fits where it is shown."""
    streams = sys.stdin, sys.stderr
    if all(stream is not None and stream.isatty() for stream in streams) and os.environ.get("TERM") != "dumb":
        size = _size()
        if size[0] >= SMALLEST[0] and size[1] >= SMALLEST[1] and _is_in_front():
            return LiveScreen()
    return _Line()


def _is_in_front() -> bool:
    """Whether the keys are ours: the kernel stops a program in the background that sets the terminal."""
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except OSError:  # the terminal of another session: nobody is stopped for it
        return True


class _Line:
    """One line, for where there is no terminal to draw on."""

    def __init__(self) -> None:
        self._line = LiveLine()
        self.is_shown = self._line.is_shown

    def show(self, story: Story) -> None:
        self._line.show(story.document)

    def tick(self) -> bool:
        return True

    def erase(self) -> None:
        self._line.erase()


class LiveScreen:
    """The whole terminal."""

    def __init__(self) -> None:
        self.is_shown = True
        self._state = State()
        self._story: Story | None = None
        self._drawn_size: tuple[int, int] | None = None
        self._goes_on = True
        self._before: list[Any] | None = termios.tcgetattr(sys.stdin)
        tty.setcbreak(sys.stdin, termios.TCSANOW)
        self._write(ENTER)

    def show(self, story: Story) -> None:
        """Show how the run stands, unless it is paused."""
        if self._story is None or not self._state.is_paused:
            self._story = story
            self._draw()

    def tick(self) -> bool:
        """Do what the keys say, and draw anew if the terminal has another size."""
        keys = self._keys()
        for key in keys:
            self._press(key)
        if self._story is not None and (keys or _size() != self._drawn_size):
            self._draw()
        return self._goes_on

    def erase(self) -> None:
        """Leave the terminal as it was. May be called twice."""
        if self._before is not None:
            self._write(LEAVE)
            with suppress(termios.error):  # the terminal is gone
                termios.tcsetattr(sys.stdin, termios.TCSANOW, self._before)
            self._before = None

    def _keys(self) -> list[str]:
        if not select.select([sys.stdin], [], [], 0)[0]:
            return []
        try:
            return split_keys(os.read(sys.stdin.fileno(), 64).decode("ascii", "replace"))
        except OSError:  # the terminal is gone
            return []

    def _press(self, key: str) -> None:
        state = self._state
        state.message = ""
        actions: dict[str, Callable[[], None]] = {"q": self._end, "w": self._write_report}
        if key in actions:
            actions[key]()
        else:
            press(state, key)

    def _end(self) -> None:
        self._goes_on = False

    def _write_report(self) -> None:
        if self._story is None:
            return
        name = _free_name(self._story.document["target"]["pid"])
        try:
            files.write(name, html.render(self._story))
            self._state.message = f"written: {name}"
        except MemprobeError as error:
            self._state.message = error.line

    def _draw(self) -> None:
        assert self._story is not None
        if not has_room(sys.stderr):
            return
        self._drawn_size = width, height = _size()
        is_coloured = not os.environ.get("NO_COLOR")
        lines = frame(self._story, self._state, width, height)
        painted = [_painted(line.text, line.style, is_coloured) + ERASE_LINE for line in lines]
        self._write(HOME + "\r\n".join(painted) + ERASE_BELOW)

    def _write(self, text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except OSError:  # the terminal is gone; the report may still have somewhere to go
            self.is_shown = False


def press(state: State, key: str) -> None:
    """Change what is shown by a key."""
    step = {UP: -1, "k": -1, DOWN: 1, "j": 1}.get(key, 0)
    if step and state.is_open:
        state.scroll += step
    elif step:
        state.chosen += step
    elif key == "p":
        state.is_paused = not state.is_paused
    elif key == "s":
        state.sort = (state.sort + 1) % len(SORTS)
    elif key in (ENTER_KEY, ESCAPE):
        state.is_open, state.opened, state.scroll = key == ENTER_KEY, "", 0


def split_keys(text: str) -> list[str]:
    """Take apart what came from the terminal at once: arrows are three characters each."""
    keys = []
    while text:
        length = 3 if text.startswith("\x1b[") else 1
        keys.append("\n" if text[0] == "\r" else text[:length])
        text = text[length:]
    return keys


def _painted(text: str, style: str, is_coloured: bool) -> str:
    code = CODES.get(style)
    if code is None or (style in COLOURS and not is_coloured):
        return text
    return f"\x1b[{code}m{text}\x1b[0m"


def _size() -> tuple[int, int]:
    try:
        size = os.get_terminal_size(sys.stderr.fileno())
    except OSError:
        return 80, 24
    return max(size.columns, 1), max(size.lines, 2)


def _free_name(pid: int) -> str:
    names = (f"memprobe-{pid}{f'-{number}' if number else ''}.html" for number in count())
    return next(name for name in names if not os.path.lexists(name))
