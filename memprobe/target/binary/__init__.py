"""The files a process runs: ELF, the Python runtime in them, its version."""
