#!/bin/sh
# SPDX-License-Identifier: MIT
# Prints the first python that has these modules, or, without any, the first that can draw. It is not
# always the first on PATH (pyenv, conda, venv).
#
#   harness/setup/find-python.sh [MODULE...]
[ $# -gt 0 ] || set -- matplotlib numpy
modules=$(echo "$*" | sed 's/ /, /g')
for python in "${PYTHON:-python3}" python3 /usr/bin/python3; do
	if "$python" -c "import $modules" 2>/dev/null; then
		echo "$python"
		exit 0
	fi
done
case $1 in
clang.*) set=' check' ;;
*) set='' ;;
esac
echo "iolab: no python here has $(echo "$*" | sed 's/ / and /g'); run harness/setup.sh$set, or set PYTHON" >&2
exit 1
