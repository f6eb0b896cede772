"""memprobe: memory and resource leaks of a running CPython process, found from the outside."""

__version__ = "0.1.0"

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

_HOMES = {
    **dict.fromkeys(("Finding", "Recording", "Report", "Watch", "attach", "open_recording"), "memprobe.api"),
    **dict.fromkeys(
        ("analyze", "get_report", "protect", "protect_dev", "record_user_feedback", "stop"),
        "memprobe.inside",
    ),
}
"""Where a name comes from; imported when it is first asked for (types are in __init__.pyi)."""


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
