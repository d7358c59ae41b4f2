#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs the tests with prove and counts them. Called by `make check` when all is built.
#
#   harness/check.sh [NAME...]     only the jobs whose names begin with NAME: check.sh conformance bats-docs
#   harness/check.sh --list        the names of the jobs
#   harness/check.sh --job NAME    one job, its TAP to standard output (this is what prove calls)
#
# With CHECK=slowly: the tests that `make check` leaves out because they take long.
# Each job also leaves its TAP in build/check/NAME.tap, or build/check-slowly/NAME.tap.
set -u
cd "$(dirname "$0")/.." || exit 1
CHECK=${CHECK:-}
export CHECK
out=build/check${CHECK:+-$CHECK}
IOLAB=$PWD/build/iolab
PYTHON=${PYTHON:-$(sh harness/setup/find-python.sh)} || exit 1
export IOLAB PYTHON
# More than there are CPUs on a small machine: more than half of what the jobs take is waiting.
JOBS_AT_ONCE=7
# A job that takes longer hangs. Twenty times what the longest takes: a loaded machine is no failure.
LIMIT_S=3600

# A test in a .bats file that takes long has the tag slow.
slow_jobs_list() {
	local engine file program
	# An option's code is the same with others and alone, so pairs seldom find what options alone do not.
	for engine in $(build/tests/conformance --list); do
		echo "pairs-$engine build/tests/conformance --pairs $engine"
		echo "asan-$engine build/address-undefined/tests/conformance --alone $engine"
	done
	for program in styles promises event_loop async_operator; do
		echo "asan-$program build/address-undefined/tests/$program"
	done
	echo "tsan-threads build/thread/tests/conformance threads"
	echo "asan-damages build/address-undefined/tests/damages"
	for file in $(grep -l '^# bats test_tags=slow' harness/tests/*.bats plots/tests/*.bats); do
		echo "bats-$(basename "$file" .bats) bats --tap --filter-tags slow $file"
	done
}

# Job names and their commands, one a line.
jobs_list() {
	[ "$CHECK" != slowly ] || { slow_jobs_list && return; }
	local source program engine file folder name
	echo "unit-accounting build/tests/accounting"
	for source in harness/tests/*.c; do
		program=$(basename "$source" .c)
		case $program in
		# Each has its line below, or is run by a .bats file.
		accounting | conformance | without_io_uring) ;;
		*) echo "unit-$program build/tests/$program" ;;
		esac
	done
	for folder in harness/tests/fixtures/fuzz/*; do
		name=$(basename "$folder")
		echo "fuzz-$name build/tests/fuzz_$name $folder"
		echo "asan-fuzz_$name build/address-undefined/tests/fuzz_$name $folder"
	done
	echo "conformance-self-test build/tests/conformance --self-test"
	for engine in $(build/tests/conformance --list); do
		echo "conformance-$engine build/tests/conformance --alone --brief $engine"
		echo "asan-$engine build/address-undefined/tests/conformance --alone --one-of-each $engine"
	done
	echo "asan-driver build/address-undefined/tests/driver"
	echo "asan-promises build/address-undefined/tests/promises epoll"
	echo "tsan-epoll_workers build/thread/tests/conformance epoll_workers"
	for file in harness/tests/*.bats plots/tests/*.bats; do
		echo "bats-$(basename "$file" .bats) bats --tap --filter-tags !slow $file"
	done
}

# The longest jobs begin first: begun last, they would run on alone.
LONGEST='bats-course_learner bats-course_grade bats-files bats-figures bats-docs conformance-self-test bats-results
	bats-neighbours conformance-io_uring pairs-io_uring asan-styles bats-report conformance-libaio bats-marks
	bats-course_mutate tsan-threads asan-driver unit-driver bats-study bats-course_layers asan-io_uring unit-styles
	bats-interrupt asan-posix_aio conformance-posix_aio'

longest_first() {
	awk -v longest="$LONGEST" '
		BEGIN { count = split(longest, names); for (i in names) rank[names[i]] = i }
		{ print ($1 in rank) ? rank[$1] : count + 1, $0 }' | sort -s -n -k 1,1 | cut -d " " -f 2-
}

# Those of standard input's names that begin with one of the words, in their order, or all if there are
# no words. A word that no name begins with is an error.
chosen() {
	local names word
	names=$(cat)
	[ $# -gt 0 ] || { echo "$names" && return; }
	for word in "$@"; do
		[[ $'\n'$names == *$'\n'"$word"* ]] && continue
		echo "check: no job's name begins with '$word'. The beginning of one of these names is enough:" >&2
		sort <<<"$names" | xargs printf '  %-28s %-28s %s\n' >&2
		return 2
	done
	awk -v words="$*" '
		BEGIN { count = split(words, beginnings) }
		{ for (i = 1; i <= count; i++) if (index($1, beginnings[i]) == 1) { print; next } }' <<<"$names"
}

# A job that dies, or stops before the end of its plan, must not pass unseen: it gets a "not ok".
run_job() {
	local name=$1 tap=$out/$1.tap status=0 planned ran
	local TIMEFORMAT='# %R s; %U + %S s of CPU'
	# prove's own times of jobs that run side by side are mixed up.
	# shellcheck disable=SC2046 # a command is a line of words
	{ time timeout --kill-after=30 "$LIMIT_S" $(jobs_list | sed -n "s/^$name //p"); } 2>&1 | tee "$tap"
	status=${PIPESTATUS[0]}
	planned=$(sed -n 's/^1\.\.\([0-9]*\).*/\1/p' "$tap" | head -n 1)
	ran=$(grep -cE '^(not )?ok ' "$tap")
	if ! grep -q '^not ok' "$tap" && { [ "$status" -ne 0 ] || [ "$ran" != "$planned" ]; }; then
		echo "not ok - $name: status $status after $ran of ${planned:-an unknown number of} tests" >>"$tap"
	fi
	return "$status"
}

# Each failed test with what it says, each reason for a skip with its count, and the count of all.
report() {
	grep -hE -A 12 '^not ok' "$out"/*.tap && echo
	if grep -qhiE '^ok .*# skip' "$out"/*.tap; then
		echo "Skipped, because:"
		grep -hoiE '# skip .*' "$out"/*.tap | sed -E 's/# skip //I' | sort | uniq -c | sort -rn |
			sed -E 's/^ *([0-9]+) /  \1 x /' | cut -c1-150
	fi
	cat "$out"/*.tap | harness/tests/count_tests.sh
}

# Tests start hundreds of Python programs, most of them with -B. Each would compile its modules anew.
compile_python() {
	local python
	for python in /usr/bin/python3 "$PYTHON"; do
		"$python" -m compileall -q harness plots >/dev/null 2>&1 || true
	done
}

run_all() {
	local names status=0
	names=$(jobs_list | longest_first | cut -d " " -f 1 | chosen "$@") || return 2
	rm -rf "$out" && mkdir -p "$out"
	compile_python
	# CPU accounting first and alone: it compares clocks.
	if [[ $names == *unit-accounting* ]]; then
		prove --timer --exec "harness/check.sh --job" unit-accounting || status=1
		names=${names/unit-accounting/}
	fi
	# shellcheck disable=SC2086 # a list of words
	[ -z "${names//[[:space:]]/}" ] ||
		prove -j "$JOBS_AT_ONCE" --timer --exec "harness/check.sh --job" $names || status=1
	report && [ $status -eq 0 ]
}

case ${1:-} in
--list | list) jobs_list | cut -d " " -f 1 ;;
--job) run_job "$2" ;;
*) run_all "$@" ;;
esac
