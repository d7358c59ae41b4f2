#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The report: HTML and Markdown.

load common

setup_file() {
	cp -r "$BATS_TEST_DIRNAME/golden" "$BATS_FILE_TMPDIR/results"
	python=${PYTHON:-$(sh "$BATS_TEST_DIRNAME/../../harness/setup/find-python.sh")}
	"$python" "$BATS_TEST_DIRNAME/../report.py" "$BATS_FILE_TMPDIR/results"
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
	timeout "$HANG_S" chromium --headless --no-sandbox --disable-gpu --no-pdf-header-footer \
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

@test "headings go down by one level at a time, figures have words for a screen reader" {
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

@test "the hashes are those of the data, and a file that changes later is found out" {
	folder="$BATS_TEST_TMPDIR/hashed results"
	cp -r "$GOLDEN" "$folder"
	report_in_words "$folder"
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
	report_in_words "$folder"
	report_in_words "$folder"
	[ ! -e "$folder/report.new.md" ]
	sed -i 's/(To be filled in.)/Mine is the disk./' "$folder/report.md"
	run report_in_words "$folder"
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

@test "a precision that was not reached, and a busy host, are said" {
	folder=$(changed '
s["idle_baseline"] = dict(elapsed_s=1.0, busy_pct=37.0, error_pct=2.0, per_cpu_pct=[30.0, 7.0])
s["precision"] = dict(wanted_pct=2.0, time_limit_s=60.0, ended_by="time", reached=False, ratios=9, widest_pct=4.14,
    unreached=[dict(engine="libaio", panel=dict(id="file", values={}, text="p"), x_name="depth", x=1, metric="ops_per_s", half_width_pct=4.14)])')
	report_in_words "$folder"
	grep -q "known to ±2 %: 1 of 9 are not when the time of 60 s was over, the widest is known to ±4.1 %" "$folder/report.html"
	grep -q "used 37 % of a CPU before the comparison (±2 %)" "$folder/report.html"
}

@test "the appendix prints what make check-trust found, in the results folder or above it" {
	folder=$(changed '')
	report_in_words "$folder"
	grep -q "Not run on this machine: <code>make check-trust</code>" "$folder/report.html"
	grep -q 'Not run on this machine: `make check-trust`' "$folder/report.md"
	cat >"$BATS_TEST_TMPDIR/trust.json" <<-'JSON'
		{"schema": "iolab.trust.v1", "time_utc": "2026-11-24T22:00:00Z", "took_s": 1, "env": {"kernel": "9.9"},
		 "idle_baseline": {"busy_pct": 3.2}, "checks": [
		 {"name": "A against A", "passed": true, "promise": "5 % false alarms", "finding": "9 of 200 <b>"},
		 {"name": "A against A, median latency", "metric": "latency_ns.p50", "alarms": 0, "passed": true, "promise": "p", "finding": "0 of 200"},
		 {"name": "fio", "passed": null, "promise": "", "finding": "skipped: fio is not installed"}]}
	JSON
	report_in_words "$folder"
	for words in "9 of 200 &lt;b&gt;" "not the machine of this report" "others used 3 % of a CPU" ">kept<" ">not tried<" \
		"3 promises of the harness, .*: 2 kept and 1 not tried" \
		"0 of 200. The interval of a ratio of latencies also includes the histogram"; do
		grep -q "$words" "$folder/report.html" || fail "the appendix does not say: $words"
	done
	grep -qF '9 of 200 \<b>' "$folder/report.md"
	echo '{"schema": "iolab.trust.v1", "time_utc": 7}' >"$folder/trust.json"
	run report_in_words "$folder"
	assert_failure 1
	assert_output --partial "trust.json: time_utc is 7, expected text"
	assert_equal "$(grep -o "includes the histogram" "$folder/report.html" | wc -l)" 1
}

@test "remarks of one identifier are one, with the range of their values" {
	folder=$(changed '
s["schema"] = "iolab.summary.v2"
text = "only {resident_pct} % of {file} was there"
for i, c in enumerate(s["configurations"]):
    if c["status"] == "ok":
        c["warnings"] = [dict(id="cache", text=text, values=dict(resident_pct=4 + i, file="it")),
                         dict(id="cache", text=text, values=dict(resident_pct=4.25, file="it")),
                         dict(id="cache", text=text, values=dict(resident_pct=1, file="another")),
                         dict(id="v1", text="{sentence}", values=dict(sentence="an old sentence"))]')
	report_in_words "$folder"
	run grep -oE "only [0-9.–]+ % of (it|another) was there" "$folder/report.html"
	assert_line --regexp "only 4(.25)?–[0-9]+ % of it"
	assert_line "only 1 % of another was there"
	refute_output --regexp "only [0-9.]+ % of it"
	grep -q ": an old sentence" "$folder/report.html"
}

@test "In short says of a difference that chance may make among many ratios that it may" {
	for together in none higher; do
		folder=$(changed "
for c in s['configurations']:
    if c.get('ratio') and c['ratio']['ops_per_s']:
        c['ratio']['ops_per_s'].update(mean=1.05, low=1.02, high=1.08, verdict='higher', verdict_together='$together')")
		report_in_words "$folder"
		short=$(grep -o "In short</h2>.*How to read" "$folder/report.html")
		[[ $short == *"which is 1.05"* ]] || fail "$short"
		if [ "$together" = none ]; then
			[[ $short == *"(this may be chance: it is one of "[0-9]*" ratios)"* ]] || fail "$short"
		else
			[[ $short != *"this may be chance"* ]] || fail "$short"
		fi
	done
}

@test "where the peer was at its limit, rates crown nobody" {
	folder=$(changed '
for c in s["configurations"]:
    c["peer_limited"] = True
    if c["metrics"]["cpu.us_per_op"]:
        value = 1.0 if c["engine"]["label"] == "libaio" else 9.0
        tell(c["metrics"]["cpu.us_per_op"], value)')
	report_in_words "$folder"
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
        c["ratio_reason"] = dict(id="v1", text="{sentence}",
                                 values=dict(sentence="blocking is unsupported here: it would wait"))
        c["metrics"]["cpu.host_steal_pct"] = dict(c["metrics"]["ops_per_s"])
        tell(c["metrics"]["cpu.host_steal_pct"], 0.0, high=12.0, max=12.0)')
	report_in_words "$folder"
	grep -q "No ratio: blocking is unsupported here: it would wait" "$folder/report.html"
	grep -q "The hypervisor took CPU time away: up to 12 % of a CPU" "$folder/report.html"
}
