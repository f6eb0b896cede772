"""The functions that handle signals.

CPython has them in an array of (flag, function), one for each signal, in static memory: of the module
_signal to 3.10, of the runtime later. No table knows where; but most of the functions are SIG_DFL, SIG_IGN
or None, and no other array is like that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from memprobe.heap.static_memory import static_words
from memprobe.target.cpython.objects import UNREADABLE, is_pointer
from memprobe.target.cpython.python import Python
from memprobe.target.proc.mappings import Mapping

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SIGNALS = 64
_COMMON = 40  # of the 64 have no handler of the program's own in any program seen


class SignalHandlers:
    """Finds the handlers of one target."""

    def __init__(self, python: Python, mappings: Sequence[Mapping]) -> None:
        self._python = python
        self._mappings = mappings

    def read(self) -> Iterator[tuple[int, int]]:
        """Yield the number of each signal that a function of the program handles, and the function."""
        usual = self._usual()
        if not usual:
            return
        for _, _, words in static_words(self._python.objects.memory, self._mappings):
            functions = _array(words, usual)
            if functions is not None:
                for number, function in enumerate(functions, 1):
                    if function not in usual and is_pointer(function):
                        yield number, function
                return

    def _usual(self) -> set[int]:
        """Return the addresses of what stands for no handler."""
        dictionaries = self._python.dictionaries
        for interpreter in self._python.interpreters():
            try:
                module = dictionaries.find(interpreter.modules, "_signal")
                if module:
                    names = dictionaries.named_items(dictionaries.of_module(module))
                    # Any module's __spec__ or __doc__ may be None; the builtins have it by name.
                    builtins = dictionaries.find(interpreter.modules, "builtins")
                    none = self._none(dictionaries.of_module(builtins))
                    return {names["SIG_DFL"], names["SIG_IGN"]} | none
            except (*UNREADABLE, KeyError):
                continue
        return set()

    def _none(self, builtins: int) -> set[int]:
        """Return the address of None: its type is the only one called NoneType."""
        objects = self._python.objects
        for address in self._python.dictionaries.named_items(builtins).values():
            if objects.type_name(objects.type_of(address)) == "NoneType":
                return {address}
        return set()


def _array(words: NDArray[np.uint64], usual: set[int]) -> list[int] | None:
    """Find the functions of all signals among the words of static memory."""
    import numpy as np

    is_usual = np.isin(words, np.array(sorted(usual), dtype=np.uint64))
    for parity in (0, 1):
        every_second = is_usual[parity::2]
        if len(every_second) <= _SIGNALS:
            continue
        sums = np.concatenate(([0], np.cumsum(every_second)))
        counts = sums[_SIGNALS:] - sums[:-_SIGNALS]
        if not len(counts) or counts.max() < _COMMON:
            continue
        functions = words[parity::2]
        # Of all places with as many the first: before it stands signal 0, which has no function.
        for start in np.flatnonzero(counts >= _COMMON):
            found = functions[start : start + _SIGNALS]
            if start and functions[start - 1] == 0 and found.all():
                return [int(function) for function in found]
    return None
