"""Where batches come from: the kernel, /proc, a recording."""
