"""memprobe: memory and resource leaks of a running CPython process, found from the outside."""

__version__ = "0.1.0"

__all__ = ["__version__"]
