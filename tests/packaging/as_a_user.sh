#!/bin/sh
# Installs memprobe into /usr/local, makes a user who may use sudo, and lets the user attach to a
# process of root's: prints the document and the pid. Run it in a layer over /etc and /usr/local.
set -eu
user=memprobe-test
make -s install >&2
useradd --no-create-home --home-dir /nonexistent --shell /bin/sh "$user"
echo "$user ALL=(root) NOPASSWD: ALL" >"/etc/sudoers.d/$user"
chmod 0440 "/etc/sudoers.d/$user"

pipe=$(mktemp -u)
mkfifo "$pipe"
env -i /usr/bin/python3 -c 'import time; print("ready", flush=True); time.sleep(600)' >"$pipe" &
target=$!
trap 'kill "$target"; rm -f "$pipe"' EXIT
read -r _ <"$pipe"

# The user alone may run it, but not watch root's process (exit code 3).
code=0
runuser -u "$user" -- env -i PATH=/usr/local/bin:/usr/bin:/bin memprobe attach --duration 1 "$target" >/dev/null 2>&1 || code=$?
[ "$code" = 3 ] || { echo "without sudo: exit code $code, not 3" >&2; exit 1; }
runuser -u "$user" -- env -i PATH=/usr/bin:/bin sh -c "cd / && sudo memprobe attach --json --duration 1 $target"
echo "$target"
