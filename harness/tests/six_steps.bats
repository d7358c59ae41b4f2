#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# harness/six_steps.py: the calls of one operation, from a real trace.

load common

setup() {
	strace -f -qqq -o /dev/null true 2>/dev/null || skip "strace is missing, or may not trace"
}

@test "six steps: each interface by the calls it is known for, as the schema says" {
	run timeout 120 "$SYSTEM_PYTHON" "$ROOT/harness/six_steps.py" "$BATS_TEST_TMPDIR/results" \
		--engines blocking,threads,libaio,io_uring,epoll,posix_aio --file "$BATS_TEST_TMPDIR/file"
	assert_success
	run "$SYSTEM_PYTHON" "$ROOT/harness/tests/validate.py" "$ROOT/docs/result.schema.json" iolab.steps.v1 \
		"$BATS_TEST_TMPDIR/results/steps.json"
	assert_success
	run "$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR/results/steps.json" <<-'PYTHON'
		import json, sys
		lanes = {lane["engine"]["label"]: lane for lane in json.load(open(sys.argv[1]))["lanes"]}
		known = {"blocking": ("pread64", "ask"), "threads": ("pread64", "helper"), "libaio": ("io_submit", "ask"),
		         "io_uring": ("io_uring_enter", "wait"), "epoll": ("recvfrom", "wait"), "posix_aio": ("pread64", "helper")}
		for label, lane in lanes.items():
		    if lane["status"] == "unsupported":
		        continue
		    calls = {(call["name"], call["step"]) for call in lane["calls"]}
		    assert known[label] in calls, (label, calls, lane["reason"])
		    for call in lane["calls"]:
		        assert call["begin_ns"] <= call["end_ns"] and call["begin_ns"] <= lane["completed_ns"], (label, call)
		assert len(lanes["blocking"]["calls"]) == 1, lanes["blocking"]["calls"]
	PYTHON
	assert_success
}

@test "six steps: an interface that cannot is named with the kernel's reason" {
	run timeout 60 "$SYSTEM_PYTHON" "$ROOT/harness/six_steps.py" "$BATS_TEST_TMPDIR/results" \
		--engines io_uring:sqpoll+defer_taskrun --file "$BATS_TEST_TMPDIR/file"
	assert_success
	assert_output --partial "exclude each other"
}

@test "six steps: without strace one line says what is missing" {
	run env PATH="$BATS_TEST_TMPDIR" "$SYSTEM_PYTHON" "$ROOT/harness/six_steps.py" "$BATS_TEST_TMPDIR/results"
	assert_failure
	assert_output "six_steps.py: strace is not installed; harness/setup.sh check installs it"
}
