"""Where a value came from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Layer(StrEnum):
    """Who may set something; each one counts more than those before it."""

    DEFAULT = "default"
    PRESET = "preset"
    FILE = "file"
    ENVIRONMENT = "environment"
    COMMAND_LINE = "command line"


@dataclass(frozen=True, slots=True)
class Place:
    """One place that sets something."""

    layer: Layer = Layer.DEFAULT
    where: str = ""
    """The preset, the file, the name in the environment, or the option."""

    line: int | None = None
    """In a file; None if it is not known."""

    def __str__(self) -> str:
        if self.layer is Layer.DEFAULT:
            return str(self.layer)
        if self.layer is Layer.FILE:
            return self.where if self.line is None else f"{self.where}:{self.line}"
        return f"{self.layer} {self.where}"

    def subject(self, key: str) -> str:
        """Return what an error is about: the place, and the key where that does not say it."""
        if self.layer is Layer.FILE:
            return f"{self}: {key}"
        return f"preset {self.where}: {key}" if self.layer is Layer.PRESET else self.where
