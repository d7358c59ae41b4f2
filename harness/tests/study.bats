#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# harness/studies/study.py: the comparisons that the figures of the literature need.

load common

study() { timeout "$HANG_S" "$SYSTEM_PYTHON" "$ROOT/harness/studies/study.py" "$@"; }

@test "study: each comparison is made once, marked as quick, and drawn with a verdict" {
	results="$BATS_TEST_TMPDIR/results"
	run study --quick --only batching "$results"
	assert_success
	run "$SYSTEM_PYTHON" "$ROOT/harness/tests/validate.py" "$ROOT/docs/result.schema.json" iolab.study.v2 \
		"$results/study/study.json"
	assert_success
	run study --quick --only batching "$results"
	assert_success
	assert_output --partial "batching: is there"
	run timeout "$HANG_S" "$PYTHON" "$ROOT/plots/plot.py" "$results" --only batching --formats svg
	assert_success
	assert_output --regexp "Batching.*: (reproduced|contradicted|cannot tell) here"
	grep -q QUICK "$results/figures/batching.svg"
}

@test "study: compare and run accept every comparison of the plan" {
	run "$SYSTEM_PYTHON" - "$ROOT/harness/studies" "$IOLAB" <<-'PYTHON'
		import subprocess, sys
		sys.path.insert(0, sys.argv[1])
		import experiments
		for name, (_, run_words) in experiments.COMPARISONS.items():
		    for quick in (False, True):
		        # The options are checked before --out is made; a folder below a file cannot be.
		        done = subprocess.run([sys.argv[2], "compare", *experiments.words_of(name, quick), "--out", "/dev/null/x",
		                               "--", *run_words, "--seed", "1"], capture_output=True, text=True)
		        assert done.returncode == 1 and "ENOTDIR" in done.stderr, (name, done.stderr)
	PYTHON
	assert_success
}

@test "study: the offered load goes from a hundredth of what is reached to more than that" {
	results="$BATS_TEST_TMPDIR/results"
	run study --quick --only offered_load --file "$BATS_TEST_TMPDIR/file" "$results"
	assert_success
	assert_output --partial "blocks a second"
	run "$SYSTEM_PYTHON" - "$ROOT/harness/studies" "$results/study/offered_load/summary.json" <<-'PYTHON'
		import json, sys
		sys.path.insert(0, sys.argv[1])
		import experiments
		rates = sorted({c["config"]["x"] for c in json.load(open(sys.argv[2]))["configurations"]})
		assert len(rates) == len(experiments.QUICK_LOADS_PCT), rates
		assert rates[0] < 0.05 * rates[-1], rates
		assert experiments.rates(98765, (1, 100, 120)) == "990,99000,120000"
		assert experiments.rates(40, (1, 50, 120)) == "20,48"
		assert experiments.named("connections") == [f"connections_{size}" for size in experiments.MESSAGE_SIZES]
	PYTHON
	assert_success
	run timeout "$HANG_S" "$PYTHON" "$ROOT/plots/plot.py" "$results" --only offered_load --formats svg
	assert_success
	assert_output --regexp "Offered load.*: (reproduced|contradicted|cannot tell) here"
}

@test "study: a figure skips what the machine cannot count, with the doctor's reason" {
	results="$BATS_TEST_TMPDIR/results"
	run study --only doctor.json "$results"
	assert_success
	run timeout "$HANG_S" "$PYTHON" "$ROOT/plots/plot.py" "$results" --only hardware_counters --formats svg
	assert_success
	assert_output --partial "cannot tell here, because this machine"
	grep -q "skipped: this machine" "$results/figures/hardware_counters.svg"
}

@test "study: comparisons with hardware counters have them, or are skipped with the kernel's reason" {
	results="$BATS_TEST_TMPDIR/results"
	run study --quick --only hardware_polling --file "$BATS_TEST_TMPDIR/file" "$results"
	assert_success
	if [ ! -e "$results/study/hardware_polling" ]; then
		assert_output --partial "hardware_polling: skipped: perf_event_open, instructions of user+kernel"
		return
	fi
	run "$SYSTEM_PYTHON" -c '
import json, sys
for c in json.load(open(sys.argv[1]))["configurations"]:
    assert c["status"] != "ok" or c["metrics"]["hardware.instructions_per_op"]["median"] > 100, c["engine"]' \
		"$results/study/hardware_polling/summary.json"
	assert_success
}

@test "study: an unknown name is refused, and a comparison that fails is named" {
	run study --only batch "$BATS_TEST_TMPDIR/results"
	assert_failure
	assert_output --partial "there are depth_one"
	run study --quick --only durability_fsync --file /no/such/folder/file "$BATS_TEST_TMPDIR/results"
	assert_output --partial "durability_fsync: failed"
	assert_output --partial "/no/such/folder"
	# A failed comparison is absent: the next try makes it.
	run study --quick --only durability_fsync --file "$BATS_TEST_TMPDIR/file" "$BATS_TEST_TMPDIR/results"
	assert_success
	refute_output --partial "is there"
}

@test "study: damaged notes are made anew, without a traceback" {
	results="$BATS_TEST_TMPDIR/damaged"
	mkdir -p "$results/study"
	for notes in '[]' '"x"' '{"quick": [1]}' '{"quick": null, "missing": 3}' '{"quick": {"batching": []}}' '{' '[[['; do
		echo "$notes" >"$results/study/study.json"
		run "$SYSTEM_PYTHON" - "$ROOT/harness/studies" "$results" <<-'PYTHON'
			import sys
			sys.path.insert(0, sys.argv[1])
			import making
			making.note(sys.argv[2], making.was_quick(sys.argv[2]), making.study_notes.read(sys.argv[2]).get("missing"))
		PYTHON
		assert_success
		run "$SYSTEM_PYTHON" -m json.tool "$results/study/study.json"
		assert_success
	done
}

@test "study: what takes root is made, or its document says why it was not" {
	skip_unless_user_reads "$ROOT"
	user_dir
	run as_user env IOLAB="$USER_DIR/iolab" "$SYSTEM_PYTHON" -B "$ROOT/harness/studies/study.py" --quick --only upcall.json \
		"$USER_DIR/results"
	assert_success
	[ -s "$USER_DIR/results/upcall.json" ]
	[ "$(id -u)" -ne 0 ] || assert_output --partial "upcall.json: cannot be made here; it says why"
	run "$PYTHON" "$ROOT/plots/plot.py" --only upcall --formats svg --out "$BATS_TEST_TMPDIR/figures" "$USER_DIR/results"
	assert_success
	assert_output --partial "cannot tell"
}
