"""make.py [NAME ...]: save golden images of a small target under the interpreters found here.

Beside each image goes the document that inspect gave for it, as it is believed to be right. The tests hold
today's memprobe to it. An image that is once committed stays for ever: make new ones under new names.

The target runs in a mount namespace of its own where the interpreter is in /opt and the program in /srv,
without an environment and without compiled files, so that nothing of the machine gets into the image.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pythons
from memprobe.target.inspection.assembly import inspect_process
from memprobe.target.memory.image import ImageMemory
from memprobe.target.memory.image_file import PAGE_SIZE, ImageFile

HERE = Path(__file__).resolve().parent
OPTIONS = "-IS -X pycache_prefix=/nonexistent /srv/small_service.py"
ENTER = f"""
set -e
mount --bind "$1" /srv
mount --bind "$0" /opt
cd /
exec env -i HOME=/ LD_LIBRARY_PATH=/opt/lib /opt"$2" {OPTIONS} 2>/dev/null
"""
ENTER_ROOT = f"""
set -e
mount --bind "$1" "$0/srv"
mount --bind "$0" /opt
mount --bind "$1" /opt/srv
mount -t proc proc /opt/proc
cd /
exec env -i HOME=/ "$(command -v chroot)" /opt "$2" {OPTIONS} 2>/dev/null
"""


def command(interpreter: pythons.Interpreter) -> list[str]:
    """What runs the target in a world of neutral names."""
    targets = str(HERE.parent / "targets")
    if interpreter.root is not None:
        steps, home, binary = ENTER_ROOT, interpreter.root, str(interpreter.own_path)
    else:
        home = interpreter.path.parent.parent
        steps, binary = ENTER, f"/{interpreter.path.relative_to(home)}"
    return ["unshare", "--mount", "sh", "-c", steps, str(home), targets, binary]


def betrayals(path: Path) -> list[str]:
    """Words in an image that only this machine can have put there."""
    words = {str(Path.home()), str(HERE.parent.parent), "pyenv"} - {"/"}
    file = ImageFile(path)
    with ImageMemory(file) as memory:
        content = json.dumps(memory.facts).encode()
        content += b"".join(memory.read(address, PAGE_SIZE) for address in file.index.pages)
    return sorted(word for word in words if word.encode() in content)


def make(interpreter: pythons.Interpreter) -> str:
    """Save one image with its document; what came of it."""
    major, minor = interpreter.version
    image = HERE / f"{major}.{minor}-{'static' if 'static' in interpreter.name else 'shared'}.mpimage"
    if image.exists():
        return f"{image.name} is there already"
    with pythons.spawn_command(command(interpreter)) as target:
        inspection = inspect_process(target.pid, save_image=str(image))
    if found := betrayals(image):
        image.unlink()
        return f"{image.name} would give away {', '.join(found)}"
    image.chmod(0o644)
    image.with_suffix(".json").write_text(json.dumps(inspection.to_dict(), indent=1) + "\n")
    return f"{image.name}: {image.stat().st_size:,} bytes"


def main(names: list[str]) -> None:
    """Make what is missing."""
    for interpreter in pythons.supported():
        if not names or any(interpreter.matches(name) for name in names):
            print(make(interpreter))


if __name__ == "__main__":
    main(sys.argv[1:])
