"""The notation of the tables: one line per type.

    "PyFunctionObject  func_code=__code__ func_globals=__globals__  -func_doc  ~func_object"

The first word is the struct in the layout tables ("-" if it is in none of them: members are then
given by the number of their word). Each other word is a member:

    name            a field of the struct; of a nested one with dots. A version without it has no such member
    last, last3     the last word of the type's basic size, the third before it
    12              the word at 12 * 8 (for structs that are in no layout table)
    =shown          the name by which people know it; without, it is shown as <name>
    -name           owned, but not visited by tp_traverse;  ~name weak;  ?name guessed
    op!name,end     with another operation; end is the type's basic size
    op!name,extra   with another operation than POINTER (members.Op); extra is a field, a number, or
                    a constant of the layout
    @9-12           only in these minors; @9- from 3.9 on; @-12 up to 3.12
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from memprobe.heap.shapes.members import Member, Op, Strength
from memprobe.target.layouts import Layout

_WORD = re.compile(
    r"(?P<strength>[-~?]?)(?:(?P<op>\w+)!)?(?P<field>[\w.]+)(?:,(?P<extra>[\w.]+))?"
    r"(?:=(?P<shown>[^@\s]*))?(?:@(?P<low>\d*)-(?P<high>\d*))?$"
)
_STRENGTHS = {"": Strength.VISITED, "-": Strength.OWNED, "~": Strength.WEAK, "?": Strength.GUESSED}


def parse(line: str, layout: Layout, basicsize: int = 0) -> Iterator[Member]:
    """Yield the members that a line of a table means in one version."""
    struct, *words = line.split()
    for word in words:
        found = _WORD.match(word)
        if found is None:
            raise ValueError(f"{word!r} in the shape {line!r}")
        low, high = int(found["low"] or 0), int(found["high"] or 99)
        offset = _from_end(found["field"], basicsize)
        if offset is None:
            offset = _place(found["field"], struct, layout)
        if offset is None or not low <= layout.version[1] <= high:
            continue
        op = Op[(found["op"] or "pointer").upper()]
        extra = basicsize if found["extra"] == "end" else 0
        if found["extra"] and not extra:
            extra = _place(found["extra"], struct, layout, constants=True) or 0
        shown = f"<{found['field']}>" if found["shown"] is None else found["shown"]
        yield Member(shown, op, _STRENGTHS[found["strength"]], offset, extra)


def _from_end(name: str, basicsize: int) -> int | None:
    """Return the place of "last", or of "last3", the third before it."""
    count = name.removeprefix("last") if name.startswith("last") else "no"
    return basicsize - 8 * (int(count or 0) + 1) if count == "" or count.isdigit() else None


def _place(name: str, struct: str, layout: Layout, constants: bool = False) -> int | None:
    """Return what a name means: a constant, a word's place, a field's offset; None if there is none."""
    if name.isdigit():
        return int(name) * (1 if constants else 8)
    if constants and layout.has(name):
        return layout.constant(name)
    if name == "ob_size":
        return layout.offset("PyVarObject.ob_size")
    field = f"{struct}.{name}"
    if layout.has(field):
        return layout.offset(field)
    outer, _, inner = field.rpartition(".")
    inner = f"_PyErr_StackItem.{inner}"  # the one struct that others have inside
    return layout.offset(outer) + layout.offset(inner) if layout.has(outer) and layout.has(inner) else None
