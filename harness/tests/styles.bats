#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# `iolab styles`: one job with blocking calls, callbacks, promises and await.

load common

@test "styles: valid by its schema; every style over every engine, and what it adds to callbacks" {
	timeout "$HANG_S" "$IOLAB" styles --engines threads,io_uring,epoll --rounds 3 --runtime 0.05 --lanes 4 \
		--folder "$BATS_TEST_TMPDIR" --json >"$BATS_TEST_TMPDIR/styles"
	run "$SYSTEM_PYTHON" "$ROOT/harness/tests/validate.py" "$ROOT/docs/result.schema.json" iolab.styles.v1 \
		"$BATS_TEST_TMPDIR/styles"
	assert_success
	run "$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR/styles" <<-'PYTHON'
		import json, sys
		document = json.load(open(sys.argv[1]))
		rows = {((row["engine"] or {}).get("label"), row["style"]): row for row in document["rows"]}
		layers = ("promises", "await_stackless", "await_stackful")
		assert len(rows) == len(document["rows"]) == 1 + 4 * 4, rows.keys()
		assert document["lanes"] == 4 and document["blocks"] == 255
		assert rows[None, "blocking"]["status"] == "ok" and rows[None, "blocking"]["added_ns"] is None
		for (engine, style), row in rows.items():
		    if engine == "epoll":
		        assert row["status"] == "unsupported" and row["reason"]["id"], row
		        continue
		    # A kernel that has no io_uring says so.
		    if engine == "io_uring" and row["status"] == "unsupported":
		        continue
		    assert row["status"] == "ok" and len(row["cpu_ns"]["values"]) == 3, row
		    # Whole jobs: 127 blocks of the server take two operations, and index and result one each.
		    assert row["ops"] % (2 + 128 + 2 * 127) == 0, row
		    assert (row["added_ns"] is not None) == (style in layers), row
		for style in layers:
		    # In the same round.
		    added = rows[None, style]["added_ns"]["values"]
		    pairs = zip(rows[None, style]["cpu_ns"]["values"], rows[None, "callbacks"]["cpu_ns"]["values"])
		    assert all(abs(a - (b - c)) < 1e-3 for a, (b, c) in zip(added, pairs)), added
		    # No kernel: no system call's cost either, on any machine.
		    assert rows[None, style]["cpu_ns"]["median"] < rows[None, "blocking"]["cpu_ns"]["median"]
		weights = {entry["name"]: entry for entry in document["styles"]}
		assert list(weights) == ["blocking", "callbacks", *layers], weights
		for name in ("callbacks", *layers):
		    assert weights[name]["allocated_bytes"] == 0, weights
		# A stack is at least a page.
		assert weights["callbacks"]["lane_bytes"] < 4096 <= weights["await_stackful"]["lane_bytes"], weights
	PYTHON
	assert_success
	run "$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR/styles" <<-'PYTHON'
		import json, sys
		rows = json.load(open(sys.argv[1]))["layers"]
		layers = ("promises", "await_stackless", "await_stackful", "operator_ordered", "operator_unordered")
		assert [(row["in_flight"], row["layer"]) for row in rows] == [
		    (count, name) for count in (1, 4) for name in ("callbacks", *layers, "cached read")], rows
		for count in (1, 4):
		    cpu_ns = {row["layer"]: row["cpu_ns"]["values"] for row in rows if row["in_flight"] == count}
		    for row in rows:
		        if row["in_flight"] != count:
		            continue
		        assert row["status"] == "ok" and len(row["cpu_ns"]["values"]) == 3, row
		        if row["layer"] not in layers:
		            assert row["added_ns"] is None and row["added_pct"] is None, row
		            continue
		        # In the same round.
		        for i, added in enumerate(row["added_ns"]["values"]):
		            assert abs(added - (cpu_ns[row["layer"]][i] - cpu_ns["callbacks"][i])) < 1e-3, row
		            assert abs(row["added_pct"]["values"][i] - 100 * added / cpu_ns["cached read"][i]) < 1e-3, row
		    # It makes a system call; a callback makes none.
		    assert min(cpu_ns["cached read"]) > min(cpu_ns["callbacks"]), cpu_ns
	PYTHON
	assert_success
	# The file was temporary.
	[ -z "$(find "$BATS_TEST_TMPDIR" -name 'iolab-probe-*')" ]
}

@test "styles: an engine that cannot do the job is refused in its words, once in the table" {
	run "$IOLAB" styles --engines epoll --rounds 1 --runtime 0.01
	assert_failure 77
	[ "$(grep -c "refuses a regular file" <<<"$output")" -eq 1 ]
	assert_output --regexp "memory +await_stackful"
	# One operation, one at a time and with all lanes.
	assert_output --regexp "operator_unordered +1 .* %"
	assert_output --regexp "operator_unordered +16 .* %"
}

@test "styles: mistakes are refused before anything runs" {
	run "$IOLAB" styles --engines thread
	assert_failure 2
	assert_output --partial "did you mean 'threads'"
	run "$IOLAB" styles --lanes 0
	assert_failure 2
	run "$IOLAB" styles --lanes 257
	assert_failure 2
	run "$IOLAB" styles --runtime 0
	assert_failure 2
	run "$IOLAB" styles stray
	assert_failure 2
}
