"""How large the BPF programs are, and how much work they are for the verifier of this kernel.

Loads all of them as a run does and asks the kernel. Verified: instructions that the verifier followed, on all
paths (its limit is 1,000,000); translated: those of the program as it stands in the kernel; native: bytes of
machine code. Prints the tables and writes bench/results/programs.md. `--check` ends with 1 if a program is
near the limit.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from memprobe.native.bpf import BpfObject, object_path
from memprobe.sources.kernel import KernelOptions
from memprobe.sources.kernel.programs import Programs
from memprobe.sources.kernel.table import FIRST, programs

RESULTS = Path(__file__).resolve().parent / "results" / "programs.md"
VERIFIED_LIMIT = 500_000
"""Half of what the verifier allows; another kernel's may follow more paths."""

SYS_BPF = {"x86_64": 321, "aarch64": 280}[platform.machine()]
OBJ_GET_INFO_BY_FD = 15
INFO = struct.Struct("=II8sIIQQQIIQ16s")
"""struct bpf_prog_info, as far as it is read."""

NAME_BYTES = 15
"""The kernel keeps no more of a program's name."""


@dataclass(frozen=True)
class Size:
    """One loaded program."""

    name: str
    verified: int
    translated: int
    native_bytes: int

    @property
    def cells(self) -> str:
        """As a row of the table."""
        return f"{self.verified:,} | {self.translated:,} | {self.native_bytes:,}"


def loaded_programs() -> dict[str, Size]:
    """What this process has loaded, by the kernel's short name."""
    sizes = {}
    for number in os.listdir("/proc/self/fd"):
        try:
            kind = os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            continue
        if kind == "anon_inode:bpf-prog":
            size = size_of(int(number))
            sizes[size.name] = size
    return sizes


def size_of(descriptor: int) -> Size:
    """Ask the kernel."""
    info = ctypes.create_string_buffer(INFO.size)
    request = struct.pack("=IIQ", descriptor, INFO.size, ctypes.addressof(info))
    attributes = ctypes.create_string_buffer(request, len(request))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(SYS_BPF, OBJ_GET_INFO_BY_FD, attributes, len(request)):
        raise OSError(ctypes.get_errno(), "bpf(OBJ_GET_INFO_BY_FD)")
    fields = INFO.unpack(info.raw)
    text = Path(f"/proc/self/fdinfo/{descriptor}").read_text()
    verified = re.search(r"verified_insns:\s*(\d+)", text)  # 5.16 and later
    return Size(
        fields[-1].rstrip(b"\0").decode(), int(verified[1]) if verified else 0, fields[4] // 8, fields[3]
    )


def load_times() -> Iterator[tuple[str, float]]:
    """Each object alone, after the one whose maps it shares: the least of three."""
    options = KernelOptions()
    for name in dict.fromkeys(row.object for row in programs()):
        yield name, min(load_time(name, options) for _ in range(3))


def load_time(name: str, options: KernelOptions) -> float:
    """Seconds until the verifier is content."""
    with BpfObject(object_path(FIRST), name=FIRST) as first:
        first.resize_map("events", options.ring_bytes)
        begin_s = time.perf_counter()
        first.load()
        if name == FIRST:
            return time.perf_counter() - begin_s
        with BpfObject(object_path(name), name=name) as found:
            found.share_maps(first)
            begin_s = time.perf_counter()
            found.load()
            return time.perf_counter() - begin_s


def table(sizes: dict[str, Size]) -> Iterator[str]:
    """The programs as a Markdown table."""
    yield "| object | program | verified | translated | native bytes |"
    yield "|---|---|---:|---:|---:|"
    for row in programs():
        size = sizes[row.name[:NAME_BYTES]]
        yield f"| {row.object} | {row.name} | {size.cells} |"
    all_of_them = Size(
        "all",
        sum(size.verified for size in sizes.values()),
        sum(size.translated for size in sizes.values()),
        sum(size.native_bytes for size in sizes.values()),
    )
    yield f"| all | {len(sizes)} | {all_of_them.cells} |"


def times_table() -> Iterator[str]:
    """The objects as a Markdown table."""
    yield "| object | load ms |"
    yield "|---|---:|"
    for name, took_s in load_times():
        yield f"| {name} | {took_s * 1000:.0f} |"


def main(arguments: list[str]) -> int:
    """Load, ask, print, write."""
    held = Programs(KernelOptions())
    try:
        held.load()
        sizes = loaded_programs()
    finally:
        held.close()
    lines = "\n".join([*table(sizes), "", *times_table()])
    where = f"Kernel {platform.release()}, {platform.machine()}, {os.cpu_count()} CPUs."
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(f"# The BPF programs\n\nWritten by `bench/probes.py`. {where}\n\n{lines}\n")
    print(lines)
    large = [size.name for size in sizes.values() if size.verified > VERIFIED_LIMIT]
    if large:
        print(f"near the verifier's limit: {', '.join(large)}")
    return 1 if large and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
