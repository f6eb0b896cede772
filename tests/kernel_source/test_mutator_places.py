"""Where containers are changed: found without symbols, on instructions that the kernel emulates."""

from __future__ import annotations

from pathlib import Path

import pytest

from memprobe.abi import MutatorHow
from memprobe.sources.kernel.machine_code import instructions
from memprobe.sources.kernel.mutator_places import find_mutators
from memprobe.target.binary.binaries import LoadedFile, loaded_files, open_file
from memprobe.target.binary.elf import BadElf, file_reader
from memprobe.target.binary.sections import read_sections
from memprobe.target.binary.symbols import function_at
from memprobe.target.cpython.python import Python, attach_python
from memprobe.target.proc.process import Process
from pythons import Interpreter
from target.attaching import threads_of
from target.looking import Look, looked_at

EXPORTED = ("PyDict_Type", "PyList_Type", "PySet_Type")


def python_of(look: Look) -> Python:
    return attach_python(look.memory, look.runtimes()[0], look.mappings, threads_of(look.process))


def place_is_sound(process: Process, python: Python, file: LoadedFile, offset: int) -> str:
    """The name of the function, where the build has it."""
    descriptor = open_file(process, file, python.objects.memory)
    assert descriptor is not None
    assert next(instructions(file_reader(descriptor)(offset, 6), 0)).is_emulated
    return function_at(descriptor, read_sections(descriptor), offset)


@pytest.mark.parametrize("name", EXPORTED)
def test_they_are_found_in_every_build(name: str, interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "family.py") as target, looked_at(target.pid) as look:
        python, files = python_of(look), loaded_files(look.process, look.mappings)
        places = find_mutators(look.process, python, files, python.runtime.symbols[name])
        names = {place_is_sound(look.process, python, files[file], offset) for file, offset, _ in places}
    hows = {cookie & 0xFF for _, _, cookie in places}
    is_by_room = name == "PyList_Type" and interpreter.version >= (3, 11)
    assert hows - {MutatorHow.RESIZES} == {MutatorHow.REALLOCATES if is_by_room else MutatorHow.CHANGES}
    assert len({(file, offset) for file, offset, _ in places}) == len(places)
    if interpreter.root is None and name == "PyDict_Type" and "" not in names:
        assert {"insertdict", "_PyDict_SetItem_Take2"} & names


def test_what_is_no_container_has_none(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "family.py") as target, looked_at(target.pid) as look:
        python, files = python_of(look), loaded_files(look.process, look.mappings)
        with pytest.raises(BadElf, match="were not found"):
            find_mutators(look.process, python, files, python.runtime.symbols["PyTuple_Type"])
