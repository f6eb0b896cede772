"""Tier 1: handles by the system calls of a process, traced in short windows; no BPF, only the right to trace.

In bursts the threads stop where they change the size of a container that grows, too.

The tracer itself is C (native/src/trace_*.c) and runs the same programs that the kernel runs elsewhere
(probes/handles.bpf.c, probes/watch.bpf.c): what a call means, and how a Python stack is walked, stands in one
place. Between windows nothing is traced; the pictures of /proc tell then what was opened and closed.
"""
