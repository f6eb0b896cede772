"""The address space of a real process, held against what the kernel adds up and the process says itself."""

from __future__ import annotations

import sys
from pathlib import Path

import pythons
from memprobe.sources.procfs.regions import take_regions
from memprobe.target.inspection.opening import opened
from memprobe.vocab.kinds import RegionKind

PROGRAM = """
import mmap, sys
block = mmap.mmap(-1, 8 << 20)
block.write(b"x" * (8 << 20))
objects = [(number,) for number in range(100_000)]
print("ready", flush=True)
sys.stdin.read()
"""


def test_what_is_used_is_what_the_process_uses(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    with pythons.own().spawn(program) as target, opened(target.pid, patient=True) as process:
        rows = take_regions(process.process, process.python)
        rss_kb = process.process.folder.status()["VmRSS"].split()[0]
    used = {kind: int(rows["used_bytes"][rows["kind"] == kind].sum()) for kind in RegionKind}
    assert abs(sum(used.values()) - int(rss_kb) * 1024) < 1 << 20
    assert used[RegionKind.ANONYMOUS] >= 8 << 20
    assert used[RegionKind.PYTHON] > 100_000 * sys.getsizeof((1,)) * 3 // 4
    assert used[RegionKind.FILE] > 0
    assert (rows["used_bytes"] <= rows["size_bytes"]).all()
    starts, ends = rows["start"].tolist(), (rows["start"] + rows["size_bytes"]).tolist()
    assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))
