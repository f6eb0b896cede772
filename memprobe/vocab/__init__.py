"""The nouns that every room shares. No behaviour beyond short properties."""

from memprobe.vocab.memory import Memory
from memprobe.vocab.stack import Frame, Stack
from memprobe.vocab.target import TargetId

__all__ = ["Frame", "Memory", "Stack", "TargetId"]
