#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Files: whole and as documented, or refused in one line.

load common

@test "the golden summary is as documented" {
	run "$SYSTEM_PYTHON" "$ROOT/harness/tests/validate.py" "$ROOT/docs/result.schema.json" iolab.summary.v2 \
		"$GOLDEN/summary.json"
	assert_success
}

@test "the golden documents are as documented" {
	for file in "$GOLDEN"/*.json; do
		name=$(basename "$file" .json)
		schema=$(grep -o "iolab\.$name\.v[0-9]*" "$file" | head -n 1)
		run "$SYSTEM_PYTHON" "$ROOT/harness/tests/validate.py" "$ROOT/docs/result.schema.json" "$schema" "$file"
		assert_success
	done
}

@test "what cannot be drawn is refused in one line" {
	run "$PYTHON" "$ROOT/plots/tests/refused.py" "$GOLDEN"
	assert_success
	for program in plot report; do
		refused "no such folder" $program /no/such/folder
	done
	refused "report.html" report_in_words "$GOLDEN" --out /no/such/folder/report.html
}

@test "the ratio of two rounds may have any interval, as long as it is finite" {
	folder=$(changed 'c = next(c for c in s["configurations"] if c["ratio"] and c["ratio"]["ops_per_s"])
c["ratio"]["ops_per_s"].update(low=2e-28, high=6e27, verdict="none")')
	run "$SYSTEM_PYTHON" "$ROOT/harness/tests/validate.py" "$ROOT/docs/result.schema.json" iolab.summary.v2 \
		"$folder/summary.json"
	assert_success
	run plot "$folder" --formats svg
	assert_success
	run report_in_words "$folder"
	assert_success
}

@test "a median that is not within its interval is refused" {
	cp -r "$GOLDEN" "$BATS_TEST_TMPDIR/zero"
	for figure in depth_curve:depths offered_load:offered_load_stalled; do
		study=${figure#*:}
		for key in median high; do
			change_json "$GOLDEN/study/$study/summary.json" "$BATS_TEST_TMPDIR/zero/study/$study/summary.json" "
for c in s['configurations']:
    for estimate in (c.get('metrics') or {}).values():
        if isinstance(estimate, dict) and '$key' in estimate:
            estimate['$key'] = 0"
			refused "is not within its interval" plot "$BATS_TEST_TMPDIR/zero" --formats svg \
				--only "${figure%:*}" --out "$BATS_TEST_TMPDIR/figures"
		done
		cp "$GOLDEN/study/$study/summary.json" "$BATS_TEST_TMPDIR/zero/study/$study/summary.json"
	done
}

@test "damaged files are refused in one line that names file and place, or drawn" {
	run "$PYTHON" "$ROOT/plots/tests/damaged.py" "$GOLDEN"
	assert_success
}

@test "a number too large is refused wherever it stands, also where no figure reads it" {
	mkdir "$BATS_TEST_TMPDIR/large"
	change_json "$GOLDEN/timeline.json" "$BATS_TEST_TMPDIR/large/timeline.json" '
s["lanes"][0]["run"]["working_pct"]["confidence_pct"] = 10 ** 400'
	refused "timeline.json is not JSON (a whole number of 401 digits is too large)" \
		plot "$BATS_TEST_TMPDIR/large" --formats svg
}

# bats test_tags=slow
@test "damaged files, many more of them" {
	run "$PYTHON" "$ROOT/plots/tests/damaged.py" "$GOLDEN" 37
	assert_success
}

@test "a file is written whole or not at all" {
	folder=$(changed '')
	echo before >"$BATS_TEST_TMPDIR/elsewhere"
	ln -s "$BATS_TEST_TMPDIR/elsewhere" "$folder/report.html"
	report_in_words "$folder"
	[ ! -L "$folder/report.html" ]
	assert_equal "$(cat "$BATS_TEST_TMPDIR/elsewhere")" before
	assert_equal "$(stat -c %a "$folder/report.html")" "$(printf '%o' $((0666 & ~$(umask))))"
	sed -i 's/io_uring/IO_URING/g' "$folder/summary.json"
	cp "$folder/report.html" "$BATS_TEST_TMPDIR/old.html"
	# A file system's end: no file may be longer than a few KiB.
	run bash -c "ulimit -f 8; '$PYTHON' '$ROOT/plots/tests/report_in_words.py' '$folder'"
	assert_failure
	[[ $output != *Traceback* ]]
	cmp "$folder/report.html" "$BATS_TEST_TMPDIR/old.html"
	assert_equal "$(find "$folder" -name '.iolab-*')" ""
}

# While modules are loaded, and while it draws.
@test "Ctrl-C ends both with 130 and without a traceback" {
	for program in plot report; do
		for loaded in numpy _backend_agg; do
			# shellcheck disable=SC2016
			at_terminal --until 'grep -q '$loaded' /proc/$COMMAND_PID/maps' \
				"$PYTHON" "$ROOT/plots/$program.py" "$GOLDEN" --out "$BATS_TEST_TMPDIR/interrupted.html"
			assert_failure 130
			[[ $output != *Traceback* ]] || fail "$output"
			assert_output --partial "$program.py: interrupted"
		done
	done
}

@test "a label may be as long as it likes" {
	folder=$(changed '
for c in s["configurations"]:
    c["workload"]["panel"]["text"] += " and more" * 60
    if c["engine"]["label"] == "libaio":
        c["engine"]["label"] = "fio:" + "+".join("option%d=value" % i for i in range(60))')
	plot "$folder" --formats svg
	plot "$folder" --formats svg --width 3.4 --only throughput --out "$BATS_TEST_TMPDIR/narrow"
	report_in_words "$folder"
	grep -q "option59=value" "$folder/report.html"
}

@test "a folder of the first version is read" {
	folder=$(changed '
s["schema"] = "iolab.summary.v1"
for c in s["configurations"]:
    c["workload"]["panel"] = c["workload"]["panel"]["text"]
    c["workload"].pop("words")
    calls = (c["metrics"] or {}).pop("syscalls_per_op", None)
    c["syscalls_per_op"] = calls and 41.25
    c["syscalls_spread"] = calls and {"min": 41.25, "max": 41.25, "count": 3}
    for key in ("x_label", "x_unit", "x_about"):
        c["config"].pop(key)
    c["warnings"] = ["only 4 % of the file was there"] if c["status"] == "ok" else []
    c["reason"] = c["reason"] and "the file refuses it: " + c["engine"]["name"]
    if c["ratio"]:
        c["ratio"]["ops_per_s"]["verdict"] = "no difference shown"')
	plot "$folder" --only throughput --formats svg
	grep -q "depth (operations offered)" "$folder/figures/throughput.svg"
	report_in_words "$folder"
	grep -q "only 4 % of the file was there" "$folder/report.html"
	grep -q "the file refuses it: epoll" "$folder/report.html"
	grep -q "no difference shown" "$folder/report.html"
	grep -q "[0-9] connections" "$folder/report.html"
	grep -q "41\.[23]" "$folder/report.html"
}

@test "panels of one title stay apart, and each section has a title of its own" {
	folder=$(changed '
for c in s["configurations"]:
    c["workload"]["panel"]["text"] = "one title"
    c["workload"]["panel"]["values"]["another"] = c["config"]["x"]')
	report "$folder"
	sections=$(grep -o '<h2[^>]*>[^<]*one title[^<]*' "$folder/report.html" | sed 's/.*>//' | sort)
	assert_equal "$(uniq -d <<<"$sections")" ""
	[[ $(wc -l <<<"$sections") -gt 1 ]]
	grep -q "one title, by depth (2)" <<<"$sections"
}
