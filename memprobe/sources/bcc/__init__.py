"""Tier 2 without BTF: the same programs, compiled by bcc for this kernel when they are needed.

headers           the kernel's headers, which bcc cannot do without
compiling         a child under the system's Python, where bcc is; compile_with_bcc is what it runs
fields            the kernel's fields that the programs read, and where the headers say that they are
kernel_memory     reads of the kernel's memory, through probes/peek.bpf.c
account, own      parts of finding
finding           where the fields really are, found out on memprobe's own threads
tasks             the kernel's tasks, found by following its lists: there are no iterators
kit               all of it together, as sources/kernel wants it
"""
