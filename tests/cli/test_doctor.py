"""doctor: what was tried, what is missing, the command for it, and the Python processes of the machine."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import pythons
from cli.running import document, run
from cli.unprivileged import as_nobody, needs_root


def test_the_document_and_its_parts() -> None:
    seen = document("doctor")
    assert seen["schema"] == "memprobe.doctor/1"
    assert seen["kernel"] == os.uname().release
    assert seen["uid"] == os.geteuid()
    assert seen["target"] is None
    names = [check["name"] for check in seen["checks"]]
    assert len(set(names)) == len(names)
    assert {check["tier"] for check in seen["checks"]} == {0, 1, 2}
    assert [check["tier"] for check in seen["checks"]] == sorted(check["tier"] for check in seen["checks"])


def test_it_finds_the_pythons_of_the_machine(interpreter: pythons.Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "service.py") as target:
        found = {one["pid"]: one for one in document("doctor")["interpreters"]}
    seen = found[target.pid]
    assert (seen["python"], seen["tier"], seen["obstacle"]) == (interpreter.patch, 1, None)
    assert seen["command"].endswith("service.py")


def test_a_process_that_can_be_looked_at(targets: Path) -> None:
    with pythons.own().spawn(targets / "service.py") as target:
        seen = document("doctor", target.pid)
        page = run("doctor", target.pid).stdout
    assert seen["target"]["python"] == pythons.own().patch
    assert seen["target"]["tier"] == 1
    assert all(check["passed"] for check in seen["target"]["checks"])
    assert seen["interpreters"] == []
    assert page.startswith(f"pid {target.pid} is CPython {pythons.own().patch}")
    assert "sys.hexversion" in page


def test_the_page_shows_every_check_and_every_remedy() -> None:
    seen = document("doctor")
    page = run("doctor").stdout
    for check in seen["checks"]:
        assert check["name"] in page
        if not check["ok"] and check["remedy"]:
            assert check["remedy"] in page


@needs_root
def test_without_rights_it_names_what_grants_them() -> None:
    done = as_nobody("doctor", "--json")
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["uid"] == 65534
    assert seen["tier"] == 1
    missing = [check for check in seen["checks"] if check["required"] and not check["ok"]]
    assert missing
    assert {check["tier"] for check in missing} == {2}
    assert all(check["remedy"] for check in missing)


@needs_root
def test_a_foreign_process_is_diagnosed_on_standard_output_too(targets: Path) -> None:
    with pythons.own().spawn(targets / "service.py") as target:
        done = as_nobody("doctor", target.pid, "--json")
        listed = as_nobody("doctor", "--json")
    assert done.returncode == 3
    seen = json.loads(done.stdout)["target"]
    assert (seen["pid"], seen["tier"]) == (target.pid, None)
    assert "not permitted" in seen["obstacle"]
    assert "as root (sudo)" in seen["remedy"]
    found = {one["pid"]: one for one in json.loads(listed.stdout)["interpreters"]}
    assert found[target.pid]["tier"] is None
    assert "not permitted" in found[target.pid]["obstacle"]


def test_one_process_that_never_answers_does_not_hide_the_others(targets: Path) -> None:
    own = pythons.own()
    if not (3, 9) <= own.version <= (3, 11):
        pytest.skip("the target knows the interpreter state of 3.9 to 3.11 only")
    with (
        own.spawn(targets / "withholds_memory.py", ready="") as blocking,
        own.spawn(targets / "service.py") as service,
    ):
        if blocking.ready == "refused":
            pytest.skip("this kernel has no userfaultfd for us")
        found = {one["pid"] for one in document("doctor")["interpreters"]}
    assert {blocking.pid, service.pid} <= found
