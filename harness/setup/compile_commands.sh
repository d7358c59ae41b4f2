#!/bin/sh
# SPDX-License-Identifier: MIT
# Turns the commands that `make -nB` prints into a compile_commands.json, which clangd and other
# editors read. Called by the Makefile.
set -eu

escaped() { sed -e 's/\\/\\\\/g' -e 's/"/\\"/g'; }

# A compilation ends with the name of the file.
sed -n -e 's/ -MMD -MP / /' -e 's/^[^ ].* -c .* \([^ ]*\.c\)$/\1 &/p' | escaped | folder=$(pwd | escaped) awk '
	BEGIN { print "[" }
	{
		file = $1
		sub(/^[^ ]* /, "")
		printf "%s{\"directory\": \"%s\", \"file\": \"%s\", \"command\": \"%s\"}", comma, ENVIRON["folder"], file, $0
		comma = ",\n"
	}
	END { print "\n]" }'
