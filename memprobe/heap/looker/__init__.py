"""Looks at the heaps of processes now and then, and at the lengths of collections every second.

pace        when which process is looked at next
look        one look: what the child does that is forked for it
followed    one process: what is known of it from look to look
numbering   subjects get numbers, and what was counted becomes rows
lengths     the lengths of watched collections, read by memprobe itself
"""
