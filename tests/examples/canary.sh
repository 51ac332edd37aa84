#!/bin/sh
# canary.sh TERRARIUM FILE: the scenario must end with exit code 1, by the check that its first line
# names ("# Must fail: CHECK."; `expectation` for a failed expect line).
set -u
check=$(sed -n '1s/^# Must fail: \([a-z]*\)\.$/\1/p' "$2")
[ -n "$check" ] || { echo "$2: the first line does not say which check must fail"; exit 1; }
told=$("$1" sim run "$2")
code=$?
echo "$told"
[ "$code" = 1 ] || { echo "exit code $code instead of 1"; exit 1; }
if [ "$check" = expectation ]; then
    echo "$told" | grep -q '^  VIOLATED    line [0-9]'
else
    echo "$told" | grep -q "^  VIOLATED $check at "
fi
