#!/bin/sh
# SPDX-License-Identifier: MIT
# Writes a header that says which newer features the installed libraries offer, found by compiling
# a line that uses each. Called by the Makefile: CC=gcc sh harness/setup/probe-build.sh build/config.h
set -eu
out=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# probe NAME HEADER STATEMENT [LIBRARY]: defines HAVE_NAME as 1 when the statement links.
probe() {
	printf '#define _GNU_SOURCE\n#include <%s>\nint main(void) { %s; return 0; }\n' "$2" "$3" \
		>"$scratch/try.c"
	if ${CC:-cc} -Wall -Werror -o "$scratch/try" "$scratch/try.c" ${4:+"$4"} >"$scratch/log" 2>&1; then
		echo "#define HAVE_$1 1"
	else
		echo "#define HAVE_$1 0"
	fi
}

require() {
	if ! printf '#include <%s>\nint main(void) { return 0; }\n' "$1" |
		${CC:-cc} -x c -o "$scratch/try" - "$2" >"$scratch/log" 2>&1; then
		echo "iolab: $1 or its library is missing; run harness/setup.sh" >&2
		exit 1
	fi
}

require liburing.h -luring
require libaio.h -laio
require jansson.h -ljansson
{
	echo "/* Made by harness/setup/probe-build.sh: what the installed libraries offer. */"
	probe EPOLL_PWAIT2 sys/epoll.h 'epoll_pwait2(0, 0, 0, 0, 0)'
} >"$out"
