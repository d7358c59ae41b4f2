#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# `iolab operator`: a stream of records, each with a question in flight.

load common

# operator_rows OPTION...: the document, valid by its schema, in $BATS_TEST_TMPDIR/operator.
operator_rows() {
	timeout "$HANG_S" "$IOLAB" operator --json "$@" >"$BATS_TEST_TMPDIR/operator"
	run "$SYSTEM_PYTHON" "$ROOT/harness/tests/validate.py" "$ROOT/docs/result.schema.json" iolab.operator.v1 \
		"$BATS_TEST_TMPDIR/operator"
	assert_success
}

@test "operator: answers overlap; ordered waits where answer times differ, and does not where they are equal" {
	operator_rows --engines epoll,threads --capacities 1,32 --answers constant,exponential --answer-ms 4 \
		--rounds 3 --runtime 0.15
	run "$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR/operator" <<-'PYTHON'
		import json, sys
		document = json.load(open(sys.argv[1]))
		rows = {((row["engine"] or {}).get("label"), row["answers"], row["emission"], row["capacity"]): row
		        for row in document["rows"]}
		assert len(rows) == len(document["rows"]) == 2 * (1 + 2 * 2 * 2), rows.keys()
		rate = {key: row["records_per_s"]["median"] for key, row in rows.items()}
		for row in rows.values():
		    assert row["status"] == "ok" and row["retried"] == row["timed_out"] == 0, row
		    # No more than capacity / answer time, but for the draw's own spread at the window's ends.
		    assert row["of_expected"]["median"] < 1.5, row
		    # A record takes no less time than its answer.
		    assert row["latency_ns"]["p99"]["median"] > 0.9 * row["answer_ns"]["p99"]["median"], row
		for engine in ("epoll", "threads"):
		    for answers in ("constant", "exponential"):
		        # 32 in flight do more than 4 x the work of one, loaded or not.
		        assert rate[engine, answers, "unordered", 32] > 4 * rate[engine, answers, "unordered", 1], rate
		        assert rate[engine, answers, "unordered", 32] > 4 * rate[None, answers, "synchronous", 1], rate
		    assert rate[engine, "exponential", "ordered", 32] < rate[engine, "exponential", "unordered", 32], rate
		    # Exponential answers: the slowest of 32 takes four times the mean, so the median record waits.
		    ordered, unordered = (rows[engine, "exponential", e, 32]["latency_ns"]["p50"]["median"]
		                          for e in ("ordered", "unordered"))
		    assert ordered > 1.5 * unordered, (ordered, unordered)
	PYTHON
	assert_success
}

@test "operator: what is lost is over after its time, what fails is asked again" {
	operator_rows --engines epoll --capacities 16 --answer-ms 1 --lost 10 --failing 20 --timeout-ms 100 \
		--rounds 2 --runtime 0.3
	run "$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR/operator" <<-'PYTHON'
		import json, sys
		document = json.load(open(sys.argv[1]))
		assert document["timeout_ns"] == 100_000_000 and document["pause_ns"] == 1_000_000
		for row in document["rows"]:
		    assert row["status"] == "ok" and row["timed_out"] > 0 and row["retried"] > 0, row
		    # A record whose time is over leaves then, not before and not much later.
		    assert 100e6 <= row["answer_ns"]["p99"]["median"] * 1.01, row
		    assert row["latency_ns"]["p99"]["median"] >= 99e6, row
	PYTHON
	assert_success
}

