#!/bin/sh
# in_layer.sh WHERE FOLDER... -- COMMAND...: runs a command while writes to the folders go to a
# layer that nobody else sees and that ends with the command, however it ends.
# WHERE is an empty folder of the caller's.
set -eu
if [ -z "${LAYERED:-}" ]; then
    LAYERED=1 exec unshare --mount -- sh "$0" "$@"
fi
where=$1
shift
mount -t tmpfs layer "$where"
while [ "$1" != -- ]; do
    name=$(echo "$1" | tr / _)
    mkdir "$where/$name" "$where/$name.work"
    mount -t overlay layer -o "lowerdir=$1,upperdir=$where/$name,workdir=$where/$name.work" "$1"
    shift
done
shift
unset LAYERED
exec "$@"
