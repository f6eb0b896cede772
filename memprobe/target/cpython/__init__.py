"""The inside of a CPython, decoded from its memory: threads, stacks, collector, arenas."""
