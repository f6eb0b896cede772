"""Compiles programs with bcc; run by the system's Python, which has it, and imported by nobody.

Standard input has {"flags": [...], "sources": {name: C}}, standard output gets {name: object, in base64}.
bcc keeps what it compiles to itself, and loads it in its own way. But like every just-in-time compiler of
LLVM it shows its objects to debuggers, by the interface that gdb documents ("JIT Compilation Interface"):
there they are taken from, complete with their maps, types and relocations.
"""

from __future__ import annotations

import base64
import ctypes
import json
import os
import sys

BPF_MACHINE = 247
"""e_machine of an ELF file."""


class Entry(ctypes.Structure):
    """struct jit_code_entry."""


Entry._fields_ = [
    ("next", ctypes.POINTER(Entry)),
    ("previous", ctypes.POINTER(Entry)),
    ("image", ctypes.c_void_p),
    ("size", ctypes.c_uint64),
]


class Descriptor(ctypes.Structure):
    """struct jit_descriptor; the newest entry is the first."""

    _fields_ = [
        ("version", ctypes.c_uint32),
        ("action", ctypes.c_uint32),
        ("relevant", ctypes.POINTER(Entry)),
        ("first", ctypes.POINTER(Entry)),
    ]


def newest_object(library: ctypes.CDLL) -> bytes:
    """The last object for BPF that was compiled."""
    entry = Descriptor.in_dll(library, "__jit_debug_descriptor").first
    while entry:
        image = ctypes.string_at(entry.contents.image, entry.contents.size)
        if int.from_bytes(image[18:20], sys.byteorder) == BPF_MACHINE:
            return image
        entry = entry.contents.next
    raise SystemExit("this build of bcc does not show what it compiles")


def main() -> None:
    """Compile what standard input asks for."""
    # bcc prints on standard output, too.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    import bcc

    request = json.load(sys.stdin)
    objects = {}
    for name, source in request["sources"].items():
        module = bcc.BPF(text=source, cflags=request["flags"])
        objects[name] = base64.b64encode(newest_object(bcc.lib)).decode()
        del module
    json.dump(objects, answer)
    answer.close()


if __name__ == "__main__":
    main()
