#!/bin/sh
# Starts Mosquitto with a configuration, and tells it to read its accounts again when their files have changed.
#   run.sh CONFIGURATION ACCOUNTS_DIRECTORY
# For the shell of the Mosquitto image; MOSQUITTO names another program.
set -eu
configuration=$1
accounts=$2
broker=

state() { cksum "$accounts/passwords" "$accounts/acl" 2>/dev/null || true; }

trap '[ -z "$broker" ] || kill -TERM "$broker"; stopping=1' TERM INT
stopping=

while [ -z "$stopping" ] && ! { [ -r "$accounts/passwords" ] && [ -r "$accounts/acl" ]; }; do
    echo "waiting for $accounts/passwords and $accounts/acl" >&2
    sleep 1
done
[ -z "$stopping" ] || exit 0

seen=$(state)
"${MOSQUITTO:-mosquitto}" -c "$configuration" &
broker=$!
while [ -z "$stopping" ] && kill -0 "$broker" 2>/dev/null; do
    sleep 1 || true
    now=$(state)
    if [ "$now" != "$seen" ]; then
        seen=$now
        kill -HUP "$broker"
    fi
done
# The broker writes its sessions to disk before it ends; its exit code is ours.
code=0
wait "$broker" || code=$?
[ -z "$stopping" ] || code=0
exit "$code"
