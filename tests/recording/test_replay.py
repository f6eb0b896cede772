"""A recording folds to what the run itself folded to."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np

from ledger.kernel_model import Kernel
from memprobe.ledger import Ledger
from memprobe.recording import RecordingReader, RecordingWriter
from memprobe.vocab.batch import Batch


def run(seed: int) -> list[Batch]:
    """Batches of a busy process with children."""
    chance, kernel = random.Random(seed), Kernel()
    kernel.census(kernel.process())
    batches = []
    for _ in range(20):
        for _ in range(50):
            pid = chance.choice(sorted(kernel.table_of))
            kernel.losing = chance.random() < 0.05
            for _ in range(chance.randrange(4)):
                kernel.open(pid, stack=chance.randrange(1, 9))
            kernel.close(pid, chance.randrange(20))
            kernel.dup_over(pid, chance.randrange(8), chance.randrange(40), stack=9)
            if len(kernel.table_of) < 4 and chance.random() < 0.1:
                kernel.fork(pid, share=False)
        kernel.picture(chance.choice(sorted(kernel.table_of)))
        batches.append(kernel.batch())
    return batches


def test_live_and_replay_are_the_same(tmp_path: Path) -> None:
    live, replayed = Ledger(), Ledger()
    with RecordingWriter(tmp_path / "run.mprobe", {"tier": 2}) as writer:
        finished = []
        for batch in run(seed=1):
            finished.append(live.fold(batch).finished)
            writer.write(batch)
    with RecordingReader(tmp_path / "run.mprobe") as reader:
        again = [replayed.fold(batch).finished for batch in iter(reader.poll, None)]
    assert live.handle_sites() == replayed.handle_sites()
    assert live.handles.evidence == replayed.handles.evidence
    assert live.handles.evidence.repaired
    assert np.array_equal(live.handles.open().rows, replayed.handles.open().rows)
    assert all(map(np.array_equal, finished, again))
