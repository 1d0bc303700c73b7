# Shell functions of the scripts; sourced, with the repository's root as the
# current directory.

# The jobs that ninja and meson run at once.
jobs=$(nproc 2>/dev/null || echo 2)

# Configures build directory $1 with the other arguments, unless it exists, and builds it: all, or
# what $targets names.
build_in() {
	dir=$1
	shift
	# A setup that was interrupted leaves no build.ninja; begin again then.
	if [ ! -f "$dir/build.ninja" ]; then
		rm -rf "$dir"
		meson setup "$dir" "$@" >"$dir.log" 2>&1 || {
			cat "$dir.log"
			return 1
		}
		mv "$dir.log" "$dir/setup.log"
	fi
	# Quiet unless it fails: the log is for whoever asks.
	# shellcheck disable=SC2086 # one word a target
	ninja -C "$dir" -j "$jobs" ${targets-} >"$dir/build.log" 2>&1 || {
		cat "$dir/build.log"
		return 1
	}
	grep -B1 -A6 'warning:' "$dir/build.log" || true
}

# Runs the tests of build directory $1 with meson's other arguments; prints
# what failed and, last, the sum of the "N passed, N failed" lines.
test_in() {
	dir=$1
	shift
	status=0
	rm -f "$dir/meson-logs/testlog.json"
	meson test -C "$dir" --no-rebuild --num-processes "$jobs" "$@" \
		>"$dir/test.log" 2>&1 || status=$?
	if [ ! -f "$dir/meson-logs/testlog.json" ]; then
		cat "$dir/test.log"
		return 1
	fi
	python3 script/lib/sum-tests.py "$dir/meson-logs/testlog.json" && [ "$status" -eq 0 ]
}
