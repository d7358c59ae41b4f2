#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What figures and report say of short runs, of a busy host, and of what went wrong.

load common

setup_file() {
	cp -r "$BATS_TEST_DIRNAME/golden" "$BATS_FILE_TMPDIR/results"
	python=${PYTHON:-$(sh "$BATS_TEST_DIRNAME/../../harness/setup/find-python.sh")}
	# Those that a test below looks at.
	"$python" "$BATS_TEST_DIRNAME/../plot.py" "$BATS_FILE_TMPDIR/results" --formats svg --only batching \
		--only throughput --only cpu_per_op --only latency_distribution --only syscalls --only depth_one --only matrix
	"$python" "$BATS_TEST_DIRNAME/report_in_words.py" "$BATS_FILE_TMPDIR/results"
}

@test "a quick study is marked in figure and report" {
	cp -r "$GOLDEN" "$BATS_TEST_TMPDIR/quick"
	run grep -c QUICK "$BATS_FILE_TMPDIR/results/figures/batching.svg"
	assert_output 0
	sed -i 's/"batching": false/"batching": true/' "$BATS_TEST_TMPDIR/quick/study/study.json"
	plot "$BATS_TEST_TMPDIR/quick" --only batching --formats svg
	grep -q "QUICK" "$BATS_TEST_TMPDIR/quick/figures/batching.svg"
	report_in_words "$BATS_TEST_TMPDIR/quick"
	for page in report.html report.md; do
		grep -qE "QUICK: 1 of the [0-9]+ figures beside it come from short runs" "$BATS_TEST_TMPDIR/quick/$page"
		grep -q "QUICK, " "$BATS_TEST_TMPDIR/quick/$page"
	done
	grep -q "Verdict: " "$BATS_TEST_TMPDIR/quick/figures/batching.svg"
	grep -q "make figures QUICK=1 RESULTS=" "$BATS_TEST_TMPDIR/quick/report.md"
}

@test "a quick comparison is marked in each of its figures and at the head of the report" {
	folder=$(changed '')
	mkdir "$folder/study"
	echo '{"schema": "iolab.study.v1", "quick": {"comparison": true}}' >"$folder/study/study.json"
	plot "$folder" --formats svg
	for name in "${PANEL_FIGURES[@]}"; do
		grep -q "QUICK: short runs" "$folder/figures/$name.svg" || fail "$name is not marked"
	done
	report "$folder"
	for page in report.html report.md; do
		grep -q "QUICK: the comparison comes from short runs" "$folder/$page"
	done
	assert_equal "$(grep -o "QUICK: short runs" "$folder/report.html" | wc -l)" 10
	run grep -c QUICK "$BATS_FILE_TMPDIR/results/report.html"
	assert_output 0
}

@test "a host that others used is told in the report" {
	cp -r "$BATS_TEST_DIRNAME/golden" "$BATS_TEST_TMPDIR/busy"
	sed -i 's/^ "idle_baseline": .*/ "idle_baseline": {"elapsed_s": 1, "busy_pct": 57, "error_pct": 2, "per_cpu_pct": [57]},/' \
		"$BATS_TEST_TMPDIR/busy/summary.json"
	grep -q '"busy_pct": 57' "$BATS_TEST_TMPDIR/busy/summary.json"
	report_in_words "$BATS_TEST_TMPDIR/busy"
	grep -q "Others used 57 % of a CPU" "$BATS_TEST_TMPDIR/busy/report.md"
	grep -q "Others used 57 % of a CPU" "$BATS_TEST_TMPDIR/busy/report.html"
}

@test "a busy host is told in every figure, and no finding is judged beside it" {
	mkdir -p "$BATS_TEST_TMPDIR/busy/study/depth_one"
	cp "$GOLDEN/study/study.json" "$BATS_TEST_TMPDIR/busy/study"
	for file in summary.json study/depth_one/summary.json matrix.json; do
		change_json "$GOLDEN/$file" "$BATS_TEST_TMPDIR/busy/$file" '
s["idle_baseline"] = {"elapsed_s": 1, "busy_pct": 57, "error_pct": 2, "per_cpu_pct": [50, 7]}'
	done
	output=$(plot "$BATS_TEST_TMPDIR/busy" --formats svg --only throughput --only cpu_per_op \
		--only latency_distribution --only syscalls --only depth_one --only matrix)
	IFS=$'\n' read -rd '' -a lines <<<"$output" || true
	for title in "One operation at a time" "The matrix: what really happens" "Latency distribution"; do
		assert_line --partial "$title: cannot tell here, because other programs used 28 % of the CPUs"
	done
	for name in throughput cpu_per_op latency_distribution syscalls depth_one matrix; do
		grep -q "measured beside 57 % foreign load" "$BATS_TEST_TMPDIR/busy/figures/$name.svg" || fail "$name"
		run grep -c "foreign load" "$BATS_FILE_TMPDIR/results/figures/$name.svg"
		assert_output 0
	done
	report "$BATS_TEST_TMPDIR/busy"
	grep -qE "^\| nothing of ours +\| 57 % .*\| ±2 % " "$BATS_TEST_TMPDIR/busy/report.md"
	grep -qE "^\| nothing of ours +\| 50 % +\| 7 % " "$BATS_TEST_TMPDIR/busy/report.md"
	[ "$(grep -o "measured beside 57 % foreign load" "$BATS_TEST_TMPDIR/busy/report.html" | wc -l)" -ge 12 ]
	grep -q "other programs used 28 % of the CPUs" "$BATS_TEST_TMPDIR/busy/report.html"
}

@test "without the baseline, with one round, with an interrupted comparison" {
	folder=$(changed '
s["configurations"] = [c for c in s["configurations"] if c["engine"]["label"] != "blocking"]
for c in s["configurations"]:
    c["ratio"] = None
s["rounds_done"], s["interrupted"] = 1, True')
	plot "$folder" --formats svg
	report_in_words "$folder"
	grep -q "interrupted" "$folder/report.html"
	grep -q "spread is unknown" "$folder/figures/throughput.svg"
}

@test "names and reasons are text, whatever is in them" {
	folder=$(changed '
for c in s["configurations"]:
    if c["status"] == "unsupported":
        c["reason"] = {"id": "failed", "values": {"why": "<script>alert(1)</script> & $x_{1}$ \"quoted\" \x07"}, "text": "{why}"}
    if c["engine"]["label"] == "libaio":
        c["engine"]["label"] = "my<b>|engine*_"')
	plot "$folder" --formats svg
	report "$folder"
	run grep -c "<script" "$folder/report.html"
	assert_output 0
	grep -q "&lt;script&gt;" "$folder/report.html"
	grep -q "my&lt;b&gt;|engine" "$folder/report.html"
	grep -qF 'my\<b>\|engine\*\_' "$folder/report.md"
	grep -qF '\<script>alert(1)\</script> & \$x\_{1}\$ "quoted"' "$folder/report.md"
	run grep -E '(^|[^\])<script|^\| .*[^\|]\|engine' "$folder/report.md"
	assert_failure
}
