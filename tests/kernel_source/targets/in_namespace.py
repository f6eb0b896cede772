"""Run in a pid namespace of its own: follow a target there, and check that all numbers are those of here."""

import os
import subprocess
import sys

from kernel_source.following import following
from memprobe.abi import ProcessHow
from memprobe.sources.kernel import KernelOptions

with subprocess.Popen(
    [sys.executable, sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
) as target:
    assert target.stdin is not None
    assert target.stdout is not None
    assert target.stdout.readline() == "ready\n"
    assert target.pid < 100
    with following(target.pid, KernelOptions(tree=True)) as found:
        print("open 3", file=target.stdin)
        target.stdout.readline()
        print("fork 4", file=target.stdin)
        child = int(target.stdout.readline())
        found.poll()
        births = found.table("births")
        assert (births["pid"] == target.pid).sum() == 3, births
        assert (births["pid"] == child).sum() == 4, births
        assert set(births["tid"].tolist()) >= {target.pid, child}
        assert all(stack.complete for stack in found.stacks.values())
        processes = found.table("processes")
        forks = processes[processes["how"] == ProcessHow.FORK]
        assert child in forks["other"].tolist(), forks
        tables = found.table("tables")
        assert target.pid in tables["pid"].tolist(), tables["pid"]
        growth = found.table("growth")
        assert set(growth["pid"].tolist()) <= {target.pid, child, *forks["other"].tolist()}, growth["pid"]
        assert os.getpid() == 1
    target.stdin.close()
print("fine")
