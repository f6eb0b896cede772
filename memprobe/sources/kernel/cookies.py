"""Where a probe finds its argument, as the number that the kernel hands to it: see probes/lib/cookies.h."""

from __future__ import annotations

import re

from memprobe.abi import CookieRegister

IN_MEMORY = 1 << 20
WIDTH_4 = 4 << 16

_MEMORY_ARGUMENT = re.compile(r"(-?[48])@(-?\d+)?\(%([a-z0-9]+)\)$")
_REGISTER_ARGUMENT = re.compile(r"(-?[48])@%([a-z0-9]+)$")
_REGISTERS = {
    **{f"r{number}": CookieRegister[f"R{number}"] for number in range(8, 16)},
    **{f"r{name.lower()}": CookieRegister[name] for name in ("AX", "BX", "CX", "DX", "SI", "DI", "BP", "SP")},
}


def argument_cookie(argument: str) -> int | None:
    """The cookie for an argument as the note describes it; None for a form that is not known."""
    if match := _MEMORY_ARGUMENT.match(argument):
        size, distance, name = match.groups()
        return _cookie(name, size, IN_MEMORY | int(distance or 0) << 24)
    if match := _REGISTER_ARGUMENT.match(argument):
        size, name = match.groups()
        return _cookie(name, size, 0)
    return None


def _cookie(name: str, size: str, rest: int) -> int | None:
    # %r12d and %eax are the lower halves of r12 and rax.
    register = _REGISTERS.get(name) or _REGISTERS.get(name.rstrip("d")) or _REGISTERS.get(f"r{name[1:]}")
    if register is None:
        return None
    width = WIDTH_4 if size in ("4", "-4") else 0
    return (register << 8 | width | rest) & (1 << 64) - 1
