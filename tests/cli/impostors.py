"""Programs that are no Python but carry what memprobe recognises one by."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import pythons

SOURCE = """
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

/* What a runtime of 3.13 and later begins with; the rest of it is made of ones. */
struct {
    char cookie[8];
    uint64_t version;
    uint64_t free_threaded;
    uint64_t rest[50000];
} _PyRuntime = {"xdebugpy", VERSION, FREE_THREADED, {[0 ... 49999] = 0x1111}};

int main(void)
{
    puts("ready");
    fflush(stdout);
    pause();
    return 0;
}
"""


@contextmanager
def impostor(folder: Path, version: int, *, free_threaded: bool = False) -> Iterator[pythons.Target]:
    """Run a program that says it is this version of CPython, built this way."""
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("needs a C compiler")
    source, program = folder / "impostor.c", folder / "impostor"
    source.write_text(SOURCE)
    defines = [f"-DVERSION={version:#x}", f"-DFREE_THREADED={int(free_threaded)}"]
    subprocess.run([compiler, *defines, "-rdynamic", "-o", program, source], check=True)
    with pythons.spawn_command([str(program)]) as target:
        yield target
