"""One run, live or recorded: wires the rooms, owns time and the loop."""

from memprobe.session.folding import fold
from memprobe.session.options import Options
from memprobe.session.replay import Window, played, replayed
from memprobe.session.run import Session
from memprobe.session.starting import session

__all__ = ["Options", "Session", "Window", "fold", "played", "replayed", "session"]
