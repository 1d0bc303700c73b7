#!/bin/sh
# One fuzzer as a test: the seeds, and then so many new inputs, the same each time.
#
# usage: run.sh PROGRAM SEEDS RUNS
set -eu
program=$1 seeds=$2 runs=$3
[ "$(ls "$seeds" | wc -l)" -gt 0 ] || {
	echo "$seeds has no seeds"
	echo "0 passed, 1 failed"
	exit 1
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/new"
if "$program" -seed=1 -runs="$runs" -max_len=400 -timeout=60 -print_final_stats=1 \
	-artifact_prefix="$work/" "$work/new" "$seeds" >"$work/log" 2>&1; then
	grep 'stat::' "$work/log" || true
	echo "1 passed, 0 failed"
else
	cat "$work/log"
	for input in "$work"/crash-* "$work"/timeout-* "$work"/leak-* "$work"/oom-*; do
		[ -f "$input" ] && { echo "input ${input##*/}:"; base64 "$input"; }
	done
	echo "0 passed, 1 failed"
	exit 1
fi
