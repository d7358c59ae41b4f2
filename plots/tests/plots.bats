#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Figures and report from a results folder that never changes: plots/tests/golden, three rounds of a
# small comparison in which something is unsupported.

load ../../harness/tests/common

GOLDEN="$ROOT/plots/tests/golden"

setup_file() {
	cp -r "$BATS_TEST_DIRNAME/golden" "$BATS_FILE_TMPDIR/results"
	python=${PYTHON:-$(sh "$BATS_TEST_DIRNAME/../../harness/find-python.sh")}
	"$python" "$BATS_TEST_DIRNAME/../plot.py" "$BATS_FILE_TMPDIR/results"
	"$python" "$BATS_TEST_DIRNAME/../report.py" "$BATS_FILE_TMPDIR/results"
}

plot() { timeout 60 "$PYTHON" "$ROOT/plots/plot.py" "$@"; }
report() { timeout 60 "$PYTHON" "$ROOT/plots/report.py" "$@"; }

# changed PYTHON-CODE: a results folder whose summary `s` the code has changed. Prints its name.
changed() {
	local folder="$BATS_TEST_TMPDIR/changed results"
	mkdir -p "$folder"
	"$PYTHON" - "$GOLDEN/summary.json" "$folder/summary.json" "$1" <<-'PYTHON'
		import json, sys
		source, target, code = sys.argv[1:]
		s = json.load(open(source))
		exec(code)
		json.dump(s, open(target, "w"))
	PYTHON
	echo "$folder"
}

@test "the golden summary is as documented" {
	run "$SYSTEM_PYTHON" "$ROOT/harness/tests/validate.py" "$ROOT/docs/result.schema.json" iolab.summary.v1 \
		"$GOLDEN/summary.json"
	assert_success
}

@test "every median and interval is drawn in its engine's colour, and what is not there is named" {
	run "$PYTHON" "$ROOT/plots/tests/drawn.py" "$GOLDEN"
	assert_success
}

@test "all figures, as PNG, as SVG and as PDF" {
	for name in throughput cpu_per_op latency_throughput latency_distribution syscalls timeline steps overlap matrix responsiveness \
		depth_one depth_curve depth_syscalls batching staircase block_size threads_cores cpu_shares durability \
		connections idle_descriptors offered_load hardware_counters; do
		run head -c 8 "$BATS_FILE_TMPDIR/results/figures/$name.png"
		assert_output --partial "PNG"
		run head -c 5 "$BATS_FILE_TMPDIR/results/figures/$name.pdf"
		assert_output "%PDF-"
		"$PYTHON" -c 'import sys, xml.dom.minidom as d; d.parse(sys.argv[1])' \
			"$BATS_FILE_TMPDIR/results/figures/$name.svg"
	done
}

