#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# `iolab timeline` and `iolab run --trace-us`: the trace is as documented, and it is possible.

load common

valid() {
	"$SYSTEM_PYTHON" "$ROOT/harness/tests/validate.py" "$ROOT/docs/result.schema.json" "$2" "$1"
}

# 200 µs of computing against shorter reads: overlapped and not overlapped are far apart.
small_timeline() {
	timeout "$HANG_S" "$IOLAB" timeline --rounds 2 --length-us 10000 "$@" -- --file "$BATS_TEST_TMPDIR/file" --size 4M \
		--runtime 0.03 --warmup 0.01 --compute-us 200
}

@test "a timeline is valid by its schema, with an engine that cannot read files" {
	run small_timeline --engines blocking,threads,epoll,libaio,io_uring --out "$BATS_TEST_TMPDIR/results"
	assert_success
	assert_output --partial "epoll_ctl"
	run valid "$BATS_TEST_TMPDIR/results/timeline.json" iolab.timeline.v3
	assert_success
}

@test "a timeline's times are possible: in order, one operation per slot, one activity at a time" {
	small_timeline --engines blocking,threads,posix_aio,libaio,io_uring --json >"$BATS_TEST_TMPDIR/timeline"
	run "$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR/timeline" "$(stat -f -c %T "$BATS_TEST_TMPDIR")" <<-'PYTHON'
		import json, sys
		in_memory = sys.argv[2] == "tmpfs"  # then no read waits for a device
		lanes = {lane["engine"]["label"]: lane for lane in json.load(open(sys.argv[1]))["lanes"]}
		for label, lane in lanes.items():
		    trace, depth = lane["trace"], lane["config"]["depth"]
		    assert trace["operations"] and trace["loop"], label
		    free_at = {}
		    for slot, offered, accepted, completed in sorted(trace["operations"], key=lambda op: op[1]):
		        assert offered < accepted <= completed, (label, slot)
		        assert slot < depth and offered >= free_at.get(slot, offered), (label, slot)
		        free_at[slot] = completed
		    at = None
		    for activity, begin, end in trace["loop"]:
		        assert begin <= end and (at is None or begin >= at), label
		        at = end
		    for thread in trace["threads"] or []:
		        for cpu, begin, end in thread["on_cpu"]:
		            assert 0 <= begin < end <= trace["length_ns"], label
		    totals = trace["totals"]
		    assert totals["submit_pct"] + totals["reap_pct"] + totals["compute_pct"] <= 100.001, label
		# Blocking holds nothing while it computes; the others do.
		assert lanes["blocking"]["trace"]["totals"]["held_computing"] < 0.1, lanes["blocking"]["trace"]["totals"]
		for label in ("threads", "libaio", "io_uring"):
		    assert lanes[label]["trace"]["totals"]["held_computing"] > 4, (label, lanes[label]["trace"]["totals"])
		# Working and blocked add up to the time in calls; blocking is blocked while the device works.
		for label, lane in lanes.items():
		    trace, totals = lane["trace"], lane["trace"]["totals"]
		    if trace["calls"] is None:
		        assert trace["threads_reason"] and totals["blocked_pct"] is None
		        continue
		    parts = totals["working_pct"] + totals["blocked_pct"]
		    assert abs(parts - totals["submit_pct"] - totals["reap_pct"]) < 0.01, (label, totals)
		    ends = [end for _, _, end in trace["calls"]]
		    assert ends == sorted(ends) and all(b < e for _, b, e in trace["calls"]), label
		    assert label != "blocking" or in_memory or totals["blocked_pct"] > 1, totals
	PYTHON
	assert_success
}

@test "a timeline shows the threads that do the reads on a CPU" {
	small_timeline --engines threads,libaio --json >"$BATS_TEST_TMPDIR/timeline"
	run "$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR/timeline" <<-'PYTHON'
		import json, sys
		threads, libaio = [lane["trace"]["threads"] for lane in json.load(open(sys.argv[1]))["lanes"]]
		if threads is None:
		    sys.exit("skip")
		assert sum(not t["loop"] for t in threads) >= 1, threads  # a busy machine may leave all to one
		assert sum(t["loop"] for t in threads) == 1, threads
		assert sum(not t["loop"] for t in libaio) == 0, libaio
	PYTHON
	[ "$output" != skip ] || skip "perf_event_open is not allowed here"
	assert_success
}

