#!/bin/sh
# demo.sh BIN: starts the leaking service, shows memprobe on it, stops it.
set -eu
bin=$1
pipe=$(mktemp -u)
mkfifo "$pipe"
"$bin/python" examples/leaky_service.py >"$pipe" &
service=$!
trap 'kill "$service" 2>/dev/null; rm -f "$pipe"' EXIT
trap 'exit 130' INT TERM
read -r line <"$pipe"
echo "$line"
sudo=$([ "$(id -u)" = 0 ] || echo 'sudo ')
echo "\$ ${sudo}memprobe inspect --stacks $service"
$sudo "$bin/memprobe" inspect --stacks "$service"
echo "\$ ${sudo}memprobe attach --duration 25 $service"
$sudo "$bin/memprobe" attach --duration 25 "$service"
