"""The kernel's fields that the programs read, and where the headers say that they lie.

They are those of probes/lib/kernel.h and kernel_tables.h, with the two lists by which tasks are found.
What the headers say is a claim (see finding): a kernel may be built with other options than its headers,
or be another one.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

Offsets = dict[str, int]
"""In bytes, by "struct.field"."""

FIELDS = (
    "task_struct.stack",
    "task_struct.flags",
    "task_struct.pid",
    "task_struct.tgid",
    "task_struct.group_leader",
    "task_struct.thread_pid",
    "task_struct.mm",
    "task_struct.files",
    "task_struct.signal",
    "task_struct.thread.fsbase",
    "task_struct.tasks",
    "task_struct.thread_node",
    "files_struct.count",
    "files_struct.fdt",
    "fdtable.max_fds",
    "fdtable.fd",
    "fdtable.open_fds",
    "signal_struct.live",
    "pid.level",
    "pid.numbers",
    "upid.nr",
    "upid.ns",
    "mm_struct.brk",
    "mm_struct.rss_stat",
    "percpu_counter.count",
    "percpu_counter.counters",
    "bpf_array.pptrs",
)

PLAIN_COUNTERS = "plain_counters"
"""Not a field: 1 where the counters of mm_struct.rss_stat are single words (before 6.2)."""

_SECTION = b"claims"
_INCLUDED = (
    "linux/sched.h",
    "linux/sched/signal.h",
    "linux/fdtable.h",
    "linux/mm_types.h",
    "linux/percpu_counter.h",
    "linux/pid.h",
    "linux/bpf.h",
)


def claims_source() -> str:
    """Return C that has the headers' offsets in a section of its own, in the order of FIELDS."""
    lines = [f"#include <{name}>" for name in _INCLUDED]
    lines.append(f'const unsigned long claimed[] __attribute__((section("{_SECTION.decode()}"), used)) = {{')
    for field in FIELDS:
        kind, _, member = field.partition(".")
        lines.append(f"__builtin_offsetof(struct {kind}, {member}),")
    lines.append("sizeof(((struct mm_struct *)0)->rss_stat) == NR_MM_COUNTERS * sizeof(long)};")
    return "\n".join(lines)


def claimed_offsets(elf: bytes) -> Offsets:
    """Return what an object made of claims_source() says."""
    content = _section(elf, _SECTION)
    return dict(zip((*FIELDS, PLAIN_COUNTERS), struct.unpack(f"<{len(FIELDS) + 1}Q", content), strict=True))


def compiler_flags(offsets: Mapping[str, int]) -> tuple[str, ...]:
    """Return what tells the C where the fields are, as probes/lib/bcc.h wants it."""
    own = dict(offsets)
    plain = own.pop(PLAIN_COUNTERS)
    # The C has a struct within task_struct; only the sum is known.
    own["task_struct.thread"], own["thread_struct.fsbase"] = own.pop("task_struct.thread.fsbase"), 0
    places = (f"-DOFFSET_{name.replace('.', '_')}={offset}" for name, offset in own.items())
    return (*places, f"-DPLAIN_COUNTERS={plain}")


def _section(elf: bytes, name: bytes) -> bytes:
    """The content of a section of a little-endian ELF file of 64 bits, which bcc has made."""
    (table,) = struct.unpack_from("<Q", elf, 0x28)
    size, count, names = struct.unpack_from("<3H", elf, 0x3A)
    headers = [struct.unpack_from("<2I4Q", elf, table + at * size) for at in range(count)]
    strings = headers[names][4]
    for header in headers:
        begin = strings + header[0]
        if elf[begin : elf.index(b"\0", begin)] == name:
            return elf[header[4] : header[4] + header[5]]
    raise ValueError(f"no section {name!r}")
