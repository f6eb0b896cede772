#!/bin/sh
# demo.sh BIN: starts the leaking service, shows memprobe on it, writes the report of it, stops it.
# DEMO_SECONDS: how long it is watched (90).
set -eu
bin=$1
seconds=${DEMO_SECONDS:-90}
folder=$(mktemp -d)
mkfifo "$folder/pipe"
"$bin/python" examples/leaky_service.py >"$folder/pipe" &
service=$!
trap 'kill "$service" 2>/dev/null; rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM
read -r line <"$folder/pipe"
echo "$line"
sudo=$([ "$(id -u)" = 0 ] || echo 'sudo ')
echo "\$ ${sudo}memprobe inspect --stacks $service"
$sudo "$bin/memprobe" inspect --stacks "$service"
echo "\$ ${sudo}memprobe attach --duration $seconds --record demo.mprobe $service"
$sudo "$bin/memprobe" attach --no-learn --duration "$seconds" --record "$folder/demo.mprobe" "$service"
echo "\$ ${sudo}memprobe report demo.mprobe --html build/demo.html"
mkdir -p build
$sudo "$bin/memprobe" report "$folder/demo.mprobe" --html build/demo.html >/dev/null
[ -z "$sudo" ] || $sudo chown "$(id -u)" build/demo.html
echo "written: build/demo.html"
