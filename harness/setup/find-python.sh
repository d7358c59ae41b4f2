#!/bin/sh
# SPDX-License-Identifier: MIT
# Prints the first python that can draw: not always the first on PATH (pyenv, conda, venv).
for python in ${PYTHON:-} python3 /usr/bin/python3; do
	if "$python" -c 'import matplotlib, numpy' 2>/dev/null; then
		echo "$python"
		exit 0
	fi
done
echo "iolab: no python here has matplotlib and numpy; run harness/setup.sh, or set PYTHON" >&2
exit 1
