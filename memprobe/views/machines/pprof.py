"""The report as a pprof profile: a gzipped protobuf message, written by hand.

The numbers of the fields are those of the public profile.proto of google/pprof. A sample has three values
(growth in bytes, open handles, bytes that leak) of which one is set, and a label with its sort.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from memprobe.views.machines.weights import UNITS, Weighed, weighed
from memprobe.vocab.stack import Frame

SAMPLE_TYPE, SAMPLE, LOCATION, FUNCTION, STRING_TABLE = 1, 2, 4, 5, 6
TIME_NANOS, DURATION_NANOS, COMMENT, DEFAULT_SAMPLE_TYPE = 9, 10, 13, 14
VARINT, BYTES = 0, 2
COMMENTS = ("Growth: the same memory may stand under several hows: it is mapped, then used.",)


def render(document: dict[str, Any]) -> bytes:
    """Return the profile, gzipped as pprof wants it."""
    return gzip.compress(_Profile().encoded(document), mtime=0)


class _Profile:
    """Numbers strings, functions and locations as they come."""

    def __init__(self) -> None:
        self._strings: dict[str, int] = {"": 0}
        self._functions: dict[tuple[str, str], int] = {}
        self._locations: dict[Frame, int] = {}

    def encoded(self, document: dict[str, Any]) -> bytes:
        types = [_message(SAMPLE_TYPE, self._named(what, unit)) for what, unit in UNITS.items()]
        samples = [_message(SAMPLE, self._sample(one)) for one in weighed(document)]
        locations = [_message(LOCATION, self._location(frame, i)) for frame, i in self._locations.items()]
        functions = [_message(FUNCTION, self._function(*one, i)) for one, i in self._functions.items()]
        tail = [*_times(document), *(_number(COMMENT, self._string(text)) for text in COMMENTS)]
        tail.append(_number(DEFAULT_SAMPLE_TYPE, self._string(next(iter(UNITS)))))
        strings = [_message(STRING_TABLE, text.encode("utf-8", "backslashreplace")) for text in self._strings]
        return b"".join([*types, *samples, *locations, *functions, *strings, *tail])

    def _string(self, text: str) -> int:
        return self._strings.setdefault(text, len(self._strings))

    def _named(self, name: str, value: str) -> bytes:
        return _number(1, self._string(name)) + _number(2, self._string(value))

    def _sample(self, one: Weighed) -> bytes:
        values = [one.value if what == one.what else 0 for what in UNITS]
        label = self._named("sort", one.sort)
        return _packed(1, map(self._location_id, one.frames)) + _packed(2, values) + _message(3, label)

    def _location_id(self, frame: Frame) -> int:
        self._functions.setdefault((frame.function, frame.file), len(self._functions) + 1)
        return self._locations.setdefault(frame, len(self._locations) + 1)

    def _location(self, frame: Frame, number: int) -> bytes:
        line = _number(1, self._functions[frame.function, frame.file]) + _number(2, frame.line)
        return _number(1, number) + _message(4, line)

    def _function(self, name: str, file: str, number: int) -> bytes:
        text = self._string(name)
        return _number(1, number) + _number(2, text) + _number(3, text) + _number(4, self._string(file))


def _times(document: dict[str, Any]) -> Iterable[bytes]:
    window = document["window"]
    try:
        start_s = int(datetime.fromisoformat(window["start"]).timestamp())
    except ValueError:  # a recording that is damaged may not know when it began
        start_s = 0
    yield _number(TIME_NANOS, start_s * 1_000_000_000)
    yield _number(DURATION_NANOS, int(window["duration_s"] * 1e9))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3 | VARINT) + _varint(value) if value else b""


def _packed(field: int, values: Iterable[int]) -> bytes:
    return _message(field, b"".join(map(_varint, values)))


def _message(field: int, body: bytes) -> bytes:
    return _varint(field << 3 | BYTES) + _varint(len(body)) + body


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
