"""What a terminal shows while a run goes on: findings as they become sure, and a line that is overwritten."""

from __future__ import annotations

from typing import Any

from memprobe.views.findings import SURE, one_line
from memprobe.views.places import place
from memprobe.views.quantities import count, duration, megabytes
from memprobe.views.status_line import StatusLine


class LiveLine(StatusLine):
    """Shows the state of a run; findings stay above it as they become sure."""

    def __init__(self) -> None:
        super().__init__()
        self._announced: set[str] = set()

    def show(self, document: dict[str, Any]) -> None:
        """Overwrite the line."""
        for one in document["findings"]:
            if one["confidence"] >= SURE and one["id"] not in self._announced:
                self._announced.add(one["id"])
                self.keep(f"{duration(one['detected_after_s'])} {one_line(one)}")
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
