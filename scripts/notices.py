"""notices.py FOLDER: put the licences of grafted libraries into an unpacked wheel.

auditwheel has copied shared libraries of this Debian into `*.libs`. Each gets a file beside
memprobe's own licence: which source package it was built from, that package's copyright
file, and the full text of every licence that the file only refers to.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

COMMON = re.compile(r"/usr/share/common-licenses/([A-Za-z]+-[\d.]*\d)")


def output(*command: str) -> str:
    """What a command prints."""
    return subprocess.check_output(command, text=True)


def installed_path(library: str) -> str:
    """Where this machine has a library: "libelf" gives /lib/.../libelf.so.1."""
    found = re.search(rf"^\s*{library}\.so\.\S* .*=> (\S+)$", output("/sbin/ldconfig", "-p"), re.MULTILINE)
    if found is None:
        sys.exit(f"notices.py: the dynamic linker knows no {library}")
    return str(Path(found[1]).resolve())


def package_of(path: str) -> str:
    """The Debian package that owns a file; dpkg may know it by its path without /usr."""
    for candidate in (path, path.removeprefix("/usr")):
        done = subprocess.run(["dpkg", "-S", candidate], capture_output=True, text=True)
        if done.returncode == 0:
            return done.stdout.partition(": ")[0]
    sys.exit(f"notices.py: no Debian package owns {path}: its licence is not known")


def notice(library: str) -> str:
    """The notice of one grafted library."""
    package = package_of(installed_path(library))
    source = output("dpkg-query", "-W", "-f", "${source:Package} ${source:Version}", package)
    doc = Path("/usr/share/doc") / package.partition(":")[0] / "copyright"
    text = doc.read_text(encoding="utf-8", errors="replace")
    origin = f"{library} is a copy of Debian's, built from the source package {source}.\n"
    common = [Path("/usr/share/common-licenses") / name for name in sorted(set(COMMON.findall(text)))]
    full = [path.read_text(encoding="utf-8") for path in common]
    return f"\n{'=' * 78}\n\n".join([origin, text, *full])


def main(folder: str) -> None:
    """Write a notice for every grafted library."""
    (licences,) = Path(folder).glob("*.dist-info/licenses")
    for path in sorted(Path(folder).glob("*.libs/*.so*")):
        library = path.name.partition("-")[0]
        (licences / f"{library}.txt").write_text(notice(library), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
