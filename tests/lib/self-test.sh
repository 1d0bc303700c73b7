#!/bin/sh
# Runs the harness's own tests (the arguments) and checks what it says of each: a test
# named pass_X must be ok, skip_X skipped, and fail_X failed.
set -eu

out=$("$@" 2>/dev/null) && status=0 || status=$?

expected_passed=0
expected_failed=0
expected_skipped=0
bad=0

expect() {	# name, start of its line
	if ! printf '%s\n' "$out" | grep -q "^$2 $1\(:\|\$\)"; then
		echo "FAIL $1: expected \"$2 $1\" in the output"
		bad=$((bad + 1))
	fi
}

for name in $("$@" -l); do
	case $name in
	pass_*) expect "$name" ok; expected_passed=$((expected_passed + 1)) ;;
	fail_*) expect "$name" FAIL; expected_failed=$((expected_failed + 1)) ;;
	skip_*) expect "$name" skip; expected_skipped=$((expected_skipped + 1)) ;;
	*) echo "FAIL $name: not a name of this program"; bad=$((bad + 1)) ;;
	esac
done
total=$((expected_passed + expected_failed + expected_skipped))

text_of() {	# name, text that its line must have
	if ! printf '%s\n' "$out" | grep "^FAIL $1: " | grep -qF "$2"; then
		echo "FAIL $1: its line should say: $2"
		bad=$((bad + 1))
	fi
}
text_of fail_check "self.c:"
text_of fail_check "1 + 1 == 3"
text_of fail_eq "42 is not 54"
text_of fail_str '"left" is not "right"'
text_of fail_task "17 is not 0"
text_of fail_timeout "timed out"
text_of fail_sim "leat_sim_seed() != 3"

last=$(printf '%s\n' "$out" | tail -n 1)
want="$expected_passed passed, $expected_failed failed, $expected_skipped skipped"
if [ "$last" != "$want" ] || [ "$status" -ne 1 ]; then
	echo "FAIL total: \"$last\", exit status $status; expected \"$want\", 1"
	bad=$((bad + 1))
fi

if "$@" pass_plain >/dev/null 2>&1; then :; else
	echo "FAIL selecting one test that passes did not exit with 0"
	bad=$((bad + 1))
fi

[ "$bad" -le "$total" ] || bad=$total
echo "$((total - bad)) passed, $bad failed"
[ "$bad" -eq 0 ]
