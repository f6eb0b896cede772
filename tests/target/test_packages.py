"""What a target has loaded, read from its memory and from its own file system, which may be hostile."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pythons
from memprobe.target import packages as reading
from memprobe.target.inspection.opening import opened
from memprobe.target.packages import Loaded, loaded, packages
from memprobe.target.proc.procfs import ProcFolder
from programs import spawn_command

PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); import shop, _till; print('ready'); input()"


def distribution(folder: Path, entry: str, **files: str) -> None:
    names = {"metadata": "METADATA", "top": "top_level.txt", "record": "RECORD"}
    (folder / entry).mkdir()
    for name, text in files.items():
        path = folder / entry / names[name]
        path.write_text(text)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A package with the name of its module, one with another name, and one that is not loaded."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "shop").mkdir()
    (folder / "shop" / "__init__.py").touch()
    (folder / "_till.py").touch()
    distribution(folder, "shop-1.3.dist-info", metadata="Name: Shop\nVersion: 1.3.post1\n\nVersion: 9\n")
    distribution(folder, "till_core-2.0.dist-info", metadata="Name: till.core\n", record="_till.py,,\n")
    distribution(folder, "idle-1.0.dist-info", metadata="Name: idle\nVersion: 1.0\n", top="idle\n")
    return folder


@pytest.fixture
def own() -> Iterator[ProcFolder]:
    with ProcFolder(os.getpid()) as folder:
        yield folder


def test_versions_are_those_of_the_metadata(interpreter: pythons.Interpreter, site: Path) -> None:
    inside = interpreter.path_inside(site)
    with (
        spawn_command([*interpreter.command("-c"), PROGRAM, str(inside)]) as target,
        opened(target.pid, patient=True) as found,
    ):
        assert found.python is not None
        facts = loaded(found.python)
        assert {"shop", "_till", "sys"} <= facts.modules
        assert facts.folders[0] == str(inside)
        versions = packages(found.process.folder, facts)
    assert {name: versions[name] for name in versions if name in ("shop", "till-core", "idle")} == {
        "shop": "1.3.post1",
        "till-core": "2.0",
    }


def test_of_two_the_one_counts_that_python_finds_first(own: ProcFolder, tmp_path: Path) -> None:
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        distribution(folder, f"shop-{number}.dist-info", metadata=f"Name: shop\nVersion: {number}\n")
    folders = ("/\ud800", "/\0", *(str(tmp_path / name) for name in ("none", "2", "1")))
    assert packages(own, Loaded(frozenset({"shop"}), folders)) == {"shop": "2"}


def test_an_egg_may_be_a_folder_or_a_file(own: ProcFolder, tmp_path: Path) -> None:
    (tmp_path / "shop-1.2-py3.11.egg-info").write_text("Name: shop\nVersion: 1.2\n")
    (tmp_path / "till-3-py3.11.egg-info").mkdir()
    (tmp_path / "till-3-py3.11.egg-info" / "PKG-INFO").write_text("Name: till\nVersion: 3\n")
    found = packages(own, Loaded(frozenset({"shop", "till"}), (str(tmp_path),)))
    assert found == {"shop": "1.2", "till": "3"}


@pytest.mark.parametrize(
    "head", ["Name: \x1b[31mshop\nVersion: 1\n", "Name: " + "x" * 200 + "\n", "Name: a b\nVersion: 1\n"]
)
def test_what_does_not_look_like_a_name_is_left_out(own: ProcFolder, tmp_path: Path, head: str) -> None:
    distribution(tmp_path, "shop-1.dist-info", metadata=head)
    assert packages(own, Loaded(frozenset({"shop"}), (str(tmp_path),))) == {}


def test_what_does_not_look_like_a_version_is_not_told(own: ProcFolder, tmp_path: Path) -> None:
    distribution(tmp_path, "shop-1.dist-info", metadata="Name: shop\nVersion: \x1b[31m\n")
    assert packages(own, Loaded(frozenset({"shop"}), (str(tmp_path),))) == {"shop": ""}


def test_links_fifos_and_devices_are_not_followed(own: ProcFolder, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    distribution(tmp_path, "elsewhere", metadata="Name: shop\nVersion: 6\n")
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "shop-1.dist-info").symlink_to(elsewhere)
    distribution(folder, "shop-2.dist-info")
    (folder / "shop-2.dist-info" / "METADATA").symlink_to(elsewhere / "METADATA")
    distribution(folder, "shop-3.dist-info")
    os.mkfifo(folder / "shop-3.dist-info" / "METADATA")
    found = packages(own, Loaded(frozenset({"shop"}), (str(folder),)))
    assert found == {"shop": "1"}  # as its name says; what a link leads to was not read


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="chroot is for root")
def test_a_link_leads_to_the_targets_own_root(tmp_path: Path) -> None:
    inside, outside = tmp_path / "root" / "inside", tmp_path / "outside"
    for folder, version in ((inside, "1"), (outside, "2")):
        folder.mkdir(parents=True)
        distribution(folder, f"shop-{version}.dist-info", metadata=f"Name: shop\nVersion: {version}\n")
    (tmp_path / "root" / "out").symlink_to(outside)
    (tmp_path / "root" / "in").symlink_to("/inside")
    code = f"import os, sys, time; os.chroot({str(tmp_path / 'root')!r}); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with ProcFolder(process.pid) as target:
            modules = frozenset({"shop"})
            assert packages(target, Loaded(modules, ("/in",))) == {"shop": "1"}
            assert packages(target, Loaded(modules, ("/out", "/../../outside"))) == {}
        process.kill()


def test_a_path_that_cannot_be_one_is_passed_over(own: ProcFolder, site: Path) -> None:
    folders = ("/half\ud900", "/nul\0", str(site))
    assert packages(own, Loaded(frozenset({"shop"}), folders)) == {"shop": "1.3.post1"}


def test_no_more_is_read_than_allowed(
    own: ProcFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        distribution(
            tmp_path, f"shop{number:02}-1.dist-info", metadata=f"Name: shop{number:02}\nVersion: 1\n"
        )
    modules = frozenset(f"shop{number:02}" for number in range(30))
    monkeypatch.setattr(reading, "MOST_PACKAGES", 10)
    assert len(packages(own, Loaded(modules, (str(tmp_path),)))) == 10
    monkeypatch.setattr(reading, "ALL_BYTES", 3)
    found = packages(own, Loaded(modules, (str(tmp_path),)))
    assert len(found) == 10
