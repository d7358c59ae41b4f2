#!/bin/sh
# SPDX-License-Identifier: MIT
# Reads TAP and prints "7 passed, 1 failed, 2 skipped". Fails when a test failed or none passed.
exec awk '
	/^ok .*# [Ss][Kk][Ii][Pp]/ { skipped++; next }
	/^ok / { passed++ }
	/^not ok / { failed++ }
	END {
		printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
		exit !passed || failed
	}'
