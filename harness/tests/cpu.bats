#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# `iolab cpu`: the parts of an operation's CPU time, from the runs of a comparison.

load common

@test "cpu: as the schema says, and its parts are those of the runs" {
	results="$BATS_TEST_TMPDIR/results"
	timeout 60 "$IOLAB" compare --engines blocking,epoll,threads --workloads file --depths 1,4 --rounds 3 --runtime 0.03 \
		--warmup 0.01 --out "$results" -- --file "$BATS_TEST_TMPDIR/file" --size 4M >/dev/null
	run "$IOLAB" cpu "$results"
	assert_success
	assert_output --partial "threads"
	run "$SYSTEM_PYTHON" "$ROOT/harness/tests/validate.py" "$ROOT/docs/result.schema.json" iolab.cpu.v1 "$results/cpu.json"
	assert_success
	run "$SYSTEM_PYTHON" - "$results" <<-'PYTHON'
		import json, statistics, sys
		runs = [json.loads(line) for line in open(sys.argv[1] + "/runs.jsonl")]
		entries = json.load(open(sys.argv[1] + "/cpu.json"))["configurations"]
		# epoll refuses files. In the order of the plan, whatever the rounds were.
		assert [(e["x"], e["engine"]["label"]) for e in entries] == [
		    (1, "blocking"), (1, "threads"), (4, "blocking"), (4, "threads")], entries
		for e in entries:
		    mine = [r["metrics"] for r in runs if r["status"] == "ok" and not r["config"]["count_syscalls"]
		            and (r["config"]["x"], r["engine"]["label"]) == (e["x"], e["engine"]["label"])]
		    assert len(mine) == 3
		    for key, name in (("user_s", "user_us"), ("system_s", "system_us")):
		        median = statistics.median(m["cpu"][key] * 1e6 / m["ops"] for m in mine)
		        assert abs(e[name]["median"] - median) < 1e-6, (e, median)
		    error = statistics.median(m["cpu"]["host_error_s"] * 1e6 / m["ops"] for m in mine)
		    assert abs(e["rest_error_us"]["median"] - error) < 1e-6, (e, error)
	PYTHON
	assert_success
}

@test "cpu: no folder, none with runs, two folders" {
	run "$IOLAB" cpu
	assert_failure 2
	assert_output --partial "which results folder"
	run "$IOLAB" cpu "$BATS_TEST_TMPDIR"
	assert_failure 1
	assert_output --partial "ENOENT"
	run "$IOLAB" cpu a b
	assert_failure 2
}
