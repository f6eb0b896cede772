"""Make the layout tables: what CPython's own headers say, as JSON.

    python -m memprobe.target.layouts.generate --include /usr/include/python3.11 ...
    python -m memprobe.target.layouts.generate --check --include ...

Each folder given must hold a Python.h and its internal/ headers. For every one the probe
is compiled, and the records are read back from the object file: nothing is run, so any
machine's table can be made anywhere. Patch releases of one minor end in one document. See
docs/layouts.md.
"""

from __future__ import annotations

import argparse
import io
import json
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile

from memprobe.target.layouts import MACHINES
from memprobe.target.layouts.document import Table, make_document, render, unknown_differences

HERE = Path(__file__).resolve().parent
CROSS_REMEDY = "install gcc for it, or clang and the C library's headers (--libc-headers)"

# struct record and struct bit_record of probe.c
_RECORD = (112, 8, 8, 8, 64)
_BIT_RECORD = (112, 2048)
_WORD_BITS = 32


class GenerationFailed(Exception):
    """The probe does not compile against these headers, or they cannot be used at all."""


@dataclass(frozen=True)
class Headers:
    """One CPython's header folder."""

    folder: Path
    """The folder with Python.h."""

    version: str
    """The patch release, as "3.11.7"."""

    @property
    def minor(self) -> str:
        """The version without its patch number, as "3.11"."""
        return ".".join(self.version.split(".")[:2])

    @property
    def order(self) -> list[int]:
        """What sorts releases by age."""
        return [int(part) for part in self.version.split(".")]


def find_headers(folder: Path) -> Headers:
    """Say which CPython a folder of headers belongs to."""
    folder = folder.resolve()
    try:
        text = (folder / "patchlevel.h").read_text()
    except OSError as error:
        raise GenerationFailed(f"{folder} has no patchlevel.h: {error}") from error
    if not (folder / "internal" / "pycore_pystate.h").exists():
        raise GenerationFailed(f"{folder} has no internal headers")
    found = re.search(r'#define PY_VERSION\s+"(\d+\.\d+\.\d+)', text)
    if found is None:
        raise GenerationFailed(f"{folder}/patchlevel.h names no version")
    return Headers(folder, found[1])


def make_tables(headers: Headers, compiler: list[str], machine: str) -> list[Table]:
    """Return the tables that these headers give: as they are, and with natural alignment."""
    return [
        read_table(compile_probe(headers, compiler, machine, natural=natural)) for natural in (False, True)
    ]


def compile_probe(headers: Headers, compiler: list[str], machine: str, *, natural: bool = False) -> bytes:
    """Compile the probe against one version's headers; return the object file."""
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "probe.o"
        flags = _flags(headers, machine, Path(scratch))
        # Debian's 3.13 lowers the alignment of PyGC_Head to 4 (a patch for m68k), which moves
        # what follows; without its attribute, the same headers say what other builds have.
        flags += ["-Daligned(bytes)="] * natural
        command = [*compiler, *flags, "-o", str(target), str(HERE / "probe" / "probe.c")]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode:
            raise GenerationFailed(f"{headers.folder} ({headers.version}):\n{result.stderr}")
        return target.read_bytes()


def _flags(headers: Headers, machine: str, scratch: Path) -> list[str]:
    folder = headers.folder
    # Debian's pyconfig.h includes <machine-linux-gnu/python3.X/pyconfig.h>. What it says
    # decides no layout differently on one 64-bit Linux than on another.
    for parent in (folder.parent / f"{machine}-linux-gnu", folder.parent / "x86_64-linux-gnu"):
        if (parent / folder.name / "pyconfig.h").exists():
            (scratch / f"{machine}-linux-gnu").symlink_to(parent)
            break
    paths = (HERE / "probe", scratch, folder, folder / "internal")
    return ["-c", "-std=gnu11", "-w", "-O0", *(flag for path in paths for flag in ("-I", str(path)))]


def read_table(obj: bytes) -> Table:
    """Turn the records of a compiled probe into a table: constants and structs."""
    elf = ELFFile(io.BytesIO(obj))
    structs: dict[str, Table] = {}
    constants: dict[str, int] = {}
    for name, kind, first, second, text in _records(_section(elf, "memprobe_layout")):
        struct, _, field = name.removeprefix("struct ").partition(".")
        if kind in "CN":
            constants[name] = first - (1 << 64) * (kind == "N")
        elif kind in "FT":
            structs.setdefault(struct, {}).setdefault("fields", {})[field] = [first, second]
        else:
            structs.setdefault(struct, {}).update({"size": second} | ({"hand_made": text} if text else {}))
    for name, place in _bit_fields(_section(elf, "memprobe_bits")):
        struct, _, field = name.removeprefix("struct ").partition(".")
        structs.setdefault(struct, {}).setdefault("bits", {})[field] = place
    return {"constants": constants, "structs": structs}


