#!/bin/sh
# rootfs.sh FOLDER SUITE PACKAGE...: a small Debian in FOLDER, unpacked by debootstrap.
# It is whole or not there: built beside its place and renamed. A second call does nothing.
set -eu
folder=$1 suite=$2
shift 2
packages=$(echo "$@" | tr ' ' ',')
stamp="$folder/.made-by-rootfs"

mkdir -p "$(dirname "$folder")"
exec 9>"$folder.lock"
flock 9
[ "$(cat "$stamp" 2>/dev/null)" != "$suite $packages" ] || exit 0

if [ "$(id -u)" != 0 ]; then
    echo "rootfs.sh: debootstrap of $suite needs root: run it with sudo" >&2
    exit 1
fi
# The mirror that this machine itself uses; apt knows whose it is once it has fetched the lists.
mirror() {
    apt-get indextargets --format '$(ORIGIN)/$(LABEL) $(REPO_URI)' 'Created-By: Packages' |
        sed -n 's,^Debian/Debian ,,p' | head -n 1
}
mirror=${MIRROR:-$(mirror)}
if [ -z "$mirror" ]; then
    apt-get update -qq || true
    mirror=$(mirror)
fi
if [ -z "$mirror" ]; then
    echo "rootfs.sh: apt knows no Debian mirror here: set MIRROR" >&2
    exit 1
fi
# debootstrap has no script for the newest suites; sid's serves them all.
script=/usr/share/debootstrap/scripts/$suite
[ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid

rm -rf --one-file-system "$folder~"
# What debootstrap mounts inside goes away with the mount namespace, whatever ends it.
log="$folder.log"
if ! unshare --mount debootstrap --variant=minbase --include="$packages" \
    "$suite" "$folder~" "$mirror" "$script" >"$log" 2>&1 9>&-; then
    tail -n 5 "$log" >&2
    echo "rootfs.sh: debootstrap of $suite failed; the whole log: $log" >&2
    exit 1
fi
rm -rf "$folder~/var/cache/apt/archives" "$folder~/var/lib/apt/lists"
echo "$suite $packages" >"$folder~/.made-by-rootfs"
rm -rf --one-file-system "$folder"
mv "$folder~" "$folder"
rm -f "$log"
