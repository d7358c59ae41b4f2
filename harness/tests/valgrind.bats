#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The layers' tests under Valgrind: nothing is read before it was written, and no memory is lost. It
# knows no epoll_pwait2(2), so the engines are poll and threads.

load common

# clean PROGRAM [ENGINE]: the program's tests pass, and Valgrind finds nothing in any of their processes.
clean() {
	command -v valgrind >/dev/null || skip "valgrind is not installed"
	run timeout 600 valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,indirect \
		"$ROOT/build/tests/$1" ${2:+"$2"}
	assert_success
	refute_line --regexp "^not ok"
	assert_line --regexp "^# [1-9][0-9]* passed, 0 failed"
}

# bats test_tags=slow
@test "the event loop's tests under Valgrind" {
	clean event_loop poll
}

# bats test_tags=slow
@test "the event loop's tests under Valgrind, with threads" {
	clean event_loop threads
}

# bats test_tags=slow
@test "the tests of promises, tasks and coroutines under Valgrind" {
	clean promises poll
}

# bats test_tags=slow
@test "the operator's tests under Valgrind" {
	clean async_operator
}
