"""A terminal of a chosen size with a program in it, whose screen can be read and whose keys pressed."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from patience import PATIENCE_S


class Terminal:
    """One window of tmux."""

    def __init__(self, socket: Path) -> None:
        self._command = ("tmux", "-f", "/dev/null", "-S", str(socket))

    def call(self, *arguments: str) -> str:
        """Ask tmux for something."""
        done = subprocess.run([*self._command, *arguments], capture_output=True, text=True, check=True)
        return done.stdout

    def screen(self) -> list[str]:
        """The lines that are seen now."""
        return self.call("capture-pane", "-p", "-t", "it").splitlines()

    def press(self, *keys: str) -> None:
        """Press keys, named as tmux does."""
        self.call("send-keys", "-t", "it", *keys)

    def resize(self, width: int, height: int) -> None:
        """Give it another size."""
        self.call("resize-window", "-t", "it", "-x", str(width), "-y", str(height))

    def wait(self, wanted: Callable[[list[str]], bool]) -> list[str]:
        """Wait until the screen is as wanted, and return it."""
        end_s = time.monotonic() + PATIENCE_S
        while not wanted(screen := self.screen()):
            assert time.monotonic() < end_s, "\n".join(screen)
            time.sleep(0.05)
        return screen

    def picture(self, path: Path, width: int) -> None:
        """Save what is seen as a picture."""
        text = Text.from_ansi(self.call("capture-pane", "-p", "-e", "-t", "it"))
        with open(os.devnull, "w", encoding="utf-8") as nowhere:
            console = Console(record=True, width=width, file=nowhere, force_terminal=True)
            console.print(text)
            path.write_text(console.export_svg(title="memprobe"), encoding="utf-8")


@contextmanager
def terminal(
    folder: Path, command: Sequence[str], width: int, height: int, environment: dict[str, str] | None = None
) -> Iterator[Terminal]:
    """Run a command in a terminal; what comes after it stays on the screen."""
    if shutil.which("tmux") is None:
        assert not os.environ.get("CI"), "no tmux: run make setup"
        pytest.skip("no tmux: run make setup")
    shown = Terminal(folder / "tmux")
    variables = [f"{name}={value}" for name, value in {"LC_ALL": "C.UTF-8", **(environment or {})}.items()]
    script = f"{shlex.join(['env', *variables, *command])}; stty -a | grep -o -- '-\\?icanon'; read line"
    size = ("-x", str(width), "-y", str(height))
    shown.call("new-session", "-d", *size, "-s", "it", script, ";", "set", "-g", "status", "off")
    try:
        yield shown
    finally:
        subprocess.run([*shown._command, "kill-server"], capture_output=True, check=False)
