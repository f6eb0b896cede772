"""Headers of a kernel, as distributions install them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from memprobe.errors import NoKernelSupport
from memprobe.sources.bcc import headers
from memprobe.sources.bcc import kit as kits
from memprobe.sources.bcc.headers import Headers, find_headers
from memprobe.sources.bcc.kit import CompiledHere

RELEASE = os.uname().release


def install(folder: Path, release: str, *, common: Path | None = None) -> Path:
    """A folder of headers; Debian has what is not generated in another one."""
    (folder / "include/generated").mkdir(parents=True)
    (folder / "include/generated/utsrelease.h").write_text(f'#define UTS_RELEASE "{release}"\n')
    source = common or folder
    (source / "include/linux").mkdir(parents=True)
    (source / "include/linux/kconfig.h").write_text("")
    if common is not None:
        (folder / "Makefile").write_text(f"include {common}/Makefile\n")
    return folder


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any."""
    monkeypatch.setattr(headers, "MODULES", tmp_path / "modules")
    monkeypatch.setattr(headers, "SOURCES", tmp_path / "src")
    return tmp_path


def test_in_one_folder(places: Path) -> None:
    build = install(places / "src" / f"linux-headers-{RELEASE}", RELEASE)
    found = find_headers()
    assert (found.source, found.build, found.are_this_kernels) == (build, build, True)
    assert found.flags("x86") == ()


def test_in_two_folders_as_debian_has_them(places: Path) -> None:
    build = install(places / "src" / "linux-headers-6.1.0-9-amd64", "6.1.0-9-amd64", common=places / "common")
    (places / "modules" / RELEASE).mkdir(parents=True)
    (places / "modules" / RELEASE / "build").symlink_to(build)
    found = find_headers()
    assert (found.source, found.build, found.are_this_kernels) == (places / "common", build, False)
    assert f"-I{build}/include" in found.flags("x86")


def test_this_kernels_before_others(places: Path) -> None:
    install(places / "src" / "linux-headers-9.9", "9.9")
    install(places / "src" / f"linux-headers-{RELEASE}", RELEASE)
    assert find_headers().release == RELEASE


def test_a_folder_that_was_named(places: Path) -> None:
    install(places / "src" / f"linux-headers-{RELEASE}", RELEASE)
    named = install(places / "elsewhere", "5.15.0")
    assert find_headers(str(named)).release == "5.15.0"


@pytest.mark.parametrize("content", ["", "include /nowhere/Makefile\n"])
def test_half_of_them_are_none(places: Path, content: str) -> None:
    """A package that was removed leaves what was generated, and links that lead nowhere."""
    folder = install(places / "src" / "linux-headers-5.10", "5.10")
    (folder / "include/linux/kconfig.h").unlink()
    (folder / "Makefile").write_text(content)
    with pytest.raises(NoKernelSupport, match="no kernel headers") as refused:
        find_headers()
    assert f"apt-get install linux-headers-{RELEASE}" in refused.value.remedy
    with pytest.raises(NoKernelSupport, match="elsewhere"):
        find_headers(str(places / "elsewhere"))


@pytest.mark.parametrize(("release", "remedy"), [("5.15.0", f"linux-headers-{RELEASE}"), (RELEASE, "")])
def test_what_did_not_serve_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: str, remedy: str
) -> None:
    """Where a field is not found, better headers are a remedy only if those were not this kernel's own."""
    found = Headers(tmp_path, tmp_path, release)

    def nowhere(*_: object) -> None:
        raise NoKernelSupport("where this kernel has task_struct.pid cannot be told (0 places fit)")

    monkeypatch.setattr(kits, "find_headers", lambda _: found)
    monkeypatch.setattr(kits, "find_layout", nowhere)
    monkeypatch.setattr(kits, "_claims", lambda _: {})
    monkeypatch.setattr(CompiledHere, "_memory", lambda *_: None)
    with pytest.raises(NoKernelSupport, match=r"task_struct\.pid") as refused:
        _ = CompiledHere().layout
    assert str(tmp_path) in refused.value.fact
    assert remedy in refused.value.remedy
    assert bool(remedy) == bool(refused.value.remedy)