@test "a timeline keeps each round's figures and shows the median round" {
	small_timeline --engines blocking,io_uring --rounds 3 --seed 7 --json >"$BATS_TEST_TMPDIR/timeline"
	run valid "$BATS_TEST_TMPDIR/timeline" iolab.timeline.v3
	assert_success
	run "$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR/timeline" <<-'PYTHON'
		import json, math, statistics, sys
		document = json.load(open(sys.argv[1]))
		assert (document["rounds"], document["seed"]) == (3, 7)
		blocking, ring = document["lanes"]
		for lane in (blocking, ring):
		    run = lane["run"]
		    assert run["op_ns"]["count"] == 3 and run["op_ns"]["min"] < run["op_ns"]["max"], run
		    shown = lane["trace"]["totals"]["held_computing"]
		    assert run["held_computing"]["min"] <= shown <= run["held_computing"]["max"], run
		# Every round is kept in its order; the other values follow from them.
		for lane in (blocking, ring):
		    assert run["baseline"] == "blocking"
		    for key, estimate in run.items():
		        if key == "baseline":
		            continue
		        if estimate:
		            assert len(estimate["values"]) == 3 and min(estimate["values"]) == estimate["min"], (key, estimate)
		near = lambda a, b: abs(a - b) < 1e-6 * b
		speeds = ring["run"]["speed"]["values"]
		for a, b, s in zip(blocking["run"]["op_ns"]["values"], ring["run"]["op_ns"]["values"], speeds):
		    assert near(a / b, s), (a, b, s)
		# The interval is Student's t on their logarithms, as the summary's: 4.30265 for three rounds.
		logs = [math.log(s) for s in speeds]
		half = 4.30265273 * statistics.stdev(logs) / math.sqrt(3)
		s = ring["run"]["speed"]
		assert near(s["mean"], math.exp(statistics.mean(logs))) and s["confidence_pct"] == 95, s
		assert near(s["low"], s["mean"] * math.exp(-half)) and near(s["high"], s["mean"] * math.exp(half)), (s, half)
		assert blocking["run"]["speed"]["low"] == blocking["run"]["speed"]["high"] == 1
	PYTHON
	assert_success
	small_timeline --engines io_uring --rounds 1 --json >"$BATS_TEST_TMPDIR/timeline"
	grep -q '"speed": *null' "$BATS_TEST_TMPDIR/timeline"
	run "$IOLAB" timeline --rounds 0
	assert_failure 2
	assert_output --partial "--rounds 0"
}

@test "a timeline reports a failed round and keeps the others' figures" {
	fail_run 2
	small_timeline --engines blocking --rounds 3 --json >"$BATS_TEST_TMPDIR/timeline"
	run valid "$BATS_TEST_TMPDIR/timeline" iolab.timeline.v3
	assert_success
	output=$(cat "$BATS_TEST_TMPDIR/timeline")
	assert_equal "$(json lanes.0.status) $(json lanes.0.run.op_ns.count)" "ok 2"
	assert_equal "$(json lanes.0.run.op_ns.values.1)" None
	assert_equal "$(json lanes.0.warnings.round_failed.values)" "{'round': 2, 'rounds': 3}"
	cause=lanes.0.warnings.round_failed.cause
	assert_equal "$(json $cause.id) $(json $cause.values.exit_status)" "no_result 7"
	fail_run 1
	run small_timeline --engines blocking --rounds 3
	assert_success
	assert_output --partial "warning: blocking: round 1 of 3: ended with status 7"
	fail_run 1
	run small_timeline --engines blocking --rounds 1
	assert_failure 1
	assert_output --partial "blocking                 error: ended with status 7 and no result"
}

