"""What may be expected of things of which nothing is known yet: one table.

These are assumptions, not measurements, and weigh as much as models.age.STRENGTH runs: some runs of the
program itself outweigh them. What counts is how their number is bounded: there are as many temporary files as
requests, but only as many sources and libraries as were installed; logs and locks are kept on purpose. Of
what is not here nothing is assumed: 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass

from memprobe.vocab.sort import Sort


@dataclass(frozen=True, slots=True)
class Default:
    """How such things commonly live."""

    life_s: float
    """Half of those that are closed some time are closed before."""

    kept: float
    """The probability that one which is old is kept on purpose."""

    reason: str


UNKNOWN = Default(60.0, 0.5, "nothing is known of such things")

TEMPORARY = Default(30.0, 0.15, "temporary files are as many as there are requests, and are needed briefly")
INPUT = Default(30.0, 0.3, "such files are read or written in one go")
ARCHIVE = Default(60.0, 0.3, "archives are read or written in one go")
INSTALLED = Default(30.0, 0.7, "there are only as many as were installed")
SETTINGS = Default(10.0, 0.6, "there are only as many settings as were written")
LOG = Default(3600.0, 0.85, "logs are kept open on purpose")
DATABASE = Default(600.0, 0.8, "databases are kept open on purpose")
LOCK = Default(600.0, 0.8, "locks are held as long as the program runs")
MAPPED = Default(600.0, 0.65, "such files are often mapped for as long as they are used")

LISTENING = Default(3600.0, 0.95, "a listening socket lives as long as the service")
LOCAL = Default(300.0, 0.6, "connections inside the machine are often kept")
CONNECTION = Default(120.0, 0.5, "connections may be kept in a pool")
LOOP = Default(3600.0, 0.85, "event loops have them as long as they run")

_FILES = {
    TEMPORARY: "tmp temp part partial swp bak old orig cache upload download",
    INPUT: "csv tsv jsonl ndjson txt md rst xls xlsx ods doc docx odt ppt pptx pdf ps eps jpg jpeg png "
    "gif webp bmp tif tiff svg ico heic mp3 wav flac ogg aac m4a mp4 avi mkv mov webm srt eml ics vcf gpx "
    "geojson",
    ARCHIVE: "zip gz tgz bz2 xz zst lz4 tar 7z rar iso deb rpm",
    INSTALLED: "py pyi pyx pyc pyo pyd so dll jar whl egg js mjs ts css html htm jinja j2 "
    "mako tmpl sql mo po ttf otf woff woff2",
    SETTINGS: "json yaml yml toml ini cfg conf cnf env xml pem crt cer key pub der plist rc",
    LOG: "log out err journal trace audit",
    DATABASE: "db db3 sqlite sqlite3 mdb ldb lmdb rdb aof wal shm dbm gdbm duckdb fdb idx",
    LOCK: "lock lck pid sock socket fifo",
    MAPPED: "npy npz parquet arrow feather h5 hdf5 nc mat pkl pickle "
    "joblib pt pth onnx gguf tflite bin dat faiss",
}

EXTENSIONS = {f".{name}": default for default, names in _FILES.items() for name in names.split()}
"""By the group of a file; extensions of more than eight letters are not told apart."""

KINDS = {
    "pipe": LOCAL,
    "epoll": LOOP,
    "eventfd": LOOP,
    "timerfd": CONNECTION,
    "signalfd": LOOP,
    "inotify": LOOP,
    "io_uring": LOOP,
    "tty": LOOP,
    "memfd": MAPPED,
    "socket": CONNECTION,
}
"""By kind, where there is no group or none that is known."""

PEERS = {
    "listening": LISTENING,
    "unix": LOCAL,
    "loopback": LOCAL,
    "private": CONNECTION,
    "public": CONNECTION,
}
"""By the class of a socket's peers, without the port."""


def default_of(sort: Sort) -> Default:
    """Return what may be expected of a sort of which nothing is known."""
    if sort.kind == "file":
        return EXTENSIONS.get(sort.group, UNKNOWN)
    if sort.kind == "socket" and sort.group:
        return PEERS.get(sort.group.partition(":")[0], CONNECTION)
    return KINDS.get(sort.kind, UNKNOWN)
