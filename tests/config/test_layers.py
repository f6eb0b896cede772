"""Who counts more: table, preset, user's file, project's file, environment, command line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from memprobe.config import DEFAULTS, PRESETS, SETTINGS, Config, Spoken, read_config
from memprobe.config.places import Layer, Place
from memprobe.config.plain import plain, restored
from memprobe.config.values import value_of

KEY = "intervals.heap_s"
VARIABLE = "MEMPROBE_INTERVALS_HEAP_S"


@dataclass
class Machine:
    """A user with a home and a project."""

    root: Path

    def __post_init__(self) -> None:
        self.environment: dict[str, str] = {"XDG_CONFIG_HOME": str(self.root / "home")}
        self.inner = self.root / "project" / "src" / "app"
        self.inner.mkdir(parents=True)
        self.write("project/memprobe.toml", "")

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def config(self, spoken: Spoken | None = None) -> Config:
        return read_config(spoken, self.environment, directory=str(self.inner))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def heap_s(text: float) -> str:
    return f"[intervals]\nheap_s = {text}\n"


def test_each_layer_counts_more_than_those_before(machine: Machine) -> None:
    def seen(spoken: Spoken | None = None) -> tuple[float, str]:
        config = machine.config(spoken)
        return config.intervals.heap_s, str(config.place(KEY))

    assert seen() == (10.0, "default")
    machine.environment["MEMPROBE_PRESET"] = "production"
    assert seen() == (60.0, "preset production")
    user = machine.write("home/memprobe/memprobe.toml", heap_s(11))
    assert seen() == (11.0, f"{user}:2")
    project = machine.write("project/memprobe.toml", "# mine\n" + heap_s(12))
    assert seen() == (12.0, f"{project}:3")
    named = machine.write("elsewhere.toml", heap_s(13))
    machine.environment["MEMPROBE_CONFIG"] = str(named)
    assert seen() == (13.0, f"{named}:2")
    said = machine.write("said.toml", heap_s(14))
    assert seen(Spoken(file=str(said))) == (14.0, f"{said}:2")
    machine.environment[VARIABLE] = "15"
    assert seen(Spoken(file=str(said))) == (15.0, f"environment {VARIABLE}")
    assert seen(Spoken(assignments=(f"{KEY}=16",))) == (16.0, f"command line --set {KEY}")
    assert seen(Spoken(options={"run.duration_s": "1"})) == (15.0, f"environment {VARIABLE}")


def test_an_option_counts_most(machine: Machine) -> None:
    spoken = Spoken(assignments=("budget.slowdown_pct=2",), options={"budget.slowdown_pct": "3"})
    config = machine.config(spoken)
    assert config.budget.slowdown_pct == 3.0
    assert str(config.place("budget.slowdown_pct")) == "command line --max-overhead"


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_of_any_layer_is_below_what_is_set_in_any(machine: Machine, preset: str) -> None:
    machine.write("project/memprobe.toml", f"preset = 'development'\n{heap_s(7)}")
    config = machine.config(Spoken(preset=preset))
    assert config.preset == preset
    assert config.intervals.heap_s == 7.0
    for key, value in PRESETS[preset].values.items():
        assert config.value(key) == (7.0 if key == KEY else value)
        assert value == value_of(SETTINGS[key], value, Place())  # each one is allowed, and of its type
    assert all(PRESETS[preset].values[key] != DEFAULTS.value(key) for key in PRESETS[preset].values)


def test_the_highest_layer_names_the_preset(machine: Machine) -> None:
    machine.write("home/memprobe/memprobe.toml", "preset = 'aggressive'")
    assert machine.config().preset == "aggressive"
    machine.write("project/memprobe.toml", "preset = 'development'")
    assert machine.config().preset == "development"
    machine.environment["MEMPROBE_PRESET"] = "production"
    assert machine.config().preset == "production"
    assert machine.config(Spoken(preset="default")).preset == "default"


def test_the_nearest_folder_counts_and_its_memprobe_toml(machine: Machine) -> None:
    machine.write("project/memprobe.toml", heap_s(20))
    machine.write("project/src/pyproject.toml", "[tool.other]\nof = 'memprobe'\n")
    assert machine.config().intervals.heap_s == 20.0
    inner = machine.write(
        "project/src/pyproject.toml", "[tool.memprobe]\n[tool.memprobe.intervals]\nheap_s = 21"
    )
    assert machine.config().intervals.heap_s == 21.0
    assert machine.config().place(KEY) == Place(Layer.FILE, str(inner), 3)
    machine.write("project/src/memprobe.toml", heap_s(22))
    assert machine.config().intervals.heap_s == 22.0


def test_a_pyproject_that_is_broken_and_not_ours_is_passed_over(machine: Machine) -> None:
    machine.write("project/src/pyproject.toml", "[tool.other\n")
    machine.write("project/memprobe.toml", heap_s(23))
    assert machine.config().intervals.heap_s == 23.0


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")
def test_a_strangers_file_is_passed_over_and_said(machine: Machine) -> None:
    file = machine.write("project/memprobe.toml", heap_s(24))
    os.chown(file, 12345, 12345)
    config = machine.config()
    assert config.intervals.heap_s == 10.0
    assert config.remarks == (f"{file} does not count: it belongs to user 12345; --config {file} takes it.",)
    machine.environment["SUDO_UID"] = "12345"
    assert machine.config().intervals.heap_s == 24.0
    assert machine.config().remarks == ()
    file.chmod(0o666)
    assert "everybody may write" in machine.config().remarks[0]
    assert machine.config(Spoken(file=str(file))).intervals.heap_s == 24.0


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")
@pytest.mark.parametrize(("table", "is_said"), [("memprobe.report", True), ("other", False)])
def test_a_strangers_pyproject_is_said_if_it_sets_something(
    machine: Machine, table: str, is_said: bool
) -> None:
    file = machine.write("project/src/pyproject.toml", f"[tool.{table}]\nsource = true\n")
    os.chown(file, 12345, 12345)
    config = machine.config()
    assert config.places == {}
    assert [one.partition(" does not")[0] for one in config.remarks] == [str(file)] * is_said


def test_a_pyproject_that_is_no_text_and_not_ours_is_passed_over(machine: Machine) -> None:
    (machine.root / "project" / "src" / "pyproject.toml").write_bytes(b"# \xe4")
    assert machine.config().remarks == ()


def test_patterns_of_all_layers_count(machine: Machine) -> None:
    machine.write("home/memprobe/memprobe.toml", "[[protect]]\npath = '/user'\nreason = 'u'\n")
    machine.write("project/memprobe.toml", "[[protect]]\ntype = 'project'\nreason = 'p'\n")
    machine.environment["MEMPROBE_PROTECT"] = "peer=one # e\n\nholder=two # f\n"
    mapping: Mapping[str, str] = {"holder": "in[…]app", "reason": "i"}
    config = machine.config(Spoken(protect=("holder=said # s", mapping)))
    assert [(str(one.aspect), one.pattern, one.reason) for one in config.protect] == [
        ("path", "/user", "u"),
        ("type", "project", "p"),
        ("peer", "one", "e"),
        ("holder", "two", "f"),
        ("holder", "said", "s"),
        ("holder", "in[…]app", "i"),
    ]
    assert config.protect[0].place.line == 1
    assert str(config.protect[2].place) == "environment MEMPROBE_PROTECT"


def test_units_and_words(machine: Machine) -> None:
    machine.write("project/memprobe.toml", "[thresholds]\nfile_age_s = '2 min'\nmemory_mb = '1 GB'\n")
    spoken = Spoken(
        assignments=("run.duration_s=1.5h", "thresholds.heavy_mb=512 kB", "kinds.caches=off", "run.tree=YES"),
        options={"report.fail_on": ("caches", "tasks"), "budget.slowdown_pct": "2 %"},
    )
    config = machine.config(spoken)
    assert (config.thresholds.file_age_s, config.thresholds.memory_mb) == (120.0, 1024.0)
    assert (config.run.duration_s, config.thresholds.heavy_mb) == (5400.0, 0.5)
    assert (config.kinds.caches, config.run.tree) == (False, True)
    assert (config.report.fail_on, config.budget.slowdown_pct) == (("caches", "tasks"), 2.0)
    nothing = Spoken(assignments=("run.duration_s=none", "report.fail_on=none"))
    machine.environment |= {"MEMPROBE_RUN_DURATION_S": "5", "MEMPROBE_REPORT_FAIL_ON": "any, caches"}
    assert machine.config().report.fail_on == ("any", "caches")
    assert (machine.config(nothing).run.duration_s, machine.config(nothing).report.fail_on) == (None, ())


def test_what_a_recording_keeps_comes_back(machine: Machine) -> None:
    spoken = Spoken(preset="aggressive", assignments=("run.duration_s=7",), protect=("type=x # y",))
    config = machine.config(spoken)
    again = restored(plain(config))
    assert plain(again) == plain(config)
    assert again.protect == config.protect
    redacted = plain(
        config.having({"record.redact": True}).over(machine.config(Spoken(protect=("path=/x # y",))))
    )
    assert redacted["protect"] == [{"type": "x", "reason": "y"}]
    assert restored({}) == DEFAULTS
    assert restored({"values": {"of.tomorrow": 1}}) == DEFAULTS
