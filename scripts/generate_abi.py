"""Generate memprobe/abi.py and lib/loss_ids.h from abi.h and losses.json.

    python scripts/generate_abi.py [--check]

The compiler says where every field lies: abi.h is compiled for BPF and the type information in the
object (BTF) is read back, so that no offset is computed twice. With --check nothing is written and
the exit code says whether the committed files are what would be generated.
"""

from __future__ import annotations

import json
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass

PROBES = pathlib.Path(__file__).resolve().parent.parent / "probes"
HEADER = PROBES / "abi.h"
LOSSES = PROBES / "losses.json"
LOSS_IDS = PROBES / "lib" / "loss_ids.h"
MODULE = PROBES.parent / "memprobe" / "abi.py"

_INTEGER, _POINTER, _ARRAY, _STRUCT, _ENUM, _TYPEDEF, _VOLATILE, _CONST = 1, 2, 3, 4, 6, 8, 9, 10
_MODIFIERS = (_TYPEDEF, _VOLATILE, _CONST)
# Bytes that follow the 12-byte type header, by kind: fixed part and part per member.
_TAILS = {
    1: (4, 0),
    3: (12, 0),
    4: (0, 12),
    5: (0, 12),
    6: (0, 8),
    13: (0, 8),
    14: (4, 0),
    15: (0, 12),
    17: (4, 0),
    19: (0, 12),
}


@dataclass(frozen=True, slots=True)
class BtfType:
    """One type of a BTF section."""

    name: str
    kind: int
    size_or_type: int
    signed: bool
    array: tuple[int, int]
    """Element type and count, of an array."""
    members: tuple[tuple[str, int, int], ...]
    """(name, type, offset in bits) of a struct, (name, value, 0) of an enum."""


def main(arguments: list[str]) -> int:
    """Write the generated files, or compare them."""
    source = HEADER.read_text()
    losses = json.loads(LOSSES.read_text())["losses"]
    _check_losses(losses)
    generated = {LOSS_IDS: loss_ids(losses), MODULE: module(source, losses, read_types(source))}
    stale = [path for path, text in generated.items() if not path.exists() or path.read_text() != text]
    if "--check" in arguments:
        for path in stale:
            print(
                f"{path.name} is not what abi.h and losses.json say: run scripts/generate_abi.py",
                file=sys.stderr,
            )
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(generated[path])
    return 0


def _check_losses(losses: list[dict[str, object]]) -> None:
    if [loss["id"] for loss in losses] != list(range(len(losses))):
        raise SystemExit("losses.json: ids must count up from 0")
    if len({loss["name"] for loss in losses}) != len(losses):
        raise SystemExit("losses.json: a name stands twice")


def loss_ids(losses: list[dict[str, object]]) -> str:
    """Return the C header with the loss ids."""
    rows = "".join(f"\tLOSS_{str(loss['name']).upper()} = {loss['id']},\n" for loss in losses)
    return (
        "/* GENERATED from losses.json by scripts/generate_abi.py: do not edit. */\n"
        "#ifndef MEMPROBE_LOSS_IDS_H\n#define MEMPROBE_LOSS_IDS_H\n\n"
        f"enum loss_id {{\n{rows}\tLOSS_COUNT = {len(losses)},\n}};\n\n#endif\n"
    )


def names_of(source: str, keyword: str) -> list[str]:
    """Return the structs or enums that a header defines, in its order."""
    return re.findall(rf"^{keyword} (\w+) \{{", source, re.MULTILINE)


def read_types(source: str) -> dict[str, BtfType]:
    """Compile the header and return its types by kind and name, and by number as "#n"."""
    uses = [f"{kind} {name} use_{name};" for kind in ("struct", "enum") for name in names_of(source, kind)]
    text = "#include <linux/types.h>\n" + source + "\n" + "\n".join(uses) + "\n"
    with tempfile.TemporaryDirectory() as folder:
        unit, made = pathlib.Path(folder, "abi.c"), pathlib.Path(folder, "abi.o")
        unit.write_text(text)
        # -I: the multiarch folder of Debian, where asm/types.h lives.
        command = [
            "clang",
            "-target",
            "bpf",
            "-g",
            "-O0",
            f"-I/usr/include/{_multiarch()}",
            "-c",
            str(unit),
            "-o",
            str(made),
        ]
        subprocess.run(command, check=True)
        return parse_btf(elf_section(made.read_bytes(), ".BTF"))


