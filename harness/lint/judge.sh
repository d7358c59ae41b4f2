#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs a linter when it has the version that CI has. Other versions judge otherwise: they are skipped,
# and that is said.
#
#   judge.sh TOOL VERSION STAMP ARGUMENT...     touches STAMP when the tool has nothing to say
set -eu
tool=$1 version=$2 stamp=$3
shift 3
if ! command -v "$tool" >/dev/null; then
	echo "$tool is missing; run harness/setup.sh check" >&2
	exit 1
fi
found=$("$tool" --version | grep -oE '[0-9]+(\.[0-9]+)+' | head -n 1)
case $found. in
"$version".*)
	# Words are a failure, whatever the exit status: cppcheck with --cppcheck-build-dir ends with 0 when it
	# repeats what it found before.
	status=0
	words=$("$tool" "$@" 2>&1) || status=$?
	if [ $status -ne 0 ] || [ -n "$words" ]; then
		echo "$words" >&2
		exit 1
	fi
	mkdir -p "$(dirname "$stamp")" && touch "$stamp"
	;;
*) echo "  SKIP    $tool $found: only version $version judges here" ;;
esac
