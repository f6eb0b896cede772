"""The object heap of a process, read from outside: what is alive, how much of it, and who holds it."""
