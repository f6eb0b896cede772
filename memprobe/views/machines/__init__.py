"""The report for other programs: profilers' formats, code annotations, metrics, lines of JSON."""
