#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# `iolab responsiveness`: a thread that sleeps in a call is late by the length of the call; and so is a
# loop's by a callback that computes.

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

@test "responsiveness --loop: a slow callback makes all others late; pieces and a thread do not" {
	# Half a second of computing in each run of two, so a piece is far from the whole.
	timeout "$HANG_S" "$IOLAB" responsiveness --loop --engines blocking,epoll,threads,libaio --rounds 3 --runtime 0.5 \
		--slow-callback-ns 50e6 --piece-ns 1e6 --json >"$BATS_TEST_TMPDIR/lateness"
	run "$SYSTEM_PYTHON" "$ROOT/harness/tests/validate.py" "$ROOT/docs/result.schema.json" iolab.loop_lateness.v1 \
		"$BATS_TEST_TMPDIR/lateness"
	assert_success
	run "$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR/lateness" <<-'PYTHON'
		import json, sys
		document = json.load(open(sys.argv[1]))
		rows = {(row["engine"]["label"], row["computing"]): row for row in document["rows"]}
		assert len(rows) == len(document["rows"]) == 4 * 4, rows.keys()
		assert document["slow_callback_ns"] == 50e6 and document["period_ns"] == 250e6
		kinds = ("timers", "receives")
		for (engine, computing), row in rows.items():
		    # Its submit() sleeps until a receive has ended, so nothing can wake the loop.
		    if engine == "blocking":
		        assert row["status"] == "unsupported" and row["reason"]["id"] == "cannot_leave_a_receive_waiting", row
		        continue
		    # Some kernels have less to offer, and say so.
		    if row["status"] == "unsupported":
		        assert engine == "libaio", row
		        continue
		    assert row["status"] == "ok", row
		    # Twice in each round, if the machine has time for it.
		    assert (row["computations"] > 0) == (computing != "nothing"), row
		    for kind in kinds:
		        # 32 of them, each due every 16 ms for half a second, three times. Those that come late count, too.
		        assert row[kind]["count"] >= 2000, (engine, computing, kind, row[kind]["count"])
		for engine in {engine for (engine, _), row in rows.items() if row["status"] == "ok"}:
		    for kind in kinds:
		        found = {computing: rows[engine, computing][kind] for computing in
		                 ("nothing", "at_once", "in_pieces", "in_a_thread")}
		        # In the best round: another program can make everything late.
		        p99 = {computing: min(entry["lateness_ns"]["p99"]["values"]) for computing, entry in found.items()}
		        # A fifth of the time, evenly, so one in a hundred waits for nearly all of the computing.
		        assert p99["at_once"] > 30e6, (engine, kind, p99)
		        assert found["at_once"]["late_share"]["median"] > 0.1, (engine, kind, found)
		        assert max(p99["nothing"], p99["in_pieces"], p99["in_a_thread"]) < p99["at_once"], (engine, kind, p99)
		    # Turns of the loop lie between the pieces; a callback alone has the processor.
		    at_once, in_pieces = (rows[engine, computing]["computed_in_ns"]["median"] for computing in ("at_once", "in_pieces"))
		    assert at_once > 30e6 and in_pieces > 30e6, (at_once, in_pieces)
	PYTHON
	assert_success
}

@test "responsiveness --loop: an engine that cannot leave a receive waiting is refused in its words, once" {
	run "$IOLAB" responsiveness --loop --engines blocking --rounds 1 --runtime 0.05
	assert_failure 77
	[ "$(grep -c "woken by a receive that waits" <<<"$output")" -eq 1 ]
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
	run "$IOLAB" responsiveness --piece-ns 1e6
	assert_failure 2
	assert_output --partial "need --loop"
	run "$IOLAB" responsiveness --loop --slow-callback-ns 0
	assert_failure 2
	# Computing begins once in five times of its length.
	run "$IOLAB" responsiveness --loop --slow-callback-ns 100e6 --runtime 0.4
	assert_failure 2
	assert_output --partial "at least 0.5"
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
