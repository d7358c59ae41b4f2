#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs every test and counts. Called by `make check` when all is built.
#
#   harness/check.sh [NAME...]     only the jobs whose names begin so, as in: check.sh conformance
#
# Each job writes TAP to build/check/NAME.tap. Several run side by side; CPU accounting runs alone.
set -u
cd "$(dirname "$0")/.." || exit 1
out=build/check
rm -rf "$out" && mkdir -p "$out"
IOLAB=$PWD/build/iolab
PYTHON=${PYTHON:-$(sh harness/setup/find-python.sh)} || exit 1
export IOLAB PYTHON
# A job that takes longer is hung, whatever its own tests' limits say.
LIMIT_S=280

# Job names and their commands, one a line.
jobs_list() {
	for program in histogram deadline statistics trace on_cpu driver rounds compare hardware_counters place run_options sqpoll_room; do
		echo "unit-$program build/tests/$program"
	done
	echo "conformance-self-test build/tests/conformance --self-test"
	# Pairs of options run in the build without sanitizers only: each has its code whether others are there
	# or not, and io_uring has pairs for minutes.
	for engine in $(build/tests/conformance --list); do
		echo "conformance-$engine build/tests/conformance $engine"
		[ ! -x build/address-undefined/tests/conformance ] ||
			echo "asan-$engine build/address-undefined/tests/conformance --alone $engine"
	done
	[ ! -x build/address-undefined/tests/driver ] ||
		echo "asan-driver build/address-undefined/tests/driver"
	[ ! -x build/thread/tests/conformance ] || {
		echo "tsan-threads build/thread/tests/conformance threads"
		echo "tsan-epoll_workers build/thread/tests/conformance epoll_workers"
	}
	for file in harness/tests/*.bats plots/tests/*.bats; do
		[ ! -e "$file" ] || echo "bats-$(basename "$file" .bats) bats --tap $file"
	done
}

# Begun last, these would run on alone.
LONGEST='bats-docs bats-plots asan-io_uring bats-results conformance-io_uring asan-posix_aio conformance-posix_aio bats-course_grade bats-course_learner'

longest_first() {
	awk -v longest="$LONGEST" '
		BEGIN { count = split(longest, names); for (i in names) rank[names[i]] = i }
		{ print ($1 in rank) ? rank[$1] : count + 1, $0 }' | sort -s -n -k 1,1 | cut -d " " -f 2-
}

run_job() {
	local name=$1 began_s=$SECONDS
	shift
	timeout "$LIMIT_S" "$@" >"$out/$name.tap" 2>&1
	local status=$?
	local took_s=$((SECONDS - began_s))
	# A job that dies without a "not ok" of its own must not pass unseen.
	if [ $status -ne 0 ] && ! grep -q '^not ok' "$out/$name.tap"; then
		echo "not ok - $name ended with status $status" >>"$out/$name.tap"
	fi
	local passed failed skipped
	skipped=$(grep -ciE '^ok .*# skip' "$out/$name.tap")
	passed=$(($(grep -c '^ok ' "$out/$name.tap") - skipped))
	failed=$(grep -c '^not ok' "$out/$name.tap")
	printf '  %-28s %4d passed  %2d failed  %3d skipped  %3d s\n' \
		"$name" "$passed" "$failed" "$skipped" "$took_s"
	[ "$failed" -eq 0 ] || grep -A 12 '^not ok' "$out/$name.tap" | sed 's/^/    /'
}
export -f run_job
export out LIMIT_S

wanted() {
	local name=$1 prefix
	shift
	[ $# -eq 0 ] && return 0
	for prefix in "$@"; do
		[[ $name == "$prefix"* ]] && return 0
	done
	return 1
}

# CPU accounting first and alone: it compares clocks.
! wanted unit-accounting "$@" || run_job unit-accounting build/tests/accounting
jobs_list | longest_first | while read -r name command; do
	! wanted "$name" "$@" || printf '%s %s\n' "$name" "$command"
done | xargs -P 4 -I{} bash -c 'run_job {}'

# Every reason for a skip, once, with its count.
if grep -qhiE '^ok .*# skip' "$out"/*.tap; then
	echo "Skipped, because:"
	grep -hoiE '# skip .*' "$out"/*.tap | sed -E 's/# skip //I' | sort | uniq -c | sort -rn |
		sed -E 's/^ *([0-9]+) /  \1 x /' | cut -c1-150
fi
skipped=$(cat "$out"/*.tap | grep -ciE '^ok .*# skip')
passed=$(($(cat "$out"/*.tap | grep -c '^ok ') - skipped))
failed=$(cat "$out"/*.tap | grep -c '^not ok')
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