def _multiarch() -> str:
    return subprocess.run(
        ["gcc", "-print-multiarch"], capture_output=True, text=True, check=True
    ).stdout.strip()


def elf_section(data: bytes, wanted: str) -> bytes:
    """Return the contents of a section of a 64-bit little-endian ELF file."""
    table, size, count, names = struct.unpack_from("<Q", data, 40) + struct.unpack_from("<HHH", data, 58)
    headers = [struct.unpack_from("<IIQQQQ", data, table + size * index) for index in range(count)]
    strings = headers[names][4]
    for name, _, _, _, offset, length in headers:
        start = strings + name
        if data[start : data.index(b"\0", start)].decode() == wanted:
            return data[offset : offset + length]
    raise SystemExit(f"the compiled header has no section {wanted}")


def parse_btf(data: bytes) -> dict[str, BtfType]:
    """Return the types of a BTF section."""
    _, _, _, header, types, types_length, strings, _ = struct.unpack_from("<HBBIIIII", data)
    base = header + strings

    def text(offset: int) -> str:
        start = base + offset
        return data[start : data.index(b"\0", start)].decode()

    found: dict[str, BtfType] = {}
    place, number = header + types, 1
    while place < header + types + types_length:
        name, info, value = struct.unpack_from("<III", data, place)
        kind, count = info >> 24 & 31, info & 0xFFFF
        fixed, each = _TAILS.get(kind, (0, 0))
        tail = data[place + 12 : place + 12 + fixed + each * count]
        one = _decode(text(name), kind, value, count, tail, text)
        found[f"#{number}"] = found[f"{kind} {one.name}"] = one
        place, number = place + 12 + len(tail), number + 1
    return found


def _decode(name: str, kind: int, value: int, count: int, tail: bytes, text: Callable[[int], str]) -> BtfType:
    array, signed = (0, 0), False
    members: tuple[tuple[str, int, int], ...] = ()
    if kind == _INTEGER:
        signed = bool(struct.unpack("<I", tail)[0] >> 24 & 1)
    elif kind == _ARRAY:
        element, _, length = struct.unpack("<III", tail)
        array = (element, length)
    elif kind == _STRUCT:
        members = tuple((text(a), b, c & 0xFFFFFF) for a, b, c in struct.iter_unpack("<III", tail))
    elif kind == _ENUM:
        members = tuple((text(a), b, 0) for a, b in struct.iter_unpack("<Ii", tail))
    return BtfType(name, kind, value, signed, array, members)


def module(source: str, losses: list[dict[str, object]], types: dict[str, BtfType]) -> str:
    """Return the text of memprobe/abi.py."""
    parts = [_PREFACE, _constants(source)]
    parts += [_enum(types[f"{_ENUM} {name}"]) for name in names_of(source, "enum")]
    parts += ["\n".join(_dtype(types[f"{_STRUCT} {name}"], types) for name in names_of(source, "struct"))]
    parts += [_loss_table(losses)]
    return parts[0] + "\n" + "\n\n".join(parts[1:])


_PREFACE = '''"""The kernel side's records, maps, enums and losses.

GENERATED from probes/abi.h and probes/losses.json by scripts/generate_abi.py: do not edit.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
'''


def _constants(source: str) -> str:
    found = re.findall(r"^#define (\w+) (0x[0-9a-f]+|\d+)\s*(?:/\*.*)?$", source, re.MULTILINE)
    return "\n".join(f"{name} = {value}" for name, value in found) + "\n"


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _enum(one: BtfType) -> str:
    # RECORD_STACK of enum record_kind becomes RecordKind.STACK: all of an enum begin alike.
    names = [name for name, _, _ in one.members]
    prefix = "_".join(_common_words([name.split("_")[:-1] for name in names]))
    rows = "\n".join(
        f"    {name[len(prefix) + 1 :] if prefix else name} = {value}" for name, value, _ in one.members
    )
    return f'class {_camel(one.name)}(IntEnum):\n    """enum {one.name}."""\n\n{rows}\n'


