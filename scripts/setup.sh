#!/bin/sh
# Installs what the build and the tests need from outside, as far as it is missing.
# One row per Debian package: its name, and the test that tells whether the machine has it.
set -eu

has() { command -v "$1" >/dev/null 2>&1; }
header() { echo "#include <$1>" | gcc -E - >/dev/null 2>&1; }
python() { python3 -c "$1" >/dev/null 2>&1; }

missing() {
    has gcc || echo gcc
    header stdlib.h || echo libc6-dev
    has clang || echo clang
    has llvm-strip || echo llvm
    has pkg-config || echo pkg-config
    has bpftool || [ -x /usr/sbin/bpftool ] || echo bpftool
    header bpf/libbpf.h || echo libbpf-dev
    header libelf.h || echo libelf-dev
    header zlib.h || echo zlib1g-dev
    has python3 || echo python3
    python 'import ensurepip, venv' || echo python3-venv
    python 'import os, sysconfig as s; os.stat(s.get_path("include") + "/Python.h")' || echo python3-dev
    # The engine bcc, for the tests, and what it is compared with: the headers need not be this kernel's.
    [ -e /usr/lib/python3/dist-packages/bcc ] || echo python3-bpfcc
    has memleak-bpfcc || [ -x /usr/sbin/memleak-bpfcc ] || echo bpfcc-tools
    ls /usr/src/linux-headers-*/include/generated/utsrelease.h >/dev/null 2>&1 ||
        echo "linux-headers-$(dpkg --print-architecture 2>/dev/null || echo amd64)"
    # For the tests only: other roots, other users, another Python, another machine's headers.
    has debootstrap || [ -x /usr/sbin/debootstrap ] || echo debootstrap
    has sudo || echo sudo
    [ -x /usr/bin/python3 ] || echo python3-minimal
    has pypy3 || echo pypy3
    [ -x /usr/bin/time ] || echo time
    has chromium-headless-shell || has chromium || has google-chrome || echo chromium-headless-shell
    has tmux || echo tmux
    has gdb || echo gdb
    has ip || [ -x /sbin/ip ] || echo iproute2
    [ "$(uname -m)" = aarch64 ] || [ -e /usr/aarch64-linux-gnu/include/stdio.h ] || echo libc6-dev-arm64-cross
}

packages=$(missing | tr '\n' ' ')
[ -n "$packages" ] || exit 0
if [ "$(id -u)" != 0 ] || ! has apt-get; then
    echo "make setup: missing: $packages(Debian's names); as root: apt-get install $packages" >&2
    exit 1
fi
echo "installing $packages"
apt-get update -qq || echo "make setup: apt-get update failed, trying with the lists that are there" >&2
# shellcheck disable=SC2086  # a list of names
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null
