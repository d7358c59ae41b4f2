#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# harness/study.py: the comparisons that the figures of the literature need.

load common

study() { timeout 120 "$SYSTEM_PYTHON" "$ROOT/harness/study.py" "$@"; }

@test "study: a comparison is made once, is marked as quick, and is drawn with a verdict" {
	results="$BATS_TEST_TMPDIR/results"
	run study --quick --only batching "$results"
	assert_success
	run "$SYSTEM_PYTHON" "$ROOT/harness/tests/validate.py" "$ROOT/docs/result.schema.json" iolab.study.v1 \
		"$results/study/study.json"
	assert_success
	run study --quick --only batching "$results"
	assert_success
	assert_output --partial "batching: is there"
	run timeout 60 "$PYTHON" "$ROOT/plots/plot.py" "$results" --only batching
	assert_success
	assert_output --regexp "Batching.*: (reproduced|contradicted|cannot tell) here"
	grep -q QUICK "$results/figures/batching.svg"
}

@test "study: every comparison of the plan is one that compare and run accept" {
	run "$SYSTEM_PYTHON" - "$ROOT/harness" "$IOLAB" <<-'PYTHON'
		import subprocess, sys
		sys.path.insert(0, sys.argv[1])
		import study
		for name, (words, run_words) in study.COMPARISONS.items():
		    # The options are checked before --out is made; a folder below a file cannot be.
		    done = subprocess.run([sys.argv[2], "compare", *words, "--out", "/dev/null/x", "--", *run_words, "--seed", "1"],
		                          capture_output=True, text=True)
		    assert done.returncode == 1 and "ENOTDIR" in done.stderr, (name, done.stderr)
	PYTHON
	assert_success
}

@test "study: an unknown name is refused, and one that fails is said" {
	run study --only batch "$BATS_TEST_TMPDIR/results"
	assert_failure
	assert_output --partial "there are depth_one"
	run study --quick --only durability_fsync --file /no/such/folder/file "$BATS_TEST_TMPDIR/results"
	assert_output --partial "durability_fsync"
}
