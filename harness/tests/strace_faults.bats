#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# System-call errors injected with strace, into every engine: an error is reported or the call is
# made again; never a hang, a wrong byte or a lost operation. (A short count cannot be injected: the
# call would be skipped, and the buffer left as it was.)

load common

# inject CALL ERROR WHEN RUN-OPTIONS...: sets $output (the JSON), and fails on a hang or a crash.
inject() {
	local call=$1 error=$2 when=$3
	shift 3
	local file=(--file "$BATS_TEST_TMPDIR/file" --size 1M)
	[[ " $* " != *" -w echo "* ]] || file=()
	run --separate-stderr timeout "$HANG_S" strace -f -qqq -o /dev/null -e trace="$call" \
		-e inject="$call:error=$error:when=$when" \
		"$IOLAB" run "${file[@]}" --json "$@"
	if [ "$status" -ne 0 ] && [ "$status" -ne 1 ] && [ "$status" -ne 77 ]; then
		fail "$call=$error at $when in $*: status $status: $output $stderr"
	fi
	refute_output --partial "never came back"
	refute_output --partial "twice"
	refute_output --partial "differs at byte"
	refute_output --partial "the echo differs"
}

# retried: the engine must hide the error. reported: the engine must report it.
retried() {
	inject "$@"
	assert_equal "$(json status) $(json reason)" "ok None"
}

reported() {
	local error=$2
	inject "$@"
	# On a busy machine the time may be over before the call is reached.
	[[ $(json status) != ok || $* != *--runtime* ]] || inject "$@" --runtime 10
	assert_equal "$(json status)" error
	assert_equal "$(json reason.values.errno)" "$error"
}

FILE=(--ops 400 --depth 8 --verify)
ECHO=(-w echo --conns 3 --runtime 0.2 --warmup 0.02)

setup() {
	command -v strace >/dev/null || skip "strace is not installed"
	strace -qqq -o /dev/null true 2>/dev/null || skip "ptrace is not allowed here"
}

@test "blocking: EINTR is retried, EIO reported" {
	retried pread64 EINTR 30+7 -e blocking "${FILE[@]}"
	reported pread64 EIO 600 -e blocking "${FILE[@]}"
	retried recvfrom EINTR 10+5 -e blocking "${ECHO[@]}"
	reported recvfrom ENOMEM 40 -e blocking "${ECHO[@]}"
}

@test "threads: EINTR is retried, EIO reported" {
	retried pread64 EINTR 30+7 -e threads "${FILE[@]}"
	reported pread64 EIO 20 -e threads "${FILE[@]}"
	inject sendto ENOBUFS 20 -e threads "${ECHO[@]}"
}

@test "writes and syncs: an error is reported, EINTR is retried" {
	writes=(--rw randwrite --fsync 8 --ops 300 --depth 4 --verify)
	for engine in blocking threads poll epoll_workers posix_aio; do
		retried pwrite64 EINTR 30+7 -e "$engine" "${writes[@]}"
		reported pwrite64 ENOSPC 60 -e "$engine" "${writes[@]}"
		reported fsync EIO 10 -e "$engine" "${writes[@]}"
	done
	retried fsync EINTR 5+3 -e blocking "${writes[@]}"
	reported fdatasync EIO 10 -e blocking --rw randwrite --fdatasync 4 --ops 300 --verify
}

@test "poll: EINTR ends a wait, EAGAIN is waited out, errors are reported" {
	retried ppoll EINTR 5+3 -e poll "${ECHO[@]}"
	retried recvfrom EAGAIN 30+4 -e poll "${ECHO[@]}"
	retried sendto EAGAIN 30+4 -e poll "${ECHO[@]}"
	reported ppoll ENOMEM 20 -e poll "${ECHO[@]}"
	reported pread64 EIO 600 -e poll "${FILE[@]}"
}

@test "epoll: EINTR ends a wait, EAGAIN is waited out, errors are reported" {
	for variant in epoll epoll:edge epoll:oneshot; do
		retried epoll_pwait2 EINTR 5+3 -e "$variant" "${ECHO[@]}"
		reported epoll_pwait2 EBADF 20 -e "$variant" "${ECHO[@]}"
	done
	retried recvfrom EAGAIN 30+40 -e epoll "${ECHO[@]}"
	retried sendto EAGAIN 30+40 -e epoll "${ECHO[@]}"
	inject epoll_ctl ENOMEM 2 -e epoll "${ECHO[@]}"
	assert_equal "$(json status)" error
	assert_equal "$(json reason.values.errno)" ENOMEM
}

