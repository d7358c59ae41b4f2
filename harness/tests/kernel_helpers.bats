#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A metric that one row made, everywhere that a metric shows: docs/add-a-metric.md.

load common

# A folder with an engine that has a helper of the kernel's, and two that have none.
setup_file() {
	export FOLDER=$BATS_FILE_TMPDIR/results
	"$IOLAB" compare --idle 0 -e null,threads,io_uring:sqpoll --baseline null -w pipe,nop --rounds 3 --runtime 0.2 \
		--warmup 0.1 --no-count-syscalls --out "$FOLDER" >"$BATS_FILE_TMPDIR/table"
}

setup() {
	grep -q '"label":"io_uring:sqpoll".*"status":"ok"\|"status":"ok".*"label":"io_uring:sqpoll"' "$FOLDER/runs.jsonl" ||
		skip "no SQPOLL ring to be had here"
}

@test "kernel helpers: in a run and in what it prints" {
	# So short that the thread of the ring that asked whether SQPOLL works here is still there.
	for _ in 1 2 3 4 5; do
		output=$("$IOLAB" run -e io_uring:sqpoll -w nop --runtime 0.02 --warmup 0 --json)
		assert_equal "$(json metrics.kernel_helpers)" 1
	done
	# Threads of the program are not the kernel's.
	output=$("$IOLAB" run -e threads -w pipe --runtime 0.03 --warmup 0 --json)
	assert_equal "$(json metrics.kernel_helpers)" 0
	run "$IOLAB" run -e io_uring:sqpoll -w nop --runtime 0.3 --warmup 0
	assert_output --regexp "also +kernel helper threads: 1"
}

@test "kernel helpers: matrix counts with the same function" {
	output=$(timeout "$HANG_S" "$IOLAB" matrix --engines io_uring:sqpoll --json)
	"$SYSTEM_PYTHON" - "$output" <<-'PYTHON'
		import json, sys
		(row,) = json.loads(sys.argv[1])["rows"]
		found = [cell["helpers"]["sqpoll"] for cell in row["cells"].values() if cell["helpers"]]
		assert found and set(found) == {1}, found
		assert not any(cell["helpers"]["user"] for cell in row["cells"].values() if cell["helpers"]), row
	PYTHON
}

@test "kernel helpers: in summary and schema, and in the table where there are any" {
	run "$SYSTEM_PYTHON" "$ROOT/harness/tests/validate.py" "$ROOT/docs/result.schema.json" iolab.summary.v2 \
		"$FOLDER/summary.json"
	assert_success
	"$SYSTEM_PYTHON" - "$FOLDER/summary.json" "$ROOT/docs/result.schema.json" <<-'PYTHON'
		import json, sys
		summary, schema = (json.load(open(path)) for path in sys.argv[1:])
		assert summary["metrics"]["kernel_helpers"]["unit"] == "threads"
		for c in summary["configurations"]:
		    if c["status"] == "ok":
		        median = c["metrics"]["kernel_helpers"]["median"]
		        assert median == ("sqpoll" in c["engine"]["label"]), (c["engine"]["label"], median)
		assert "kernel_helpers" in schema["definitions"]["metrics"]["properties"]
	PYTHON
	run cat "$BATS_FILE_TMPDIR/table"
	assert_output --partial "helpers"
	"$IOLAB" compare --idle 0 -e null --baseline null -w nop --rounds 1 --runtime 0.02 --warmup 0 --no-count-syscalls \
		--out "$BATS_TEST_TMPDIR/without" >"$BATS_TEST_TMPDIR/table"
	run cat "$BATS_TEST_TMPDIR/table"
	refute_output --partial "helpers"
}

@test "kernel helpers: in CSV, and in a diff where they differ" {
	"$IOLAB" export "$FOLDER" --format csv --out "$BATS_TEST_TMPDIR/runs.csv"
	"$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR/runs.csv" <<-'PYTHON'
		import csv, sys
		rows = [row for row in csv.DictReader(open(sys.argv[1], newline="")) if row["status"] == "ok"]
		assert {row["kernel_helpers"] for row in rows if row["engine"] == "io_uring:sqpoll"} == {"1"}
		assert {row["kernel_helpers"] for row in rows if row["engine"] != "io_uring:sqpoll"} == {"0"}
	PYTHON
	cp -r "$FOLDER" "$BATS_TEST_TMPDIR/other"
	sed -i 's/"kernel_helpers":1/"kernel_helpers":3/' "$BATS_TEST_TMPDIR/other/runs.jsonl"
	run "$IOLAB" diff "$FOLDER" "$BATS_TEST_TMPDIR/other"
	assert_success
	assert_output --regexp "io_uring:sqpoll .* kernel helper threads 1 -> 3"
	assert_equal "$(grep "kernel helper threads" <<<"$output" | grep -vc sqpoll)" 0
}

@test "kernel helpers: a prediction and a figure may name them" {
	run "$SYSTEM_PYTHON" - "$FOLDER" "$ROOT" <<-'PYTHON'
		import sys
		folder, root = sys.argv[1:]
		sys.path[:0] = [root + "/harness/course", root + "/plots"]
		from learning import predictions
		from readings import results
		question = predictions.Question(1, "Which has most?", "which", "kernel_helpers", 4, "pipe",
		                                choices=("threads", "io_uring:sqpoll"))
		summary = results.load(folder)
		question.at = summary.panels[0].xs[0]
		question.panel = summary.panels[0].work.id
		print(predictions.score(question, "io_uring:sqpoll", summary))
	PYTHON
	assert_output --partial "threads (kernel helper threads)"
	python=$(sh "$ROOT/harness/setup/find-python.sh" 2>/dev/null) || skip "no python that can draw"
	run "$python" "$ROOT/plots/plot.py" --metric kernel_helpers --formats svg "$FOLDER"
	assert_success
	grep -q "ernel helper threads" "$FOLDER/figures/kernel_helpers.svg"
}
