"""One run, live or recorded: wires the rooms, owns time and the loop."""

from memprobe.session.folding import fold
from memprobe.session.replay import governed, replayed
from memprobe.session.run import Options, Session, session

__all__ = ["Options", "Session", "fold", "governed", "replayed", "session"]
