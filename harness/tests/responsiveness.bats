#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# `iolab responsiveness`: a thread that sleeps in a call is late by the length of the call.

load common

@test "responsiveness: valid by its schema; a blocking receive delays the timer, epoll does not" {
	timeout "$HANG_S" "$IOLAB" responsiveness --engines blocking,epoll,libaio --rounds 3 --runtime 0.1 --json \
		>"$BATS_TEST_TMPDIR/responsiveness"
	run "$SYSTEM_PYTHON" "$ROOT/harness/tests/validate.py" "$ROOT/docs/result.schema.json" iolab.responsiveness.v2 \
		"$BATS_TEST_TMPDIR/responsiveness"
	assert_success
	run "$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR/responsiveness" <<-'PYTHON'
		import json, sys
		rows = {(row["scene"], (row["engine"] or {}).get("label")): row for row in json.load(open(sys.argv[1]))["rows"]}
		assert rows["file", "epoll"]["status"] == "unsupported"
		# Every tick of 3 x 100 ms counts, seen or slept through.
		for row in rows.values():
		    if row["status"] == "ok":
		        # Each round's values are kept.
		        for part in row["lateness_ns"].values():
		            assert sorted(part["values"])[1] == part["median"] and len(part["values"]) == 3, part
		        assert 250 <= row["ticks"] <= 600, row
		# The answer comes after 5 ms: half of the ticks in between are late by 2 ms or more.
		blocking, epoll = (rows["socket", e]["lateness_ns"]["p50"]["median"] for e in ("blocking", "epoll"))
		assert blocking > 1.5e6, blocking
		assert epoll < blocking, (epoll, blocking)
	PYTHON
	assert_success
}

@test "responsiveness: mistakes are refused before anything runs" {
	run "$IOLAB" responsiveness --engines blokking
	assert_failure 2
	assert_output --partial "did you mean 'blocking'"
	run "$IOLAB" responsiveness --rounds 0
	assert_failure 2
	run "$IOLAB" responsiveness --runtime 0
	assert_failure 2
	run "$IOLAB" responsiveness stray
	assert_failure 2
}

@test "responsiveness and matrix: a receive that brings nothing is an error, and no figure" {
	strace -f -qqq -o /dev/null true 2>/dev/null || skip "strace is missing, or may not trace"
	for command in "responsiveness --rounds 1 --runtime 0.05" matrix; do
		read -ra words <<<"$command"
		run strace -f -qq -o /dev/null -e trace=recvfrom -e inject=recvfrom:retval=0 \
			timeout "$HANG_S" "$IOLAB" "${words[@]}" --engines blocking --json
		assert_output --partial '"id":"result_is_error"'
		assert_output --partial EIO
	done
}
