"""The line that a terminal shows while a run goes on; it is overwritten, and gone before the report."""

from __future__ import annotations

from typing import Any

from memprobe.views.quantities import count, duration, megabytes
from memprobe.views.report_page import place
from memprobe.views.status_line import StatusLine


class LiveLine(StatusLine):
    """Shows the state of a run."""

    def show(self, document: dict[str, Any]) -> None:
        """Overwrite the line."""
        self.overwrite(line(document))


def line(document: dict[str, Any]) -> str:
    """What has happened so far, the most telling first."""
    born = [row for row in document["handles"] if row["site"]]
    facts = [
        duration(document["window"]["duration_s"]),
        megabytes(document["memory"]["rss_mb"]),
        count(document["process"]["fds"], "handle"),
    ]
    if born:
        facts.append(f"{born[0]['open']} {born[0]['kind']} from {place(born[0]['site'])}")
    if document["growth"]:
        facts.append(f"grows at {place(document['growth'][0]['site'])}")
    return " · ".join([*facts, "Ctrl-C ends"])
