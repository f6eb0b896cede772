# holder: ~.REPORT.table
"""functools.cached_property writes into the instance."""
import functools
from marks import prize

class Report:
    @functools.cached_property
    def table(self):
        return prize()

REPORT = Report()
REPORT.table
