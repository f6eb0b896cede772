"""Where the kernel has its fields, found without BTF: as its BTF says."""

from __future__ import annotations

import errno
import os
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest

from memprobe.errors import NoKernelSupport, NotPermitted
from memprobe.native.bpf import BpfError
from memprobe.sources.bcc import kit as kits
from memprobe.sources.bcc.fields import FIELDS, PLAIN_COUNTERS, Offsets
from memprobe.sources.bcc.finding import find_layout
from memprobe.sources.bcc.headers import find_headers
from memprobe.sources.bcc.kernel_memory import KernelMemory
from memprobe.sources.bcc.kit import CompiledHere
from memprobe.sources.bcc.tasks import Tasks
from target.looking import needs_root

pytestmark = [pytest.mark.usefixtures("bpf"), needs_root]

BTF = "/sys/kernel/btf/vmlinux"
_TYPE = re.compile(r"\[(\d+)\] (\w+) '([^']*)'(?: size=\d+)?(?: .*?type_id=(\d+))?")
_MEMBER = re.compile(r"\t'([^']*)' type_id=(\d+) bits_offset=(\d+)")

Members = list[tuple[str, int, int]]


@cache
def types() -> tuple[dict[str, int], dict[int, Members]]:
    """Structs by name, and the members of each type: (name, type, offset in bytes)."""
    names: dict[str, int] = {}
    members: dict[int, Members] = {}
    listed = subprocess.run(
        ["bpftool", "btf", "dump", "file", BTF], capture_output=True, text=True, check=True
    )
    for line in listed.stdout.splitlines():
        if head := _TYPE.match(line):
            number = int(head[1])
            members[number] = []
            if head[2] == "STRUCT":
                names.setdefault(head[3], number)
        elif member := _MEMBER.match(line):
            members[number].append((member[1], int(member[2]), int(member[3]) // 8))
    return names, members


def places(number: int, name: str) -> Iterator[tuple[int, int]]:
    """(type, offset) of a member, in what has no name too."""
    for own, kind, offset in types()[1][number]:
        if own == name:
            yield kind, offset
        elif own == "(anon)":
            yield from ((inner, offset + more) for inner, more in places(kind, name))


def offset_in_btf(field: str) -> int:
    struct, *path = field.split(".")
    number, total = types()[0][struct], 0
    for name in path:
        number, offset = next(places(number, name))
        total += offset
    return total


@pytest.fixture(scope="module")
def kit() -> Iterator[CompiledHere]:
    """Compiled and loaded; as in kernel_source, where it is missing CI must not go on."""
    made = CompiledHere()
    try:
        _ = made.layout
    except NoKernelSupport as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(error.line)
    yield made
    made.close()


@pytest.mark.skipif(not Path(BTF).exists(), reason="this kernel has no BTF to compare with")
def test_every_field_is_where_btf_has_it(kit: CompiledHere) -> None:
    found = kit.layout.offsets
    assert {field: found[field] for field in FIELDS} == {field: offset_in_btf(field) for field in FIELDS}
    assert found[PLAIN_COUNTERS] == 0 or "percpu_counter" not in types()[0]


def memory_of(kit: CompiledHere) -> KernelMemory:
    return kit._memory(find_headers())


def test_headers_that_say_nothing_or_lie_are_of_no_consequence(kit: CompiledHere) -> None:
    lies: Offsets = dict.fromkeys(FIELDS, 8)
    for claims in ({}, lies):
        found = find_layout(memory_of(kit), claims)
        assert found.offsets == kit.layout.offsets
        assert set(FIELDS) - set(found.corrected) == {f for f in FIELDS if claims.get(f) == found.offsets[f]}


def test_a_field_that_cannot_be_found_is_named(kit: CompiledHere, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "listdir", lambda path: ["0", "1", "2"])
    with pytest.raises(NoKernelSupport, match=r"where this kernel has task_struct\.\w+ cannot be told"):
        find_layout(memory_of(kit), {})


def test_a_kernel_that_is_not_to_be_read_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> NoReturn:
        raise BpfError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(kits, "_layouts", {})
    monkeypatch.setattr(CompiledHere, "_memory", refuse)
    with pytest.raises(NotPermitted, match="does not let memprobe load BPF programs"):
        CompiledHere().prepare(["processes"])


def test_all_processes_are_found_by_following_lists(kit: CompiledHere) -> None:
    tasks = Tasks(memory_of(kit), kit.layout.offsets)
    before = {int(name) for name in os.listdir("/proc") if name.isdigit()}
    found = {pid for pid in before if tasks.leader(pid) is not None}
    after = {int(name) for name in os.listdir("/proc") if name.isdigit()}
    assert before & after <= found
    (own,) = [one for one in tasks.leaders() if one == tasks.leader(os.getpid())]
    assert {number for _, number in tasks.threads(own)} == {
        int(name) for name in os.listdir("/proc/self/task")
    }
