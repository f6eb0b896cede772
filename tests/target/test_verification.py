"""Layout checks: they hold on a real process, and each of them notices what it is there for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from memprobe.errors import LayoutCheckFailed, UnverifiedCollector
from memprobe.target.binary.runtime import RuntimeLocation
from memprobe.target.cpython.python import Python, attach_python
from memprobe.target.cpython.threads import OsThread
from memprobe.target.proc.mappings import Mapping
from memprobe.vocab import Memory
from pythons import Interpreter
from target.attaching import threads_of
from target.looking import looked_at
from target.made_memory import PatchedMemory

CHECKS = (
    "interpreters",
    "thread states",
    "type of type",
    "sys.modules",
    "sys.hexversion",
    "frames",
    "thread ids",
    "collector lists",
)


@dataclass(frozen=True)
class Found:
    """A target and what is needed to attach to it again, with something changed."""

    memory: Memory
    runtime: RuntimeLocation
    mappings: tuple[Mapping, ...]
    threads: list[OsThread]

    def attach(self, patches: dict[int, int] | None = None) -> Python:
        words = {address: word.to_bytes(8, "little") for address, word in (patches or {}).items()}
        memory = PatchedMemory(self.memory, words)
        return attach_python(memory, self.runtime, self.mappings, self.threads)

    def fails(self, name: str, patches: dict[int, int] | None = None) -> str:
        with pytest.raises(LayoutCheckFailed, match=f"'{name}' failed") as failure:
            self.attach(patches)
        assert failure.value.remedy
        return failure.value.fact

    def lacks(self, name: str, patches: dict[int, int] | None = None) -> Python:
        python = self.attach(patches)
        assert [check.name for check in python.checks if not check.passed] == [name]
        (sentence,) = python.invisible
        assert sentence
        return python


@contextmanager
def found(interpreter: Interpreter, targets: Path) -> Iterator[Found]:
    with interpreter.spawn(targets / "named_threads.py") as target, looked_at(target.pid) as look:
        (runtime,) = look.runtimes()
        yield Found(look.memory, runtime, look.mappings, threads_of(look.process))


def test_all_checks_pass(interpreter: Interpreter, targets: Path) -> None:
    with found(interpreter, targets) as target:
        python = target.attach()
    assert all(check.passed for check in python.checks), python.checks
    assert all(check.detail for check in python.checks)
    assert python.invisible == ()
    carried = ("debug offsets",) if interpreter.version >= (3, 13) else ()
    assert tuple(check.name for check in python.checks) == carried + CHECKS
    assert python.layout.source == ("table+debug offsets" if carried else "table")
    assert python.version == interpreter.version
    assert python.hexversion is not None


def test_another_version(interpreter: Interpreter, targets: Path) -> None:
    with found(interpreter, targets) as target:
        version = target.runtime.version
        assert version.hexversion is not None
        other = replace(version, hexversion=version.hexversion + 0x100)
        name = "debug offsets" if interpreter.version >= (3, 13) else "sys.hexversion"
        fact = replace(target, runtime=replace(target.runtime, version=other)).fails(name)
    assert f"{version.hexversion:#x}" in fact


def test_a_version_of_which_only_the_minor_is_known(interpreter: Interpreter, targets: Path) -> None:
    with found(interpreter, targets) as target:
        vague = replace(target.runtime.version, hexversion=None)
        target = replace(target, runtime=replace(target.runtime, version=vague))
        if interpreter.version == (3, 14):  # it could be one of those with another collector
            with pytest.raises(UnverifiedCollector):
                target.attach()
        else:
            assert target.attach().invisible == ()


def test_type_of_type(interpreter: Interpreter, targets: Path) -> None:
    with found(interpreter, targets) as target:
        symbols = {**target.runtime.symbols, "PyType_Type": target.runtime.symbols["PyDict_Type"]}
        replace(target, runtime=replace(target.runtime, symbols=symbols)).fails("type of type")
        # Without the symbol, the type is found through the module sys.
        python = replace(target, runtime=replace(target.runtime, symbols={})).attach()
    assert python.invisible == ()


def test_modules(interpreter: Interpreter, targets: Path) -> None:
    with found(interpreter, targets) as target:
        python = target.attach()
        (main,) = python.interpreters()
        modules = "imports.modules" if interpreter.version >= (3, 12) else "modules"
        place = main.address + python.layout.offset(f"PyInterpreterState.{modules}")
        assert "holds no sys" in target.fails("sys.modules", {place: main.sys_dict})
        place = main.address + python.layout.offset("PyInterpreterState.sysdict")
        target.fails("sys.modules", {place: main.modules})


def test_interpreters_and_thread_states(interpreter: Interpreter, targets: Path) -> None:
    with found(interpreter, targets) as target:
        python = target.attach()
        (main,) = python.interpreters()
        offset = python.layout.offset
        target.fails(
            "interpreters", {target.runtime.address + offset("_PyRuntimeState.interpreters.head"): 0}
        )
        target.fails("interpreters", {main.address + offset("PyInterpreterState.id"): 5})
        target.fails("thread states", {main.threads + offset("PyThreadState.interp"): main.address + 8})


def test_debug_offsets(interpreter: Interpreter, targets: Path) -> None:
    with found(interpreter, targets) as target:
        layout = target.attach().layout
        if interpreter.version < (3, 13):
            assert not layout.has("_Py_DebugOffsets")
            return
        start = target.runtime.address
        previous = start + layout.offset("_Py_DebugOffsets.interpreter_frame.previous")
        assert "cookie" not in target.fails("debug offsets", {previous: 1 << 40})
        assert "xdebugpy" in target.fails("debug offsets", {start: 0})
        size = start + layout.offset("_Py_DebugOffsets.code_object.size")
        target.fails("debug offsets", {size: 0})


def test_frames_that_lead_nowhere(interpreter: Interpreter, targets: Path) -> None:
    with found(interpreter, targets) as target:
        symbols = {**target.runtime.symbols, "PyCode_Type": target.runtime.symbols["PyDict_Type"]}
        python = replace(target, runtime=replace(target.runtime, symbols=symbols)).lacks("frames")
        assert {thread.stack for thread in python.threads()} == {None}


def test_thread_ids_of_another_process(interpreter: Interpreter, targets: Path) -> None:
    with found(interpreter, targets) as target:
        others = [OsThread(one.tid, one.inner_tid + (1 << 22), one.name) for one in target.threads]
        python = replace(target, threads=others).lacks("thread ids")
        threads = python.threads()
        assert {thread.tid for thread in threads} == {None}
        assert all(thread.stack is not None for thread in threads)


def test_collector_lists(interpreter: Interpreter, targets: Path) -> None:
    with found(interpreter, targets) as target:
        python = target.attach()
        (main,) = python.interpreters()
        offset = python.layout.offset
        in_runtime = interpreter.version == (3, 8)
        state = target.runtime.address + offset("_PyRuntimeState.gc") if in_runtime else main.address
        state += 0 if in_runtime else offset("PyInterpreterState.gc")
        python = target.lacks("collector lists", {state + offset("_gc_runtime_state.generation0"): state})
        assert python.collector() is None
        assert python.threads()
