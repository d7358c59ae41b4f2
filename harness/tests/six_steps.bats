#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# harness/studies/six_steps.py: the calls of one operation, from a real trace.

load common

setup() {
	strace -f -qqq -o /dev/null true 2>/dev/null || skip "strace is missing, or may not trace"
}

@test "six steps: valid by its schema, and each interface makes the calls it is known for" {
	run timeout "$HANG_S" "$SYSTEM_PYTHON" "$ROOT/harness/studies/six_steps.py" "$BATS_TEST_TMPDIR/results" \
		--engines blocking,threads,libaio,io_uring,epoll,posix_aio --file "$BATS_TEST_TMPDIR/file"
	assert_success
	run "$SYSTEM_PYTHON" "$ROOT/harness/tests/validate.py" "$ROOT/docs/result.schema.json" iolab.steps.v2 \
		"$BATS_TEST_TMPDIR/results/steps.json"
	assert_success
	run "$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR/results/steps.json" <<-'PYTHON'
		import json, sys
		lanes = {lane["engine"]["label"]: lane for lane in json.load(open(sys.argv[1]))["lanes"]}
		known = {"blocking": ("pread64", (1, 3, 5)), "threads": ("pread64", (3,)), "libaio": ("io_submit", (1,)),
		         "io_uring": ("io_uring_enter", (1, 4, 5)), "epoll": ("recvfrom", (6,)), "posix_aio": ("pread64", (3,))}
		for label, lane in lanes.items():
		    if lane["status"] == "unsupported":
		        continue
		    calls = {(call["name"], tuple(call["steps"])) for call in lane["calls"]}
		    assert known[label] in calls, (label, calls, lane["reason"])
		    for call in lane["calls"]:
		        assert call["begin_ns"] <= call["end_ns"] and call["begin_ns"] <= lane["completed_ns"], (label, call)
		    # The loop's thread learns of it when its own call returns, after a helper's read came back. It makes
		    # none where all was done before it would have waited: a file in memory is read at once.
		    told = [c["end_ns"] for c in lane["calls"] if c["thread"] == 0 and 5 in c["steps"]]
		    assert [lane["event_ns"]] == (told or [lane["completed_ns"]]), (label, lane)
		    # A helper may begin the next operation's read before that.
		    for call in lane["calls"]:
		        assert call["thread"] == 0 or 3 not in call["steps"] or call["end_ns"] <= lane["event_ns"], lane
		    counts = lane["loop_calls"]
		    assert str(sum(c["thread"] == 0 for c in lane["calls"])) in counts, (label, counts)
		epoll = lanes["epoll"]
		assert epoll["asked_before"] == "epoll_ctl" and lanes["blocking"]["asked_before"] is None
		# Readiness is step 5, and the read after it has its own number.
		assert ("epoll_pwait2", (4, 5)) in {(c["name"], tuple(c["steps"])) for c in epoll["calls"]}, epoll
		assert len(lanes["blocking"]["calls"]) == 1, lanes["blocking"]["calls"]
	PYTHON
	assert_success
}

@test "six steps: an interface that cannot run is named with the kernel's reason" {
	run timeout "$HANG_S" "$SYSTEM_PYTHON" "$ROOT/harness/studies/six_steps.py" "$BATS_TEST_TMPDIR/results" \
		--engines io_uring:sqpoll+defer_taskrun --file "$BATS_TEST_TMPDIR/file"
	assert_success
	assert_output --partial "exclude each other"
}

@test "six steps: without strace one line says what is missing" {
	run env PATH="$BATS_TEST_TMPDIR" "$SYSTEM_PYTHON" "$ROOT/harness/studies/six_steps.py" "$BATS_TEST_TMPDIR/results"
	assert_failure
	assert_output "six_steps.py: strace is not installed; harness/setup.sh check installs it"
}

@test "six steps: numbers for completion, readiness and helpers, from made-up traces" {
	run "$SYSTEM_PYTHON" - "$ROOT/harness/studies" <<-'PYTHON'
		import sys
		sys.path.insert(0, sys.argv[1])
		import six_steps
		def numbered(accepted, completed, *calls):
		    made = [dict(zip(("thread", "name", "begin_ns", "end_ns", "result"), call)) for call in calls]
		    return [six_steps.number_calls(accepted, completed, made)] + [call["steps"] for call in made]
		def check(found, *expected):
		    assert found == list(expected), (found, expected)
		check(numbered(100, 101, (0, "pread64", 5, 90, "0x1000")), 90, [1, 3, 5])
		check(numbered(20, 100, (0, "io_submit", 5, 15, "0x1"), (0, "io_getevents", 30, 90, "0x1")), 90, [1], [4, 5])
		# A wait that returns nothing is not the event.
		check(numbered(20, 200, (0, "io_submit", 5, 15, "0x1"), (0, "io_getevents", 30, 90, "0"),
		               (0, "io_getevents", 95, 190, "0x1")), 190, [1], [4], [4, 5])
		check(numbered(1, 100, (0, "io_uring_enter", 5, 90, "0x1")), 90, [1, 4, 5])
		check(numbered(1, 100, (0, "ppoll", 5, 60, "0x1"), (0, "recvfrom", 70, 80, "0x80")), 60, [1, 4, 5], [6])
		check(numbered(1, 100, (0, "epoll_wait", 5, 40, "-1 EINTR (Interrupted)"), (0, "epoll_wait", 45, 60, "0x1"),
		               (0, "recvfrom", 70, 80, "0x80")), 60, [4], [4, 5], [6])
		# The wait that ends before the helper's read did is not the event, and neither is what follows it.
		check(numbered(30, 300, (0, "futex", 5, 25, "0x1"), (1, "futex", -50, 28, "0"), (0, "futex", 40, 60, "0"),
		               (1, "pread64", 50, 200, "0x1000"), (0, "futex", 70, 220, "0"), (1, "futex", 205, 230, "0x1"),
		               (0, "futex", 240, 260, "0"), (1, "futex", 250, 400, "0")),
		      220, [1], [2], [4], [3], [4, 5], [5], [6], [])
		# Found finished without a call: the thread knew when it looked.
		check(numbered(20, 100, (0, "io_submit", 5, 15, "0x1")), 100, [1])
	PYTHON
	assert_success
}
