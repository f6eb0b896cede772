"""Objects: memprobe reads strings, integers, dicts and attributes as the target has them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from memprobe.target.cpython.objects import MAXIMUM_CHARACTERS, BadObject
from pythons import Interpreter
from target.attaching import attached


def test_objects(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "known_objects.py") as target, attached(target.pid) as python:
        truth = json.loads(target.ready)
        for address, text in truth["texts"]:
            assert python.objects.string(address) == text[:MAXIMUM_CHARACTERS]
        for address, number in truth["numbers"]:
            assert python.objects.integer(address) == number
        for address, items in truth["dicts"]:
            assert python.dictionaries.items(address) == [(key, value) for key, value in items]
        for address, attributes in truth["instances"]:
            items = python.instances.attributes(address)
            names = python.objects.strings(name for name, _ in items)
            # A thread has attributes of its own beside those that were told.
            found = {names[name]: value for name, value in items if names[name] in attributes}
            assert found == attributes
            assert python.instances.attribute(address, "a") == attributes.get("a", 0)
            assert python.instances.attribute(address, "no such name") == 0


def test_what_is_found_by_name(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "known_objects.py") as target, attached(target.pid) as python:
        (main,) = python.interpreters()
        named = python.dictionaries.named_items(main.sys_dict)
        assert python.dictionaries.find(main.sys_dict, "hexversion") == named["hexversion"]
        assert python.objects.integer(named["hexversion"]) == python.hexversion
        assert python.dictionaries.find(main.sys_dict, "hexversio") == 0
        assert python.objects.string(named["platform"]) == "linux"
        assert python.objects.type_name(python.objects.type_of(named["platform"])) == "str"


@pytest.mark.parametrize("address", [0, 1, 8, 2**63, -8, 0x500000000004])
def test_what_is_no_pointer_is_not_followed(interpreter: Interpreter, targets: Path, address: int) -> None:
    with interpreter.spawn(targets / "known_objects.py") as target, attached(target.pid) as python:
        for read in (
            python.objects.string,
            python.objects.integer,
            python.objects.type_of,
            python.dictionaries.items,
        ):
            with pytest.raises(BadObject):
                read(address)
