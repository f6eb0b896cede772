"""Targets that are damaged, torn or there to hurt: every decoder ends, and raises nothing of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memprobe.errors import MemprobeError
from memprobe.target.binary.runtime import RuntimeLocation
from memprobe.target.binary.version import Version
from memprobe.target.cpython.arenas import MAXIMUM_ARENAS, ArenasReader
from memprobe.target.cpython.code_objects import CodeObjects
from memprobe.target.cpython.collector import Collectors
from memprobe.target.cpython.dictionaries import Dictionaries
from memprobe.target.cpython.frames import MAXIMUM_FRAMES, Stacks
from memprobe.target.cpython.instances import Instances
from memprobe.target.cpython.interpreters import MAXIMUM_INTERPRETERS, Interpreters
from memprobe.target.cpython.interpreters import Interpreter as PythonInterpreter
from memprobe.target.cpython.objects import (
    MAXIMUM_BYTES,
    MAXIMUM_CHARACTERS,
    UNREADABLE,
    Objects,
)
from memprobe.target.cpython.python import Python, attach_python
from memprobe.target.cpython.thread_names import ThreadNames
from memprobe.target.cpython.threads import OsThread, ThreadStates, TidFinder
from memprobe.target.layouts import Layout, load_layout
from memprobe.target.memory.fake import FakeMemory
from memprobe.target.proc.mappings import Mapping
from memprobe.vocab import Memory
from patience import PATIENCE_S
from pythons import Interpreter
from target.attaching import threads_of
from target.looking import looked_at
from target.made_memory import EndlessMemory, FrozenMemory

LAYOUTS = [load_layout((3, minor)) for minor in range(8, 16)]

DAMAGED_COPIES = 30


def look_at_everything(python: Python) -> None:
    python.threads()
    python.collector()
    python.arenas()


@contextmanager
def in_time() -> Iterator[None]:
    start = time.monotonic()
    yield
    assert time.monotonic() - start < PATIENCE_S


def test_damaged_memory(interpreter: Interpreter, targets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What is damaged here does not get better by waiting.
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with interpreter.spawn(targets / "named_threads.py") as target, looked_at(target.pid) as look:
        (runtime,) = look.runtimes()
        threads = threads_of(look.process)
        frozen = FrozenMemory(look.memory)
        look_at_everything(attach_python(frozen, runtime, look.mappings, threads))
        frozen.thaw()
    outcomes = [
        _look_at_a_damaged(frozen, seed, runtime, look.mappings, threads) for seed in range(DAMAGED_COPIES)
    ]
    assert True in outcomes
    assert False in outcomes


def _look_at_a_damaged(
    frozen: FrozenMemory,
    seed: int,
    runtime: RuntimeLocation,
    mappings: tuple[Mapping, ...],
    threads: list[OsThread],
) -> bool:
    """Exchange a few of the words that were looked at; say whether it could be attached to."""
    random = Random(seed)
    memory = frozen.copy()
    for _ in range(random.choice((1, 3, 30))):
        start, size = random.choice(frozen.looks)
        memory.write(start + random.randrange(min(size, 512)), _word(random, frozen))
    with in_time():
        try:
            look_at_everything(attach_python(memory, runtime, mappings, threads))
        except MemprobeError:
            return False
    return True


def _word(random: Random, frozen: FrozenMemory) -> int:
    pointer = random.choice(frozen.looks)[0] // 8 * 8
    return random.choice(
        (0, 1, pointer, pointer + 3, random.getrandbits(64), random.getrandbits(16), 2**63 - 1)
    )


def everywhere(address: int) -> int:
    """Each word points a little further: lists without an end."""
    return address + 64


def itself(address: int) -> int:
    """Each word points to itself."""
    return address


def noise(address: int) -> int:
    """Words without a pattern, every other one a pointer."""
    value = address * 0x9E3779B97F4A7C15 % 2**64
    return value & 0x7FFFFFFFFFF8 if value >> 60 & 1 else value


def zeros_and_ones(address: int) -> int:
    """Small numbers, as sizes and counts are."""
    return address >> 3 & 3


@pytest.mark.parametrize("word", [everywhere, itself, noise, zeros_and_ones])
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: f"{layout.version[0]}.{layout.version[1]}")
def test_memory_without_an_end(layout: Layout, word: Callable[[int], int]) -> None:
    memory = EndlessMemory(word)
    with in_time():
        _decode_everything(Objects(memory, layout))
    assert memory.reads < 2_000_000
    assert memory.bytes < 1 << 30


def _decode_everything(objects: Objects) -> None:
    base = 0x7F0000001000
    interpreters = Interpreters(objects, base).read()
    assert len(interpreters) <= MAXIMUM_INTERPRETERS
    interpreter = PythonInterpreter(0, base, True, base, base + 64, base + 128, base + 192)
    states = ThreadStates(objects, base)
    states.gil_holder(interpreter)
    TidFinder(objects, [OsThread(1, 1, "")]).match(states.read(interpreter))
    Collectors(objects, base).read(interpreter)
    Collectors(objects, base).check(interpreter)
    dictionaries = Dictionaries(objects)
    instances = Instances(objects, dictionaries)
    ThreadNames(objects, dictionaries, instances).read(interpreter)
    stacks = Stacks(objects, CodeObjects(objects)).read([base, base + 0x10000])
    assert all(len(stack.frames) <= MAXIMUM_FRAMES for stack in stacks)
    arenas = ArenasReader(objects, _runtime(base), [], {"arenas": base}).read([interpreter])
    assert (arenas.count or 0) <= MAXIMUM_ARENAS
    for attempt in (
        lambda: dictionaries.items(base),
        lambda: dictionaries.find(base, "name"),
        lambda: instances.attributes(base),
        lambda: objects.string(base),
        lambda: objects.integer(base),
        lambda: objects.type_name(base),
    ):
        try:
            attempt()
        except UNREADABLE:
            pass


def _runtime(address: int) -> RuntimeLocation:
    mapping = Mapping(address, address + 4096, 0, "rw-p", 0, 0, "")
    return RuntimeLocation(
        address=address,
        path="",
        mapping=mapping,
        build="static",
        build_id="",
        bias=0,
        symbols={},
        version=Version((3, 8), None, False),
        initialized=True,
        from_file=True,
    )


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: f"{layout.version[0]}.{layout.version[1]}")
def test_stacks_of_many_endless_threads_share_one_bound(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memprobe.target.cpython.frames.MAXIMUM_FRAMES_IN_ALL", 3000)
    memory = EndlessMemory(everywhere)
    stacks = Stacks(Objects(memory, layout), CodeObjects(Objects(memory, layout)))
    threads = [0x7F0000001000 + 0x100000 * number for number in range(100)]
    assert len(stacks.read(threads)) == 100
    # Frames, heads and data stacks: not more than a handful of reads for each.
    assert memory.reads < 100_000


BASE = 0x500000000000


@given(content=st.binary(max_size=4096), version=st.integers(8, 15))
@settings(deadline=None)
def test_random_bytes_are_no_objects(content: bytes, version: int) -> None:
    objects = Objects(FakeMemory({BASE: content} if content else {}), load_layout((3, version)))
    addresses = [BASE + offset for offset in range(0, 512, 8)]
    assert all(len(text) <= MAXIMUM_CHARACTERS for text in objects.strings(addresses).values())
    assert all(len(data) <= MAXIMUM_BYTES for data in objects.bytes_objects(addresses).values())
    CodeObjects(objects).load(addresses)
    dictionaries = Dictionaries(objects)
    for address in addresses[:8]:
        for read in (dictionaries.items, Instances(objects, dictionaries).attributes, objects.integer):
            try:
                read(address)
            except UNREADABLE:
                pass


def test_long_strings_are_cut_and_many_of_them_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memprobe.target.cpython.objects.MAXIMUM_IN_ALL_BYTES", 1 << 20)
    layout = load_layout((3, 11))

    def header(address: int) -> int:
        if address % 4096 == layout.offset("PyASCIIObject.length"):
            return 10**15
        if address % 4096 == layout.offset("PyASCIIObject.state"):
            kind, compact = (
                layout.bits("PyASCIIObject.state.kind"),
                layout.bits("PyASCIIObject.state.compact"),
            )
            return 2 << kind.shift | 1 << compact.shift
        return 0

    found = Objects(EndlessMemory(header), layout).strings(BASE + 4096 * number for number in range(100))
    assert {len(text) for text in found.values()} == {MAXIMUM_CHARACTERS}
    assert len(found) == (1 << 20) // (2 * MAXIMUM_CHARACTERS)


def test_a_process_that_ends_while_it_is_read(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "spinning.py", "2") as target, looked_at(target.pid) as look:
        (runtime,) = look.runtimes()
        python = attach_python(look.memory, runtime, look.mappings, threads_of(look.process))
        target.kill()
        with pytest.raises(MemprobeError) as gone:
            python.threads()
    assert gone.value.exit_code == 4


def test_a_code_object_whose_address_was_used_again() -> None:
    layout = load_layout((3, 11))
    memory = _CodeMemory(layout)
    codes = CodeObjects(Objects(memory, layout))
    (first,) = codes.load([BASE]).values()
    assert codes.load([BASE])[BASE] is first
    memory.set(BASE + layout.offset("PyCodeObject.co_firstlineno"), 77)
    (second,) = codes.load([BASE]).values()
    assert (first.function, first.frame(-1).line) == ("name", 5)
    assert (second.function, second.frame(-1).line) == ("name", 77)
    memory.set(BASE + layout.offset("PyObject.ob_type"), 0)
    assert codes.load([BASE]) == {}


class _CodeMemory(FakeMemory):
    """One code object of 3.11 with its type, name and line table."""

    def __init__(self, layout: Layout) -> None:
        super().__init__({BASE: bytes(0x1000)})
        kind, name, table, letters = (BASE + 0x400 * number for number in (1, 2, 3, 1))
        letters += 0x300
        self.write(letters, b"code\0")
        self.set(kind + layout.offset("PyTypeObject.tp_name"), letters)
        state = layout.bits("PyASCIIObject.state.kind"), layout.bits("PyASCIIObject.state.compact")
        self.set(name + layout.offset("PyASCIIObject.length"), 4)
        flags = (
            1 << state[0].shift | 1 << state[1].shift | 1 << layout.bits("PyASCIIObject.state.ascii").shift
        )
        self.set(name + layout.offset("PyASCIIObject.state"), flags)
        self.write(name + layout.size("PyASCIIObject"), b"name")
        self.set(BASE + layout.offset("PyObject.ob_type"), kind)
        self.set(BASE + layout.offset("PyCodeObject.co_firstlineno"), 5)
        for field, value in (("co_filename", name), ("co_qualname", name), ("co_linetable", table)):
            self.set(BASE + layout.offset(f"PyCodeObject.{field}"), value)

    def set(self, address: int, value: int) -> None:
        self.write(address, value.to_bytes(8, "little"))


def test_what_is_passed_in_may_be_nonsense(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "named_threads.py") as target, looked_at(target.pid) as look:
        (runtime,) = look.runtimes()
        memory: Memory = look.memory
        strange = (Mapping(2**63, 2**62, 0, "rw-p", 0, 0, ""), *look.mappings[::-1])
        threads = [OsThread(-1, -1, ""), OsThread(2**63, 2**63, "x")]
        python = attach_python(memory, runtime, strange, threads, symbols={"arenas": 2**64 - 1})
        look_at_everything(python)
        with pytest.raises(MemprobeError):
            attach_python(memory, replace(runtime, address=2**64 - 1), look.mappings)
