#!/bin/sh
# SPDX-License-Identifier: MIT
# Can programs be linked with libtracefs and libtraceevent? If so, prints the compiler's flags for them.
# Called by the Makefile: CC=gcc sh harness/setup/find-libtracefs.sh build/libtracefs.mk. iolab can be built
# without them; `iolab upcall` then says what is missing. What is found is kept in that file, which make
# includes, so that not every make compiles. What is missing is looked for again.
set -eu
found=${1:-}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
flags=$(pkg-config --cflags libtracefs libtraceevent 2>/dev/null) ||
	flags='-I/usr/include/tracefs -I/usr/include/traceevent'
# The newest functions that are called.
cat >"$scratch/try.c" <<'C'
#include <tracefs.h>
int main(void)
{
	return tracefs_set_tracing_dir("/") + tracefs_iterate_raw_events(0, 0, 0, 0, 0, 0) +
	       tep_data_pid(0, 0);
}
C
# shellcheck disable=SC2086 # a list of words
${CC:-cc} $flags -o "$scratch/try" "$scratch/try.c" -ltracefs -ltraceevent >"$scratch/log" 2>&1 || exit 1
echo "-DIOLAB_HAS_LIBTRACEFS $flags"
[ "$found" ] || exit 0
# Whole or not at all, since several make may be at it. A tree that cannot be written to is only read.
echo "TRACE_CFLAGS := -DIOLAB_HAS_LIBTRACEFS $flags" >"$scratch/found"
{ mkdir -p "$(dirname "$found")" && cp "$scratch/found" "$found.$$" && mv "$found.$$" "$found"; } 2>"$scratch/log" || :
