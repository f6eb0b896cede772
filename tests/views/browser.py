"""A real browser without a screen, driven over its DevTools protocol; one for all tests of a module."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import websocket

from patience import PATIENCE_S

NAMES = ("chromium-headless-shell", "chromium", "google-chrome", "chromium-browser")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-background-networking",
    "--remote-debugging-port=0",
    "--remote-allow-origins=*",
)


class Browser:
    """One page of the browser, and what it has complained about or asked for."""

    def __init__(self, address: str) -> None:
        self._socket = websocket.create_connection(address, timeout=PATIENCE_S)
        self._number = 0
        self.complaints: list[str] = []
        """Errors and warnings on the console, and exceptions that nobody has caught."""

        self.requests: list[str] = []
        """Whatever it has asked for, the page itself included."""

        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Ask for something and wait for the answer."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("id") == self._number:
                assert "error" not in message, message
                answer = message["result"]
                assert isinstance(answer, dict)
                return answer
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        told = message["params"]
        match message["method"]:
            case "Network.requestWillBeSent":
                self.requests.append(told["request"]["url"])
            case "Runtime.exceptionThrown":
                self.complaints.append(str(told["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if told["type"] in ("error", "warning", "assert"):
                self.complaints.append(str(told["args"]))
            case "Log.entryAdded" if told["entry"]["level"] in ("error", "warning"):
                self.complaints.append(str(told["entry"]))

    def open(self, path: Path, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Show a file, and wait until its scripts have run."""
        self.resize(width, height)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url="about:blank")
        self.complaints, self.requests = [], []
        self.call("Page.navigate", url=path.as_uri())
        self.wait("document.documentElement?.dataset.readyMs !== undefined")

    def resize(self, width: int, height: int) -> None:
        """Give the page another size."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def run(self, script: str) -> Any:
        """Return what an expression comes to."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, script: str) -> None:
        """Wait until an expression is true."""
        end_s = time.monotonic() + PATIENCE_S
        while not self.run(script):
            assert time.monotonic() < end_s, f"never true: {script}"
            time.sleep(0.02)

    def visit(self, selector: str) -> None:
        """Scroll to an element, and let the page draw what is seen then."""
        self.run(f"document.querySelector({selector!r}).scrollIntoView({{block: 'center'}})")
        self.run(
            "new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(go))))"
        )

    def press(self, key: str) -> None:
        """Press a key and let it go."""
        text = {"text": key} if len(key) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def drag(self, begin: tuple[float, float], end: tuple[float, float]) -> None:
        """Press the left button at one place and let it go at another."""
        for kind, (x, y) in (
            ("mousePressed", begin),
            ("mouseMoved", end),
            ("mouseReleased", end),
        ):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)

    def picture(self, path: Path, *, whole: bool = True) -> None:
        """Save what is seen as PNG."""
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(answer["data"]))


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """Start a browser; without one the test is skipped, in CI it fails (make setup installs one)."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        assert not os.environ.get("CI"), "no browser: run make setup"
        pytest.skip("no browser: run make setup")
    profile = folder / "profile"
    command = [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            page = Browser(_page(process))
            try:
                yield page
            finally:
                page.close()
        finally:
            # Debian's command is a script; killed alone it leaves the browser behind.
            os.killpg(process.pid, signal.SIGKILL)


def _page(process: subprocess.Popen[str]) -> str:
    """The address of its first page: it says on standard error where it listens."""
    assert process.stderr is not None
    address = next(line.split()[-1] for line in process.stderr if "DevTools listening on" in line)
    socket = websocket.create_connection(address, timeout=PATIENCE_S)
    try:
        socket.send(json.dumps({"id": 1, "method": "Target.getTargets"}))
        targets = json.loads(socket.recv())["result"]["targetInfos"]
    finally:
        socket.close()
    target = next(one["targetId"] for one in targets if one["type"] == "page")
    return f"{address.split('/devtools/')[0]}/devtools/page/{target}"
