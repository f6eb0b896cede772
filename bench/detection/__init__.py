"""What `detect.py` is made of: the cases and their truth, running them, comparing, and the statistics."""
