"""No data leaves the machine: memprobe, and whatever it starts, has no socket of the internet."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pythons
from cli.running import COMMAND
from cli.unprivileged import needs_root
from patience import PATIENCE_S
from sockets_seen import Call, watched

TALKS = """
import socket, subprocess, sys, threading
def talk():
    with socket.socket() as caller, socket.socket(type=socket.SOCK_DGRAM) as sender:
        caller.connect_ex(("127.0.0.1", 9))
        sender.sendto(b"", ("127.0.0.1", 9))
        sender.sendmsg([b""], [], 0, ("127.0.0.1", 9))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect_ex("\\0nobody-is-here")
        caller.connect_ex("/no/body")
if len(sys.argv) == 2:
    threading.Thread(target=talk).start()
else:
    subprocess.run([sys.executable, __file__, "child"], check=True)
"""

INTERNET = {Call(name, "AF_INET") for name in ("socket", "connect", "sendto", "sendmsg", "bind")}


def test_what_a_thread_of_a_child_says_is_seen(tmp_path: Path) -> None:
    """Otherwise nothing is said below by seeing nothing."""
    script = tmp_path / "talks.py"
    script.write_text(TALKS)
    with watched([sys.executable, str(script)]) as watch:
        pass
    assert watch.process.returncode == 0
    unix = {Call("connect", "AF_UNIX", name) for name in ("@nobody-is-here", "/no/body")}
    assert watch.calls == {*INTERNET, *unix, Call("socket", "AF_UNIX")}


ASKS_THE_KERNEL = Call("socket", "AF_NETLINK")
"""For the sockets of the process that is watched (sock_diag(7)): what waits there, and who the peers are."""


@needs_root
def test_a_run_and_its_report_stay_on_the_machine(bpf: None, targets: Path, tmp_path: Path) -> None:
    page, recording = tmp_path / "page.html", tmp_path / "recording"
    with pythons.own().spawn(targets / "service.py") as target:
        commands: list[list[object]] = [
            ["attach", target.pid, "--duration", 2, "--record", recording],
            ["report", recording, "--html", page, "--sarif", tmp_path / "sarif"],
            ["heap", target.pid],
            ["inspect", target.pid],
            ["run", "--", sys.executable, "-c", "import time; time.sleep(2)"],
            ["doctor"],
        ]
        lines = [shlex.join([*COMMAND, *map(str, one)]) for one in commands]
        script = "set -e\n" + "\n".join(f"{line} >/dev/null" for line in lines)
        with watched(["sh", "-c", script], stderr=subprocess.PIPE) as watch:
            _, errors = watch.process.communicate(timeout=PATIENCE_S)
    assert watch.process.returncode == 0, errors
    assert page.exists()
    assert watch.calls == {ASKS_THE_KERNEL}


PROTECTED = f"""
import memprobe
assert memprobe.protect(command=[{sys.executable!r}, "-m", "memprobe.cli"])
assert memprobe.get_report()["target"]["tier"]
assert memprobe.stop()
"""


def test_an_application_and_its_guard_talk_to_each_other_alone() -> None:
    with watched(
        [sys.executable, "-c", PROTECTED], env={**os.environ, "MEMPROBE_RUN_ENGINE": "proc"}
    ) as watch:
        pass
    assert watch.process.returncode == 0
    calls = {
        re.sub(r"@memprobe-\d+-[0-9a-f]{16}", "@memprobe", one.address) + one.name for one in watch.calls
    }
    assert {one.family for one in watch.calls} == {"AF_NETLINK", "AF_UNIX"}
    assert calls == {"socket", "@memprobebind", "@memprobeconnect"}
