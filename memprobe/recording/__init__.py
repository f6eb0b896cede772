"""Runs as files: what a source saw, written as it comes, read back as a source."""

from memprobe.recording.queue import RecordingQueue
from memprobe.recording.reader import RecordingReader
from memprobe.recording.states import State
from memprobe.recording.writer import RecordingWriter

__all__ = ["RecordingQueue", "RecordingReader", "RecordingWriter", "State"]
