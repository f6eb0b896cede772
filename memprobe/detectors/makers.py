"""Which code makes what a type counts, as far as stacks show it: those that go through its own methods."""

from __future__ import annotations

from memprobe.ledger import Ledger
from memprobe.vocab.stack import Frame


def made_by(type_name: str, frame: Frame) -> bool:
    """Tell whether a frame runs a method of a type; before 3.11: a constructor in its module."""
    module, _, name = type_name.rpartition(".")
    in_class, _, method = frame.function.rpartition(".")
    if not module or not _is_in(module, frame.file):
        return False
    if in_class:
        return in_class.rpartition(".")[2] == name
    return module != "__main__" and method in ("__init__", "__new__")  # which file __main__ is nobody says


def stack_of_maker(type_name: str, ledger: Ledger, pid: int) -> tuple[Frame, ...]:
    """Return where memory grows in the constructor of a type: from it outwards; empty if none was seen.

    Stacks of growth are of those who needed new memory, a sample of all: the largest is taken.
    """
    for site in ledger.growth_sites(pid):
        for place, frame in enumerate(site.site):
            if frame.function.rpartition(".")[2] == "__init__" and made_by(type_name, frame):
                return site.site[place:]
    return ()


def _is_in(module: str, file: str) -> bool:
    path = "/" + module.replace(".", "/")
    return module == "__main__" or file.endswith((f"{path}.py", f"{path}/__init__.py"))
