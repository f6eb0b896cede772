"""Looks at the heaps of processes now and then, in a child process.

pace        when which process is looked at next               memprobe itself (heap/source.py)
reader      does what it is told, and re-reads lengths         the child
followed    one process, as the child holds it                 the child
numbering   subjects get numbers, and rows
"""
