#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# harness/studies/quick.py: a small comparison and quick studies within a time limit.

load common

setup() { own_test_file; }
teardown() { rm -rf "$TMPDIR"; }

quick_look() { timeout "$HANG_S" "$SYSTEM_PYTHON" "$ROOT/harness/studies/quick.py" "$@"; }

@test "quick: the comparison is made and marked, and what the time was too short for is named" {
	results="$BATS_TEST_TMPDIR/quick results"
	run quick_look --time-limit 0 "$results"
	assert_success
	assert_output --partial "comparison: "
	assert_output --partial "left out"
	run "$SYSTEM_PYTHON" "$ROOT/harness/tests/validate.py" "$ROOT/docs/result.schema.json" iolab.study.v2 \
		"$results/study/study.json"
	assert_success
	run quick_look --time-limit 0 "$results"
	assert_success
	assert_output --partial "comparison: is there"
	timeout "$HANG_S" "$PYTHON" "$ROOT/plots/report.py" "$results"
	for page in report.html report.md; do
		grep -q "QUICK: the comparison comes from short runs" "$results/$page"
	done
	output=$(cat "$results/study/study.json")
	assert_equal "$(json quick.comparison)" True
	assert_equal "$(json missing.batching.id)" time_was_over
}

@test "quick: without a comparison it ends" {
	run quick_look /dev/null/results
	assert_failure
	run env IOLAB=/bin/false "$SYSTEM_PYTHON" "$ROOT/harness/studies/quick.py" "$BATS_TEST_TMPDIR/results"
	assert_failure 1
	assert_output --partial "comparison: failed"
}
