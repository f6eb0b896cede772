"""The command line: one command per file, and one place where errors become exit codes."""

from memprobe.cli.main import main

__all__ = ["main"]
