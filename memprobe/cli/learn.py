"""`memprobe learn`: what is known of programs from earlier runs, and the user's word on it."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import click

from memprobe.cli.options import as_json, verbose
from memprobe.errors import OutputNotWritable, UsageError

if TYPE_CHECKING:
    from memprobe.learned import Store

VERDICTS = ("false-positive", "confirmed")
IMPORT_LIMIT_BYTES = 256 << 20

_LINE = re.compile(r"(?P<file>.+):(?P<line>[0-9]+)$")


@click.group()
@verbose
def learn() -> None:
    """Show and correct what memprobe has learned of programs.

    Every run remembers how long handles lived at each place, and how many of everything were usual.
    Later runs of the same program are calmer or sharper by it; nothing is hidden.
    """


@learn.command()
@click.argument("program", required=False)
@click.option("--top", type=int, default=30, show_default=True, metavar="N", help="Rows of the table.")
@as_json
@verbose
def show(program: str | None, top: int, as_json: bool) -> None:
    """Show what is known of all programs, or of one.

    PROGRAM is a part of its name.
    """
    from memprobe.experience.showing import known_program, known_programs
    from memprobe.views import output
    from memprobe.views.learned_page import program_page, programs_page

    with _store() as store:
        now_s = time.time()
        if program is None:
            document = known_programs(store)
        else:
            document = known_program(store, _one_program(store, program), now_s)
    if as_json:
        output.show_json(document)
    elif program is None:
        output.show(programs_page(document, now_s))
    else:
        output.show(program_page(document, max(1, top)))


@learn.command()
@click.argument("key")
@click.argument("verdict", type=click.Choice(VERDICTS))
@click.option("--reason", default="", metavar="TEXT", help="Why; reports repeat it.")
@verbose
def feedback(key: str, verdict: str, reason: str) -> None:
    """Say of KEY that it is a false positive, or a leak indeed.

    \b
    KEY is the id of a finding ("handles-1a2b3c4d"), a birth site ("db.py:connect", as reports have it),
    or an extension (".tmp"). The last word on a key counts.
    """
    from memprobe.learned import Said
    from memprobe.views.escaping import escape

    if not key.strip() or len(key) > 300:
        raise UsageError("KEY must be a finding's id, a birth site, or an extension such as .tmp")
    if _LINE.fullmatch(key):
        raise UsageError(
            f"{key!r} names a line, and lines move",
            remedy=f"name the function: {key.rpartition(':')[0]}:FUNCTION",
        )
    with _store() as store:
        store.say(Said(key, verdict, reason[:1000], time.time()))
        found = next((one for one in store.findings() if one.id == key), None)
    click.echo(escape(f"{key}: {verdict}" + (f" ({found.title})" if found else "")))


@learn.command()
@click.argument("file", required=False, metavar="[F]")
@verbose
def export(file: str | None) -> None:
    """Write all that is known as JSON to F, or to standard output."""
    from memprobe.learned import exported
    from memprobe.views.files import STDOUT

    with _store() as store:
        document = exported(store, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
    text = json.dumps(document, indent=2) + "\n"
    if file is None or file == STDOUT:
        click.echo(text, nl=False)
        return
    try:
        flags = os.O_CREAT | os.O_WRONLY | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        with open(os.open(file, flags, 0o600), "w", encoding="utf-8") as out:
            out.write(text)
    except OSError as error:
        raise OutputNotWritable(f"{file}: {error.strerror}", remedy="choose another name") from error


@learn.command(name="import")
@click.argument("file", metavar="F")
@verbose
def import_(file: str) -> None:
    """Add what export has written, here or elsewhere."""
    from memprobe.learned import BadDocument, imported
    from memprobe.models.learning.habit import merged

    try:
        with open(file, encoding="utf-8") as source:
            text = source.read(IMPORT_LIMIT_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: {getattr(error, 'strerror', None) or 'is no text'}") from error
    try:
        document = json.loads(text)
        with _store() as store:
            number = imported(store, document, merged, VERDICTS)
    except (BadDocument, ValueError, RecursionError) as error:
        raise UsageError(f"{file}: {error}", remedy="nothing was imported") from error
    click.echo(f"{number} programs imported")


@learn.command()
@click.argument("key", metavar="ID")
@click.argument("file", metavar="F")
@click.option("--advice", metavar="TEXT", help="What to do; else what memprobe says.")
@click.option("--source", metavar="URL", help="Where it is told: https://...")
@click.option("-o", "--output", metavar="OUT", help="Where it goes; - is standard output.")
@verbose
def pattern(key: str, file: str, advice: str | None, source: str | None, output: str | None) -> None:
    """Make the finding ID of F a pattern, by which it is known again.

    \b
    F is a report (--json) or a recording. The finding must be confirmed: learn feedback ID confirmed.
    Without -o the file goes to your own patterns: ~/.config/memprobe/patterns/ID.toml.
    """
    from memprobe.detectors.patterns import BadPattern, parsed, users_folder, written
    from memprobe.detectors.patterns.making import pattern_of
    from memprobe.views import files

    with _store() as store:
        said = [one.verdict for one in store.opinions() if one.key == key]
    if said[-1:] != ["confirmed"]:
        remedy = f"if it is a leak indeed, say so first: memprobe learn feedback {key} confirmed"
        raise UsageError(f"{key!r} is not confirmed", remedy=remedy)
    try:
        text = written(pattern_of(_finding(file, key), advice or "", source or ""))
        parsed(text)
    except BadPattern as error:
        why = f"{error.place}: {error.fact}" if error.place else error.fact
        way_out = "--advice and --source may help, or write it by hand (docs/patterns.md)"
        raise UsageError(f"no pattern comes of {key!r}: {why}", remedy=way_out) from error
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise UsageError(f"{file}: {key!r} is not written as memprobe writes a finding") from error
    if output is None:
        output = str(users_folder() / f"{parsed(text)[0].id}.toml")
        with suppress(OSError):  # which writing will say
            users_folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    files.write(output, text.encode())
    if output != "-":
        click.echo(f"{output} written")


def _finding(file: str, key: str) -> dict[str, Any]:
    """Return a finding of a report, or of a recording."""
    from memprobe.cli.watching import recorded_story

    try:
        with open(file, "rb") as source:
            text = source.read(IMPORT_LIMIT_BYTES)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from error
    try:
        document = json.loads(text) if text[:1] == b"{" else recorded_story(file, None, None).document
        found = [one for one in document["findings"] if one["id"] == key]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UsageError(f"{file}: it is neither a report nor a recording") from error
    if not found:
        raise UsageError(f"{file}: there is no finding {key!r} in it")
    return dict(found[0])


@learn.command()
@click.argument("program", required=False)
@click.option("--all", "everything", is_flag=True, help="Every program, and all that was said.")
@verbose
def reset(program: str | None, everything: bool) -> None:
    """Forget the program whose name has PROGRAM in it, or everything."""
    if (program is None) != everything:
        raise UsageError("what is to be forgotten?", remedy="name a program, or say --all")
    with _store() as store:
        number = store.reset(None if program is None else _one_program(store, program))
    click.echo(f"{number} programs forgotten")


@contextmanager
def _store() -> Iterator[Store]:
    """Open the store; say what was kept aside, and turn what goes wrong into one line."""
    from memprobe.learned import Store, StoreFailed
    from memprobe.views.escaping import escape

    try:
        with Store() as store:
            for remark in store.remarks:
                click.echo(f"memprobe: {escape(remark)}", err=True)
            yield store
    except StoreFailed as error:
        raise OutputNotWritable(
            str(error), remedy="XDG_STATE_HOME names the folder that has what was learned"
        ) from error


def _one_program(store: Store, text: str) -> str:
    names = [row[0] for row in store.programs()]
    found = [name for name in names if name == text] or [name for name in names if text in name]
    if len(found) == 1:
        return str(found[0])
    if not found:
        raise UsageError(f"nothing is known of {text!r}", remedy="see: memprobe learn show")
    raise UsageError(f"{text!r} is in {len(found)} names", remedy=f"say more of it: {', '.join(found[:3])}")
