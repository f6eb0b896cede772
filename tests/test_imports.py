"""What starting memprobe brings into the interpreter: no more than is listed here."""

from __future__ import annotations

import subprocess
import sys

ALLOWED = {"memprobe"}
"""What `import memprobe` may load beyond what a bare interpreter has already."""

HEAVY = {"numpy", "rich", "psutil", "elftools", "sqlite3", "asyncio", "http", "email", "ctypes"}
"""What `memprobe --help` has no use for."""

HELP = """
from memprobe.cli import main
sys.argv = ["memprobe", "--help"]
try:
    main()
except SystemExit:
    pass
"""


def loaded_by(code: str) -> set[str]:
    """The modules that running `code` adds to a fresh interpreter's own."""
    program = f"import sys\nbefore = set(sys.modules)\n{code}\n"
    program += "print(*set(sys.modules) - before, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_importing_memprobe_is_light() -> None:
    assert loaded_by("import memprobe") <= ALLOWED


def test_help_loads_nothing_heavy() -> None:
    assert {name.partition(".")[0] for name in loaded_by(HELP)}.isdisjoint(HEAVY)


def test_a_run_has_no_use_for_openssl() -> None:
    """It takes 3.5 MB: memprobe.vocab.digest has BLAKE2 without it."""
    assert "_hashlib" not in loaded_by("import memprobe.session")


def test_the_public_names_are_there() -> None:
    import memprobe

    assert [name for name in memprobe.__all__ if not hasattr(memprobe, name)] == []
