#!/bin/sh
# SPDX-License-Identifier: MIT
# What kernels.sh runs in the emulated machine, as root. Each step leaves a log and "passed" or "failed"
# in /iolab-logs, a folder of the host.
set -u
logs=/iolab-logs
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TMPDIR=/iolab-scratch
cd "$(cat $logs/tree)" || exit 1
uname -r >$logs/release

# A step that takes longer hangs. An emulated processor needs far less.
LIMIT_S=14400

# step NAME COMMAND...: not where a run before has passed it.
step() {
	name=$1
	[ ! -e "$logs/$name.status" ] || return 0
	shift
	result=failed
	! timeout "$LIMIT_S" "$@" >"$logs/$name.log" 2>&1 </dev/null || result=passed
	echo $result >"$logs/$name.status"
}

# too_old_says NAME COMMAND...: below the minimum, the command must name it. Its status is its own affair.
too_old_says() {
	name=$1
	shift
	timeout "$LIMIT_S" "$@" >"$logs/$name.log" 2>&1 </dev/null
	result='failed: the minimum is not named'
	! grep -qF "$minimum" "$logs/$name.log" || result='names the minimum'
	echo "$result" >"$logs/$name.status"
}

minimum=$(cat $logs/minimum)
oldest=$(printf '%s\n%s\n' "$minimum" "$(uname -r)" | sort -V | head -n 1)
if [ "$oldest" != "$minimum" ]; then
	touch $logs/too-old
	too_old_says doctor build/iolab doctor
	too_old_says list build/iolab list
	for name in matrix compare; do
		echo 'not run' >$logs/$name.status
	done
	exit 0
fi

step doctor build/iolab doctor
step list build/iolab list
step matrix build/iolab matrix
step compare build/iolab compare -w file,echo --depths 8 --conns 8 --rounds 3 --out $TMPDIR/results
# shellcheck disable=SC2013 # a list of words
for engine in $(cat $logs/engines); do
	step "conformance-$engine" build/tests/conformance --limit 2400 --alone "$engine"
done
