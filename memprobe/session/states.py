"""What a run has come to, as a recording keeps it: its replay goes on from there as if it had folded all."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import memprobe
from memprobe.config import Config
from memprobe.detectors.verdicts import Verdicts
from memprobe.experience import Experience
from memprobe.ledger import Ledger
from memprobe.recording import RecordingReader, State
from memprobe.recording.damage import BROKEN
from memprobe.recording.packing import packed_object
from memprobe.recording.unpacking import unpacked_object
from memprobe.views.history import History
from memprobe.vocab.digest import blake2b

ROOMS = ("ledger", "detectors", "models", "experience", "vocab")
"""Where the classes are that a state is made of, beside that of the history."""

PLACE = Path(memprobe.__file__).parent
HISTORY = History.__module__

SOON_S, SHARE = 300.0, 10_000
"""Every five minutes, or so much later that it takes no more than a ten-thousandth of a core."""


@dataclass(frozen=True, slots=True)
class Standing:
    """All that batches are folded into."""

    ledger: Ledger
    experience: Experience
    verdicts: Verdicts
    history: History | None
    """What the run was like over time; None where nobody asked."""


class Pacer:
    """Says when it is time for another state."""

    def __init__(self) -> None:
        self._due_s = time.monotonic() + SOON_S

    @property
    def is_due(self) -> bool:
        """Whether it is time."""
        return time.monotonic() >= self._due_s

    def packed(self, standing: Standing) -> State:
        """Return a state to be stored, and see what it took."""
        begin_s = time.thread_time()
        state = state_of(standing)
        self._due_s = time.monotonic() + max(SOON_S, SHARE * (time.thread_time() - begin_s))
        return state


def state_of(standing: Standing) -> State:
    """Return it as it is stored."""
    parts = (standing.ledger, standing.experience, standing.verdicts, standing.history)
    return State(standing.ledger.now_ns, made_by(), packed_object(parts, standing.verdicts.config))


def last_standing(
    reader: RecordingReader, until_ns: int, config: Config, *, with_history: bool
) -> Standing | None:
    """Return how things stood as late as is stored until an instant; the reader goes on behind it.

    Settings are not in it: they are those of the recording, with what is said now.

    None where nothing is stored that this memprobe can take up: then all is to be folded.
    """
    for batch, state in reader.states(until_ns):
        standing = _standing(state, config)
        if standing is not None and not (with_history and standing.history is None):
            reader.skip_to(batch)
            return standing
    return None


@cache
def made_by() -> str:
    """Return what differs from one memprobe to the next that folds otherwise, or into other classes."""
    digest = blake2b(memprobe.__version__.encode(), digest_size=8)
    sources = (path for room in ROOMS for path in (PLACE / room).rglob("*.py"))
    for path in sorted((*sources, PLACE / "views" / "history.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _standing(state: State, config: Config) -> Standing | None:
    if state.made_by != made_by():
        return None
    try:
        ledger, experience, verdicts, history = unpacked_object(state.data, _is_of_a_state, config)
        kinds = (Ledger, Experience, Verdicts, History | None)
        are_such = map(isinstance, (ledger, experience, verdicts, history), kinds)
        is_it = all(are_such) and ledger.now_ns == state.end_ns
    except (*BROKEN, AttributeError):
        return None
    return Standing(ledger, experience, verdicts, history) if is_it else None


def _is_of_a_state(module: str) -> bool:
    root, _, room = module.partition(".")
    return module == HISTORY or (root == memprobe.__name__ and room.partition(".")[0] in ROOMS)
