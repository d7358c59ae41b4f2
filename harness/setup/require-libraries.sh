#!/bin/sh
# SPDX-License-Identifier: MIT
# Can programs be linked with the libraries that iolab needs? If so, makes the empty file $1. Called by
# the Makefile: CC=gcc sh harness/setup/require-libraries.sh build/libraries
set -eu
out=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

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
: >"$out"