def _common_words(names: list[list[str]]) -> list[str]:
    common = []
    for words in zip(*names, strict=False):
        if len(set(words)) > 1:
            break
        common.append(words[0])
    return common


def _size(number: int, types: dict[str, BtfType]) -> int:
    one = types[f"#{number}"]
    if one.kind in _MODIFIERS:
        return _size(one.size_or_type, types)
    return _size(one.array[0], types) * one.array[1] if one.kind == _ARRAY else one.size_or_type


def _check_padding(one: BtfType, types: dict[str, BtfType]) -> None:
    """Refuse holes: their bytes would cross uninitialised, and differ between equal keys of a map."""
    end = 0
    for name, number, bits in one.members:
        if bits != end * 8:
            raise SystemExit(f"abi.h: struct {one.name} has a hole before {name}: name the padding")
        end += _size(number, types)
    if end != one.size_or_type:
        raise SystemExit(f"abi.h: struct {one.name} has a hole at its end: name the padding")


def _dtype(one: BtfType, types: dict[str, BtfType]) -> str:
    _check_padding(one, types)
    names = ", ".join(f'"{name}"' for name, _, _ in one.members)
    formats = ", ".join(_format(number, types) for _, number, _ in one.members)
    offsets = ", ".join(str(bits // 8) for _, _, bits in one.members)
    text = (
        f"{one.name.upper()} = np.dtype(\n    {{\n"
        f'        "names": [{names}],\n        "formats": [{formats}],\n        "offsets": [{offsets}],\n'
        f'        "itemsize": {one.size_or_type},\n    }}\n)\n"""struct {one.name}."""\n'
    )
    return text if all(len(line) <= 110 for line in text.splitlines()) else _wrapped(one, types)


def _wrapped(one: BtfType, types: dict[str, BtfType]) -> str:
    columns = {
        "names": [f'"{name}"' for name, _, _ in one.members],
        "formats": [_format(number, types) for _, number, _ in one.members],
        "offsets": [str(bits // 8) for _, _, bits in one.members],
    }
    body = "".join(
        f'        "{key}": [\n' + "".join(f"            {value},\n" for value in values) + "        ],\n"
        for key, values in columns.items()
    )
    return (
        f'{one.name.upper()} = np.dtype(\n    {{\n{body}        "itemsize": {one.size_or_type},\n    }}\n)\n'
        f'"""struct {one.name}."""\n'
    )


def _format(number: int, types: dict[str, BtfType]) -> str:
    one = types[f"#{number}"]
    while one.kind in _MODIFIERS:
        one = types[f"#{one.size_or_type}"]
    if one.kind == _STRUCT:
        return one.name.upper()
    if one.kind == _ARRAY:
        element = _format(one.array[0], types)
        return f'"S{one.array[1]}"' if element == '"<i1"' else f"({element}, ({one.array[1]},))"
    if one.kind == _INTEGER:
        return f'"<{"i" if one.signed else "u"}{one.size_or_type}"'
    raise SystemExit(
        f"abi.h: {one.name} (kind {one.kind}) cannot cross: use fixed-width integers and structs"
    )


def _loss_table(losses: list[dict[str, object]]) -> str:
    rows = "".join(
        f"    Loss(\n        {loss['id']},\n        {json.dumps(loss['name'])},\n"
        f"        {_sentence(str(loss['sentence']))},\n    ),\n"
        for loss in losses
    )
    return (
        'class Loss(NamedTuple):\n    """One way to lose data."""\n\n'
        '    id: int\n    """Index into the map `losses`."""\n\n'
        '    name: str\n    """As it stands in reports."""\n\n'
        '    sentence: str\n    """What it means."""\n\n\n'
        f'LOSSES = (\n{rows})\n"""By id."""\n'
    )


def _sentence(text: str) -> str:
    if len(text) < 95:
        return json.dumps(text)
    words, lines = text.split(" "), [""]
    for word in words:
        if len(lines[-1]) + len(word) > 85:
            lines.append("")
        lines[-1] += word + " "
    lines[-1] = lines[-1][:-1]
    return "\n        ".join(json.dumps(line) for line in lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
