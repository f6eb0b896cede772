"""Settings that are wrong in one place, and where that is."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from memprobe.config import SETTINGS
from memprobe.config.setting import Setting, Sort

NUMBERS = [one for one in SETTINGS.values() if one.sort in (Sort.NUMBER, Sort.INTEGER)]
names = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=20)


@dataclass(frozen=True)
class Broken:
    """A file that is wrong, and what an error must name."""

    text: str
    line: int
    named: str = ""
    nearest: str = ""


def toml(setting: Setting) -> str:
    """A value that is right."""
    if setting.sort is Sort.FLAG:
        return "true"
    if setting.sort is Sort.WORDS:
        return '["any"]'
    if setting.sort in (Sort.WORD, Sort.PATH):
        return f'"{next(iter(setting.choices), "/usr/src")}"'
    return f"{setting.low + 1:g}" if setting.high > 1 else "0.5"


@st.composite
def right_lines(draw: st.DrawFn) -> list[str]:
    """What may stand before: comments, texts over several lines, other tables, all of it right."""
    pieces = st.sampled_from(
        [
            "# a comment [with] = signs",
            "",
            '[[protect]]\ntype = "app.*"\nreason = """why [not]\n= so"""',
            "[kinds]\n",
            "[report]\nfail_on = [\n  'any', # all\n  \"caches\",\n]",
            'protect = [{path = "/x # y", reason = "[r]"}]',
        ]
    )
    chosen = draw(st.lists(pieces, max_size=4, unique=True))
    top = [one for one in chosen if not one.startswith("[")]
    if any(one.startswith("protect") for one in top):
        chosen = [one for one in chosen if not one.startswith("[[")]
    return [*top, *(one for one in chosen if one.startswith("["))]


def _after(lines: list[str], section: str, line: str, **more: str) -> Broken:
    """A line in its section behind lines that are right."""
    before = [one for one in lines if not one.startswith(f"[{section}]")]
    text = "\n".join([*before, f"[{section}]", line, "# the end", ""])
    return Broken(text, text[: text.rindex(line)].count("\n") + 1, **more)


@st.composite
def misspelt(draw: st.DrawFn) -> Broken:
    """A key with one letter left out."""
    setting = draw(st.sampled_from([one for one in SETTINGS.values() if len(one.name) > 5]))
    place = draw(st.integers(1, len(setting.name) - 2))
    wrong = setting.name[:place] + setting.name[place + 1 :]
    lines = draw(right_lines())
    return _after(
        lines, setting.section, f"{wrong} = 1", named=f"{setting.section}.{wrong}", nearest=setting.key
    )


@st.composite
def unknown(draw: st.DrawFn) -> Broken:
    """A key or a table that is nowhere."""
    section = draw(st.sampled_from(sorted({one.section for one in SETTINGS.values()})))
    name = draw(names.filter(lambda name: f"{section}.{name}" not in SETTINGS))
    return _after(draw(right_lines()), section, f"{name} = 1", named=name)


@st.composite
def mistyped(draw: st.DrawFn) -> Broken:
    """A value of another type."""
    setting = draw(st.sampled_from(list(SETTINGS.values())))
    values = {
        Sort.NUMBER: ["true", "[1]", '"much"', "{a = 1}", "2026-11-22", '""', '"1 2"'],
        Sort.INTEGER: ["true", "[1]", '"much"', "1.5", "{a = 1}", '"1.5"'],
        Sort.FLAG: ["1", '"true"', "[]", "0.0", "12:00:00"],
        Sort.WORD: ["1", "true", '""', '"anything"', '["auto"]', "{a = 1}"],
        Sort.PATH: ["1", "true", '""', '"usr/src"', '["/usr/src"]'],
        Sort.WORDS: ["1", "[1]", "true", '["anything"]', '["any", 1]', '"caches,nonsense"'],
    }
    value = draw(st.sampled_from(values[setting.sort]))
    return _after(draw(right_lines()), setting.section, f"{setting.name} = {value}", named=setting.key)


@st.composite
def out_of_range(draw: st.DrawFn) -> Broken:
    """A number that is too small, too large, or none."""
    setting = draw(st.sampled_from(NUMBERS))
    wrong = ["-1", "nan", "inf", "-inf", "1e300", '"-5"'] if setting.sort is Sort.NUMBER else ["-1", "-5"]
    if setting.high < 1e9:
        wrong.append(f"{int(setting.high) + 1}")
    value = draw(st.sampled_from(wrong))
    return _after(draw(right_lines()), setting.section, f"{setting.name} = {value}", named=setting.key)


@st.composite
def wrong_unit(draw: st.DrawFn) -> Broken:
    """A number in a unit that it cannot be in."""
    setting = draw(st.sampled_from(NUMBERS))
    units = ["parsec", "ss", "Mb", "kg", "seconds", "°"]
    unit = draw(st.sampled_from([one for one in units if setting.unit.factor(one) is None]))
    line = f'{setting.name} = "1 {unit}"'
    return _after(draw(right_lines()), setting.section, line, named=setting.key)


@st.composite
def unprotected(draw: st.DrawFn) -> Broken:
    """A pattern without a reason, without a pattern, with two, or with something else."""
    lines = [one for one in draw(right_lines()) if not one.startswith(("protect", "[["))]
    wrong = draw(
        st.sampled_from(
            [
                'path = "/x"',
                'reason = "why"',
                'path = "/x"\ntype = "y"\nreason = "why"',
                'path = 1\nreason = "why"',
                'path = ""\nreason = "why"',
                'pth = "/x"\nreason = "why"',
                f'path = "{"x" * 2000}"\nreason = "why"',
            ]
        )
    )
    text = "\n".join([*lines, "[[protect]]", wrong, ""])
    return Broken(text, text[: text.index("[[protect]]")].count("\n") + 1, named="protect")


@st.composite
def torn(draw: st.DrawFn) -> Broken:
    """What is no TOML at all, somewhere behind what is."""
    wrong = draw(
        st.sampled_from(["= 1", "a = ", "[a", "a b = 1", "a = 1 2", "]", 'a = "', "a = [[[1]", "\x01"])
    )
    lines = draw(right_lines())
    text = "\n".join([*lines, wrong])
    return Broken(text, text[: text.rindex(wrong)].count("\n") + 1)


anything_broken = st.one_of(
    misspelt(), unknown(), mistyped(), out_of_range(), wrong_unit(), unprotected(), torn()
)
