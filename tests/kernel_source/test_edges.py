"""Places for uprobes: each must be the start of an instruction, and of a kind that the kernel emulates."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memprobe.abi import CookieRegister, GrowthHow
from memprobe.sources.kernel.cookies import argument_cookie
from memprobe.sources.kernel.edges import Edges, find_edges, opened_binary
from memprobe.sources.kernel.machine_code import first_emulated, instructions
from memprobe.target.binary.elf import Binary, file_reader
from memprobe.target.binary.sections import read_sections
from memprobe.target.binary.symbols import local_functions, notes_in
from memprobe.target.cpython.python import attach_python
from pythons import Interpreter
from target.attaching import threads_of
from target.looking import looked_at

FUNCTION = re.compile(r"^([0-9a-f]+) <(.+)>:$")
LINE = re.compile(r"^ *([0-9a-f]+):\t((?:[0-9a-f]{2} )+)")


@contextmanager
def edges_of(interpreter: Interpreter, targets: Path) -> Iterator[tuple[Edges, int]]:
    """The places in a build, and its open file."""
    with interpreter.spawn(targets / "family.py") as target, looked_at(target.pid) as look:
        python = attach_python(look.memory, look.runtimes()[0], look.mappings, threads_of(look.process))
        with opened_binary(look.process, python, look.mappings) as descriptor:
            yield find_edges(descriptor, python, pools=True, large_blocks=True), descriptor


def disassembled(descriptor: int, start: int, size: int) -> dict[int, bytes]:
    """What objdump makes of some code: the bytes of each instruction by address."""
    command = ["objdump", "-d", "-w", "--insn-width=16", f"--start-address={start}"]
    command += [f"--stop-address={start + size}", f"/proc/self/fd/{descriptor}"]
    listed = subprocess.run(command, pass_fds=[descriptor], capture_output=True, text=True, check=True).stdout
    found = (LINE.match(line) for line in listed.splitlines())
    return {int(match[1], 16): bytes.fromhex(match[2]) for match in found if match}


def test_places_are_cheap_and_whole_instructions(interpreter: Interpreter, targets: Path) -> None:
    with edges_of(interpreter, targets) as (edges, descriptor):
        elf = Binary(file_reader(descriptor))
        for place in edges.places:
            (segment,) = (one for one in elf.segments if 0 <= place.offset - one.offset < one.file_size)
            address = place.offset - segment.offset + segment.address
            (first, *_) = disassembled(descriptor, address, 16).items()
            code = file_reader(descriptor)(place.offset, 16)
            (decoded, *_) = instructions(code, address)
            assert decoded.is_emulated
            assert first == (address, decoded.code), "objdump has found the same there"


def test_builds_offer_what_they_are_known_to_offer(interpreter: Interpreter, targets: Path) -> None:
    with edges_of(interpreter, targets) as (edges, _):
        names = {place.name for place in edges.places}
        is_stripped = "debian" in interpreter.name or "forky" in interpreter.name
        if is_stripped and "pool" not in names:
            assert interpreter.version >= (3, 12)
            assert names - {"arena"} == {"gc__start", "gc__done"}
            assert "stripped" in edges.missing["heap_grew"]
        elif is_stripped:
            assert names == {"pool", "arena", "gc__start", "gc__done"}
            assert edges.missing == {}
        elif interpreter.version == (3, 8):
            assert names == {"arena", "large"}
            assert set(edges.missing) == {"heap_grew", "collection_begins"}
        else:
            assert names == {"pool", "arena", "large", "collector", "collected"}
            assert edges.missing == {}


def test_places_lie_where_objdump_sees_their_functions(interpreter: Interpreter, targets: Path) -> None:
    """The same linear disassembly from the function's start must come past every place in it."""
    with edges_of(interpreter, targets) as (edges, descriptor):
        elf = Binary(file_reader(descriptor))
        functions = local_functions(descriptor, read_sections(descriptor), FUNCTIONS)
        checked = 0
        for symbol in (symbol for symbols in functions.values() for symbol in symbols):
            starts = disassembled(descriptor, symbol.address, symbol.size)
            (segment,) = (one for one in elf.segments if 0 <= symbol.address - one.address < one.file_size)
            for place in edges.places:
                address = place.offset - segment.offset + segment.address
                if symbol.address <= address < symbol.address + symbol.size:
                    assert address in starts
                    checked += 1
        assert checked or not functions


FUNCTIONS = (
    "allocate_from_new_pool",
    "_PyObject_Malloc",
    "_PyObject_ArenaMmap",
    "_PyMem_ArenaAlloc",
    "gc_collect_main",
)