@test "operator: the trace is possible: places, order, attempts; and the same for Perfetto" {
	# Many timeouts fit into a run, so that a few lost answers in a row do not leave it without a record to trace.
	timeout "$HANG_S" "$IOLAB" operator --engines epoll,io_uring --capacities 6 --answer-ms 2 --failing 20 --lost 2 \
		--timeout-ms 60 --trace 100 --rounds 1 --runtime 1 --format chrome --out "$BATS_TEST_TMPDIR/out" \
		>"$BATS_TEST_TMPDIR/chrome"
	run "$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR/out/operator.json" "$BATS_TEST_TMPDIR/chrome" <<-'PYTHON'
		import collections, json, sys
		document, chrome = (json.load(open(path)) for path in sys.argv[1:])
		for row in document["rows"]:
		    trace = row["trace"]
		    assert trace, row
		    assert trace == sorted(trace, key=lambda record: record[0]), "not as they came"
		    for put, timed_out, emitted, attempts in trace:
		        assert put <= attempts[0][0] and attempts[-1][0] <= emitted, (row, put)
		        for (_, heard, failed), (asked, _, _) in zip(attempts, attempts[1:]):
		            assert failed and heard <= asked, (row, put)
		        assert all(heard is None or asked < heard <= emitted for asked, heard, _ in attempts), (row, put)
		        assert timed_out is None or timed_out - put >= document["timeout_ns"], (row, put)
		        # Who was heard without an error is answered, and nothing follows.
		        assert timed_out is not None or len(attempts) == 4 or attempts[-1][1] is not None, (row, put)
		    # Never more inside than there are places.
		    times = sorted([(r[0], 1) for r in trace] + [(r[2], -1) for r in trace])
		    inside = most = 0
		    for _, step in times:
		        inside += step
		        most = max(most, inside)
		    assert most <= row["capacity"], (row["emission"], most)
		    if row["emission"] == "ordered":
		        left = [record[2] for record in trace]
		        assert left == sorted(left), "ordered, and one overtook another"
		tried = [a for row in document["rows"] for r in row["trace"] for a in r[3]]
		assert any(failed for _, _, failed in tried) and len(tried) > 0
		spans = collections.defaultdict(list)
		for event in chrome["traceEvents"]:
		    if event["ph"] == "X":
		        spans[event["pid"], event["tid"]].append((event["ts"], event["ts"] + event["dur"], event["name"]))
		assert len(spans) == sum(len(row["trace"]) for row in document["rows"])
		for (pid, tid), of_record in spans.items():
		    put, _, emitted, attempts = document["rows"][pid - 1]["trace"][tid - 1]
		    assert abs(of_record[0][0] - put / 1e3) < 2e-3 and abs(of_record[-1][1] - emitted / 1e3) < 2e-3, of_record
		    for (_, end, _), (begin, _, _) in zip(of_record, of_record[1:]):
		        assert abs(end - begin) < 2e-3, of_record
		    assert sum(name == "asked, an error" for _, _, name in of_record) == sum(a[2] for a in attempts)
	PYTHON
	assert_success
	run "$IOLAB" operator --format svg
	assert_failure 2
	assert_output --partial "table, json or chrome"
}

@test "operator: an engine that cannot is refused in words, once in the table" {
	run "$IOLAB" operator --engines blocking --rounds 1 --runtime 1
	assert_failure 77
	assert_output --partial "its submit() sleeps until an answer is there"
	[ "$(grep -c "its submit() sleeps" <<<"$output")" -eq 1 ]
	run "$IOLAB" operator --engines epoll_workers,epoll --capacities 2 --rounds 1 --runtime 1
	assert_success
	assert_output --partial "see the engine epoll"
}

@test "operator: mistakes are refused before anything runs" {
	run "$IOLAB" operator --capacities 0
	assert_failure 2
	assert_output --partial "--capacities 0"
	run "$IOLAB" operator --capacities 4,
	assert_failure 2
	run "$IOLAB" operator --answers gaussian
	assert_failure 2
	assert_line "iolab operator: --answers gaussian: constant, exponential or heavy_tailed"
	run "$IOLAB" operator --answer-ms 0
	assert_failure 2
	run "$IOLAB" operator --timeout-ms -1
	assert_failure 2
	run "$IOLAB" operator --lost 60 --failing 60
	assert_failure 2
	assert_output --partial "at most 90 % together"
	run "$IOLAB" operator --engines epol
	assert_failure 2
	assert_output --partial "did you mean 'epoll'"
	run "$IOLAB" operator stray
	assert_failure 2
}
