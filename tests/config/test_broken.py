"""What is wrong in a setting ends in one line that names the place; never in a traceback."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.running import complaint, run
from config.broken import Broken, anything_broken, misspelt, toml
from memprobe.config import SETTINGS, Spoken, read_config
from memprobe.config.lines import key_lines
from memprobe.errors import UsageError


def refused(file: Path | None, environment: dict[str, str] | None = None, **spoken: Any) -> str:
    """The line that an error is."""
    with pytest.raises(UsageError) as caught:
        read_config(Spoken(None if file is None else str(file), **spoken), environment or {}, searches=False)
    assert caught.value.exit_code == 2
    assert "\n" not in caught.value.line
    assert len(caught.value.line) < 1000
    return caught.value.line


@settings(max_examples=200)
@given(broken=anything_broken)
def test_a_broken_file_is_refused_with_its_line(
    tmp_path_factory: pytest.TempPathFactory, broken: Broken
) -> None:
    file = tmp_path_factory.getbasetemp() / "broken.toml"
    file.write_text(broken.text, encoding="utf-8")
    line = refused(file)
    assert line.startswith(f"{file}:{broken.line}: ") or (not broken.named and line.startswith(f"{file}:"))
    assert broken.named in line


@given(broken=misspelt())
def test_the_right_name_is_said(tmp_path_factory: pytest.TempPathFactory, broken: Broken) -> None:
    file = tmp_path_factory.getbasetemp() / "misspelt.toml"
    file.write_text(broken.text, encoding="utf-8")
    assert f"write {broken.nearest}" in refused(file)


@settings(max_examples=100)
@given(data=st.binary(max_size=300))
def test_any_bytes_are_settings_or_an_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "bytes.toml"
    file.write_bytes(data)
    said = ""
    try:
        read_config(Spoken(str(file)), {}, searches=False)
    except UsageError as error:
        said = error.line
    assert not said or re.match(rf"{re.escape(str(file))}:\d+: ", said)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[thresholds]\nfile_age = 3", 2, "write thresholds.file_age_s"),
        ("\n\nfile_age_s = 3", 3, "write thresholds.file_age_s"),
        ("[treshholds]\nshown = 0", 1, "write thresholds"),
        ("[thresholds]\nfile_age_s = '3 MB'", 2, "is in s, and 'MB' is no such unit; there are s, ms"),
        ("[thresholds]\nmemory_mb = '1 Gb'", 2, "write GB"),
        ("preset = 'prodution'", 1, "write production"),
        ("preset = 7", 1, "there is no preset '7'"),
        ("thresholds = 3", 1, "write [thresholds]"),
        ("[kinds]\n\ncaches = 'on'", 3, "kinds.caches must be true or false"),
        ("[report]\nfail_on = ['cache']", 2, "write caches"),
        ("a = " + "[" * 5000 + "]" * 5000, 1, "too deeply"),
        ("a = " + "9" * 5000, 1, "no TOML"),
        ("[run]\nduration_s = 0", 2, "run.duration_s must be above 0 s"),
        ("[run]\nduration_s = 2e9", 2, "run.duration_s must be at most 1,000,000,000"),
        ("[run]\nduration_s = '1__0'", 2, "must be a number, and '1__0' is none"),
        ("[run]\nduration_s = '1_'", 2, "'_' is no such unit"),
    ],
)
def test_what_is_said(tmp_path: Path, text: str, line: int, words: str) -> None:
    (tmp_path / "memprobe.toml").write_text(text)
    said = refused(tmp_path / "memprobe.toml")
    assert said.startswith(f"{tmp_path}/memprobe.toml:{line}: ")
    assert words in said


def test_lines_in_a_pyproject_are_those_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text('[project]\nname = """a\nb"""\n\n[tool.memprobe.thresholds]\nshwon = 1\n')
    assert refused(file).startswith(f"{file}:6: there is no 'thresholds.shwon'")
    file.write_text("[tool]\nmemprobe = 3")
    assert refused(file).startswith(f"{file}:2: ")
    file.write_text("[project]\n")
    assert "no table [tool.memprobe]" in refused(file)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "none.toml")
    assert "Is a directory" in refused(tmp_path)
    (tmp_path / "latin").write_bytes(b"# fine\n# \xe4")
    assert refused(tmp_path / "latin").startswith(f"{tmp_path}/latin:2: ")
    assert "longer than" in refused(Path("/dev/zero"))


@pytest.mark.parametrize("key", SETTINGS)
def test_wrong_values_elsewhere_name_their_place(key: str) -> None:
    setting = SETTINGS[key]
    assert refused(None, {setting.variable: "?"}).startswith(setting.variable)
    assert refused(None, assignments=(f"{key}=?",)).startswith(f"--set {key}")
    if setting.option:
        assert refused(None, options={key: "?"}).startswith(setting.option)


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("MEMPROBE_THRESHOLDS_FILE_AGE", "MEMPROBE_THRESHOLDS_FILE_AGE_S"),
        ("MEMPROBE_PRESETS", "MEMPROBE_PRESET"),
        ("MEMPROBE_TRESHOLDS_SHOWN", "MEMPROBE_THRESHOLDS_SHOWN"),
    ],
)
def test_slips_in_the_environment(name: str, right: str) -> None:
    said = refused(None, {name: "1"})
    assert said.startswith(name)
    assert f"write {right}" in said


def test_names_that_are_somebody_elses_do_not_count() -> None:
    others = ("PORT", "SERVICE_HOST", "PORT_8080_TCP_ADDR", "PYTHONS", "USER", "SNAPSHOTS", "ARTEFACTS")
    assert read_config(environment={f"MEMPROBE_{name}": "x" for name in others}, searches=False).places == {}


@pytest.mark.parametrize("text", ["thresholds.shown", "=", "shown=1", "thresholds.shwon=1"])
def test_wrong_assignments(text: str) -> None:
    assert refused(None, assignments=(text,)).startswith("--set: ")


@pytest.mark.parametrize("text", ["", "holder", "holder=x", "holder=x #", "holdr=x # y", "holder= # y"])
def test_wrong_patterns(text: str) -> None:
    assert "--protect" in refused(None, protect=(text,))


def test_a_command_says_it_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "memprobe.toml").write_text("[thresholds]\nfile_age = 3")
    said = complaint(run("attach", "1", "--config", str(tmp_path / "memprobe.toml")), 2)
    assert said.startswith(f"{tmp_path}/memprobe.toml:2: there is no 'thresholds.file_age'")
    assert "--max-overhead must be above 0" in complaint(run("attach", "1", "--max-overhead", "0"), 2)
    assert "MEMPROBE_PRESET" in complaint(run("attach", "1", environment={"MEMPROBE_PRESET": "?"}), 2)


def test_lines_of_keys() -> None:
    text = (
        '"a b" = 1\nc.d = """x\n[y]"""\n[e]\nf = [\n 1, # ]\n]\n[[g]]\n[[g]]\nh = {i = 1}\n[[g.j]]\nk = 1\n'
    )
    lines = key_lines(text)
    assert lines["a b",] == 1
    assert lines["c", "d"] == 2
    assert (lines["e",], lines["e", "f"]) == (4, 5)
    assert (lines["g", 0], lines["g", 1], lines["g", 1, "h", "i"]) == (8, 9, 10)


def test_every_setting_may_be_written_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "all.toml"
    sections: dict[str, list[str]] = {}
    for one in SETTINGS.values():
        sections.setdefault(one.section, []).append(f"{one.name} = {toml(one)}")
    file.write_text("\n".join(f"[{name}]\n" + "\n".join(lines) for name, lines in sections.items()))
    config = read_config(Spoken(str(file)), {}, searches=False)
    assert set(config.places) == set(SETTINGS)
    texts = file.read_text().splitlines()
    for key, place in config.places.items():
        assert place.line is not None
        assert texts[place.line - 1].startswith(f"{SETTINGS[key].name} = ")