@test "the golden documents are as documented" {
	for file in "$GOLDEN"/*.json; do
		name=$(basename "$file" .json)
		run "$SYSTEM_PYTHON" "$ROOT/harness/tests/validate.py" "$ROOT/docs/result.schema.json" "iolab.$name.v1" \
			"$file"
		assert_success
	done
}

@test "traces and tables are drawn whole, and what could not run is named" {
	run "$PYTHON" "$ROOT/plots/tests/drawn_documents.py" "$GOLDEN"
	assert_success
}

@test "verdicts follow their rules, and so do those of the figures" {
	run "$PYTHON" "$ROOT/plots/tests/judged.py" "$GOLDEN"
	assert_success
}

@test "a quick study is marked in figure and report" {
	cp -r "$GOLDEN" "$BATS_TEST_TMPDIR/quick"
	run grep -c QUICK "$BATS_FILE_TMPDIR/results/figures/batching.svg"
	assert_output 0
	sed -i 's/"batching": false/"batching": true/' "$BATS_TEST_TMPDIR/quick/study/study.json"
	plot "$BATS_TEST_TMPDIR/quick" --only batching
	grep -q "QUICK" "$BATS_TEST_TMPDIR/quick/figures/batching.svg"
	report "$BATS_TEST_TMPDIR/quick"
	grep -q "QUICK" "$BATS_TEST_TMPDIR/quick/report.html"
	grep -q "Verdict: " "$BATS_TEST_TMPDIR/quick/report.html"
}

@test "one figure alone, and from a folder without a comparison" {
	mkdir "$BATS_TEST_TMPDIR/alone"
	cp "$GOLDEN/timeline.json" "$BATS_TEST_TMPDIR/alone"
	plot "$BATS_TEST_TMPDIR/alone"
	assert_equal "$(ls "$BATS_TEST_TMPDIR/alone/figures")" "timeline.pdf
timeline.png
timeline.svg"
	run plot "$BATS_TEST_TMPDIR/alone" --only throughput
	assert_failure
	assert_output --partial "has nothing for the figure throughput"
	sed 's/iolab.timeline.v1/iolab.timeline.v9/' "$GOLDEN/timeline.json" >"$BATS_TEST_TMPDIR/alone/timeline.json"
	run plot "$BATS_TEST_TMPDIR/alone"
	assert_failure
	assert_output --partial "iolab.timeline.v9"
}

@test "the same summary makes the same bytes" {
	plot "$GOLDEN" --out "$BATS_TEST_TMPDIR/again"
	run diff -r "$BATS_FILE_TMPDIR/results/figures" "$BATS_TEST_TMPDIR/again"
	assert_success
}

@test "an engine keeps its look when others are left out" {
	folder=$(changed '
s["configurations"] = [c for c in s["configurations"] if c["engine"]["label"] != "threads"]')
	plot "$folder"
	for engine in libaio io_uring; do
		colour=$(cd "$ROOT/plots" && "$PYTHON" -c "import style; print(style.look_of('$engine').colour)")
		grep -q "stroke: $colour" "$folder/figures/throughput.svg"
		grep -q "stroke: $colour" "$BATS_FILE_TMPDIR/results/figures/throughput.svg"
	done
	colour=$(cd "$ROOT/plots" && "$PYTHON" -c "import style; print(style.look_of('threads').colour)")
	run grep -c "$colour" "$folder/figures/throughput.svg"
	assert_output 0
}

@test "all looks differ, without colour too" {
	cd "$ROOT/plots"
	run "$PYTHON" -c '
import style
looks = [style.look_of(name) for name in style.ENGINES]
assert len({look.colour for look in looks}) == len(looks)
assert len({look.marker for look in looks}) == len(looks)'
	assert_success
}

@test "the report is one well-formed page that needs nothing from elsewhere" {
	page="$BATS_FILE_TMPDIR/results/report.html"
	run "$PYTHON" - "$page" <<-'PYTHON'
		import html.parser, os, sys
		EMPTY = {"meta", "br", "wbr", "img", "hr", "link", "path", "use", "rect", "circle", "line", "stop", "image"}
		class Check(html.parser.HTMLParser):
		    open_tags = []
		    def handle_starttag(self, tag, attributes):
		        if tag not in EMPTY:
		            self.open_tags.append(tag)
		        for name, value in attributes:
		            if name in ("src", "href", "xlink:href") and value and not value.startswith(("#", "data:")):
		                assert os.path.exists(os.path.join(os.path.dirname(sys.argv[1]), value)), value
		    def handle_endtag(self, tag):
		        if tag not in EMPTY:
		            assert self.open_tags.pop() == tag, tag
		check = Check()
		text = open(sys.argv[1], encoding="utf-8").read()
		check.feed(text)
		assert not check.open_tags, check.open_tags
		assert "@import" not in text and "<script" not in text
	PYTHON
	assert_success
	for words in "no difference shown" "unsupported" "In short" "Environment" "Method" "build/iolab" "rounds"; do
		grep -qi "$words" "$page" || fail "the report does not say: $words"
	done
}

@test "a verdict in the summary is the verdict in the report" {
	folder=$(changed '
for c in s["configurations"]:
    if c["ratio"]:
        c["ratio"]["ops_per_s"].update(verdict="no difference shown", low=0.9, high=1.1, mean=1.0)')
	report "$folder"
	run grep -o "no difference shown" "$folder/report.html"
	assert_success
}

@test "a precision that was not reached, and a busy host, are said" {
	folder=$(changed '
s["idle_baseline"] = dict(elapsed_s=1.0, busy_pct=37.0, error_pct=2.0, per_cpu_pct=[30.0, 7.0])
s["precision"] = dict(wanted_pct=2.0, time_limit_s=60.0, ended_by="time", reached=False, ratios=9, widest_pct=4.14,
    unreached=[dict(engine="libaio", panel="p", x_name="depth", x=1, metric="ops_per_s", half_width_pct=4.14)])')
	report "$folder"
	grep -q "known to ±2 %: 1 of 9 are not when the time of 60 s was over, the widest is known to ±4.1 %" "$folder/report.html"
	grep -q "used 37 % of a CPU before the comparison (±2 %)" "$folder/report.html"
}

@test "the appendix prints what make check-trust found, in the results folder or above it" {
	folder=$(changed '')
	report "$folder"
	grep -q "Not tried on this machine" "$folder/report.html"
	cat >"$BATS_TEST_TMPDIR/trust.json" <<-'JSON'
		{"schema": "iolab.trust.v1", "time_utc": "2026-11-24T22:00:00Z", "took_s": 1, "env": {"kernel": "9.9"},
		 "idle_baseline": {"busy_pct": 3.2}, "checks": [
		 {"name": "A against A", "passed": true, "promise": "5 % false alarms", "finding": "9 of 200 <b>"},
		 {"name": "fio", "passed": null, "promise": "", "finding": "skipped: fio is not installed"}]}
	JSON
	report "$folder"
	for words in "9 of 200 &lt;b&gt;" "another machine" "others used 3 % of a CPU" ">kept<" ">not tried<"; do
		grep -q "$words" "$folder/report.html" || fail "the appendix does not say: $words"
	done
}

@test "warnings that differ in numbers alone are one, with their range" {
	folder=$(changed '
for i, c in enumerate(s["configurations"]):
    if c["status"] == "ok":
        c["warnings"] = ["only %d %% of the file was there" % (4 + i), "only 4 % of the file was there"]')
	report "$folder"
	run grep -oE "only [0-9–]+ % of the file was there" "$folder/report.html"
	assert_output --regexp "only 4–[0-9]+ %"
	refute_output --regexp "only [0-9]+ %"
}

@test "where the peer was at its limit, rates crown nobody" {
	folder=$(changed '
for c in s["configurations"]:
    c["peer_limited"] = True
    if c["metrics"]["cpu.us_per_op"]:
        value = 1.0 if c["engine"]["label"] == "libaio" else 9.0
        c["metrics"]["cpu.us_per_op"].update(median=value, low=value, high=value)')
	report "$folder"
	short=$(grep -o "In short.*How to read" "$folder/report.html")
	[[ $short == *"least CPU time per"*"<b>libaio</b> with 1.00"* ]] || fail "$short"
	[[ $short != *"highest median"* ]] || fail "$short"
	grep -q "do not compare rates" "$folder/report.html"
}

@test "steal and missing ratios are stated" {
	grep -q "<dt>steal</dt>" "$BATS_FILE_TMPDIR/results/report.html"
	folder=$(changed '
for c in s["configurations"]:
    if c["status"] == "ok":
        c["ratio_reason"] = "blocking is unsupported here: it would wait"
        c["metrics"]["cpu.host_steal_pct"] = dict(c["metrics"]["ops_per_s"], median=12.0, low=11.0, high=13.0)')
	report "$folder"
	grep -q "No ratio: blocking is unsupported here: it would wait" "$folder/report.html"
	grep -q "The hypervisor took CPU time away: up to 12 % of a CPU" "$folder/report.html"
}

@test "names and reasons are text, whatever is in them" {
	folder=$(changed '
for c in s["configurations"]:
    if c["status"] == "unsupported":
        c["reason"] = "<script>alert(1)</script> & $x_{1}$ \"quoted\" \x07"
    if c["engine"]["label"] == "libaio":
        c["engine"]["label"] = "my<b>engine"')
	plot "$folder"
	report "$folder"
	run grep -c "<script" "$folder/report.html"
	assert_output 0
	grep -q "&lt;script&gt;" "$folder/report.html"
	grep -q "my&lt;b&gt;engine" "$folder/report.html"
}

@test "without the baseline, with one round, with an interrupted comparison" {
	folder=$(changed '
s["configurations"] = [c for c in s["configurations"] if c["engine"]["label"] != "blocking"]
for c in s["configurations"]:
    c["ratio"] = None
s["rounds_done"], s["interrupted"] = 1, True')
	plot "$folder"
	report "$folder"
	grep -q "interrupted" "$folder/report.html"
	grep -q "spread is unknown" "$folder/figures/throughput.svg"
}

# refused TEXT PROGRAM ARGUMENT...: fails with one line that has the text.
refused() {
	local text=$1
	shift
	run "$@"
	assert_failure
	assert_output --partial "$text"
	[ "${#lines[@]}" -eq 1 ] || fail "more than one line: $output"
}

@test "what cannot be drawn is refused in one line" {
	for program in plot report; do
		refused "no such folder" $program /no/such/folder
		mkdir -p "$BATS_TEST_TMPDIR/empty"
		refused "summary.json is missing" $program "$BATS_TEST_TMPDIR/empty"
		echo '{"schema": "iolab.su' >"$BATS_TEST_TMPDIR/empty/summary.json"
		refused "is not JSON" $program "$BATS_TEST_TMPDIR/empty"
		rm -r "$BATS_TEST_TMPDIR/empty"
		refused "iolab.summary.v9" $program "$(changed 's["schema"] = "iolab.summary.v9"')"
		refused "not a whole summary" $program "$(changed 'del s["configurations"]')"
		refused "a bucket of" $program "$(changed '
for c in s["configurations"]:
    if c["histogram"]: c["histogram"]["buckets"][0] = [1, 2]')"
		refused "the median of ops_per_s is" $program "$(changed '
for c in s["configurations"]:
    if c["metrics"]["ops_per_s"]: c["metrics"]["ops_per_s"]["median"] = "fast"')"
		refused "rounds_done is None" $program "$(changed 's["rounds_done"] = None')"
		refused "no run ended ok" $program "$(changed '
for c in s["configurations"]:
    c["status"], c["metrics"] = "error", None')"
	done
	refused "report.html" report "$GOLDEN" --out /no/such/folder/report.html
}
