"""The numbers as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from detection import calibrating, scoring
from detection.intervals import clopper_pearson, poisson_upper
from detection.scoring import KINDS, Judged

EDGES = (0.0, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)


def share(hits: int, tries: int, *, interval: bool = True) -> str:
    """A share with its 95 % interval: "0.97 (0.90 to 1.00), 35 of 36"."""
    if not tries:
        return ""
    if not interval:
        return f"{hits / tries:.2f}"
    low, high = clopper_pearson(hits, tries)
    return f"{hits / tries:.3f} ({low:.3f} to {high:.3f}), {hits} of {tries}"


def number(value: float | None) -> str:
    """A number, or nothing if there is none."""
    return "" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def page(runs: Sequence[Judged]) -> Iterator[str]:
    """All tables."""
    real = [run for run in runs if run.case.is_real]
    own = [run for run in runs if not run.case.is_real]
    yield from summary({"all": runs, "own programs": own, "released packages and CPython": real})
    yield from kinds(runs)
    yield from calibration(runs)
    yield from confusion(runs)
    yield from complaints(runs)


def summary(groups: dict[str, Sequence[Judged]]) -> Iterator[str]:
    """One column for each group of programs."""
    groups = {name: runs for name, runs in groups.items() if runs}
    scores = [scoring.score(runs) for runs in groups.values()]
    alarms = [scoring.alarms(runs) for runs in groups.values()]
    rows = {
        "leaks found (recall)": [share(one.found, one.leaky) for one in scores],
        "findings that are right (precision)": [share(*scoring.precision(runs)) for runs in groups.values()],
        "right holder, or right function first": [share(one.place_first, one.found) for one in scores],
        "seconds to detect, median": [number(one.seconds) for one in scores],
        "seconds to detect from 10 units/s on": [number(one.fast_seconds) for one in scores],
        "units leaked until then, median": [number(one.units) for one in scores],
        "healthy programs with an alarm": [share(one.programs_with_alarm, one.programs) for one in alarms],
        "false alarms an hour of a healthy program": [_alarm_rate(one) for one in alarms],
        "... and alarms that were taken back before the end": [f"{one.taken_back}" for one in alarms],
    }
    yield f"| | {' | '.join(groups)} |"
    yield "|---|" + "---|" * len(groups)
    for name, cells in rows.items():
        yield f"| {name} | {' | '.join(cells)} |"
    yield ""


def _alarm_rate(alarms: scoring.Alarms) -> str:
    if not alarms.hours:
        return ""
    rate, upper = alarms.alarms / alarms.hours, poisson_upper(alarms.alarms) / alarms.hours
    return f"{rate:.2f} (95 %: at most {upper:.2f}), {alarms.alarms} in {alarms.hours:.2f} h"


def kinds(runs: Sequence[Judged]) -> Iterator[str]:
    """One row for each kind."""
    yield "## By kind\n"
    yield (
        "| kind | leaks | recall | precision | right holder | right function: first | in first three "
        "| seconds, median | units, median | repeated |"
    )
    yield "|---|---:|---|---|---:|---:|---:|---:|---:|---:|"
    for kind in KINDS:
        one = scoring.score(scoring.of_kind(runs, kind))
        places = (one.holder, one.site_first, one.site_near)
        cells = [
            f"{one.leaky}",
            share(one.found, one.leaky),
            share(*scoring.precision(runs, kind)),
            *(share(place, one.found, interval=False) for place in places),
            number(one.seconds),
            number(one.units),
            f"{one.repeated}",
        ]
        yield f"| {kind} | {' | '.join(cells)} |"
    yield ""


def calibration(runs: Sequence[Judged]) -> Iterator[str]:
    """How often findings of a confidence are right."""
    yield "## Calibration\n"
    yield from _reliability(scoring.calibration(runs, EDGES))
    fit = calibrating.fit(runs, EDGES)
    if fit is not None:
        yield "### With whole programs left out\n"
        yield (
            f"Of findings: log-odds times {fit.factor:.2f} would fit best "
            f"({fit.lowest:.2f} to {fit.highest:.2f} with one program left out).\n"
            f"Log loss {fit.loss:.3f} as told, {fit.left_out_loss:.3f} by the factor of all other programs:\n"
        )
        yield from _reliability(fit.bins)


def _reliability(bins: Sequence[scoring.Bin]) -> Iterator[str]:
    yield "| confidence | findings | mean | right |"
    yield "|---|---:|---:|---|"
    for one in bins:
        right = share(one.true, one.findings)
        yield f"| {one.low} to {one.high} | {one.findings} | {one.mean:.2f} | {right} |"
    yield ""


def confusion(runs: Sequence[Judged]) -> Iterator[str]:
    """What is there against what was said."""
    table = scoring.confusion(runs)
    columns = (*KINDS, "nothing")
    yield "## Kinds: what leaks (rows), and what the first finding about it calls it\n"
    yield f"| | {' | '.join(columns)} |"
    yield "|---|" + "---:|" * len(columns)
    for kind, called in table.items():
        yield f"| {kind} | {' | '.join(str(called[column] or '') for column in columns)} |"
    yield ""


def complaints(runs: Sequence[Judged]) -> Iterator[str]:
    """Every run that did not go as it should."""
    yield "## What went wrong\n"
    for run in runs:
        yield from (f"- {run.case.name}: {text}" for text in complaints_of(run))


def complaints_of(run: Judged) -> Iterator[str]:
    """What is wrong with one run."""
    if run.outcome.problem:
        yield f"could not be judged: {run.outcome.problem}".replace("\n", " ")
    elif run.case.truth is not None and run.hit is None:
        suspect = max(
            (one for one, _ in run.verdicts), key=lambda one: float(one["confidence"]), default=None
        )
        yield "missed" + ("" if suspect is None else f"; nearest: {said(suspect)}")
    for finding in run.false:
        yield f"false: {said(finding)}"


def said(finding: dict[str, object]) -> str:
    """A finding in a few words."""
    site = finding["site"]
    assert isinstance(site, list)
    frames = " < ".join(f"{frame['function']} {frame['file'].rpartition('/')[2]}" for frame in site[:3])
    return (
        f"{finding['confidence']:.2f} {finding['kind']} `{finding['type']}` held by `{finding['holder']}`"
        f" at `{frames}` after {finding['detected_after_s']} s"
    )
