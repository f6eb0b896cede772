"""The headers of a kernel: bcc compiles nothing without them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from memprobe.errors import NoKernelSupport

MODULES = Path("/lib/modules")
SOURCES = Path("/usr/src")

_RELEASE = re.compile(r'UTS_RELEASE "([^"]+)"')
_BESIDE = re.compile(r"^include (\S+)/Makefile", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Headers:
    """Where they are; Debian has the generated ones in a folder of their own."""

    source: Path
    """Has include/linux."""

    build: Path
    """Has include/generated; often the same."""

    release: str
    """Of the kernel that they belong to."""

    @property
    def are_this_kernels(self) -> bool:
        """Whether they belong to the kernel that runs."""
        return self.release == os.uname().release

    @property
    def remedy(self) -> str:
        """What is left to try where they do not serve: nothing, if there are no better ones."""
        if self.are_this_kernels:
            return ""
        return f"the headers are those of {self.release}: apt-get install linux-headers-{os.uname().release}"

    def flags(self, machine: str) -> tuple[str, ...]:
        """Compiler options for what is not in `source`."""
        if self.build == self.source:
            return ()
        generated = (
            f"arch/{machine}/include/generated",
            "include",
            f"arch/{machine}/include/generated/uapi",
            "include/generated/uapi",
        )
        return tuple(f"-I{self.build / folder}" for folder in generated)


def find_headers(folder: str | None = None) -> Headers:
    """Return those in a folder, or the best that are installed; raise NoKernelSupport if there are none."""
    for build in (Path(folder),) if folder else _usual_places():
        found = _headers_in(build)
        if found is not None:
            return found
    where = f"in {folder}" if folder else f"in {MODULES} or {SOURCES}"
    raise NoKernelSupport(
        f"there are no kernel headers {where}",
        remedy=f"apt-get install linux-headers-{os.uname().release}, or the headers of a near kernel",
    )


def _usual_places() -> Iterator[Path]:
    """This kernel's own first; then others, the newest first: where fields lie is looked up anyway."""
    release = os.uname().release
    yield MODULES / release / "build"
    yield SOURCES / f"linux-headers-{release}"
    yield SOURCES / "kernels" / release
    yield from sorted((*MODULES.glob("*/build"), *SOURCES.glob("linux-headers-*")), key=_age)


def _age(folder: Path) -> float:
    try:
        return -folder.stat().st_mtime
    except OSError:
        return 0.0


def _headers_in(folder: Path) -> Headers | None:
    try:
        build = folder.resolve(strict=True)
        release = _RELEASE.search((build / "include/generated/utsrelease.h").read_text())
    except OSError:
        return None
    source = next((one for one in _sources(build) if (one / "include/linux/kconfig.h").is_file()), None)
    return None if source is None or release is None else Headers(source, build, release[1])


def _sources(build: Path) -> Iterator[Path]:
    """Where what is not generated may be."""
    yield build
    try:
        beside = _BESIDE.search((build / "Makefile").read_text())
    except OSError:
        return
    if beside is not None:
        yield Path(beside[1])
