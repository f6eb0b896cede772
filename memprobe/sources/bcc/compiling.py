"""bcc as a compiler: a child under the system's Python, as bcc's package is there and LLVM is large."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

from memprobe.errors import NoKernelSupport
from memprobe.sources.bcc.headers import Headers
from memprobe.target.forking import no_room

MACHINES = {"x86_64": "x86"}
"""As the kernel's folders are named. On others the fields have not been looked for yet."""

PYTHONS = ("/usr/bin/python3", "python3")
"""Where bcc's package may be."""

CHILD = Path(__file__).with_name("compile_with_bcc.py")
LIMIT_S = 300.0
"""An object takes some seconds; a machine that needs this long is stuck."""

INSTALL = "apt-get install python3-bpfcc"


@cache
def python_with_bcc() -> str:
    """Return the Python that has bcc; raise NoKernelSupport if there is none."""
    for name in PYTHONS:
        found = shutil.which(name)
        if found is not None and _imports_bcc(found):
            return found
    raise NoKernelSupport("the system's Python has no package bcc", remedy=INSTALL)


def _imports_bcc(python: str) -> bool:
    # Found, not imported: that loads LLVM.
    command = [
        python,
        "-I",
        "-c",
        "import importlib.util, sys; sys.exit(not importlib.util.find_spec('bcc'))",
    ]
    return _child(command, env=_environment()).returncode == 0


def _child(command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run a child to its end; raise NoMoreProcesses if there can be none."""
    try:
        return subprocess.run(command, capture_output=True, check=False, **options)
    except OSError as error:
        raise no_room("the compiler", error.strerror) from None


def machine() -> str:
    """Return this machine as the kernel's folders name it; raise NoKernelSupport if it is not known."""
    name = os.uname().machine
    if name not in MACHINES:
        raise NoKernelSupport(f"the engine bcc does not know {name} yet")
    return MACHINES[name]


def compiled(sources: Mapping[str, str], headers: Headers, flags: Sequence[str] = ()) -> dict[str, bytes]:
    """Compile programs, each by a child of its own, and return their ELF files by name."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as children:
        made = children.map(lambda name: _compiled(name, sources[name], headers, flags), sources)
        return dict(zip(sources, made, strict=True))


def _compiled(name: str, source: str, headers: Headers, flags: Sequence[str]) -> bytes:
    request = {
        "flags": ["-w", "-DMEMPROBE_BCC", f"-D__TARGET_ARCH_{machine()}", *headers.flags(machine()), *flags],
        "sources": {name: source},
    }
    try:
        done = _child(
            [python_with_bcc(), "-I", str(CHILD)],
            input=json.dumps(request).encode(),
            timeout=LIMIT_S,
            env=_environment(BCC_KERNEL_SOURCE=str(headers.source)),
        )
    except subprocess.TimeoutExpired:
        raise NoKernelSupport(f"bcc has not compiled {name!r} within {LIMIT_S:.0f} s") from None
    if done.returncode != 0:
        raise NoKernelSupport(
            f"bcc cannot compile {name!r}: {_complaint(done.stderr)}",
            remedy=headers.remedy,
        )
    return base64.b64decode(json.loads(done.stdout)[name])


def _complaint(said: bytes) -> str:
    """The first error of the compiler, or its last words."""
    lines = said.decode(errors="replace").strip().splitlines()
    return next((line for line in lines if "error:" in line), lines[-1] if lines else "it says nothing")


def _environment(**more: str) -> dict[str, str]:
    """What a child gets to know: nothing of memprobe's own Python.

    Without a home it would ask the machine's services for one (nscd).
    """
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/", "LC_ALL": "C", **more}
