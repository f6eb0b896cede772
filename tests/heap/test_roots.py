"""Where paths begin: other interpreters, threads, and what is deferred because something says it better."""

from __future__ import annotations

import json
import re
from pathlib import Path

from heap_looks.holding_in import hoard_folder, looked_into
from memprobe.heap.roots import Tier
from memprobe.heap.static_memory import static_regions
from memprobe.target.proc.mappings import find, read_mappings
from pythons import Interpreter
from target.looking import looked_at


def test_another_interpreter(interpreter: Interpreter, targets: Path) -> None:
    with interpreter.spawn(targets / "guest_holds.py") as target, looked_into(target.pid) as look:
        kept, local = (look.path(address) for address in json.loads(target.ready))
    assert re.fullmatch(r"<interpreter \d+> __main__\.KEPT\[…\]", kept)
    assert re.fullmatch(r"<thread \d+ '[^']*'> __main__:wait local pending\[0\]", local)


def test_what_a_generator_holds_while_it_runs(interpreter: Interpreter, targets: Path) -> None:
    """Its local variables are of its frame, suspended or not, and each counts once."""
    with interpreter.spawn(targets / "generating.py") as target, looked_into(target.pid) as look:
        generator, held = (look.graph.node(int(address)) for address in target.ready.split())
        assert generator is not None
        assert held is not None
        if look.python.layout.version >= (3, 11):  # before, a frame is an object of its own
            assert held in look.graph.referents(generator)
        assert look.holders.holding.unexplained[held] == 0


def test_modules_come_first(interpreter: Interpreter, targets: Path) -> None:
    hoard = str(interpreter.path_inside(hoard_folder()))
    with interpreter.spawn(targets / "sessions.py", hoard) as target, looked_into(target.pid) as look:
        roots = list(look.holders.holding.roots.values())
    tiers = {root.title: root.tier for root in roots}
    assert tiers["__main__"] is tiers["sys"] is tiers["builtins"] is Tier.MODULE
    assert any(root.title.startswith("<thread ") for root in roots)
    assert any(root.title.startswith("<interpreter 0>.") for root in roots)


def test_static_memory_ends_where_the_binary_says(interpreter: Interpreter, targets: Path) -> None:
    hoard = str(interpreter.path_inside(hoard_folder()))
    with interpreter.spawn(targets / "sessions.py", hoard) as target, looked_into(target.pid) as look:
        with looked_at(target.pid) as seen:
            regions = list(static_regions(seen.memory, read_mappings(seen.process)))
            mappings = read_mappings(seen.process)
        names = {name for name, _, _ in regions}
        assert "hoard.so" in names
        assert any("python" in name for name in names)
        for _, start, size in regions:
            mapping = find(mappings, start)
            assert mapping is not None
            assert mapping.is_readable
            small = look.graph.addresses[: look.graph.first_large]
            assert not ((small >= start) & (small < start + size)).any()
