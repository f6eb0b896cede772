"""The tools that memprobe is compared with get what they need, and the machine stays as it is."""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from pairing.tools import Memleak, in_furnished_namespace
from patience import PATIENCE_S
from pythons import own
from target.looking import needs_root

pytestmark = needs_root


def test_headers_and_tracefs_are_there_and_only_there(tmp_path: Path) -> None:
    headers, common = tmp_path / "linux-headers-1.2-amd64", tmp_path / "linux-headers-1.2-common"
    headers.mkdir()
    common.mkdir()
    folder = Path("/lib/modules", platform.release())
    before = folder.exists(), Path("/proc/self/mountinfo").read_text()
    script = f"readlink {folder}/build {folder}/source; ls /sys/kernel/tracing/events | grep -x syscalls"
    # Whatever the machine has under that name is hidden first.
    hidden = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /lib/modules && exec "$@"', "sh"]
    command = [*hidden, *in_furnished_namespace(headers), "sh", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [str(headers), str(common), "syscalls"]
    assert (folder.exists(), Path("/proc/self/mountinfo").read_text()) == before


@pytest.mark.skipif(shutil.which("memleak-bpfcc") is None, reason="apt install bpfcc-tools")
def test_memleak_of_bcc_runs(bpf: None, targets: Path) -> None:
    tool = Memleak()
    if tool.missing():
        pytest.skip(tool.missing())
    with own().spawn(targets / "working.py") as target:
        process = subprocess.Popen(
            tool.command(target.pid), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        said = []
        for line in process.stdout:  # it compiles, and reports every five seconds
            said.append(line)
            if "outstanding allocations" in line:
                process.kill()  # an interrupt is lost where it comes between two calls of bcc's
                break
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert any("outstanding allocations" in line for line in said), (said, errors)
    assert any(f"Attaching to pid {target.pid}" in line for line in said)
