#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# `iolab overlap`: its output is as documented, and its arithmetic holds.

load common

small_overlap() {
	timeout "$HANG_S" "$IOLAB" overlap --rounds 2 "$@" -- --file "$BATS_TEST_TMPDIR/file" --size 4M --runtime 0.03 --warmup 0.01
}

@test "overlap: valid by its schema, and its ratios agree with each other" {
	run small_overlap --engines blocking,epoll,libaio --ratios 0.5,2 --out "$BATS_TEST_TMPDIR/results"
	assert_success
	assert_output --partial "epoll_ctl"
	run "$SYSTEM_PYTHON" "$ROOT/harness/tests/validate.py" "$ROOT/docs/result.schema.json" iolab.overlap.v2 \
		"$BATS_TEST_TMPDIR/results/overlap.json"
	assert_success
	run "$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR/results/overlap.json" <<-'PYTHON'
		import json, sys
		engines = {e["engine"]["label"]: e for e in json.load(open(sys.argv[1]))["engines"]}
		assert engines["epoll"]["status"] == "unsupported" and not engines["epoll"]["points"]
		for label in ("blocking", "libaio"):
		    points = engines[label]["points"]
		    assert [p["asked"] for p in points] == [0.5, 2], points
		    for p in points:
		        # C is timed, and close to what was asked for.
		        assert p["compute_ns"]["count"] == 2 and p["compute_ns"]["low"] < p["compute_ns"]["high"], p
		        # The loss is the complement of the efficiency.
		        assert (p["lost_ns"]["low"] > 0) == (p["efficiency"]["high"] < 0), p
		        # The ends of each interval are single rounds: there the definition must hold.
		        assert p["efficiency"]["count"] == 2
		        found = sorted((c + 1 - t) / min(c, 1) for c in (p["compute_to_io"]["low"], p["compute_to_io"]["high"])
		                       for t in (p["total_to_io"]["low"], p["total_to_io"]["high"]))
		        for end in ("low", "high"):
		            assert any(abs(p["efficiency"][end] - f) < 1e-6 for f in found), (label, p)
		            # ... and C / I is made of timed values: each of the two comes from one of the two rounds.
		            quotients = [c / i for c in (p["compute_ns"]["low"], p["compute_ns"]["high"])
		                         for i in (engines[label]["io_ns"]["low"], engines[label]["io_ns"]["high"])]
		            assert any(abs(p["compute_to_io"][end] - q) < 1e-6 * q for q in quotients), (label, p)
	PYTHON
	assert_success
}

@test "overlap: a failed round is reported, and the other rounds keep their figures" {
	# Four runs per round; the fifth finds out how much to compute in the second round.
	fail_run 5
	small_overlap --rounds 3 --engines blocking --ratios 1 --json >"$BATS_TEST_TMPDIR/overlap"
	run "$SYSTEM_PYTHON" "$ROOT/harness/tests/validate.py" "$ROOT/docs/result.schema.json" iolab.overlap.v2 \
		"$BATS_TEST_TMPDIR/overlap"
	assert_success
	run "$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR/overlap" <<-'PYTHON'
		import json, sys
		(engine,) = json.load(open(sys.argv[1]))["engines"]
		assert engine["status"] == "ok" and engine["reason"] is None, engine
		(warning,) = engine["warnings"]
		assert warning["id"] == "round_failed" and warning["values"] == {"round": 2, "rounds": 3}, warning
		assert warning["cause"]["id"] == "no_result" and warning["cause"]["values"] == {"exit_status": 7}, warning
		(point,) = engine["points"]
		for key in ("compute_ns", "compute_to_io", "total_to_io", "efficiency", "lost_ns"):
		    assert [value is None for value in point[key]["values"]] == [False, True, False], point
		    assert point[key]["count"] == 2, point
		# The rounds' own three, in their order.
		for i, c, x, y, e, l in zip(engine["io_ns"]["values"], *(point[key]["values"] for key in (
		        "compute_ns", "compute_to_io", "total_to_io", "efficiency", "lost_ns"))):
		    assert (i is None) == (c is None)
		    if c:
		        t = l + c + i
		        assert abs(x - c / i) < 1e-6 * x and abs(y - t / i) < 1e-6 * y and abs(e - (c + i - t) / min(c, i)) < 1e-6
	PYTHON
	assert_success
}

@test "overlap: a point without a round is a dash, and a run that finished nothing says so" {
	# The last run of the only round fails; with this seed it is one with computing.
	fail_run 6
	run small_overlap --rounds 1 --engines blocking --ratios 1,2 --seed 1
	assert_success
	assert_output --regexp "blocking +- +- +- +-  \(C/I = [12] was asked for, and no round has it\)"
	assert_output --partial "warning: blocking: round 1 of 1: ended with status 7 and no result"
	refute_output --partial " 0.0 us"
	unset LD_PRELOAD
	# One operation a second: none in the window.
	run timeout "$HANG_S" "$IOLAB" overlap --rounds 2 --engines blocking --ratios 1 -- --file "$BATS_TEST_TMPDIR/file" \
		--size 4M --runtime 0.03 --warmup 0.01 --rate 1
	assert_failure 1
	assert_output --partial "blocking                 error: nothing was finished; use a longer --runtime"
}

@test "overlap: a seed repeats the order, and mistakes are refused before anything runs" {
	output=$(small_overlap --engines blocking --ratios 1 --seed 7 --json)
	assert_equal "$(json seed) $(json rounds)" "7 2"
	run "$IOLAB" overlap --ratios 0
	assert_failure 2
	assert_output --partial "--ratios 0"
	run "$IOLAB" overlap --engines blokking
	assert_failure 2
	assert_output --partial "did you mean 'blocking'"
	run "$IOLAB" overlap --rounds 0
	assert_failure 2
	run "$IOLAB" overlap stray
	assert_failure 2
}
