#!/bin/sh
# clean_machine.sh ROOT WHEELHOUSE WHEEL OUT: installs the wheel inside ROOT without a network and
# runs it there; the documents go to OUT. Run it in a layer over ROOT (in_layer.sh).
set -eu
root=$1 wheelhouse=$2 wheel=$3 out=$4
mkdir "$root/wheels" "$root/out"
mount --bind "$wheelhouse" "$root/wheels"
mount --bind "$out" "$root/out"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
cp "$wheel" "$root"

exec unshare --net chroot "$root" /bin/sh -eu <<'INSIDE'
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
for absent in gcc clang llvm-strip ld; do
    ! command -v "$absent" || { echo "$absent is here" >&2; exit 1; }
done
! ls -d /usr/lib/*/libbpf* /usr/lib/*/libelf* 2>/dev/null || { echo "libbpf is here" >&2; exit 1; }
python3 -m venv /opt/memprobe
/opt/memprobe/bin/pip install -q --no-index --find-links /wheels /memprobe*.whl
memprobe=/opt/memprobe/bin/memprobe
$memprobe --version >/out/version
$memprobe doctor --json >/out/doctor.json
mkfifo /tmp/ready
python3 -c 'import time; print("ready", flush=True); time.sleep(600)' >/tmp/ready &
trap 'kill $!' EXIT
read -r _ </tmp/ready
echo $! >/out/pid
$memprobe inspect --stacks --json $! >/out/inspect.json
INSIDE
