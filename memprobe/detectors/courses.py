"""The course of every subject: what the models remember of it, and what they say of it now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from memprobe.detectors.evidence import Grown
from memprobe.ledger import Ledger
from memprobe.ledger.populations import Key, Population
from memprobe.models.growth import Growth, Known, Series
from memprobe.models.growth.needs import START_UP_S
from memprobe.vocab.rows import NOT_MEASURED, Rows
from memprobe.vocab.subject import Seen, Subject, What

SELDOM, SELDOM_AT_REST = 16, 4
"""A course is judged anew when it has become longer by one part in this many, one that rests where it was
less often: the model takes 0.1 to 0.5 ms, and most courses rest."""

SOON_NS = 5_000_000_000
"""A number that has moved is judged anew after this time at the latest: growth may have begun just now."""

AT_REST = 0.01
"""A course may rest if it was not more probable than this that it grows."""

SURE = 0.5
"""What was so probably growth and has fallen is judged at once: it may have been flushed."""

TELLING_BYTES = 32 << 10
"""Memory counts in pieces of this size: a pool of Python's allocator, or some pages."""


class Course:
    """One subject's numbers over time."""

    def __init__(self, subject: Subject, began_ns: int, age_s: float | None, warm_up_s: float = 0.0) -> None:
        """`age_s` is how long the process had been running at the first point, once it had loaded."""
        self.began_ns = began_ns
        """When the subject was first counted in this program of this process."""

        unit = TELLING_BYTES if subject.what == What.MEMORY else 1.0
        self._series = Series(Known(subject.limit, unit, age_s, warm_up_s))
        self._growth: Growth | None = None
        self._first_ns = self._last_ns = self._judged_ns = 0
        self._last = self._judged = 0

    def add(self, time_ns: int, count: int) -> None:
        """Add a point; one that is not later than the point before says nothing."""
        if time_ns > self._last_ns:
            self._first_ns = self._first_ns or time_ns
            self._last_ns = time_ns
            self._last = count
            self._series.add(time_ns, float(count))

    @property
    def wanders(self) -> bool:
        """Whether it has moved by enough to be taken for growth by chance."""
        return self._series.wanders

    def growth(self, among: int = 1) -> Growth:
        """Return what the models say; they are asked again when there is enough that is new."""
        if self._growth is None or self._is_due(self._growth):
            self._growth = self._series.growth(among=among)
            self._judged_ns, self._judged = self._last_ns, self._last
        return self._growth

    def _is_due(self, growth: Growth) -> bool:
        new_ns, span_ns = self._last_ns - self._judged_ns, self._judged_ns - self._first_ns
        if self._last == self._judged and growth.probability <= AT_REST:
            return new_ns > span_ns // SELDOM_AT_REST
        if self._last < self._judged and growth.probability >= SURE:
            return True
        return new_ns > 0 and new_ns >= min(span_ns // SELDOM, SOON_NS)


class Courses:
    """The courses of all subjects that are alive."""

    def __init__(self, root: int) -> None:
        """`root` is the process that the run was begun for; the others are its children."""
        self._root = root
        self._courses: dict[Key, Course] = {}

    def add(self, rows: Rows, ledger: Ledger) -> None:
        """Take in what was counted, after the ledger has."""
        for row in rows:  # a row per subject and look
            population = ledger.populations.get((int(row["pid"]), int(row["subject_id"])))
            if int(row["count"]) != NOT_MEASURED and population is not None:
                self._of(population, ledger).add(int(row["time_ns"]), int(row["count"]))

    def _of(self, population: Population, ledger: Ledger) -> Course:
        """Return the course of a subject; a new one if it is counted anew: after exec, or of a reused pid."""
        key, began_ns = (population.pid, population.subject_id), population.first_ns
        course = self._courses.get(key)
        if course is None or course.began_ns != began_ns:
            subject = ledger.populations.subjects[population.subject_id]
            ages_s = self._ages_s(population.pid, began_ns, ledger)
            course = self._courses[key] = Course(subject, began_ns, *ages_s)
        return course

    def _ages_s(self, pid: int, time_ns: int, ledger: Ledger) -> tuple[float | None, float]:
        """Return how old a process was, and how old it must be before anything is sure."""
        age_s, root_s = (ledger.processes.settled_s(one, time_ns) for one in (pid, self._root))
        if age_s is None or root_s is None or root_s - age_s <= START_UP_S:
            return age_s, 0.0
        return age_s, START_UP_S  # a worker that came later: there was one before it, and will be another

    def grown(self, ledger: Ledger, pid: int | None) -> Iterator[Grown]:
        """Yield every subject of a process, or of all, in the order of their numbers."""
        for key in [key for key in self._courses if key not in ledger.populations]:
            del self._courses[key]
        among = Counter(key[0] for key, course in self._courses.items() if course.wanders)
        for key in sorted(self._courses):
            population = ledger.populations.get(key)
            if population is not None and pid in (None, key[0]):
                subject = ledger.populations.subjects[key[1]]
                yield _grown(population, subject, self._courses[key].growth(among[key[0]]))


def _grown(population: Population, subject: Subject, growth: Growth) -> Grown:
    oldest_ns = population.oldest_ns
    return Grown(
        pid=population.pid,
        subject_id=population.subject_id,
        subject=subject,
        count=population.count,
        added=population.added,
        bytes=population.count if subject.what == What.MEMORY else population.bytes,
        bytes_per_s=_bytes_per_s(population, subject, growth),
        oldest_s=None if oldest_ns is None else oldest_ns / 1e9,
        growth=growth,
        seen=population.seen & (Seen.ESTIMATED | Seen.CHURNING),
    )


def _bytes_per_s(population: Population, subject: Subject, growth: Growth) -> float | None:
    """Return what the growth costs: by what those that were added take, or by what the first ones took."""
    if subject.what == What.MEMORY:
        return growth.per_s
    if population.bytes is None or population.first_bytes is None:
        return None
    added, added_bytes = population.added, population.bytes - population.first_bytes
    if added > 0 and added_bytes > 0:
        return growth.per_s * added_bytes / added
    # Lengths are read without bytes: the bytes may be of a time when there were fewer.
    first = population.count - added
    return growth.per_s * population.first_bytes / first if first > 0 else None
