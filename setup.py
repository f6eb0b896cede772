"""What pyproject.toml cannot say: the C extensions and the BPF objects.

MEMPROBE_WITHOUT_BPF=1   leave out everything that needs clang or libbpf: no tier 2
MEMPROBE_SANITIZE=1      build the extensions with AddressSanitizer and UBSan, for their tests
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

SOURCES = Path("memprobe/native/src")
PROBES = Path("probes")
WITHOUT_BPF = bool(os.environ.get("MEMPROBE_WITHOUT_BPF"))
SANITIZE = bool(os.environ.get("MEMPROBE_SANITIZE"))

LIMITED_API = ("Py_LIMITED_API", "0x030B0000")
WARNINGS = [
    "-Wall",
    "-Wextra",
    "-Wshadow",
    "-Wconversion",
    "-Wstrict-prototypes",
    "-Werror=format",
    "-Werror=implicit-function-declaration",
    "-Werror=incompatible-pointer-types",
    "-Werror=int-conversion",
    "-Werror=return-type",
    "-Werror=vla",
]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer"]
# Callbacks take what the kernel gives them, used or not.
PROBE_WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-Wno-unused-function"]
PROBE_MACHINE = {"x86_64": "x86", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
PROBE_FLAGS = ["-O2", "-g", *PROBE_WARNINGS, "-target", "bpf", f"-D__TARGET_ARCH_{PROBE_MACHINE}"]


def extension(
    name: str, topics: list[str], libraries: list[str], *, probes: tuple[Path, ...] = ()
) -> Extension:
    """One extension module, made of one C file per topic, and of C files of probes/."""
    return Extension(
        f"memprobe.native.{name}",
        [*(f"{SOURCES}/{topic}.c" for topic in topics), *map(str, probes)],
        depends=[*map(str, SOURCES.glob("*.h")), *(map(str, PROBES.rglob("*.[ch]")) if probes else ())],
        define_macros=[LIMITED_API],
        extra_compile_args=[
            "-std=gnu11",
            "-fvisibility=hidden",
            *WARNINGS,
            *(SANITIZERS if SANITIZE else []),
        ],
        extra_link_args=SANITIZERS[:1] if SANITIZE else [],
        libraries=libraries,
        py_limited_api=True,
    )


NATIVE = extension(
    "_native", ["module", "remote_methods", "remote_read", "lifetime", "tracing", "errors"], []
)
# The walk over another process's heap: larger than all of the first, and only `heap` and `tasks` need it.
HEAP = extension(
    "_heap",
    [
        "heap_module",
        "heap_object",
        "heap_census_methods",
        "heap_census",
        "heap_sample",
        "heap_sample_methods",
        "heap_sizes",
        "heap_watch",
        "heap_frozen",
        "heap_walk",
        "heap_pools",
        "heap_chunks",
        "heap_blocks",
        "heap_arenas",
        "heap_types",
        "heap_deliver",
        "heap_reader",
        "heap_plan",
        "heap_graph_methods",
        "heap_fetch",
        "heap_near",
        "heap_graph",
        "heap_recipe",
        "heap_tables",
        "heap_index",
        "remote_read",
        "errors",
        "big_buffer",
        "big_object",
        "graph_methods",
        "graph_dominators",
        "graph_garbage",
        "graph_reach",
        "graph_reverse",
    ],
    [],
)
# Apart from the others, so that reading memory needs no libbpf, and starting up does not load it.
BPF = extension(
    "_bpf",
    [
        "bpf_module",
        "bpf_object",
        "bpf_call",
        "bpf_constant",
        "bpf_attach",
        "bpf_attachment",
        "bpf_aside",
        "bpf_map",
        "bpf_program",
        "bpf_log",
        "ring",
        "ring_object",
        "ring_parcels",
        "tracefs",
        "errors",
    ],
    ["bpf"],
)


# The tracer of the engine ptrace: runs the programs of probes/ itself, so that it needs no libbpf.
TRACE = extension(
    "_trace",
    [
        "trace_module",
        "trace_object",
        "trace_window",
        "trace_loop",
        "trace_threads",
        "trace_watch",
        "trace_breakpoint",
        "trace_price",
        "trace_programs",
        "trace_helpers",
        "ring_writer",
        "ring",
        "ring_parcels",
    ],
    [],
    probes=(PROBES / "lib" / "user_maps.c",),
)
ALWAYS = [NATIVE, HEAP] + ([TRACE] if os.uname().machine == "x86_64" else [])


class BuildNative(build_ext):
    """Builds the extensions, and beside them the BPF objects."""

    def run(self) -> None:
        """Build everything."""
        if not WITHOUT_BPF:
            _check_tools()
        super().run()
        if not WITHOUT_BPF:
            self._build_probes()

    def _build_probes(self) -> None:
        root = Path() if self.inplace else Path(self.build_lib)
        objects = root / "memprobe" / "native" / "objects"
        objects.mkdir(parents=True, exist_ok=True)
        headers = sorted(PROBES.glob("**/*.h"))
        for source in sorted(PROBES.glob("*.bpf.c")):
            target = objects / source.with_suffix(".o").name
            if self.force or _is_older(target, [source, *headers]):
                _compile_probe(source, target)
        shutil.copy(PROBES / "programs.json", objects)
        # bcc compiles them where they are to run.
        for path in [*PROBES.glob("*.bpf.c"), PROBES / "abi.h", *PROBES.glob("lib/*.h")]:
            copy = objects / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)


def _check_tools() -> None:
    missing = [tool for tool in ("clang", "llvm-strip") if shutil.which(tool) is None]
    if not Path("/usr/include/bpf/libbpf.h").exists() and not _pkg_config_knows("libbpf"):
        missing.append("libbpf-dev")
    if missing:
        raise SystemExit(
            f"error: {', '.join(missing)} not found; run `apt-get install clang llvm libbpf-dev`, "
            "or set MEMPROBE_WITHOUT_BPF=1 to build without kernel probes"
        )


def _pkg_config_knows(library: str) -> bool:
    return subprocess.run(["pkg-config", "--exists", library], check=False).returncode == 0


def _is_older(target: Path, sources: list[Path]) -> bool:
    if not target.exists():
        return True
    return any(source.stat().st_mtime > target.stat().st_mtime for source in sources)


def _compile_probe(source: Path, target: Path) -> None:
    # The headers of libc are in a folder of the host's machine, which clang does not search for BPF.
    machine = subprocess.run(
        ["cc", "-print-multiarch"], capture_output=True, text=True, check=True
    ).stdout.strip()
    include = ["-idirafter", f"/usr/include/{machine}"] if machine else []
    partial = target.with_suffix(".part")
    subprocess.run(["clang", *PROBE_FLAGS, *include, "-c", source, "-o", partial], check=True)
    # Strips DWARF; the BTF that libbpf needs stays.
    subprocess.run(["llvm-strip", "-g", partial], check=True)
    partial.replace(target)


setup(
    ext_modules=ALWAYS if WITHOUT_BPF else [*ALWAYS, BPF],
    cmdclass={"build_ext": BuildNative},
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
