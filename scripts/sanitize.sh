#!/bin/sh
# sanitize.sh BIN: the tests of the C code, with the C code built under ASan and UBSan.
set -eu
bin=$1
build=build/sanitized
# setuptools never removes a module that has gone from the sources.
rm -rf "$build"/lib*
MEMPROBE_SANITIZE=1 "$bin/python" setup.py -q build --build-base "$build"
set -- tests/native tests/memory tests/heap/test_hostile.py tests/fuzz/test_fuzz_heap.py

# CI is unset: what CI asks of a session of the whole suite is not asked of this one.
# Leak detection is off because CPython itself never frees everything.
# pytest and not python -m pytest: -m would put the ordinary build in front.
unset CI
export MEMPROBE_PYTHONS='' MEMPROBE_SANITIZED=1 PYTHONPATH="$PWD/$(echo "$build"/lib.*)" PYTHONMALLOC=malloc
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1
# Nothing is captured: a sanitizer ends the process at once, and its captured words would die with it.
LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)" \
    exec "$bin/pytest" -q -s -p no:cacheprovider "$@"
