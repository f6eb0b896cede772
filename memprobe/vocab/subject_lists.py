"""Subjects as plain lists and back: the fields in the order of the class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from memprobe.vocab.stack import Frame
from memprobe.vocab.subject import Elements, Subject, What

FIELDS = 9
"""Those that the first version had; an older reader passes over what comes after."""


def subject_to_list(one: Subject) -> list[Any]:
    """Return a subject as what JSON can hold."""
    site = [(frame.function, frame.file, frame.line) for frame in one.site]
    elements = int(one.elements)
    return [
        int(one.what),
        one.type,
        one.holder,
        site,
        one.container,
        elements,
        one.limit,
        one.chain,
        one.notes,
    ]


def subject_from_list(fields: Sequence[Any]) -> Subject:
    """Undo `subject_to_list`; raises ValueError or TypeError for anything else."""
    what, kind, holder, site, container, elements, limit, chain, notes = fields[:FIELDS]
    return Subject(
        What(whole_number(what)),
        _text(kind),
        _text(holder),
        tuple(Frame(_text(function), _text(file), whole_number(line)) for function, file, line in site),
        _text(container),
        Elements(whole_number(elements)),
        None if limit is None else whole_number(limit),
        tuple(map(_text, chain)),
        tuple(map(_text, notes)),
    )


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError(f"{value!r} is no text")
    return value


def whole_number(value: Any) -> int:
    """Return what must be a whole number; raises TypeError."""
    if type(value) is not int:
        raise TypeError(f"{value!r} is no number")
    return value
