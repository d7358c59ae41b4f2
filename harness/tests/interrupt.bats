#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Ctrl-C ends a run soon, whatever it is doing, and leaves nothing behind.

load common

# begin OPTION...: a run in the background, which SIGINT reaches as at a terminal.
begin() {
	local file=(--file "$BATS_TEST_TMPDIR/file")
	[[ " $* " != *" -w echo "* ]] || file=()
	env --default-signal=INT "$IOLAB" run "${file[@]}" --runtime 30 "$@" \
		>"$BATS_TEST_TMPDIR/out" 2>&1 &
	pid=$!
}

# until_true COMMAND...: asks again until it succeeds, for 10 s.
until_true() {
	for _ in $(seq 1000); do
		if "$@"; then return 0; fi
		let_pass 0.01
	done
	fail "still not so after 10 s: $*"
}

has_peer() { [ -n "$(cat "/proc/$pid/task/$pid/children" 2>/dev/null)" ]; }
# Its main thread sleeps in the kernel.
sleeps() { [ "$(awk '{ print $3 }' "/proc/$pid/stat")" = S ]; }
is_large() { [ "$(stat -c %s "$BATS_TEST_TMPDIR/file" 2>/dev/null || echo 0)" -gt 8000000 ]; }

# ends_soon: SIGINT now; within 3 s it must be gone.
ends_soon() {
	local begun=$SECONDS
	kill -INT "$pid"
	await_end "$pid"
	assert_equal "$status" 130
	[ $((SECONDS - begun)) -le 3 ] || fail "it took $((SECONDS - begun)) s"
	grep -q interrupted "$BATS_TEST_TMPDIR/out"
}

@test "in the midst of a measurement" {
	begin -e epoll -w echo --conns 10
	until_true has_peer
	ends_soon
}

@test "blocking in a receive for which the client takes its time" {
	begin -e blocking -w echo --conns 2 --slow 2 --slow-pause-ms 9000
	until_true has_peer
	until_true sleeps
	ends_soon
}

@test "computing between operations" {
	begin -e libaio --size 16M --depth 64 --compute-us 500000
	until_true is_large
	ends_soon
}

@test "laying out a large file, which is then removed" {
	begin -e blocking --size 8G
	until_true is_large
	ends_soon
	[ ! -e "$BATS_TEST_TMPDIR/file" ]
}

@test "the peer process goes, too" {
	begin -e threads -w echo --conns 4
	until_true has_peer
	peer=$(tr -d ' ' <"/proc/$pid/task/$pid/children")
	ends_soon
	[ ! -e "/proc/$peer" ]
}
