#!/bin/sh
# fresh_machine.sh ROOT SOURCE: `make demo` in a bare Debian at ROOT, from a copy of the files at
# SOURCE, with nothing but what its own apt and pip bring. Run it in a layer over ROOT.
set -eu
root=$1 source=$2
cp -R "$source" "$root/src"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
# How this machine reaches its package sources, that one does too.
for path in /etc/resolv.conf /etc/hosts /etc/apt /etc/pip.conf /etc/ssl/certs "$HOME/.config/pip"; do
    [ -e "$path" ] || continue
    mkdir -p "$root$(dirname "$path")"
    rm -rf "${root:?}$path"
    cp -RL "$path" "$root$path"
done
exec chroot "$root" /bin/sh -euc '
    export PATH=/usr/sbin:/usr/bin:/sbin:/bin
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends make >/dev/null
    cd /src
    make demo
    make build  # and once more: nothing left to do
'
