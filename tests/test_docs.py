"""The documents say what the program does: every command, option, exit code and field."""

from __future__ import annotations

import re
import shlex
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import click
import pytest

import pythons
from memprobe import errors
from memprobe.cli.failing import FINDINGS
from memprobe.cli.main import COMMANDS, INTERRUPTED, PIPE_CLOSED, TERMINATED, memprobe
from memprobe.heap.document import Heap
from memprobe.heap.tasks.document import TasksDocument
from memprobe.target.inspection.diagnosis import Diagnosis, RightPart, TargetDiagnosis
from memprobe.target.inspection.document import Inspection
from memprobe.target.layouts import VERSIONS
from memprobe.target.rights.machine import Candidate
from pythons import ROOT

README = (ROOT / "README.md").read_text()
COMMANDS_PAGE = (ROOT / "docs" / "commands.md").read_text()
SUPPORT = (ROOT / "docs" / "support.md").read_text()
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])


def command(name: str) -> click.Command:
    found = memprobe.get_command(click.Context(memprobe), name)
    assert found is not None
    return found


def section(name: str) -> str:
    """The part of docs/commands.md about one command."""
    match = re.search(rf"^## memprobe {name}\b.*?(?=^## )", COMMANDS_PAGE, re.MULTILINE | re.DOTALL)
    assert match is not None, f"docs/commands.md has no section on {name}"
    return match[0]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented_and_has_help(name: str) -> None:
    assert f"`memprobe {name}" in README
    assert section(name)
    assert command(name).help
    assert COMMANDS[name].endswith(".")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_documented_and_has_help(name: str) -> None:
    text = section(name) + COMMANDS_PAGE.partition("\n## ")[0]
    for parameter in command(name).params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name
            assert any(f"`{option}" in text or f"/`{option}" in text for option in parameter.opts), (
                parameter.opts
            )


@pytest.mark.parametrize("name", COMMANDS)
def test_no_option_is_documented_that_does_not_exist(name: str) -> None:
    known = {option for parameter in command(name).params for option in parameter.opts}
    documented = re.findall(r"^\| `(--[a-z-]+)", section(name), re.MULTILINE)
    assert set(documented) <= known


@pytest.mark.parametrize("name", COMMANDS)
def test_help_mentions_no_option_that_does_not_exist(name: str) -> None:
    """Options of other commands stand behind their names."""
    own = command(name)
    texts = [own.help, *(one.help for one in own.params if isinstance(one, click.Option))]
    for owner, option in re.findall(r"(?:\b(\w+) )?(--[a-z][a-z-]+)", "\n".join(filter(None, texts))):
        parameters = command(owner).params if owner in COMMANDS else own.params
        assert option in {known for one in parameters for known in one.opts}, (owner, option)


def commands_in(text: str) -> list[list[str]]:
    """Every memprobe command line in the code of a page."""
    code = re.findall(r"```\n(.*?)```", text, re.DOTALL) + re.findall(r"`(memprobe [^`\s]+ [^`]+)`", text)
    lines = [line.partition("#")[0] for block in code for line in block.splitlines()]
    found = (re.match(r"(?:\$ )?(?:sudo )?memprobe (.*)", line.strip()) for line in lines)
    return [shlex.split(match[1]) for match in found if match and "|" not in match[1]]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_line_that_is_shown_is_one(page: Path) -> None:
    for first, *arguments in commands_in(page.read_text()):
        if first.startswith("-"):
            assert any(first in parameter.opts for parameter in memprobe.params) or first in ("-h", "--help")
            continue
        # Parsing is enough: what the commands do is tested elsewhere.
        filled = ["1" if word.strip("[]") == "PID" else word for word in arguments]
        command(first).make_context(first, filled)


def test_the_readme_shows_commands() -> None:
    assert len(commands_in(README)) >= 5


def test_make_targets_that_are_mentioned_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for page in PAGES:
        for target in re.findall(r"^make ([a-z]+)|`make ([a-z]+)", page.read_text(), re.MULTILINE):
            assert re.search(rf"^{''.join(target)}:", makefile, re.MULTILINE), target


def exit_codes(kind: type[errors.MemprobeError]) -> set[int]:
    return {kind.exit_code}.union(*(exit_codes(child) for child in kind.__subclasses__()))


def test_every_exit_code_is_documented() -> None:
    table = COMMANDS_PAGE.partition("## Exit codes")[2].partition("\n## ")[0]
    documented = {
        int(code) for row in re.findall(r"^\| ([0-9, ]+) \|", table, re.MULTILINE) for code in row.split(",")
    }
    assert documented == {0, FINDINGS, INTERRUPTED, TERMINATED, PIPE_CLOSED} | exit_codes(
        errors.MemprobeError
    )


def names(kind: Any) -> set[str]:
    """The names of all fields of a document, those of its parts too."""
    found: set[str] = set()
    for field in fields(kind):
        found.add(field.name)
        for part in re.findall(r"[A-Z]\w+", str(field.type)):
            inner = getattr(__import__(kind.__module__, fromlist=[part]), part, None)
            if is_dataclass(inner):
                found |= names(inner)
    return found


EXEMPT: dict[Any, set[str]] = {
    Inspection: set(),
    # Its `target` has the fields of the report's, not all that inspect knows.
    Heap: {"ns_pid", "uptime_s", "exe", "uid"},
}


@pytest.mark.parametrize(
    ("schema", "kinds"),
    [
        ("memprobe.inspect/1", (Inspection,)),
        ("memprobe.heap/1", (Heap,)),
        ("memprobe.tasks/1", (TasksDocument,)),
        ("memprobe.doctor/1", (Diagnosis, RightPart, TargetDiagnosis, Candidate)),
    ],
)
def test_every_field_of_a_document_is_documented(schema: str, kinds: tuple[Any, ...]) -> None:
    text = COMMANDS_PAGE.partition(f"## The document {schema}")[2].partition("\n## ")[0]
    for kind in kinds:
        for name in names(kind) - EXEMPT.get(kind, {"passed"}):
            assert f"`{name}`" in text, name


def test_the_support_table_is_the_list_that_ci_runs() -> None:
    rows = re.findall(r"^\| (3\.[0-9]+) \|", SUPPORT, re.MULTILINE)
    assert rows == [f"{major}.{minor}" for major, minor in sorted(VERSIONS)]
    assert {required.partition("-")[0] for required in pythons.REQUIRED} == set(rows)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / link).exists(), link


@pytest.mark.parametrize(
    ("heading", "folder"), [("## The rooms", "memprobe"), ("## Inside target/", "memprobe/target")]
)
def test_the_rooms_in_internals_are_those_that_exist(heading: str, folder: str) -> None:
    page = (ROOT / "docs" / "internals.md").read_text()
    text = page.partition(f"{heading}\n")[2].partition("\n## ")[0]
    rooms = set(re.findall(r"^\| `([a-z]+)(?:/|\.py)` \|", text, re.MULTILINE))
    assert rooms == {room for room in modules(ROOT / folder) if room != "__init__"}


def modules(folder: Path) -> set[str]:
    packages = {path.name for path in folder.iterdir() if (path / "__init__.py").exists()}
    return packages | {path.stem for path in folder.glob("*.py")}


def test_modules_that_internals_names_exist() -> None:
    page = (ROOT / "docs" / "internals.md").read_text()
    for path in re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.py)`", page):
        assert (
            any((ROOT / "memprobe" / base / path).exists() for base in ("", "target"))
            or (ROOT / path).exists()
        )