@test "epoll without epoll_pwait2, as in some sandboxes: refused before the run, no coarser wait instead" {
	inject epoll_pwait2 ENOSYS 1+ -e epoll "${ECHO[@]}"
	assert_equal "$(json status)" unsupported
	assert_equal "$(json reason.id) $(json reason.values.errno)" "no_epoll_pwait2 ENOSYS"
	inject epoll_pwait2 ENOSYS 1+ -e epoll_workers "${FILE[@]}"
	assert_equal "$(json status)" unsupported
	assert_equal "$(json reason.id) $(json reason.values.errno)" "no_epoll_pwait2 ENOSYS"
}

@test "epoll_workers: EINTR is retried, EIO reported" {
	retried pread64 EINTR 30+7 -e epoll_workers "${FILE[@]}"
	reported pread64 EIO 20 -e epoll_workers "${FILE[@]}"
	retried epoll_pwait2 EINTR 5+3 -e epoll_workers "${FILE[@]}"
}

@test "posix_aio: EINTR is retried, EIO reported" {
	retried pread64 EINTR 30+7 -e posix_aio "${FILE[@]}"
	reported pread64 EIO 20 -e posix_aio "${FILE[@]}"
}

@test "libaio: EAGAIN is back-pressure, EINTR is retried, errors are reported" {
	retried io_submit EAGAIN 10+5 -e libaio "${FILE[@]}" --batch-complete 1
	retried io_submit EINTR 10+5 -e libaio "${FILE[@]}"
	reported io_submit EIO 20 -e libaio "${FILE[@]}"
	inject io_setup EAGAIN 2 -e libaio "${FILE[@]}"
	assert_equal "$(json reason.id)" aio_max_nr
	inject io_setup ENOSYS 1+ -e libaio "${FILE[@]}"
	assert_equal "$(json status)" unsupported
	retried io_getevents EINTR 5+3 -e libaio "${ECHO[@]}"
	# With nothing in flight that could make room, the error is reported.
	reported io_submit EAGAIN 20 -e libaio "${FILE[@]}" --depth 1
}

@test "io_uring: EINTR, EAGAIN and EBUSY are retried, errors are reported" {
	for error in EINTR EAGAIN EBUSY; do
		retried io_uring_enter "$error" 10+5 -e io_uring "${FILE[@]}"
		retried io_uring_enter "$error" 10+5 -e io_uring:defer_taskrun "${FILE[@]}"
		retried io_uring_enter "$error" 10+5 -e io_uring "${ECHO[@]}"
	done
	reported io_uring_enter EBADF 20 -e io_uring "${FILE[@]}"
	for error in ENOSYS EPERM ENOMEM; do
		inject io_uring_setup "$error" 1+ -e io_uring "${FILE[@]}"
		assert_equal "$(json status)" unsupported
		assert_equal "$(json reason.values.errno)" "$error"
	done
	inject io_uring_register ENOMEM 2+ -e io_uring:fixed_buffers "${FILE[@]}"
	[[ $(json status) != ok ]]
}

@test "a write that fails in the middle of a summary is told, and no half of it takes the old one's place" {
	local results="$BATS_TEST_TMPDIR/results" when
	"$IOLAB" compare -e null,io_uring -w nop --depths 1,4 --rounds 2 --runtime 0.01 --warmup 0.01 --idle 0 \
		--no-count-syscalls --out "$results" >/dev/null
	[ "$(stat -c %s "$results/summary.json")" -gt 8192 ]
	cp "$results/summary.json" "$BATS_TEST_TMPDIR/before"
	for when in 1 2; do # the writes of the file; the table's come after them
		run --separate-stderr strace -f -o "$BATS_TEST_TMPDIR/calls" -e trace=write \
			-e inject="write:error=EIO:when=$when" "$IOLAB" summary "$results" --baseline null
		assert_equal "$status" 1
		assert_regex "$stderr" "summary.json: EIO"
		cmp "$results/summary.json" "$BATS_TEST_TMPDIR/before"
		assert_equal "$(find "$results" -name '*.new')" ""
	done
}
