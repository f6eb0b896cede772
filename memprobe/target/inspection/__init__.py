"""Everything that is known about one process, as one document."""