@test "a run has a trace only if asked, and it is valid by its schema" {
	quick -e libaio --direct 1 --depth 4 --json >"$BATS_TEST_TMPDIR/line"
	run grep -c '"trace"' "$BATS_TEST_TMPDIR/line"
	assert_output 0
	quick -e libaio --direct 1 --depth 4 --trace-us 2000 --json >"$BATS_TEST_TMPDIR/line"
	run valid "$BATS_TEST_TMPDIR/line" iolab.run.v2
	assert_success
	quick -e epoll -w echo --conns 4 --trace-us 2000 --json >"$BATS_TEST_TMPDIR/line"
	run valid "$BATS_TEST_TMPDIR/line" iolab.run.v2
	assert_success
	grep -q '"held_computing":null' "$BATS_TEST_TMPDIR/line"
}

@test "timeline: mistakes are refused before anything runs" {
	run "$IOLAB" timeline --engines blokking --out "$BATS_TEST_TMPDIR/results"
	assert_failure 2
	assert_output --partial "did you mean 'blocking'"
	assert [ ! -e "$BATS_TEST_TMPDIR/results" ]
	run "$IOLAB" timeline --length-us 2000000
	assert_failure 2
	assert_output --partial "--length-us 2000000: must lie between 1 and 1000000"
	run "$IOLAB" timeline -- --ops 10
	assert_failure 2
	run "$IOLAB" timeline stray
	assert_failure 2
	run small_timeline --engines blocking --out /no/such/folder
	assert_failure 1
	assert_output --partial "see --out"
}

@test "timeline --format chrome: what Perfetto opens, with every operation of the document" {
	small_timeline --engines blocking,threads,io_uring,epoll --format chrome --out "$BATS_TEST_TMPDIR/chrome" \
		>"$BATS_TEST_TMPDIR/trace"
	run "$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR/trace" "$BATS_TEST_TMPDIR/chrome/timeline.json" <<-'PYTHON'
		import collections, json, sys
		trace, document = (json.load(open(path)) for path in sys.argv[1:])
		# By the Trace Event Format: an object with traceEvents; "M" names a process or row, "X" is a span.
		names, rows = {}, collections.defaultdict(list)
		for event in trace["traceEvents"]:
		    assert type(event["pid"]) is int and type(event["tid"]) is int and event["name"], event
		    if event["ph"] == "M":
		        assert event["name"] in ("process_name", "thread_name"), event
		        key = event["pid"], event["tid"] if event["name"] == "thread_name" else "process"
		        assert key not in names, event
		        names[key] = event["args"]["name"]
		    else:
		        assert event["ph"] == "X" and event["dur"] >= 0, event
		        rows[event["pid"], event["tid"]].append((event["ts"], event["ts"] + event["dur"], event["name"]))
		for row, spans in rows.items():
		    assert row in names and (row[0], "process") in names, row
		    spans.sort()
		    # Spans of a row follow one another: a viewer would nest others.
		    for (_, end, _), (begin, _, _) in zip(spans, spans[1:]):
		        assert begin >= end - 1e-3, (row, spans)
		for pid, lane in enumerate(document["lanes"], start=1):
		    assert names[pid, "process"] == lane["engine"]["label"]
		    told = [span for (of, _), spans in rows.items() if of == pid for span in spans]
		    if lane["status"] != "ok":
		        assert not told, lane
		        continue
		    for _, _, accepted, completed in lane["trace"]["operations"]:
		        assert any(name == "in flight" and abs(begin - accepted / 1e3) < 1e-3 and abs(end - completed / 1e3) < 1e-3
		                   for begin, end, name in told), (lane["engine"], accepted)
		    loop = [tuple(step) for step in lane["trace"]["loop"]]
		    assert sum(name in ("submit", "reap", "compute") for _, _, name in told) == len(loop) > 0
		    if lane["trace"]["threads"]:
		        assert any(name.startswith("CPU ") for _, _, name in told)
	PYTHON
	assert_success
	run "$IOLAB" timeline --format svg
	assert_failure 2
	assert_output --partial "table, json or chrome"
}
