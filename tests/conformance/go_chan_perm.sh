#!/bin/sh
# Compiles go_chan_perm.c as it is, which must work, and once for each of its
# misuses, none of which may.
#
# usage: go_chan_perm.sh SOURCE INCLUDE_DIR c|c++ COMPILER...
set -u

source=$1
include=$2
language=$3
shift 3

case $language in
c)
	flags='-x c -std=gnu11'
	assign_flags='-Werror=incompatible-pointer-types -Werror=int-conversion'
	;;
c++)
	flags='-x c++ -std=c++17'
	assign_flags=
	;;
*)
	echo "$0: language $language?" >&2
	exit 2
	;;
esac
compile() {
	"$@" $flags -fsyntax-only -I "$include" "$source"
}

passed=0
failed=0
fail() {
	echo "FAIL go_chan_perm ($language): $1"
	failed=$((failed + 1))
}

if compile "$@" $assign_flags -Wall -Werror; then
	passed=1
else
	fail 'the correct program does not compile'
fi

numbers=$(grep -oE '(PICK|ASSIGN)\([0-9]+,' "$source" | tr -dc '0-9\n')
count=$(echo "$numbers" | wc -l)
[ "$numbers" = "$(seq 1 "$count")" ] || fail 'the numbers are not 1, 2, 3, ...'
[ "$count" -ge 40 ] || fail "found $count misuses only"

for n in $numbers; do
	more=
	! grep -q "ASSIGN($n," "$source" || more=$assign_flags
	if compile "$@" $more "-DBAD_$n=~, ~" 2>/dev/null; then
		fail "misuse $n compiles: $(grep -E "(PICK|ASSIGN)\($n," "$source")"
	else
		passed=$((passed + 1))
	fi
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
