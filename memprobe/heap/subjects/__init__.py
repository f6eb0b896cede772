"""What may pile up in a heap, counted: one survey of a process gives its subjects with their numbers."""
