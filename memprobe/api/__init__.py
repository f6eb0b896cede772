"""The Python face of memprobe: a run on a process, a recording of one, and the report as typed objects."""

from memprobe.api.recordings import Recording, open_recording
from memprobe.api.report import Finding, Report
from memprobe.api.watching import Watch, attach

__all__ = ["Finding", "Recording", "Report", "Watch", "attach", "open_recording"]
