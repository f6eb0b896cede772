"""The C core that needs libbpf: opening, loading and attaching compiled BPF programs.

This stub is the home of its documentation; the sources are in `src/`. libbpf never prints: what it
has to say about a failure is in the exception.
"""

import os
from types import TracebackType
from typing import Self, final

from typing_extensions import Buffer

class BpfError(OSError):
    """Something that was asked of the kernel or of libbpf failed; `errno` says why.

    Beyond the errnos of the system, libbpf has its own from 4000 on (4001: not a BPF object).
    """

    log: tuple[str, ...]
    """What libbpf and the kernel's verifier said: the last 64 KiB of it, as lines."""

@final
class BpfObject:
    """A compiled BPF object: open, then loaded, then with programs attached.

    All of it ends with close(), or when the object is collected: programs are detached first, and
    the kernel frees them and their maps. Its file descriptors are not inherited through exec.
    Methods raise BpfError when libbpf fails, KeyError for a name that the object does not have,
    ValueError out of order or with a value of the wrong size, and RuntimeError while another
    thread is in one of them.
    """

    def __init__(self, source: Buffer | str | os.PathLike[str], *, name: str = "memprobe") -> None:
        """Open an object from its content or its path. The kernel lists its maps under `name`."""

    @property
    def programs(self) -> tuple[str, ...]:
        """The names of its programs."""

    @property
    def maps(self) -> tuple[str, ...]:
        """The names of its maps."""

    def set_constant(self, name: str, value: Buffer, /) -> None:
        """Set a `const volatile` variable; only before load(), and to exactly its size."""

    def load(self) -> None:
        """Create the maps and have the kernel verify the programs."""

    def attach(self, program: str, /) -> None:
        """Attach a program to the hook that its section names. It runs from now on."""

    def read_map(self, name: str, key: Buffer, /) -> bytes | None:
        """Return what a map has for a key, None if it does not have the key.

        A per-CPU map gives one value for each possible CPU, each padded to 8 bytes.
        """

    def close(self) -> None:
        """Detach everything and let go of it; more than once is fine."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...