def test_lengths_agree_with_objdump(interpreter: Interpreter, targets: Path) -> None:
    """The decoder on which everything rests, on the first functions of the build."""
    with edges_of(interpreter, targets) as (_, descriptor):
        text = read_sections(descriptor)[".text"]
        expected = disassembled(descriptor, text.address, 60_000)
        code = file_reader(descriptor)(text.offset, 60_000)
        for one in list(instructions(code, text.address))[:-2]:
            assert expected[one.address] == one.code


class TestFirstEmulated:
    """Which instruction is taken."""

    @pytest.mark.parametrize(
        ("code", "offset"),
        [
            ("55", 0),  # push rbp
            ("4157", 0),  # push r15
            ("90", 0),  # nop
            ("f30f1efa 53", 4),  # endbr64, push rbx
            ("4883ec08 4531c9 e800000000", 7),  # sub, xor, call
            ("85ff 740a", 2),  # test, jz
            ("85ff 0f8400010000", 2),
            ("eb10", 0),
            ("e900000000", 0),
        ],
    )
    def test_the_first_cheap_one(self, code: str, offset: int) -> None:
        found = first_emulated(bytes.fromhex(code) + bytes(16), 0x1000)
        assert found is not None
        assert found.address == 0x1000 + offset

    @pytest.mark.parametrize(
        "code",
        [
            "c3 55",  # ret: what follows is another function
            "f3c3 55",
            "ff2500000000 55",  # jmp through a pointer
            "ffd0 55",  # call through a register
            "0f0b 55",  # ud2
            "cc 55",
            "e3fe 55",  # jrcxz: a branch that must be single-stepped
            "06",  # not an instruction in 64-bit code
            "",
            "66",
            "6690" * 40,  # two-byte nops without an end
        ],
    )
    def test_none(self, code: str) -> None:
        assert first_emulated(bytes.fromhex(code), 0x1000) is None

    @pytest.mark.parametrize(
        ("code", "found"),
        [
            ("4889f3 55", True),  # mov rbx, rsi: only read
            ("4889de 55", False),  # mov rsi, rbx
            ("31f6 55", False),  # xor esi, esi: the upper half goes, too
            ("4088d6 55", False),  # mov sil, dl
            ("5e 55", False),  # pop rsi
        ],
    )
    def test_the_wanted_register_must_hold(self, code: str, found: bool) -> None:
        assert (first_emulated(bytes.fromhex(code), 0x1000, keep="RSI") is not None) == found

    @given(st.binary(max_size=64))
    def test_whatever_the_bytes(self, code: bytes) -> None:
        found = first_emulated(code, 0x1000, keep="RSI")
        assert found is None or found.is_emulated


class TestArguments:
    """How compilers write down where a probe's argument is."""

    @pytest.mark.parametrize(
        ("text", "register", "rest"),
        [
            ("-4@112(%rsp)", CookieRegister.SP, 4 << 16 | 1 << 20 | 112 << 24),
            ("-4@-228(%rbp)", CookieRegister.BP, 4 << 16 | 1 << 20 | (-228 << 24 & (1 << 64) - 1)),
            ("-8@(%r12)", CookieRegister.R12, 1 << 20),
            ("-8@%r12", CookieRegister.R12, 0),
            ("8@%rax", CookieRegister.AX, 0),
            ("-4@%eax", CookieRegister.AX, 4 << 16),
            ("-4@%r13d", CookieRegister.R13, 4 << 16),
        ],
    )
    def test_known_forms(self, text: str, register: int, rest: int) -> None:
        assert argument_cookie(text) == register << 8 | rest

    @pytest.mark.parametrize(
        "text", ["", "8@$5", "-1@%al", "4@%xmm0", "-4@(%rax,%rbx,8)", "-8@symbol(%rip)", "x"]
    )
    def test_others_are_refused(self, text: str) -> None:
        assert argument_cookie(text) is None

    @given(st.text(alphabet="-48@()%raxbp123,d$", max_size=20))
    def test_whatever_the_text(self, text: str) -> None:
        cookie = argument_cookie(text)
        assert cookie is None or 0 <= cookie < 1 << 64


@given(st.binary(max_size=400))
def test_notes_of_any_bytes(content: bytes) -> None:
    for note in notes_in(content, base_now=5):
        assert isinstance(note.arguments, tuple)


def test_growth_edges_have_their_sizes(interpreter: Interpreter, targets: Path) -> None:
    with edges_of(interpreter, targets) as (edges, _):
        cookies = {place.name: place.cookie for place in edges.places if place.program == "heap_grew"}
        if "pool" in cookies:
            pool_bytes = 16384 if interpreter.version >= (3, 10) else 4096
            assert cookies["pool"] == GrowthHow.POOL | pool_bytes << 24
        if "arena" in cookies:
            assert cookies["arena"] == GrowthHow.ARENA | CookieRegister.SI << 8
