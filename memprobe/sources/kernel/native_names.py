"""The native function that a line of Python was in, by the top of its thread's stack.

Nothing is unwound: frame pointers are the exception, and the tables that exceptions are unwound by would have
to be read and interpreted for every library. The words at the top of the stack are looked through, from the
innermost on up to the evaluation loop, for the first that is where a call returns to, in a library that is
neither Python's own nor the C library's. Now and then that is what an earlier call has left behind.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import numpy as np

from memprobe.errors import MemprobeError
from memprobe.sources.kernel.machine_code import follows_call
from memprobe.sources.kernel.records import Words
from memprobe.target.binary.binaries import LoadedFile, loaded_files, open_binary
from memprobe.target.binary.elf import BadElf, file_reader
from memprobe.target.binary.sections import read_sections
from memprobe.target.binary.symbols import function_at
from memprobe.target.cpython.python import Python
from memprobe.target.proc.mappings import Mapping, read_mappings
from memprobe.target.proc.process import Process
from memprobe.vocab import Frame

C_LIBRARY = "c|m|dl|rt|pthread|resolv|nsl|util|stdc\\+\\+|gcc_s|(?:je|tc|mi)malloc[a-z_]*"
PYTHONS_OWN = (
    "python3|ffi|ssl|crypto|sqlite3|z|bz2|lzma|zstd|expat|uuid|readline|ncursesw?|tinfow?|gdbm|db|mpdec"
)
NOBODYS = re.compile(rf"/lib-dynload/|/(?:lib(?:{C_LIBRARY}|{PYTHONS_OWN})|ld)[-.\d][^/]*$")
"""Libraries that act for others: the C library, what allocates memory, what Python itself needs."""

EVALUATION = "_PyEval_EvalFrameDefault"

REFRESH_S = 5.0
"""What was imported meanwhile is known after so long."""

LONGEST_CALL = 7
"""Bytes."""

MOST_TRIED = 8
"""Words of one stack that may be looked up."""

NAMES_KEPT = 10_000


class NativeNames:
    """Names native functions of one process."""

    def __init__(self, process: Process, python: Python) -> None:
        self._process, self._python = process, python
        self._code: list[tuple[Mapping, LoadedFile]] = []
        self._starts = self._ends = np.zeros(0, np.uint64)
        self._evaluation = 0, 0
        self._names: dict[tuple[int, bool], Frame | None] = {}
        self._read_s = -REFRESH_S

    def frame(self, words: Words) -> Frame | None:
        """Return the innermost function of others' libraries; None if there is none.

        `words` has where the thread was, and then the top of its stack.
        """
        self._refresh()
        for index, place in self._candidates(words):
            found = self._named(int(words[index]), place, is_return=index > 0)
            if found is not None:
                return found
        return None

    def _candidates(self, words: Words) -> Iterator[tuple[int, int]]:
        """Which words lie in code of others, and in which; only those in front of the evaluation loop."""
        if not len(self._starts):
            return
        begin, end = self._evaluation
        of_loop = np.flatnonzero((words >= begin) & (words < end))
        inner = words[: of_loop[0]] if len(of_loop) else words
        places = np.searchsorted(self._starts, inner, "right") - 1
        inside = (places >= 0) & (inner < self._ends[places])
        for index in np.flatnonzero(inside)[:MOST_TRIED].tolist():
            yield index, int(places[index])

    def _named(self, address: int, place: int, *, is_return: bool) -> Frame | None:
        key = address, is_return
        if key not in self._names:
            if len(self._names) >= NAMES_KEPT:
                self._names.clear()
            try:
                self._names[key] = self._look_up(address, *self._code[place], is_return=is_return)
            except (BadElf, OSError, MemprobeError):
                self._names[key] = None
        return self._names[key]

    def _look_up(self, address: int, mapping: Mapping, file: LoadedFile, *, is_return: bool) -> Frame | None:
        offset = address - mapping.start + mapping.offset
        with open_binary(self._process, file, self._python.objects.memory) as opened:
            if opened.descriptor is None:
                return None
            before = file_reader(opened.descriptor)(max(offset - LONGEST_CALL, 0), LONGEST_CALL)
            if is_return and not follows_call(before):
                return None
            # A call may be the last instruction of its function.
            name = function_at(opened.descriptor, read_sections(opened.descriptor), offset - is_return)
        return Frame(name or file.name, f"<{file.name}>", 0)

    def _refresh(self) -> None:
        """See what is loaded now."""
        now_s = time.monotonic()
        if now_s - self._read_s < REFRESH_S:
            return
        self._read_s = now_s
        try:
            files = loaded_files(self._process, read_mappings(self._process))
        except (MemprobeError, OSError):
            return
        runtime = self._python.runtime.path
        if not any(self._evaluation):
            self._find_evaluation(next((file for file in files if file.path == runtime), None))
        others = [file for file in files if file.path != runtime and not NOBODYS.search(file.path)]
        self._take([(mapping, file) for file in others for mapping in file.mappings if mapping.is_executable])

    def _take(self, code: list[tuple[Mapping, LoadedFile]]) -> None:
        code.sort(key=lambda one: one[0].start)
        if code != self._code:
            self._code = code
            self._starts = np.array([mapping.start for mapping, _ in code], np.uint64)
            self._ends = np.array([mapping.end for mapping, _ in code], np.uint64)
            self._names.clear()

    def _find_evaluation(self, file: LoadedFile | None) -> None:
        if file is None:
            return
        try:
            with open_binary(self._process, file, self._python.objects.memory) as opened:
                symbol = opened.elf.symbol(EVALUATION)
        except (BadElf, OSError, MemprobeError):
            return
        if symbol is not None:
            begin = symbol.address + self._python.runtime.bias
            self._evaluation = begin, begin + symbol.size
