#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# `iolab overlap`: is what it writes as documented, and does its arithmetic hold?

load common

small_overlap() {
	timeout 120 "$IOLAB" overlap --rounds 2 "$@" -- --file "$BATS_TEST_TMPDIR/file" --size 4M --runtime 0.03 --warmup 0.01
}

@test "overlap: as the schema says, its ratios agree with each other" {
	run small_overlap --engines blocking,epoll,libaio --ratios 0.5,2 --out "$BATS_TEST_TMPDIR/results"
	assert_success
	assert_output --partial "epoll_ctl"
	run "$SYSTEM_PYTHON" "$ROOT/harness/tests/validate.py" "$ROOT/docs/result.schema.json" iolab.overlap.v1 \
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
		        # C is timed, not taken from what was asked for, and is about that.
		        assert p["compute_ns"]["count"] == 2 and p["compute_ns"]["low"] < p["compute_ns"]["high"], p
		        # What is lost is the efficiency's other side.
		        assert (p["lost_ns"]["low"] > 0) == (p["efficiency"]["high"] < 0), p
		        # The ends of each interval are single rounds: there the definition must hold.
		        assert p["efficiency"]["count"] == 2
		        found = sorted((c + 1 - t) / min(c, 1) for c in (p["compute_to_io"]["low"], p["compute_to_io"]["high"])
		                       for t in (p["total_to_io"]["low"], p["total_to_io"]["high"]))
		        for end in ("low", "high"):
		            assert any(abs(p["efficiency"][end] - f) < 1e-6 for f in found), (label, p)
		            # ... and C / I is of C and I that were timed: by one of the two rounds' C and I each.
		            quotients = [c / i for c in (p["compute_ns"]["low"], p["compute_ns"]["high"])
		                         for i in (engines[label]["io_ns"]["low"], engines[label]["io_ns"]["high"])]
		            assert any(abs(p["compute_to_io"][end] - q) < 1e-6 * q for q in quotients), (label, p)
	PYTHON
	assert_success
}

@test "overlap: a seed repeats the order, mistakes are found before anything runs" {
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
