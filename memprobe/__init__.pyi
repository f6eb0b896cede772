from memprobe.api import Finding, Recording, Report, Watch, attach, open_recording
from memprobe.inside import analyze, get_report, protect, protect_dev, record_user_feedback, stop

__version__: str
__all__ = [
    "Finding",
    "Recording",
    "Report",
    "Watch",
    "__version__",
    "analyze",
    "attach",
    "get_report",
    "open_recording",
    "protect",
    "protect_dev",
    "record_user_feedback",
    "stop",
]
