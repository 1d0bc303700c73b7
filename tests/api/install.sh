#!/bin/sh
# `ninja install` into a prefix works, and a C and a C++ program outside the
# tree build and run against it with pkg-config, shared and static.
#
# usage: install.sh SOURCE-ROOT
set -eu

source=$1
here=$source/tests/api
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

try() {	# what, command...
	what=$1
	shift
	if "$@" >"$work/log" 2>&1; then
		echo "ok $what"
		passed=$((passed + 1))
	else
		echo "FAIL $what: $*"
		cat "$work/log"
		failed=$((failed + 1))
	fi
}

prefix=$work/prefix
try "meson setup" meson setup "$work/build" "$source" --prefix="$prefix" --libdir=lib \
	--buildtype=release -Dtests=false -Dexamples=false -Dbench=false
try "ninja install" ninja -C "$work/build" install

export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
export LD_LIBRARY_PATH="$prefix/lib"
cp "$source/examples/pipeline.c" "$here/cpp.cc" "$work"
cd "$work"
try "pkg-config knows leat" pkg-config --exists --print-errors leat
cflags=$(pkg-config --cflags leat || true)
libs=$(pkg-config --libs leat || true)
static_libs=$(pkg-config --static --libs leat | sed 's/-lleat/-l:libleat.a/' || true)

# shellcheck disable=SC2086 # the flags are words
{
	try "build in C" cc -std=c11 -Wall -Wextra -Werror -o c_program pipeline.c $cflags $libs
	try "build in C++" c++ -std=c++17 -Wall -Wextra -Werror -o cpp_program cpp.cc $cflags $libs
	try "build in C, static" cc -std=c11 -o static_program pipeline.c $cflags $static_libs
}
printf '4\n9\n16\n' >expected
try "run in C" sh -c './c_program | diff - expected'
try "run in C++" ./cpp_program
try "run in C, static" sh -c 'env -u LD_LIBRARY_PATH ./static_program | diff - expected'
try "the program needs libleat.so.0" sh -c 'ldd c_program | grep "libleat.so.0 => $1"' sh "$prefix"

try "the program runs" sh -c 'env -u LD_LIBRARY_PATH "$1/bin/leat" --version | grep "^leat [0-9]"' sh "$prefix"
for page in leat leat-map; do
	try "the manual has $page(1)" test -s "$prefix/share/man/man1/$page.1"
done
try "bash completes it" bash -c '. "$1/share/bash-completion/completions/leat" && complete -p leat' bash "$prefix"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
