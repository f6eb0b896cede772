from memprobe.inside import analyze, get_report, protect, protect_dev, record_user_feedback, stop

__version__: str
__all__ = [
    "__version__",
    "analyze",
    "get_report",
    "protect",
    "protect_dev",
    "record_user_feedback",
    "stop",
]
