"""The report as one HTML file that needs nothing else: no network, no other file."""

from memprobe.views.html.writing import render

__all__ = ["render"]
