"""What the governor holds on to: what the programs are to do, and which of them are attached for it."""

from __future__ import annotations

import struct
from dataclasses import replace

from memprobe.sources.kernel.options import KernelOptions
from memprobe.sources.kernel.programs import Programs
from memprobe.sources.kernel.table import FIRST, GROWTH, HANDLES
from memprobe.vocab.knobs import NOTHING, Knob

KNOBS = frozenset({Knob.GROWTH_STACKS, Knob.HANDLE_STACKS, Knob.MEMORY_PROBES, Knob.SYSCALL_PROBES})

# The system calls of `processes` (unshare, close_range) go with the handles; fork, exec and exit stay.
_SHED_TOGETHER = {HANDLES: (HANDLES, FIRST), GROWTH: (GROWTH, "allocator", "collector")}
_SHED_HOOKS = {HANDLES: "tracepoint"}

_ONLY = struct.pack("=I", 0)


class Shedding:
    """Turns down what costs too much, and back."""

    def __init__(self, programs: Programs, options: KernelOptions) -> None:
        self._programs, self._options = programs, options
        self._settings = replace(options.settings, handles=options.settings.handles and options.handles)
        self._shed: set[str] = set() if options.handles else {HANDLES}

    def is_shed(self, what: str) -> bool:
        """Whether HANDLES or GROWTH is not attached at present."""
        return what in self._shed

    def turn(self, knob: Knob, one_in: int) -> list[str]:
        """Keep one in `one_in`, and return what is attached again by that.

        It takes effect at once; what the kernel takes long for goes on behind.
        The programs fall silent through their settings, not by an empty map of targets: children and exec are
        still followed (three raw tracepoints on rare events, which detach in no time).
        """
        if knob is Knob.SYSCALL_PROBES:
            self._settings = replace(self._settings, handles=one_in != NOTHING)
        elif knob is Knob.MEMORY_PROBES:
            self._settings = replace(self._settings, growth=one_in != NOTHING and self._options.growth)
        elif knob is Knob.GROWTH_STACKS:
            self._settings = replace(self._settings, growth_stacks=one_in != NOTHING)
        elif knob is Knob.HANDLE_STACKS:
            self._settings = replace(self._settings, stacks=one_in != NOTHING, stack_every=one_in or 1)
        self.write_settings()
        return [
            what
            for what, wanted in ((HANDLES, self._settings.handles), (GROWTH, self._settings.growth))
            if self._attach_as_set(what, wanted)
        ]

    def write_settings(self) -> None:
        """Tell the programs what they are to do."""
        content = self._settings.packed(self._options.seed)
        self._programs.maps.write_map("knobs", _ONLY, content)

    def _attach_as_set(self, what: str, wanted: bool) -> bool:
        """Bring what is attached in line with the settings; return whether it was attached again."""
        if wanted and what in self._shed:
            self._shed.discard(what)
            self._programs.attach(*_SHED_TOGETHER[what], hook=_SHED_HOOKS.get(what))
            return True
        if not wanted and what not in self._shed:
            self._shed.add(what)
            self._programs.detach(*_SHED_TOGETHER[what], hook=_SHED_HOOKS.get(what))
        return False
