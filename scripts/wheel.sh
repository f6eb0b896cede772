#!/bin/sh
# wheel.sh BIN: one self-contained abi3 wheel in dist/, rebuilt only if something in it changed.
# auditwheel copies libbpf and libelf into it: Debian's static ones do not link into an extension.
set -eu
bin=$1
newest=$(find memprobe probes setup.py pyproject.toml LICENSE README.md scripts/wheel.sh scripts/notices.py \
    -type f ! -name '*.pyc' ! -name '*.so' ! -name '*.bpf.o' -newer dist/.made 2>/dev/null | head -n 1)
if [ -e dist/.made ] && [ -z "$newest" ]; then
    echo dist/*.whl
    exit 0
fi
quietly() {
    "$@" >build/wheel.log 2>&1 || {
        cat build/wheel.log >&2
        exit 1
    }
}
# build/lib too: setuptools would pack modules that are long gone.
rm -rf dist build/wheel build/lib
mkdir -p build/wheel/plain build/wheel/repaired build/wheel/unpacked dist
PATH="$PWD/$bin:$PATH"
quietly pip wheel -qq --no-build-isolation --no-deps --wheel-dir build/wheel/plain .
quietly auditwheel repair --strip --wheel-dir build/wheel/repaired build/wheel/plain/*.whl
quietly wheel unpack --dest build/wheel/unpacked build/wheel/repaired/*.whl
quietly python scripts/notices.py build/wheel/unpacked/*
quietly wheel pack --dest-dir dist build/wheel/unpacked/*
touch dist/.made
echo dist/*.whl
