"""Which instructions a probe may be put on, and where they begin (x86-64).

A probe inside an instruction changes the program: so nothing is taken for an instruction that was not
decoded from the start of a function, or from the return address of a call. And a probe is cheap only on
instructions that the kernel emulates (0.8 us instead of 8, and no page of ours in the target).

Lengths come from iced-x86: an exact decoder for x86 alone, in one wheel for all versions of Python. capstone
was the other candidate: its import takes 70 ms instead of 17, and 11 MB instead of 5.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

FUNCTION_LIMIT = 64 << 10
"""Bytes of one function that are looked at."""

STRAIGHT_LIMIT = 24
"""Instructions without a branch that are passed."""

# ret, int3, indirect calls and jumps, loops
_LEAVING = frozenset(bytes([first]) for first in (0xC2, 0xC3, 0xCC, 0xFF, 0xE0, 0xE1, 0xE2, 0xE3))


@dataclass(frozen=True, slots=True)
class Instruction:
    """One decoded instruction."""

    address: int
    code: bytes

    @property
    def end(self) -> int:
        """The address behind it."""
        return self.address + len(self.code)

    @property
    def is_emulated(self) -> bool:
        """Whether the kernel emulates it under a probe (arch/x86/kernel/uprobes.c)."""
        return _is_emulated(self.code)

    @property
    def target(self) -> int | None:
        """Where a direct call or jump leads to."""
        if self.code[0] in (0xE8, 0xE9) and len(self.code) == 5:
            return self.end + int(struct.unpack("<i", self.code[1:])[0])
        return None

    @property
    def is_call(self) -> bool:
        """Whether it is a direct call."""
        return self.code[0] == 0xE8 and len(self.code) == 5


def _is_emulated(code: bytes) -> bool:
    first = code[0]
    if 0x50 <= first <= 0x57 or first == 0x90:  # push of a register, nop
        return len(code) == 1
    if first == 0x41 and 0x50 <= code[1] <= 0x57:  # push of r8 to r15
        return len(code) == 2
    if first in (0xE8, 0xE9):  # call, jmp
        return len(code) == 5
    if first == 0xEB or 0x70 <= first <= 0x7F:  # short jmp and jcc
        return len(code) == 2
    return first == 0x0F and 0x80 <= code[1] <= 0x8F and len(code) == 6


def instructions(code: bytes, address: int) -> Iterator[Instruction]:
    """Decode from the first byte on; end where something is no instruction."""
    from iced_x86 import Decoder

    decoder = Decoder(64, code[:FUNCTION_LIMIT], ip=address)
    while decoder.can_decode:
        position = decoder.position
        decoded = decoder.decode()
        if decoded.is_invalid:
            return
        yield Instruction(address + position, code[position : position + decoded.len])


def first_emulated(code: bytes, address: int, keep: str = "") -> Instruction | None:
    """The first instruction that is cheap to probe, on the way that every call takes.

    Branches are cheap themselves, so that the search never passes one. It ends where the register `keep`
    ("RSI"), whose value is wanted at that place, gets another one.
    """
    for count, instruction in enumerate(instructions(code, address)):
        if instruction.is_emulated:
            return instruction
        if count >= STRAIGHT_LIMIT or _leaves(instruction) or (keep and _changes(instruction, keep)):
            return None
    return None


def first_emulated_with(code: bytes, address: int, name: str) -> tuple[Instruction, str] | None:
    """The first instruction that is cheap to probe, and a register that has there what `name` began with."""
    holding = [name]
    for count, instruction in enumerate(instructions(code, address)):
        if instruction.is_emulated:
            return (instruction, holding[0]) if holding else None
        if count >= STRAIGHT_LIMIT or _leaves(instruction):
            return None
        copy = _copied_to(instruction, holding)
        holding = [one for one in holding if not _changes(instruction, one)]
        holding += [copy] if copy else []
    return None


def _copied_to(instruction: Instruction, registers: list[str]) -> str:
    """The register that is set to one of others; "" if none is."""
    from iced_x86 import Decoder, Mnemonic, OpKind, Register

    one = Decoder(64, instruction.code, ip=instruction.address).decode()
    if (one.mnemonic, one.op0_kind, one.op1_kind) != (Mnemonic.MOV, OpKind.REGISTER, OpKind.REGISTER):
        return ""
    names = {value: name for name, value in vars(Register).items() if not name.startswith("_")}
    return names[one.op0_register] if names[one.op1_register] in registers else ""


def called(code: bytes, address: int) -> list[int]:
    """Where the direct calls in some code lead; each once, in order."""
    found = (one.target for one in instructions(code, address) if one.is_call)
    return list(dict.fromkeys(target for target in found if target is not None))


def referred_to(code: bytes, address: int) -> list[int]:
    """The fixed places in memory that some code uses, tables by their beginning; each once, in order."""
    from iced_x86 import Decoder, OpKind, Register

    found: list[int] = []
    for one in Decoder(64, code[:FUNCTION_LIMIT], ip=address):
        operands = [one.op_kind(number) for number in range(one.op_count)]
        if OpKind.MEMORY not in operands:
            continue
        if one.is_ip_rel_memory_operand:
            found.append(one.ip_rel_memory_address)
        elif (one.memory_base, one.segment_prefix) == (Register.NONE, Register.NONE):
            found.append(one.memory_displacement)
    return list(dict.fromkeys(found))


def follows_call(code: bytes) -> bool:
    """Whether the last bytes of some code may be a call: what follows is where it returns to."""
    if code[-5:-4] == b"\xe8":
        return True
    indirect = (code[-length : -length + 2] for length in (3, 4, 6, 7))
    return any(one[:1] == b"\xff" and one[1] >> 3 & 7 == 2 for one in (code[-2:], *indirect) if len(one) == 2)


def guards(code: bytes, address: int, largest: int) -> list[tuple[Instruction, str]]:
    """The branches taken if a number exceeds a limit, and the register that has it, less one, at that point.

    This is what `if (n - 1 > largest - 1)` is compiled to: lea -1(n),r; cmp $largest - 1,r; ja.
    """
    from iced_x86 import Decoder, Mnemonic, OpKind, Register, RegisterExt

    names = {value: name for name, value in vars(Register).items() if not name.startswith("_")}
    numbers = (OpKind.IMMEDIATE32TO64, OpKind.IMMEDIATE32)
    found: list[tuple[Instruction, str]] = []
    less_one: Any = None
    compared: Any = None
    for one, decoded in zip(instructions(code, address), Decoder(64, code, ip=address), strict=False):
        if decoded.mnemonic == Mnemonic.JA and compared is not None and one.is_emulated:
            found.append((one, names[RegisterExt.full_register(compared)]))
        compared = None
        if decoded.mnemonic == Mnemonic.LEA and decoded.memory_displacement == (1 << 64) - 1:
            less_one = decoded.op0_register
        elif decoded.mnemonic == Mnemonic.CMP and decoded.op0_register == less_one:
            is_limit = decoded.op1_kind in numbers and decoded.immediate(1) == largest - 1
            compared = less_one if is_limit else None
    return found


def is_shift(code: bytes, bits: int) -> bool:
    """Whether an instruction shifts a register to the right by so many bits."""
    return code[-3:-2] == b"\xc1" and code[-2] >> 3 == 0b11101 and code[-1] == bits


def _changes(instruction: Instruction, name: str) -> bool:
    """Whether an instruction writes to a register or to a part of it."""
    from iced_x86 import Decoder, InstructionInfoFactory, OpAccess, Register, RegisterExt

    wanted = getattr(Register, name)
    decoded = Decoder(64, instruction.code, ip=instruction.address).decode()
    reading = (OpAccess.NONE, OpAccess.READ, OpAccess.COND_READ)
    used = InstructionInfoFactory().info(decoded).used_registers()
    return any(
        RegisterExt.full_register(one.register) == wanted and one.access not in reading for one in used
    )


def _leaves(instruction: Instruction) -> bool:
    """Whether what follows in memory may not be what follows in time: ret, indirect jump, trap."""
    code = instruction.code.lstrip(b"\xf2\xf3\x66")
    return code[:1] in _LEAVING or code[:2] == b"\x0f\x0b"


def jump_slot(instruction: Instruction) -> int | None:
    """Return the address of the pointer that a stub jumps through: jmp *distance(%rip)."""
    code = instruction.code.removeprefix(b"\xf2")
    if code[:2] != b"\xff\x25" or len(code) != 6:
        return None
    return instruction.end + int.from_bytes(code[2:], "little", signed=True)
