from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pythons
from memprobe import errors
from memprobe.target.binary.runtime import (
    SYMBOLS,
    RuntimeLocation,
    check_supported,
    find_local_symbol,
    find_runtimes,
)
from memprobe.target.memory.fake import FakeMemory
from memprobe.target.proc.facts import describe
from memprobe.target.proc.mappings import read_mappings
from memprobe.target.proc.process import open_process
from target.looking import (
    WAIT,
    child_of,
    compiled,
    looked_at,
    needs_root,
    of_kind,
    running,
    runtimes_of,
    shared_library,
    without_map_files,
)

TRUTH = """
import ctypes, json, sys
address = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))
print("ready", json.dumps([address, sys.hexversion]), flush=True)
input()
"""

SECOND = """
import ctypes, json, sys
second = ctypes.PyDLL(sys.argv[1])
addresses = [ctypes.addressof(ctypes.c_char.in_dll(lib, "_PyRuntime")) for lib in (ctypes.pythonapi, second)]
print("ready", json.dumps(addresses), flush=True)
input()
"""


def seen_by(interpreter: pythons.Interpreter, pid: int, truth: str) -> RuntimeLocation:
    """Find the runtime and compare it with what the target says of itself."""
    (found,) = runtimes_of(pid)
    address, hexversion = json.loads(truth)
    assert (found.address, found.version.hexversion) == (address, hexversion)
    assert found.version.minor == interpreter.version
    assert found.version.text.startswith(interpreter.patch.rstrip("+"))
    assert found.initialized
    assert found.mapping.start <= found.address < found.mapping.end
    return found


def test_found_in_every_interpreter(interpreter: pythons.Interpreter) -> None:
    with running(*interpreter.command("-c", TRUTH)) as target:
        found = seen_by(interpreter, target.pid, target.ready)
        assert found.build == ("shared libpython" if interpreter.name.endswith("shared") else "static")
        assert found.from_file
        assert len(bytes.fromhex(found.build_id)) in (16, 20)
        assert set(SYMBOLS) - set(found.symbols) <= {"Py_Version"}
        check_supported(found)


@needs_root
def test_found_without_map_files(interpreter: pythons.Interpreter) -> None:
    """Through /proc/<pid>/root, in whatever root the interpreter lives."""
    with running(*interpreter.command("-c", TRUTH)) as target:
        found = without_map_files(lambda: seen_by(interpreter, target.pid, target.ready))
        assert found.from_file
        assert found == runtimes_of(target.pid)[0]


@needs_root
def test_found_in_memory_alone(tmp_path: Path) -> None:
    """A libpython that was deleted after it was loaded, and no right to map_files."""
    interpreter = of_kind("shared")
    copy = shutil.copy2(shared_library(interpreter), tmp_path)
    with running(*interpreter.command("-c", SECOND, str(copy))) as target:
        os.unlink(copy)
        found = without_map_files(lambda: runtimes_of(target.pid))
        assert [place.address for place in found] == json.loads(target.ready)
        assert [place.from_file for place in found] == [True, False]
        first, second = found
        assert (second.version, second.build_id) == (first.version, first.build_id)
        assert [second.symbols[name] - second.bias for name in sorted(second.symbols)] == [
            first.symbols[name] - first.bias for name in sorted(first.symbols)
        ]


@pytest.mark.parametrize("how", ["deleted", "replaced", "garbage"])
@pytest.mark.parametrize("privileged", [True, False], ids=["root", "without map_files"])
def test_program_that_is_no_longer_on_disk(tmp_path: Path, how: str, privileged: bool) -> None:
    static = of_kind("static")
    program = tmp_path / "python3"
    shutil.copy2(static.path, program)
    with running(program, "-c", TRUTH) as target:
        if how == "deleted":
            program.unlink()
        else:
            newer = tmp_path / "newer"
            newer.write_bytes(Path("/bin/cat").read_bytes() if how == "replaced" else os.urandom(10_000))
            newer.rename(program)
        if privileged:
            seen_by(static, target.pid, target.ready)
        else:
            without_map_files(lambda: seen_by(static, target.pid, target.ready))


def test_two_runtimes_in_one_process(tmp_path: Path) -> None:
    """The one in use comes first; the other is seen, and seen to be unused."""
    library = shared_library(of_kind("shared"))
    static = of_kind("static")
    with running(*static.command("-c", SECOND, str(library))) as target:
        found = runtimes_of(target.pid)
        assert [place.address for place in found] == json.loads(target.ready)
        assert [place.initialized for place in found] == [True, False]
        assert [place.build for place in found] == ["static", "shared libpython"]
        assert found[1].version.minor == of_kind("shared").version
        check_supported(found[0])
        with pytest.raises(errors.NotPython, match="not initialized"):
            check_supported(found[1])


