"""What is printed: one page for a person, or one JSON document for a program."""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import Any, TextIO

from memprobe.errors import OutputNotWritable
from memprobe.views.page import Page


def show(page: Page) -> None:
    """Print a page: with rich on a terminal, as plain text into a pipe or a file."""
    if sys.stdout is not None and sys.stdout.isatty():
        from memprobe.views import terminal

        _write(terminal.paint(page))
    else:
        from memprobe.views import plain

        _write(plain.paint(page))


def show_report(document: dict[str, Any], *, full: bool = False) -> None:
    """Print a report: on a terminal what fits its screen, unless all of it is wanted."""
    from memprobe.views import report_page

    if full or sys.stdout is None or not sys.stdout.isatty():
        show(report_page.page(document))
        return
    from memprobe.views import terminal

    _write(terminal.fitting(report_page.pages(document), shutil.get_terminal_size()))


def show_beside(document: dict[str, Any], *, full: bool = False) -> None:
    """Print a report to standard error: there is something else on standard output."""
    from memprobe.views import plain, report_page, terminal

    if sys.stderr is None or not sys.stderr.isatty():
        text = plain.paint(report_page.page(document))
    elif full:
        text = terminal.paint(report_page.page(document))
    else:
        text = terminal.fitting(report_page.pages(document), os.get_terminal_size(sys.stderr.fileno()))
    write_beside(text)


def write_beside(text: str) -> None:
    """Print text to standard error."""
    _write_to(sys.stderr, "standard error", text)


def show_json(document: dict[str, Any]) -> None:
    """Print one JSON document."""
    _write(as_json(document))


def as_json(document: dict[str, Any]) -> str:
    """Return a document as text.

    Only ASCII goes out, so the document may be shown on a terminal: a control character or a
    bidirectional override in a name of the target arrives as its escape.
    """
    return json.dumps(without_surrogates(document), indent=2, allow_nan=False) + "\n"


def without_surrogates(value: Any) -> Any:
    """The value with lone surrogates escaped.

    A file name that is not UTF-8 carries them, and strict JSON readers refuse them.
    """
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode("utf-8")
        case dict():
            return {without_surrogates(key): without_surrogates(item) for key, item in value.items()}
        case list() | tuple():
            return [without_surrogates(item) for item in value]
    return value


def _write(text: str) -> None:
    _write_to(sys.stdout, "standard output", text)


def _write_to(stream: TextIO | None, name: str, text: str) -> None:
    try:
        if stream is None:
            raise OSError("it is closed")
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputNotWritable(
            f"{name} cannot be written: {error.strerror or error}",
            remedy="send it somewhere with room, for example: memprobe ... > /tmp/report",
        ) from error
