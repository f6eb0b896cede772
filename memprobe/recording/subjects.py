"""Subjects as JSON and back: one list per subject, its fields in the order of the class."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from memprobe.recording.columns import BadBlob
from memprobe.vocab.stack import Frame
from memprobe.vocab.subject import Elements, Subject, What

FIELDS = 9
"""Those that the first version had; an older reader passes over what comes after."""


def packed_subjects(subjects: Mapping[int, Subject]) -> bytes:
    """Return what a batch says of subjects as JSON."""
    return json.dumps([[number, *_fields(one)] for number, one in subjects.items()]).encode()


def unpacked_subjects(text: bytes) -> dict[int, Subject]:
    """Undo `packed_subjects`; raise BadBlob for anything else."""
    try:
        return {_number(number): _subject(*fields[:FIELDS]) for number, *fields in json.loads(text)}
    except (ValueError, TypeError, RecursionError) as error:
        raise BadBlob(f"subjects of something else ({error})") from error


def _fields(one: Subject) -> tuple[Any, ...]:
    site = [(frame.function, frame.file, frame.line) for frame in one.site]
    elements = int(one.elements)
    return int(one.what), one.type, one.holder, site, one.container, elements, one.limit, one.chain, one.notes


def _subject(*fields: Any) -> Subject:
    what, kind, holder, site, container, elements, limit, chain, notes = fields
    return Subject(
        What(_number(what)),
        _text(kind),
        _text(holder),
        tuple(Frame(_text(function), _text(file), _number(line)) for function, file, line in site),
        _text(container),
        Elements(_number(elements)),
        None if limit is None else _number(limit),
        tuple(map(_text, chain)),
        tuple(map(_text, notes)),
    )


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError(f"{value!r} is no text")
    return value


def _number(value: Any) -> int:
    if type(value) is not int:
        raise TypeError(f"{value!r} is no number")
    return value