def test_the_same_library_twice(tmp_path: Path) -> None:
    """The dynamic linker loads a file once per link namespace: one file, two biases."""
    library = shared_library(of_kind("shared"))
    source = """
    #define _GNU_SOURCE
    #include <dlfcn.h>
    #include <stdio.h>
    static unsigned long load(char *path) {
        return (unsigned long)dlsym(dlmopen(LM_ID_NEWLM, path, RTLD_NOW), "_PyRuntime");
    }
    int main(int count, char **arguments) {
        printf("ready [%lu, %lu]\\n", load(arguments[1]), load(arguments[1]));
        fflush(stdout);
        return getchar();
    }"""
    with running(compiled(tmp_path, "twice", source), library) as target:
        found = runtimes_of(target.pid)
        assert sorted(place.address for place in found) == sorted(json.loads(target.ready))
        assert [place.initialized for place in found] == [False, False]


NAMESPACES = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /mnt
mkdir /mnt/new
mount --rbind / /mnt/new
mkdir /mnt/new/run/only-here-{unique} || true
mount -t tmpfs tmpfs /mnt/new/run/only-here-{unique}
cp {program} /mnt/new/run/only-here-{unique}/python3
mount -t proc proc /mnt/new/proc
exec chroot /mnt/new /run/only-here-{unique}/python3 -c '{code}'
"""


@needs_root
@pytest.mark.parametrize("privileged", [True, False], ids=["root", "without map_files"])
def test_other_namespaces_and_root(privileged: bool) -> None:
    """A program that exists only in its own mount namespace, below a chroot, with pid 1 inside."""
    static = of_kind("static")
    script = NAMESPACES.format(unique=os.getpid(), program=static.path, code=TRUTH)
    unshare = ["unshare", "--pid", "--mount", "--net", "--fork", "--kill-child", "sh", "-c", script]
    try:
        with running(*unshare) as target:
            pid = child_of(target.pid)
            assert not Path(f"/run/only-here-{os.getpid()}/python3").exists()
            if privileged:
                found = seen_by(static, pid, target.ready)
            else:
                found = without_map_files(lambda: seen_by(static, pid, target.ready))
            assert found.path == f"/mnt/new/run/only-here-{os.getpid()}/python3"
            assert found.from_file
    finally:
        os.rmdir(f"/run/only-here-{os.getpid()}")


def test_without_a_right_to_the_memory() -> None:
    """Where only maps can be read, the binaries still tell what it is."""
    interpreter = pythons.own()
    with running(*interpreter.command("-c", TRUTH)) as target, open_process(target.pid) as process:
        (found,) = find_runtimes(process, read_mappings(process), FakeMemory({}, pid=target.pid))
        assert [found.address, found.version.hexversion] == json.loads(target.ready)
        assert found.initialized is None


def test_local_symbol() -> None:
    """`arenas` is static in obmalloc.c to 3.11; only the full symbol table has it."""
    shared = of_kind("shared")
    with running(*shared.command("-c", TRUTH)) as target, looked_at(target.pid) as look:
        (found,) = look.runtimes()
        name = "arenas" if shared.version <= (3, 11) else "_PyRuntime"
        address = find_local_symbol(look.process, found, look.mappings, look.memory, name)
        symbols = subprocess.run(["nm", shared_library(shared)], capture_output=True, text=True, check=True)
        (line,) = [line for line in symbols.stdout.splitlines() if line.endswith(f" {name}")]
        assert address == int(line.split()[0], 16) + found.bias
        assert find_local_symbol(look.process, found, look.mappings, look.memory, "no_such_symbol") is None


HIDDEN = {
    "by its section": ('__attribute__((section(".PyRuntime")))', ["-s"]),
    "by the full symbol table": ("", []),
}


@pytest.mark.parametrize(("where", "options"), HIDDEN.values(), ids=HIDDEN.keys())
def test_runtime_that_is_not_exported(tmp_path: Path, where: str, options: list[str]) -> None:
    """A program that was linked without exporting its symbols."""
    source = f"""
    #include <stdio.h>
    static char _PyRuntime[4096] {where} = "not empty";
    int main(void) {{
        printf("ready %lu\\n", (unsigned long)_PyRuntime);
        fflush(stdout);
        return getchar();
    }}"""
    with running(compiled(tmp_path, "python3.9", source, *options)) as target:
        (found,) = runtimes_of(target.pid)
        assert found.address == int(target.ready)
        assert (found.version.minor, found.version.hexversion) == ((3, 9), None)


def test_exit_while_looking() -> None:
    with running(sys.executable, "-c", WAIT) as target, looked_at(target.pid) as look:
        target.kill()
        with pytest.raises(errors.TargetGone):
            look.runtimes()


RESTLESS = """
import os, sys
if sys.argv[1] == "first":
    print("ready", flush=True)
os.execv(sys.executable, [sys.executable, "-S", "-c", sys.argv[2], "again", sys.argv[2]])
"""


def test_a_target_that_calls_exec_all_the_time() -> None:
    """Whatever is seen in between, only errors of memprobe come out of it."""
    outcomes: set[str] = set()
    with running(sys.executable, "-S", "-c", RESTLESS, "first", RESTLESS) as target:
        for _ in range(200):
            try:
                with looked_at(target.pid) as look:
                    look.runtimes()
                    describe(look.process)
                    look.process.check()
                outcomes.add("seen")
            except errors.MemprobeError as error:
                outcomes.add(type(error).__name__)
    assert "TargetReplaced" in outcomes
    assert outcomes <= {"seen", "TargetReplaced", "NotPython"}