def _section(elf: ELFFile, name: str) -> bytes:
    section = elf.get_section_by_name(name)
    if section is None:
        raise GenerationFailed(f"the compiled probe has no section {name}")
    return bytes(section.data())


def _records(data: bytes) -> Iterator[tuple[str, str, int, int, str]]:
    for name, *numbers, text in _split(data, _RECORD):
        kind, first, second = (int.from_bytes(number, "little") for number in numbers)
        yield _text(name), chr(kind), first, second, _text(text)


def _bit_fields(data: bytes) -> Iterator[tuple[str, list[int]]]:
    """Yield (name, [byte offset of the 32-bit word, shift, width]) for every bit-field."""
    for name, image in _split(data, _BIT_RECORD):
        ones = int.from_bytes(image, "little")
        first, width = (ones & -ones).bit_length() - 1, ones.bit_count()
        if not ones or ones != ((1 << width) - 1) << first or first % _WORD_BITS + width > _WORD_BITS:
            raise GenerationFailed(f"the bits of {_text(name)} do not lie together in one word")
        yield _text(name), [first // _WORD_BITS * _WORD_BITS // 8, first % _WORD_BITS, width]


def _split(data: bytes, widths: tuple[int, ...]) -> Iterator[list[bytes]]:
    stream = io.BytesIO(data)
    for _ in range(len(data) // sum(widths)):
        yield [stream.read(width) for width in widths]


def _text(data: bytes) -> str:
    return data.split(b"\0", 1)[0].decode()


def default_compiler(machine: str, headers: Path | None = None) -> list[str] | None:
    """Find a compiler for a machine; None if there is none, or no C library headers for it.

    `headers` are the C library's, where Debian's libc6-dev-*-cross puts them by default.
    """
    if machine == platform.machine():
        return next(([path] for name in ("gcc", "cc", "clang") if (path := shutil.which(name))), None)
    if gcc := shutil.which(f"{machine}-linux-gnu-gcc"):
        return [gcc, "-idirafter", "/usr/include"]
    headers = headers or Path(f"/usr/{machine}-linux-gnu/include")
    clang = shutil.which("clang")
    if clang is None or not (headers / "pthread.h").exists():
        return None
    # crypt.h is not in the cross package; the host's own is the same text.
    places = ["-nostdlibinc", "-isystem", str(headers), "-idirafter", "/usr/include"]
    return [clang, f"--target={machine}-linux-gnu", *places]


def main(arguments: list[str] | None = None) -> int:
    """Generate or check the tables of the header folders given."""
    parser = argparse.ArgumentParser(description="Make memprobe's CPython layout tables.")
    parser.add_argument("--include", action="append", required=True, type=Path, metavar="DIR")
    parser.add_argument("--machine", choices=MACHINES, default="x86_64")
    parser.add_argument("--libc-headers", type=Path, metavar="DIR", help="of another machine, for clang")
    parser.add_argument("--output", type=Path, default=HERE, help="the folder with x86_64/ and aarch64/")
    parser.add_argument("--check", action="store_true", help="write nothing, say what differs")
    options = parser.parse_args(arguments)
    try:
        found = sorted(map(find_headers, options.include), key=lambda one: one.order, reverse=True)
        compiler = default_compiler(options.machine, options.libc_headers)
        if compiler is None:
            raise GenerationFailed(f"no compiler for {options.machine}: {CROSS_REMEDY}")
        tables = [(one, table) for one in found for table in make_tables(one, compiler, options.machine)]
    except GenerationFailed as error:
        print(error, file=sys.stderr)
        return 1
    folder = options.output / options.machine
    return _check(folder, tables) if options.check else _write(folder, options.machine, tables)


def _write(folder: Path, machine: str, tables: list[tuple[Headers, Table]]) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    for minor in {headers.minor: None for headers, _ in tables}:
        same_minor = [(headers.version, table) for headers, table in tables if headers.minor == minor]
        document = make_document(machine, same_minor)
        (folder / f"{minor}.json").write_text(render(document))
        print(f"{minor}: {', '.join(document['patches'])} and {len(document['variants'])} variants")
    return 0


def _check(folder: Path, tables: list[tuple[Headers, Table]]) -> int:
    failed = False
    for headers, table in tables:
        document = json.loads((folder / f"{headers.minor}.json").read_text())
        changed = unknown_differences(document, table)
        failed = failed or bool(changed)
        print(f"{headers.version}: {f'DIFFERS in {changed}' if changed else 'is there'}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
