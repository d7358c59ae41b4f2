#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs a command beside three busy loops a CPU, which end with it: tests must not depend on speed.
#
#   harness/machines/loaded.sh make check
set -euo pipefail
loops=()
end_loops() {
	kill "${loops[@]}" 2>/dev/null || true
	wait "${loops[@]}" 2>/dev/null || true
}
trap end_loops EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

parent=$$
for ((i = 0; i < 3 * $(nproc); i++)); do
	# Looks up its parent now and then, since nobody can end it where the parent was killed.
	while [ -e "/proc/$parent" ]; do
		for ((turn = 0; turn < 1000000; turn++)); do :; done
	done &
	loops+=($!)
done
echo "loaded: ${#loops[@]} busy loops beside $*"
"$@"
