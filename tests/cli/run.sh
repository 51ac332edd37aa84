#!/bin/sh
# The command line: exit codes and messages. usage: run.sh PROGRAM SOURCE_DIR
set -u
program=$1
source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# expect CODE PATTERN ARGUMENTS...: exit code, and a line of the output (both streams) that fits.
expect() {
    code=$1
    pattern=$2
    shift 2
    "$program" "$@" >"$work/out" 2>&1 </dev/null
    got=$?
    if [ $got -ne "$code" ] || { [ -n "$pattern" ] && ! grep -q -e "$pattern" "$work/out"; }; then
        echo "terrarium $*: exit $got, not $code, or no line like: $pattern"
        sed 's/^/    /' "$work/out" | head -20
        failed=1
    fi
}

samples=$source/tests/sim/samples
printf 'cluster pulse\nwithin 1ms expect leader ready\n' >"$work/violated.scn"
printf 'cluster pulse\nwhen p3 is leading\nat +0 crash p1\n' >"$work/stuck.scn"
printf 'cluster pulse\nwithin 1s expect leader ready\n' >"$work/good.scn"
printf 'cluster pulse servers=99\n' >"$work/defect.scn"
printf 'cluster   pulse\nrun  1000ms\n' >"$work/untidy.scn"

expect 2 '^usage: terrarium COMMAND'
expect 0 '^usage: terrarium COMMAND' --help
expect 0 '^usage: terrarium sim run' sim run --help
expect 0 '^example: terrarium sim twice' sim twice --help
expect 0 '^example: terrarium sim explain' sim explain --help
expect 0 '^example: terrarium sim format' sim format --help
expect 0 '^terrarium [0-9.]* (commit ' version
expect 2 'unknown: "rum"; nearest: "run"' sim rum
expect 2 'unknown: "sedd"; nearest: "seed"' sim run --sedd 3 x.scn
expect 2 'unknown: "mesages"; nearest: "messages"' sim run --trace mesages x.scn
expect 2 'sim fuzz: this build does not have it yet' sim fuzz
expect 2 'sim shrink: this build does not have it yet' sim shrink x.scn
expect 2 'expected at least one FILE' sim run
expect 2 'No such file' sim run "$work/missing.scn"
expect 2 '^terrarium: .*fault_unknown.scn:3:7: expected an action' sim run "$source/tests/sim/wrong/fault_unknown.scn"
expect 2 'expected a number' sim run --seed x "$work/good.scn"
expect 2 'expected a range' sim run --seeds 9..1 "$work/good.scn"
expect 2 'ends in .svg or .png' sim run "$work/good.scn" --plot "$work/x.gif"
expect 0 'good.scn holds seed -, 0.200000 s simulated, [0-9]* events, [0-9.]* ms, fingerprint [0-9a-f]\{16\}$' \
    sim run "$work/good.scn"
expect 0 '0.200000  p1   leads' sim run "$work/good.scn"
expect 1 'violated.scn VIOLATED seed -' sim run "$work/violated.scn"
expect 3 'stuck.scn NO-PROGRESS' sim run "$work/stuck.scn"
expect 70 'servers must be 1 to 16' sim run "$work/defect.scn"
expect 1 'good.scn holds' sim run "$work/good.scn" "$work/violated.scn" "$work/stuck.scn"
expect 0 'holds seeds 1..3 (0 failed)' sim run "$samples/standing.scn" --seeds 1..3
expect 0 'holds seeds 1..9 (0 failed)' sim run "$samples/standing.scn" --seeds 1..9 --jobs 3
printf 'cluster pulse\nrun 2s\nfuzz seeds=1..40 crash=0..1\nfinally expect all are up\n' >"$work/seeds.scn"
"$program" sim run "$work/seeds.scn" -q | grep '^again' >"$work/one"
"$program" sim run "$work/seeds.scn" -q -j 3 | grep '^again' >"$work/three"
cmp -s "$work/one" "$work/three" || { echo "the first failing seed depends on --jobs"; failed=1; }
expect 0 'fails-as-it-must seed -' sim run "$samples/failover.scn"
expect 0 '"verdict":"holds"' sim run "$work/good.scn" --json
expect 1 '"findings":\[{"kind":"expectation"' sim run "$work/violated.scn" --json
expect 0 '^{"summary":true,"seeds":2,' sim run "$samples/standing.scn" --seeds 1..2 --json
expect 0 'BEAT' sim run "$work/good.scn" --trace full
expect 0 'same twice, 3 worlds' sim twice "$samples/standing.scn" --seeds 1..3
expect 0 'must come true in the next 1s' sim explain "$work/good.scn"
expect 0 '^run       1s$' sim format "$work/untidy.scn"
expect 1 'untidy.scn' sim format --check "$work/untidy.scn"
expect 0 '' sim format -i "$work/untidy.scn"
expect 0 '' sim format --check "$work/untidy.scn"
if command -v gnuplot >/dev/null 2>&1; then
    expect 0 'holds' sim run "$work/good.scn" --plot "$work/x.svg"
    grep -q '<svg' "$work/x.svg" || { echo "--plot wrote no SVG"; failed=1; }
fi
exit $failed
