#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# `iolab matrix` where the answer is certain: a blocking call blocks, a pool of threads has threads,
# epoll refuses files. What libaio and io_uring do depends on the kernel and its file systems.

load common

@test "matrix: valid by its schema, and it finds what is certain" {
	output=$(timeout "$HANG_S" "$IOLAB" matrix --engines blocking,threads,epoll,posix_aio,io_uring --json)
	echo "$output" >"$BATS_TEST_TMPDIR/matrix"
	run "$SYSTEM_PYTHON" "$ROOT/harness/tests/validate.py" "$ROOT/docs/result.schema.json" iolab.matrix.v2 \
		"$BATS_TEST_TMPDIR/matrix"
	assert_success
	run "$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR/matrix" <<-'PYTHON'
		import json, sys
		rows = {row["engine"]["label"]: row["cells"] for row in json.load(open(sys.argv[1]))["rows"]}
		for name, cell in rows["blocking"].items():
		    assert cell["outcome"] in ("blocked", "not tried"), ("blocking", name, cell)
		for engine in ("threads", "posix_aio"):
		    for name in ("file_direct", "socket"):
		        cell = rows[engine][name]
		        assert cell["outcome"] in ("threads", "not tried"), (engine, name, cell)
		        assert cell["reason"] or cell["helpers"]["user"] >= 1, (engine, name, cell)
		assert rows["epoll"]["file_direct"]["outcome"] == "refused", rows["epoll"]
		reason = rows["epoll"]["file_cold"]["reason"]
		assert reason["id"] == "epoll_refuses_files" and reason["values"]["errno"] == "EPERM", reason
		for engine in ("epoll", "io_uring"):
		    for name in ("socket", "pipe"):
		        cell = rows[engine][name]
		        assert cell["outcome"] in ("native", "refused"), (engine, name, cell)
		        assert cell["reason"] or cell["total_ns"]["median"] > 15e6, (engine, name, cell)
		for cells in rows.values():
		    for name, cell in cells.items():
		        trials = cell["handover_share"] and cell["handover_share"]["count"]
		        assert (cell["agreed"] is None) == (trials is None), cell
		        if trials:
		            # Each trial is kept, so that the rule can be tried on it again.
		            pairs = list(zip(cell["handover_share"]["values"], cell["helpers_cpu_share"]["values"]))
		            helpers = cell["helpers"]["user"] + cell["helpers"]["io_wq"] > 0
		            outcomes = ["blocked" if share >= 0.5 and not (helpers and cpu >= 0.5) else
		                        "threads" if helpers else "native" for share, cpu in pairs]
		            assert len(pairs) == trials and outcomes.count(cell["outcome"]) == cell["agreed"], cell
		        assert trials is None or 1 <= cell["agreed"] <= trials == (3 if name in ("socket", "pipe") else 9), cell
		# What is certain holds in each trial.
		assert rows["blocking"]["socket"]["agreed"] in (None, 3), rows["blocking"]["socket"]
	PYTHON
	assert_success
	output=$(cat "$BATS_TEST_TMPDIR/matrix")
	[[ $(json idle_baseline.elapsed_s) == 0.5* ]]
}

@test "matrix: mistakes are refused before anything runs, and no file is left" {
	run "$IOLAB" matrix --engines blokking
	assert_failure 2
	assert_output --partial "did you mean 'blocking'"
	run "$IOLAB" matrix stray
	assert_failure 2
	mkdir "$BATS_TEST_TMPDIR/place"
	run timeout "$HANG_S" "$IOLAB" matrix --engines blocking --folder "$BATS_TEST_TMPDIR/place"
	assert_success
	assert_equal "$(ls "$BATS_TEST_TMPDIR/place")" ""
	run timeout "$HANG_S" "$IOLAB" matrix --engines blocking --folder /no/such/place --json
	assert_success
	assert_output --partial '"not tried"'
}

@test "a series in which nothing ended ok fails, unless all of it is unsupported" {
	own_test_file
	# No descriptors are left for a child's answer.
	for words in matrix "responsiveness --rounds 1" "responsiveness --loop --rounds 1" "operator --rounds 1 --capacities 1" \
		"styles --rounds 1" "timeline --rounds 1" "overlap --rounds 1"; do
		run bash -c "exec 3>&- 4>&- 5>&- 6>&-; ulimit -n 4; exec '$IOLAB' $words --engines threads"
		assert_failure 1
		assert_output --partial error
	done
	run "$IOLAB" timeline --engines epoll --rounds 1 -- --size 4M
	assert_failure 77
	rm -r "$TMPDIR"
}

# The engines that the help of a command names as its default, in one line.
default_engines() { "$IOLAB" "$1" --help | tr -d ' \n' | sed -n 's/.*itsoptionsalone(default:\([^)]*\)).*/\1/p'; }

@test "matrix, responsiveness, operator, styles, timeline, overlap: --help names the engines that are taken by default" {
	own_test_file
	for words in "matrix --json" "responsiveness --json --rounds 1 --runtime 0.01" \
		"operator --json --rounds 1 --runtime 0.01 --capacities 1" \
		"styles --json --rounds 1 --runtime 0.01" \
		"timeline --json --rounds 1 -- --size 4M --runtime 0.02" \
		"overlap --json --rounds 1 --ratios 1 -- --size 4M --runtime 0.01 --warmup 0"; do
		read -ra command <<<"$words"
		run --separate-stderr timeout "$HANG_S" "$IOLAB" "${command[@]}"
		assert_success
		tried=$("$SYSTEM_PYTHON" -c 'import json, sys
document = json.load(sys.stdin)
rows = next(document[name] for name in ("rows", "lanes", "engines") if name in document)
print(",".join(dict.fromkeys(row["engine"]["label"] for row in rows if row["engine"])))' <<<"$output")
		assert_equal "$(default_engines "${command[0]}")" "$tried"
	done
	rm -r "$TMPDIR"
}

@test "timeline and overlap leave out the engines that have no use for files: they wait for readiness" {
	run timeout "$HANG_S" "$IOLAB" matrix --json
	assert_success
	for command in timeline overlap; do
		"$SYSTEM_PYTHON" -c 'import json, sys
plain = [row for row in json.load(sys.stdin)["rows"] if not row["engine"]["variant"]]
left_out = [row for row in plain if row["engine"]["label"] not in sys.argv[1].split(",")]
assert left_out
for row in left_out:
    assert row["cells"]["file_tmpfs"]["outcome"] in ("blocked", "refused", "not tried"), row' "$(default_engines $command)" <<<"$output"
	done
}
