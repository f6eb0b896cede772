"""Line tables: what memprobe decodes is what CPython itself reads in them."""

from __future__ import annotations

import marshal
import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memprobe.target.cpython.line_tables import NO_LINE, line_at, line_ranges
from pythons import Interpreter, clean_environment

VERSIONS = [(3, minor) for minor in range(8, 16)]

SHARE = 1 if os.environ.get("MEMPROBE_EXHAUSTIVE") else 7
"""Of the standard library every 7th module is looked at, and all of them in `make matrix`."""


def test_decodes_what_cpython_decodes(interpreter: Interpreter, targets: Path) -> None:
    command = interpreter.command(interpreter.path_inside(targets / "line_tables.py"), str(SHARE))
    compared = 0
    with subprocess.Popen(command, env=clean_environment(), stdout=subprocess.PIPE) as target:
        assert target.stdout is not None
        for first_line, table, expected in _code_objects(target.stdout):
            decoded = line_ranges(interpreter.version, table, first_line)
            assert _merged(decoded, expected[-1][1] if expected else 0) == _merged(expected)
            compared += 1
    assert target.returncode == 0
    assert compared > 100


def _code_objects(stream: IO[bytes]) -> Iterator[tuple[int, bytes, list[tuple[int, int, int]]]]:
    while True:
        try:
            yield from marshal.load(stream)
        except EOFError:
            return


def _merged(ranges: Iterable[tuple[int, int, int]], limit: int = 1 << 40) -> list[tuple[int, int, int]]:
    """Join neighbours of the same line, drop empty ranges, and cut at the end of the code."""
    merged: list[tuple[int, int, int]] = []
    for start, end, line in ranges:
        end = min(end, limit)
        if start >= end:
            continue
        if merged and merged[-1][1:] == (start, line):
            start = merged.pop()[0]
        merged.append((start, end, line))
    return merged


@pytest.mark.parametrize(
    ("version", "table", "offset", "line"),
    [
        ((3, 8), b"", 40, 7),
        ((3, 8), b"\x04\x01\x06\xff", 3, 7),
        ((3, 8), b"\x04\x01\x06\xff", 4, 8),
        ((3, 8), b"\x04\x01\x06\xff", 999, 7),
        ((3, 8), b"\xff\x00\x01\x05", 256, 12),
        ((3, 10), b"\x04\x01\x06\x80\x02\x02", 0, 8),
        ((3, 10), b"\x04\x01\x06\x80\x02\x02", 4, NO_LINE),
        ((3, 10), b"\x04\x01\x06\x80\x02\x02", 10, 10),
        ((3, 10), b"\x04\x01\x06\x80\x02\x02", 12, NO_LINE),
        ((3, 11), b"\x80\x00\xd9\x00\x00\xf8", 0, 7),
        ((3, 11), b"\x80\x00\xd9\x00\x00\xf8", 2, 8),
        ((3, 11), b"\x80\x00\xd9\x00\x00\xf8", 6, NO_LINE),
        ((3, 11), b"\xe8\x49\x02", 0, 7 - 68),
    ],
)
def test_line_of_an_offset(version: tuple[int, int], table: bytes, offset: int, line: int) -> None:
    assert line_at(version, table, 7, offset) == max(NO_LINE, line)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_frame_that_has_not_begun_stands_on_the_first_line(version: tuple[int, int]) -> None:
    assert line_at(version, b"\x80\x00", 41, -1) == 41


@given(
    version=st.sampled_from(VERSIONS),
    table=st.binary(max_size=400),
    first_line=st.integers(-(2**31), 2**31 - 1),
)
def test_any_bytes_give_ranges_in_order_with_lines_that_are_lines(
    version: tuple[int, int], table: bytes, first_line: int
) -> None:
    ranges = list(line_ranges(version, table, first_line))
    assert len(ranges) <= len(table) + 1
    end_before = 0
    for start, end, line in ranges:
        assert start == end_before <= end
        assert NO_LINE <= line < 2**31
        end_before = end
