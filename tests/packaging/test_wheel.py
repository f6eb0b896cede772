"""The wheel: what is in it, and that it runs where there is nothing else."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

from commands import run

HERE = Path(__file__).parent
PROBES = "memprobe/native/objects/probes/"
"""What bcc compiles where it runs."""


def names(wheel: Path) -> list[str]:
    """The paths inside the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_one_wheel_serves_every_python_from_311(wheel: Path) -> None:
    assert re.fullmatch(r"memprobe_ebpf-[\d.]+-cp311-abi3-manylinux_\S+\.whl", wheel.name)


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    tops = {name.partition("/")[0] for name in names(wheel)}
    version = wheel.name.split("-")[1]
    assert tops <= {"memprobe", f"memprobe_ebpf-{version}.dist-info", "memprobe_ebpf.libs"}
    others = [name for name in names(wheel) if not name.startswith(PROBES)]
    assert [name for name in others if name.endswith((".c", ".h", ".o.tmp", ".pyc"))] == []


def test_the_wheel_holds_what_runs(wheel: Path) -> None:
    inside = names(wheel)
    assert any(re.fullmatch(r"memprobe/.*\.abi3\.so", name) for name in inside)
    assert any(name.endswith(".bpf.o") for name in inside)
    assert {f"{PROBES}abi.h", f"{PROBES}peek.bpf.c", f"{PROBES}lib/bcc.h"} <= set(inside)
    assert any(re.fullmatch(r"memprobe/target/layouts/x86_64/3\.15\.json", name) for name in inside)


def test_grafted_libraries_come_with_their_licences(wheel: Path) -> None:
    inside = names(wheel)
    notices = " ".join(name for name in inside if "/licenses/" in name)
    assert "LICENSE" in notices
    for name in inside:
        library = re.match(r"memprobe_ebpf\.libs/(lib[a-z]+)", name)
        assert library is None or library[1] in notices, f"{name} has no notice among: {notices}"


def test_the_wheel_runs_on_a_clean_machine(
    wheel: Path, wheelhouse: Path, clean_root: Path, tmp_path: Path
) -> None:
    layer, out = tmp_path / "layer", tmp_path / "out"
    layer.mkdir()
    out.mkdir()
    run(
        "sh", HERE / "in_layer.sh", layer, clean_root, "--",
        "sh", HERE / "clean_machine.sh", clean_root, wheelhouse, wheel, out,
    )  # fmt: skip
    assert wheel.name.split("-")[1] in (out / "version").read_text()
    assert json.loads((out / "doctor.json").read_text())["schema"] == "memprobe.doctor/1"
    document = json.loads((out / "inspect.json").read_text())
    assert document["schema"] == "memprobe.inspect/1"
    assert str(json.loads((out / "pid").read_text())) in json.dumps(document)
