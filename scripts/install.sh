#!/bin/sh
# install.sh PREFIX WHEEL: memprobe in a folder of its own, and its command in PREFIX/bin.
# A copy, not a link to the checkout: what root runs should not be writable by others.
set -eu
prefix=$1 wheel=$2

mkdir -p "$prefix/lib" "$prefix/bin" 2>/dev/null || true
if [ ! -w "$prefix/lib" ] || [ ! -w "$prefix/bin" ]; then
    echo "make install: $prefix is not writable: sudo make install, or make install PREFIX=~/.local" >&2
    exit 1
fi
# The system's own Python first: every user can run it, a home folder's only its owner.
for python in /usr/bin/python3 "${PYTHON:-python3}"; do
    "$python" -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break
done
"$python" -m venv --clear "$prefix/lib/memprobe"
"$prefix/lib/memprobe/bin/pip" install -q --disable-pip-version-check "$wheel"
ln -sf "$prefix/lib/memprobe/bin/memprobe" "$prefix/bin/memprobe"
echo "$prefix/bin/memprobe $("$prefix/bin/memprobe" --version | tr -dc '0-9.')"
