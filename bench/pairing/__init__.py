"""What `overhead.py` is made of: running a workload, the table of tools, and the statistics of pairs."""
