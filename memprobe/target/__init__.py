"""Everything about one process: identity, mappings, binaries, CPython layouts, threads and frames."""
