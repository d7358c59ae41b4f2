#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Figures and report from a results folder that never changes: plots/tests/golden, three rounds of a
# small comparison in which something is unsupported.

load ../../harness/tests/common

GOLDEN="$ROOT/plots/tests/golden"

setup_file() {
	cp -r "$BATS_TEST_DIRNAME/golden" "$BATS_FILE_TMPDIR/results"
	python=${PYTHON:-$(sh "$BATS_TEST_DIRNAME/../../harness/setup/find-python.sh")}
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

@test "the lines of the latency distribution are the quantiles that iolab computes" {
	"$IOLAB" run --engine null --workload nop --ops 20000 --json >"$BATS_TEST_TMPDIR/run.json"
	run "$PYTHON" - "$BATS_TEST_TMPDIR/run.json" "$ROOT/plots" <<-'PYTHON'
		import json, sys
		sys.path.insert(0, sys.argv[2])
		from figures import latency_distribution as figure
		run = json.load(open(sys.argv[1]))
		buckets, told = run["histogram"]["buckets"], run["metrics"]["latency_ns"]
		ends = figure.ranks(buckets)
		for key, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99_9", 0.999)):
		    # An outermost bucket reaches beyond what was met; iolab knows the exact ends.
		    drawn = min(max(figure.middle_ns(buckets, ends, share), told["min"]), told["max"])
		    assert drawn == told[key], (key, drawn, told[key])
		points = figure.curve(buckets)
		assert [y for _, y in points] == sorted(y for _, y in points) and len(points) > 20
		for at, y in points:
		    assert y == figure.middle_ns(buckets, ends, 1 - 10 ** -at), at
	PYTHON
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
		schema=$(grep -o "iolab\.$name\.v[0-9]*" "$file" | head -n 1)
		run "$SYSTEM_PYTHON" "$ROOT/harness/tests/validate.py" "$ROOT/docs/result.schema.json" "$schema" "$file"
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
	for page in report.html report.md; do
		grep -qE "QUICK: 1 of the [0-9]+ figures beside it come from short runs" "$BATS_TEST_TMPDIR/quick/$page"
		grep -q "QUICK, " "$BATS_TEST_TMPDIR/quick/$page"
	done
	grep -q "Verdict: " "$BATS_TEST_TMPDIR/quick/report.html"
	grep -q "make figures QUICK=1 RESULTS=" "$BATS_TEST_TMPDIR/quick/report.md"
}

@test "a quick comparison is marked in each of its figures and at the head of the report" {
	folder=$(changed '')
	mkdir "$folder/study"
	echo '{"schema": "iolab.study.v1", "quick": {"comparison": true}}' >"$folder/study/study.json"
	plot "$folder"
	for name in throughput cpu_per_op latency_throughput latency_distribution syscalls; do
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
	timeout 60 "$PYTHON" "$ROOT/plots/report.py" "$BATS_TEST_TMPDIR/busy"
	grep -q "Others used 57 % of a CPU" "$BATS_TEST_TMPDIR/busy/report.md"
	grep -q "Others used 57 % of a CPU" "$BATS_TEST_TMPDIR/busy/report.html"
}

@test "a busy host is told in every figure, and no finding is judged beside it" {
	cp -r "$GOLDEN" "$BATS_TEST_TMPDIR/busy"
	for file in summary.json study/depth_one/summary.json matrix.json; do
		"$PYTHON" - "$BATS_TEST_TMPDIR/busy/$file" <<-'PYTHON'
			import json, sys
			s = json.load(open(sys.argv[1]))
			s["idle_baseline"] = {"elapsed_s": 1, "busy_pct": 57, "error_pct": 2, "per_cpu_pct": [50, 7]}
			json.dump(s, open(sys.argv[1], "w"))
		PYTHON
	done
	output=$(for name in throughput cpu_per_op latency_distribution syscalls depth_one matrix; do
		plot "$BATS_TEST_TMPDIR/busy" --only "$name"
	done)
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

@test "the report says where the CPU time went, how exactly, and what cannot be told apart" {
	for page in report.html report.md; do
		words=$(tr '\n' ' ' <"$BATS_FILE_TMPDIR/results/$page" | sed 's/\xc2\xa0/ /g' | tr -s ' ')
		for said in "Where the CPU time went, in percent of one CPU" "does not tell apart" "two ticks of 10 ms" \
			"on loopback the kernel does part of the receiver" "above idle" "CPU 1"; do
			[[ $words == *"$said"* ]] || fail "$page does not say: $said"
		done
	done
	"$PYTHON" - "$GOLDEN/summary.json" "$BATS_FILE_TMPDIR/results/report.md" "$ROOT/plots" <<-'PYTHON'
		import json, re, sys
		sys.path.insert(0, sys.argv[3])
		from pages import cpu_account
		text = open(sys.argv[2]).read()
		tables = text[text.index("### Where the CPU time went"):]
		for c in json.load(open(sys.argv[1]))["configurations"]:
		    if c["status"] != "ok":
		        continue
		    for estimate in [c["metrics"][key] for key in ("cpu.user_pct", "cpu.other_util_pct")] + c["per_cpu_pct"]:
		        assert f"**{cpu_account.percent(estimate['median'])}**" in tables, (c["engine"]["label"], estimate)
	PYTHON
}

@test "paper shows the command of every configuration" {
	command -v chromium >/dev/null && command -v pdftotext >/dev/null || skip "no chromium or pdftotext"
	timeout 100 chromium --headless --no-sandbox --disable-gpu --no-pdf-header-footer \
		--user-data-dir="$BATS_TEST_TMPDIR/browser" --print-to-pdf="$BATS_TEST_TMPDIR/report.pdf" \
		"file://$BATS_FILE_TMPDIR/results/report.html" 2>/dev/null
	words=$(pdftotext "$BATS_TEST_TMPDIR/report.pdf" - | tr -d ' \n')
	"$PYTHON" - "$GOLDEN/summary.json" >"$BATS_TEST_TMPDIR/commands" <<-'PYTHON'
		import json, shlex, sys
		for c in json.load(open(sys.argv[1]))["configurations"]:
		    print(shlex.join(c["command"]).replace(" ", ""))
	PYTHON
	while read -r typed; do
		[[ $words == *"$typed"* ]] || fail "not on paper: $typed"
	done <"$BATS_TEST_TMPDIR/commands"
}

@test "at a column's width a figure is as narrow as that, and nothing is cut" {
	run plot --only throughput --width 3.4 --out "$BATS_TEST_TMPDIR/column" "$BATS_FILE_TMPDIR/results"
	assert_success
	run grep -o '<svg [^>]*width="[0-9.]*pt"' "$BATS_TEST_TMPDIR/column/throughput.svg"
	assert_output --regexp 'width="24[45](\.[0-9]*)?pt"'
	run plot --only throughput --width 1 "$BATS_FILE_TMPDIR/results"
	assert_failure
	assert_output --partial "between 3 and 20 inches"
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
	sed 's/iolab.timeline.v2/iolab.timeline.v9/' "$GOLDEN/timeline.json" >"$BATS_TEST_TMPDIR/alone/timeline.json"
	run plot "$BATS_TEST_TMPDIR/alone"
	assert_failure
	assert_output --partial "iolab.timeline.v9"
}

@test "the same summary makes the same bytes" {
	plot "$GOLDEN" --out "$BATS_TEST_TMPDIR/again"
	run diff -r --exclude report "$BATS_FILE_TMPDIR/results/figures" "$BATS_TEST_TMPDIR/again"
	assert_success
}

@test "an engine keeps its look when others are left out" {
	folder=$(changed '
s["configurations"] = [c for c in s["configurations"] if c["engine"]["label"] != "threads"]')
	plot "$folder"
	for engine in libaio io_uring; do
		colour=$(cd "$ROOT/plots" && "$PYTHON" -c "from drawing import style; print(style.look_of('$engine').colour)")
		grep -q "stroke: $colour" "$folder/figures/throughput.svg"
		grep -q "stroke: $colour" "$BATS_FILE_TMPDIR/results/figures/throughput.svg"
	done
	colour=$(cd "$ROOT/plots" && "$PYTHON" -c "from drawing import style; print(style.look_of('threads').colour)")
	run grep -c "$colour" "$folder/figures/throughput.svg"
	assert_output 0
}

@test "all looks differ, without colour too" {
	cd "$ROOT/plots"
	run "$PYTHON" -c '
from drawing import style
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
	for words in "no difference shown" "unsupported" "Question" "In short" "Environment" "Method" "build/iolab" "rounds" \
		"Discussion" "Your question"; do
		grep -qi "$words" "$page" || fail "the report does not say: $words"
	done
}

@test "headings go down by one level at a time, figures have words for those who do not see them" {
	run "$PYTHON" - "$BATS_FILE_TMPDIR/results/report.html" <<-'PYTHON'
		import html.parser, sys
		class Check(html.parser.HTMLParser):
		    level, ids = 0, set()
		    def handle_starttag(self, tag, attributes):
		        attributes = dict(attributes)
		        if tag in ("h1", "h2", "h3", "h4", "h5"):
		            assert int(tag[1]) <= self.level + 1, (tag, self.level)
		            self.level = int(tag[1])
		        assert attributes.get("id") not in self.ids or "id" not in attributes, attributes
		        self.ids.add(attributes.get("id"))
		        if tag == "html": assert attributes["lang"] == "en"
		        if tag == "th": assert attributes["scope"] in ("col", "row", "colgroup", "rowgroup")
		        if tag == "svg": assert len(attributes["aria-label"]) > 20
		        if tag == "a" and attributes["href"].startswith("#"):
		            self.links.append(attributes["href"][1:])
		check = Check()
		check.links = []
		check.feed(open(sys.argv[1], encoding="utf-8").read())
		assert check.links and set(check.links) <= check.ids, set(check.links) - check.ids
	PYTHON
	assert_success
}

@test "the Markdown says what the HTML says: the same headings, numbers, verdicts and hashes" {
	run "$PYTHON" "$ROOT/plots/tests/same_report.py" "$BATS_FILE_TMPDIR/results"
	assert_success
}

@test "the question is in plain words, from what was compared" {
	for page in report.html report.md; do
		words=$(tr '\n' ' ' <"$BATS_FILE_TMPDIR/results/$page" | sed 's/\xc2\xa0/ /g' | tr -s ' ')
		[[ $words == *"Which of these 6 interfaces does the work below best on this machine"* ]] || fail "$page: no question"
		[[ $words == *"random reads of 4 KiB in a file of 64 MiB, past the page cache (O_DIRECT)"* ]] || fail "$page: no work"
		[[ $words == *"a server that sends back what it receives, messages of 128 bytes over TCP"* ]] || fail "$page: no server"
	done
}

@test "every verdict stands in one table, and what was not measured with its reason" {
	cp -r "$GOLDEN" "$BATS_TEST_TMPDIR/some"
	rm -r "$BATS_TEST_TMPDIR/some/study/batching" "$BATS_TEST_TMPDIR/some/study/durability_fsync"
	"$PYTHON" - "$BATS_TEST_TMPDIR/some/study/study.json" <<-'PYTHON'
		import json, sys
		document = json.load(open(sys.argv[1]))
		document["missing"] = {"durability_fsync": "failed after 0 s: no space left"}
		json.dump(document, open(sys.argv[1], "w"))
	PYTHON
	run "$SYSTEM_PYTHON" "$ROOT/harness/tests/validate.py" "$ROOT/docs/result.schema.json" iolab.study.v1 \
		"$BATS_TEST_TMPDIR/some/study/study.json"
	assert_success
	report "$BATS_TEST_TMPDIR/some"
	table=$(sed -n '/^## What others found/,/^## Method/p' "$BATS_TEST_TMPDIR/some/report.md")
	[[ $table =~ and[[:space:]]2[[:space:]]not[[:space:]]measured ]] || fail "$table"
	[[ $table == *"**not measured**: failed after 0 s: no space left"* ]] || fail "$table"
	[[ $table == *"**not measured**: the folder does not hold what it is drawn from"* ]] || fail "$table"
	[[ $table == *"](#one-operation-at-a-time)"* ]] || fail "$table"
	"$PYTHON" - "$BATS_TEST_TMPDIR/some/study/depth_one/summary.json" <<-'PYTHON'
		import json, sys
		s = json.load(open(sys.argv[1]))
		for c in s["configurations"]:
		    c.update(status="error", reason="the disk is gone", metrics=None, ratio=None)
		json.dump(s, open(sys.argv[1], "w"))
	PYTHON
	report "$BATS_TEST_TMPDIR/some"
	grep -q "no run ended ok.*the disk is gone" "$BATS_TEST_TMPDIR/some/report.html"
	folder=$(changed '')
	report "$folder"
	grep -q "Nothing of it was tried here but what the comparison itself can tell" "$folder/report.html"
}

@test "the hashes are those of the data, and a file that changes later is found out" {
	folder="$BATS_TEST_TMPDIR/hashed results"
	cp -r "$GOLDEN" "$folder"
	report "$folder"
	cd "$folder"
	run sha256sum --strict -c SHA256SUMS
	assert_success
	assert_line "summary.json: OK"
	assert_line "study/batching/summary.json: OK"
	refute_output --regexp "figures|report|SHA256SUMS"
	assert_equal "${#lines[@]}" "$(find . -name '*.json' | wc -l)"
	while read -r hash _; do
		grep -q "$hash" report.html || fail "report.html has no $hash"
		grep -q "$hash" report.md || fail "report.md has no $hash"
	done <SHA256SUMS
	echo " " >>study/batching/summary.json
	run sha256sum -c SHA256SUMS
	assert_failure
	assert_line "study/batching/summary.json: FAILED"
}

@test "Markdown that somebody has gone on writing is not written over" {
	folder=$(changed '')
	report "$folder"
	report "$folder"
	[ ! -e "$folder/report.new.md" ]
	sed -i 's/(To be filled in.)/Mine is the disk./' "$folder/report.md"
	run report "$folder"
	assert_success
	assert_output --partial "was changed by hand"
	grep -q "Mine is the disk" "$folder/report.md"
	grep -q "To be filled in" "$folder/report.new.md"
}

@test "the report elsewhere: links, figures and hashes lead to the data from there" {
	folder=$(changed '')
	mkdir "$BATS_TEST_TMPDIR/elsewhere"
	report "$folder" --out "$BATS_TEST_TMPDIR/elsewhere/mine.html"
	assert_equal "$(ls "$folder")" "summary.json"
	cd "$BATS_TEST_TMPDIR/elsewhere"
	sha256sum -c SHA256SUMS
	grep -q "](../changed%20results/summary.json)" mine.md
	grep -q 'href="../changed%20results/summary.json"' mine.html
	grep -oP '\]\(\Kfigures/[^)]*' mine.md | while read -r path; do
		[ -s "$path" ] || fail "no $path"
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
	grep -q "Not run on this machine: <code>make check-trust</code>" "$folder/report.html"
	grep -q 'Not run on this machine: `make check-trust`' "$folder/report.md"
	cat >"$BATS_TEST_TMPDIR/trust.json" <<-'JSON'
		{"schema": "iolab.trust.v1", "time_utc": "2026-11-24T22:00:00Z", "took_s": 1, "env": {"kernel": "9.9"},
		 "idle_baseline": {"busy_pct": 3.2}, "checks": [
		 {"name": "A against A", "passed": true, "promise": "5 % false alarms", "finding": "9 of 200 <b>"},
		 {"name": "A against A, median latency", "passed": true, "promise": "p", "finding": "0 of 200"},
		 {"name": "fio", "passed": null, "promise": "", "finding": "skipped: fio is not installed"}]}
	JSON
	report "$folder"
	for words in "9 of 200 &lt;b&gt;" "another machine" "others used 3 % of a CPU" ">kept<" ">not tried<" \
		"3 promises of the harness, .*: 2 kept and 1 not tried" \
		"0 of 200. The interval of a ratio of latencies holds the histogram"; do
		grep -q "$words" "$folder/report.html" || fail "the appendix does not say: $words"
	done
	grep -qF '9 of 200 \<b>' "$folder/report.md"
	assert_equal "$(grep -o "holds the histogram" "$folder/report.html" | wc -l)" 1
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
	short=$(grep -o "In short</h2>.*How to read" "$folder/report.html")
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
        c["engine"]["label"] = "my<b>|engine*_"')
	plot "$folder"
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
