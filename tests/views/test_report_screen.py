"""The report on a terminal: it fits, the verdict comes first, and the rest is there when asked for."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from memprobe.views import output, terminal
from memprobe.views.escaping import cells
from memprobe.views.report_page import page, pages
from memprobe.views.source_lines import with_source
from views.made_up_report import report

ARTEFACTS = os.environ.get("MEMPROBE_ARTEFACTS")
SIZES = [(80, 24), (200, 50), (40, 10)]


def plain(text: str) -> list[str]:
    return Text.from_ansi(text).plain.splitlines()


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("findings", [0, 1, 3, 9])
def test_it_fits_the_screen_with_the_verdict_first(
    width: int, height: int, findings: int, tmp_path: Path
) -> None:
    document = report(findings=report()["findings"][:findings])
    text = terminal.fitting(pages(document), os.terminal_size((width, height)))
    lines = plain(text)
    assert len(lines) < height
    assert all(cells(line) <= width for line in lines)
    assert lines[0].startswith("pid 4711: ")
    if ARTEFACTS:
        console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True)
        console.print(Text.from_ansi(text))
        console.save_svg(str(Path(ARTEFACTS) / f"report-{width}x{height}-{findings}.svg"))


def test_there_is_as_much_as_fits() -> None:
    def shown(height: int) -> str:
        return "\n".join(plain(terminal.fitting(pages(report()), os.terminal_size((120, height)))))

    assert "growing memory" in shown(500)
    assert "growing memory" not in shown(50)
    assert "because" in shown(60)
    assert "because" not in shown(24)
    assert "9 leaks" not in shown(24)
    assert "do " in shown(40)


def test_all_of_it_when_asked_for_or_in_a_pipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output.show_report(report())
    assert "growing memory:" in capsys.readouterr().out  # no terminal
    assert "growing memory" in "\n".join(plain(terminal.paint(page(report()), width=80)))


def test_no_colour_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "36m" in terminal.paint(page(report()), width=80)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "36m" not in terminal.paint(page(report()), width=80)


def test_source_is_shown_only_when_asked_for(tmp_path: Path) -> None:
    program, secret = tmp_path / "app.py", tmp_path / "secret.txt"
    program.write_text("import os\n  spill(\x1b[2J)  \n")
    secret.write_text("secret\nsecret\n")
    pipe = tmp_path / "pipe.py"
    os.mkfifo(pipe)
    link = tmp_path / "link.py"
    link.symlink_to(secret)
    document = report()
    files = (program, secret, pipe, link, tmp_path, Path("app.py"))
    document["findings"] = document["findings"][:1]
    document["findings"][0]["site"] = [
        {"function": "f", "file": str(file), "line": line} for file in files for line in (2, 3, 0, -1)
    ]
    assert "spill" not in "\n".join(plain(terminal.paint(page(document), width=80)))
    told = with_source(document)
    found = [one["source"] for one in told["findings"][0]["site"] if "source" in one]
    assert found == ["spill(\x1b[2J)"]
    shown = terminal.paint(page(told), width=80)
    assert "spill(\\x1b[2J)" in "\n".join(plain(shown))
