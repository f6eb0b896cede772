"""What watchpoints have shown of who fills what grows: the site of a finding, and its sentences."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

from memprobe.detectors.merging import Leak
from memprobe.detectors.timers import SCHEDULED, of_callback
from memprobe.ledger import Ledger
from memprobe.ledger.insertions import Filled, Flow
from memprobe.vocab.finding import Kind
from memprobe.vocab.stack import Frame, own_frame
from memprobe.vocab.subject import What

LISTED = 4
"""Lines of a container that are told."""

NOTABLE = 0.02
"""A line that moves less than this part of all is not worth a word."""


def filled_by(leak: Leak, ledger: Ledger) -> Filled | None:
    """Return who fills what piles up; None where nobody was seen to make it grow."""
    for grown in leak.grown:
        if grown.subject.what is What.CONTAINER:
            filled = ledger.filled(grown.key)
            is_of_loop = leak.lead.kind is Kind.TIMERS and grown.subject.holder.endswith(SCHEDULED)
            if filled is not None and is_of_loop:
                filled = of_callback(filled, leak.lead.type)
            if filled is not None and filled.flows and _is_cause(filled.flows[0]):
                return filled
    return None


def born_by(leak: Leak, ledger: Ledger) -> Filled | None:
    """Return who makes the objects that pile up and stay; None where it was not traced."""
    for grown in leak.grown:
        if grown.subject.what is not What.CONTAINER:
            born = ledger.filled(grown.key)
            if born is not None and born.flows and _is_cause(born.flows[0]):
                return born
    return None


def birth_sentences(born: Filled) -> Iterator[str]:
    """Say which lines make the objects that stay."""
    most = born.flows[0].net_per_s
    told = [one for one in born.flows[:LISTED] if one.net_per_s >= NOTABLE * most]
    parts = ", ".join(f"{_place(one.site)} {one.net_per_s:.3g}/s" for one in told)
    yield f"Made by {parts} and kept: {born.hits} were traced from their birth on."


def _is_cause(flow: Flow) -> bool:
    return bool(flow.site) and flow.left_per_s > 0


def flow_sentences(filled: Filled) -> Iterator[str]:
    """Say who puts entries in, and who takes them out."""
    most = max(one.added_per_s + one.removed_per_s for one in filled.flows)
    told = [one for one in filled.flows if one.added_per_s + one.removed_per_s >= NOTABLE * most]
    parts = [part for one in told[:LISTED] for part in _parts(one)]
    net = filled.added_per_s - filled.removed_per_s
    yield f"{', '.join(parts)}: net {net:+.3g}/s."


def _parts(flow: Flow) -> Iterator[str]:
    where = _place(flow.site)
    if flow.added_per_s >= NOTABLE * flow.removed_per_s:
        yield f"{where} adds {flow.added_per_s:.3g}/s"
    if flow.removed_per_s > NOTABLE * flow.added_per_s:
        yield f"{where} removes {flow.removed_per_s:.3g}/s"


def _place(site: tuple[Frame, ...]) -> str:
    frame = own_frame(site)
    if frame is None or not frame.file:
        return "code that is not Python"
    return f"{'/'.join(PurePath(frame.file).parts[-2:])}:{frame.line}"
