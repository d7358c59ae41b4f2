#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# common/coroutines_gdb.py: where each suspended coroutine waits.

load common

PROGRAM=$ROOT/build/tests/suspended_coroutines

setup() {
	command -v gdb >/dev/null || skip "gdb is not installed"
	gdb -batch -nx -ex 'python import gdb.unwinder' || skip "this gdb has no Python"
	case $(uname -m) in
	x86_64 | aarch64) ;;
	*) skip "no coroutines with stacks on $(uname -m)" ;;
	esac
}

# debug WORD...: a gdb that has read the script.
debug() {
	run timeout "$HANG_S" gdb -batch -nx -x "$ROOT/common/coroutines_gdb.py" "$@"
	[[ $output != *"Operation not permitted"* ]] || skip "this machine allows no ptrace(2)"
}

# waits_deep_inside: the backtrace of number 0 is in the lines, in its order, with what its functions were given.
waits_deep_inside() {
	run sed -n '/^Coroutine 0 /,/^Coroutine 1 /p' <<<"$output"
	assert_line --index 0 --regexp '^Coroutine 0 of thread 1, waits\(\): suspended in$'
	assert_line --regexp '^  #1 +wait_deep_inside \(cookie=42\) at .*suspended_coroutines\.c:[0-9]+$'
	assert_line --regexp '^  #2 +read_answer \(cookie=41\) at .*suspended_coroutines\.c:[0-9]+$'
	assert_line --regexp '^  #3 +waits \('
	assert_line --regexp '^  #5 +coroutine_begin \('
	refute_line --regexp '^  #6'
}

@test "coroutines: each that is suspended with its backtrace; others with what they do" {
	debug -ex 'break at_rest' -ex run -ex up -ex coroutines -ex frame -ex continue "$PROGRAM"
	assert_line --regexp '^Coroutine 2 of thread 1, stops_for_gdb\(\): runs$'
	assert_line --regexp '^Coroutine 3 of thread 1, begins_later\(\): has not begun$'
	assert_line --regexp '^Coroutine 4 of thread 1, resumes_another\(\): runs$'
	# One that has ended is no coroutine any more, and a free stack is none.
	refute_line --regexp '^Coroutine [5-9] '
	# It suspends itself in its own body, so nothing lies between.
	assert_line --regexp '^  #1 +waits_at_once \('
	# The selected frame is the same as before, and the program goes on as if nobody had looked.
	assert_line --regexp '^#1 .* in stops_for_gdb '
	assert_line --partial "exited normally"
	assert_line --partial "2 passed, 0 failed"
	waits_deep_inside
}

@test "coroutines: of a core file, too" {
	debug -ex 'break at_rest' -ex run -ex "gcore $BATS_TEST_TMPDIR/core" -ex kill "$PROGRAM"
	[ -e "$BATS_TEST_TMPDIR/core" ] || skip "gdb could not write a core file"
	debug -ex coroutines "$PROGRAM" "$BATS_TEST_TMPDIR/core"
	waits_deep_inside
}

@test "coroutines NUMBER is one alone; without a program, and in one that has none, it says so" {
	debug -ex 'break at_rest' -ex run -ex 'coroutines 3' -ex 'coroutines 99' -ex 'coroutines all' "$PROGRAM"
	assert_line --regexp '^Coroutine 3 of '
	refute_line --regexp '^Coroutine [0-24-9] '
	assert_line 'No coroutine.'
	assert_line 'coroutines [NUMBER]'
	debug -ex coroutines "$PROGRAM"
	assert_line 'The program is not being run.'
	debug -ex 'break main' -ex run -ex coroutines "$ROOT/build/tests/suspended_coroutines"
	assert_line 'No coroutine.'
	debug -ex 'catch syscall exit_group' -ex run -ex coroutines "$(command -v true)"
	assert_line --partial "Coroutines cannot be found"
}
