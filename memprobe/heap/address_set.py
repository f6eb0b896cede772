"""Where all objects were at one moment, in four bytes each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from memprobe.heap.arrays import pieces

if TYPE_CHECKING:
    import numpy.typing as npt

    Addresses = npt.NDArray[np.uint64]

_ALIGNMENT_BITS = 3
_PLACE_BITS = 16
_WINDOW_BITS = _PLACE_BITS + _ALIGNMENT_BITS


class AddressSet:
    """Addresses that are multiples of 8: the number of a window of 512 KiB, and the place in it."""

    def __init__(self, addresses: Addresses) -> None:
        """Keep addresses, in any order."""
        windows = [np.unique(addresses[part] >> _WINDOW_BITS) for part in pieces(len(addresses))]
        self._windows = np.unique(np.concatenate(windows)) if windows else np.empty(0, np.uint64)
        is_short = len(self._windows) <= 1 << 32 - _PLACE_BITS
        self._keys = np.empty(len(addresses), np.uint32 if is_short else np.uint64)
        for part in pieces(len(addresses)):
            self._keys[part] = self._keys_of(addresses[part])[0]
        self._keys.sort()

    def contains(self, addresses: Addresses) -> npt.NDArray[np.bool_]:
        """Which of these addresses are in the set."""
        found = np.zeros(len(addresses), np.bool_)
        for part in pieces(len(addresses) if len(self._keys) else 0):
            keys, is_known = self._keys_of(addresses[part])
            places = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
            found[part] = is_known & (self._keys[places] == keys)
        return found

    def _keys_of(self, addresses: Addresses) -> tuple[npt.NDArray[np.unsignedinteger], npt.NDArray[np.bool_]]:
        """The key of each address, and whether its window is known."""
        wanted = addresses >> _WINDOW_BITS
        numbers = np.minimum(np.searchsorted(self._windows, wanted), len(self._windows) - 1)
        places = addresses >> _ALIGNMENT_BITS & ((1 << _PLACE_BITS) - 1)
        # Of the same type as what they are looked up in: numpy would make a copy of that otherwise.
        keys = (numbers.astype(np.uint64) << _PLACE_BITS | places).astype(self._keys.dtype)
        return keys, self._windows[numbers] == wanted
