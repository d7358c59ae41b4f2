#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Figures: what they show, what is on them, their files.

load common

setup_file() {
	cp -r "$BATS_TEST_DIRNAME/golden" "$BATS_FILE_TMPDIR/results"
	python=${PYTHON:-$(sh "$BATS_TEST_DIRNAME/../../harness/setup/find-python.sh")}
	"$python" "$BATS_TEST_DIRNAME/../plot.py" "$BATS_FILE_TMPDIR/results" --formats svg
	# Most of the others are drawn by a slow test; the report has each as PNG, too.
	"$python" "$BATS_TEST_DIRNAME/../plot.py" "$BATS_FILE_TMPDIR/results" --formats png,pdf --only throughput --only timeline
}

are_pdf() {
	for path in "$@"; do
		run head -c 5 "$path"
		assert_output "%PDF-"
	done
}

are_png() {
	for path in "$@"; do
		run head -c 8 "$path"
		assert_output --partial "PNG"
	done
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

@test "all figures as SVG, and two as PNG and as PDF" {
	for name in throughput cpu_per_op latency_throughput latency_distribution syscalls timeline steps overlap matrix responsiveness loop_lateness operator operator_timeline upcall styles \
		depth_one depth_curve depth_syscalls batching staircase each_option block_size threads_cores cpu_shares durability \
		connections idle_descriptors offered_load hardware_counters; do
		[ -s "$BATS_FILE_TMPDIR/results/figures/$name.svg" ] || fail "no $name"
	done
	are_png "$BATS_FILE_TMPDIR/results/figures/"{throughput,timeline}.png
	are_pdf "$BATS_FILE_TMPDIR/results/figures/"{throughput,timeline}.pdf
	"$PYTHON" -c 'import sys, xml.dom.minidom as d; [d.parse(path) for path in sys.argv[1:]]' \
		"$BATS_FILE_TMPDIR/results/figures/"*.svg
}

@test "traces and tables are drawn whole, and what could not run is named" {
	run "$PYTHON" "$ROOT/plots/tests/drawn_documents.py" "$GOLDEN"
	assert_success
}

@test "at a column's width a figure is as narrow as that, and nothing is cut" {
	run plot --only throughput --formats svg --width 3.4 --out "$BATS_TEST_TMPDIR/column" "$BATS_FILE_TMPDIR/results"
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
	sed 's/iolab.timeline.v3/iolab.timeline.v9/' "$GOLDEN/timeline.json" >"$BATS_TEST_TMPDIR/alone/timeline.json"
	run plot "$BATS_TEST_TMPDIR/alone"
	assert_failure
	assert_output --partial "iolab.timeline.v9"
}

# again [OPTION...]: drawn once more, the bytes are the same.
again() {
	plot "$GOLDEN" --out "$BATS_TEST_TMPDIR/again" "$@"
	for path in "$BATS_TEST_TMPDIR/again/"*; do
		cmp "$path" "$BATS_FILE_TMPDIR/results/figures/${path##*/}"
	done
}

@test "the same summary makes the same bytes" {
	again --only timeline --only throughput
}

# bats test_tags=slow
@test "all figures, as PNG and as PDF" {
	plot "$GOLDEN" --formats png,pdf --out "$BATS_TEST_TMPDIR/drawn"
	local pngs=("$BATS_TEST_TMPDIR/drawn/"*.png) pdfs=("$BATS_TEST_TMPDIR/drawn/"*.pdf) all=("$BATS_FILE_TMPDIR/results/figures/"*.svg)
	assert_equal "${#pngs[@]} ${#pdfs[@]}" "${#all[@]} ${#all[@]}"
	are_png "${pngs[@]}"
	are_pdf "${pdfs[@]}"
}

# bats test_tags=slow
@test "the same summary makes the same bytes, in all figures" {
	again --formats svg
}

@test "an engine keeps its look when others are left out" {
	folder=$(changed '
s["configurations"] = [c for c in s["configurations"] if c["engine"]["label"] != "threads"]')
	plot "$folder" --only throughput --formats svg
	colours=$(cd "$ROOT/plots" && "$PYTHON" -c '
from drawing import style
print(*(style.look_of(engine).colour for engine in ("threads", "libaio", "io_uring")))')
	read -ra colours <<<"$colours"
	for colour in "${colours[@]:1}"; do
		grep -q "stroke: $colour" "$folder/figures/throughput.svg"
		grep -q "stroke: $colour" "$BATS_FILE_TMPDIR/results/figures/throughput.svg"
	done
	run grep -c "${colours[0]}" "$folder/figures/throughput.svg"
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

@test "a cost that grows has the line a + b n on even scales, and its two numbers" {
	cd "$ROOT/plots"
	run "$PYTHON" -c '
from drawing.growth import sentences
from readings.estimates import Estimate
from readings.quantities import cpu_time
def points(costs, spread=0.01):
    return [(x, Estimate(c, c * (1 - spread), c * (1 + spread))) for x, c in zip((10, 100, 1000), costs)]
for said in sentences({"line": points((8.6, 14, 68)), "bent": points((8, 8, 80)), "level": points((8, 9, 8)),
                       "wide": points((8, 9, 10), 0.3), "two": points((8, 80))}, cpu_time, "connection", "connections"):
    print(*said, sep=": ")
print(sentences({"level": points((8, 9, 8))}, cpu_time, "connection", "connections"))'
	assert_success
	assert_line --index 0 --regexp "^line: 8.00.µs and 60.0.ns for each connection \(59.2.60.8.ns\)$"
	assert_line --index 1 --regexp "^bent: it grows, and on no straight line: a point lies [0-9]+ % off the best one$"
	assert_line --index 2 "level, wide: no growth with more connections shown"
	assert_line --index 3 "[]"
	mkdir -p "$BATS_TEST_TMPDIR/idle"
	cp "$GOLDEN/study/idle_descriptors/summary.json" "$BATS_TEST_TMPDIR/idle"
	plot "$BATS_TEST_TMPDIR/idle" --only cpu_per_op --formats svg
	grep -q "poll: 21.7.µs and 193.ns for each" "$BATS_TEST_TMPDIR/idle/figures/cpu_per_op.svg"
	grep -q "epoll, io_uring: no growth" "$BATS_TEST_TMPDIR/idle/figures/cpu_per_op.svg"
}

@test "process and machine have scales of their own, so that neither hides in a corner" {
	cd "$ROOT/plots"
	run "$PYTHON" -c '
import sys
from figures import registry
from readings import results
summary = results.load(sys.argv[1])
[figure] = [f for f in registry.PANELS if f.name == "cpu_per_op"]
drawn = figure.draw(summary)
process, machine = [axes.get_ylim() for axes in drawn.axes[:2]]
assert process != machine, (process, machine)
assert all(axes.yaxis.get_major_ticks()[0].label1.get_visible() for axes in drawn.axes[:2])' \
		"$GOLDEN/study/idle_descriptors"
	assert_success
}

@test "variants, and a learner's copy beside its reference, can be told apart" {
	run "$PYTHON" "$ROOT/plots/tests/told_apart.py"
	assert_success
	assert_output --partial "pairs can be told apart"
}

@test "a metric that the summary describes is drawn by its name alone" {
	folder=$(changed '
s["metrics"] = {"helpers.io_wq": dict(words="io-wq threads", unit="", better="lower"),
                "nap": dict(words="longest nap", unit="ns", better="lower")}
for i, c in enumerate(s["configurations"]):
    if c["status"] == "ok":
        c["metrics"]["helpers.io_wq"] = dict(median=i + 2, low=i + 1, high=i + 3, count=3)
        c["metrics"]["nap"] = dict(median=7e4, low=7e4, high=7e4, count=3)')
	plot "$folder" --metric helpers.io_wq --formats svg
	grep -q ">Io-wq threads<" "$folder/figures/helpers_io_wq.svg"
	grep -q "The metric helpers.io_wq; less is better" "$folder/figures/helpers_io_wq.svg"
	plot "$folder" --metric nap --formats svg
	grep -q "70.*µs" "$folder/figures/nap.svg"
	plot "$folder" --metric cpu.util_pct --formats svg
	run plot "$folder" --metric no_such
	assert_failure 1
	assert_output --partial "has no metric no_such; it has "
}

@test "a value below 0 is drawn" {
	folder=$(changed '
s["metrics"] = {"above_idle": dict(words="above idle", unit="%", better="lower")}
for i, c in enumerate(s["configurations"]):
    if c["status"] == "ok":
        c["metrics"]["above_idle"] = dict(median=-50.0 - i, low=-80.0, high=-40.0, count=3)')
	plot "$folder" --metric above_idle --formats svg
	grep -q ">−60 %<" "$folder/figures/above_idle.svg"
}

@test "a figure and the report name the way an interval is made in words" {
	plot "$GOLDEN" --only throughput --formats svg --out "$BATS_TEST_TMPDIR/words"
	report_in_words "$GOLDEN" --out "$BATS_TEST_TMPDIR/words/report.html"
	grep -q "order statistics of the rounds" "$BATS_TEST_TMPDIR/words/report.html"
	run grep -rlE "order_statistics|t_of_logarithms" "$BATS_TEST_TMPDIR/words"
	assert_output ""
}

@test "a caption is at most two sentences, and the report's text has the rest" {
	cd "$ROOT/plots"
	run "$PYTHON" -c '
from figures import registry
for figure in registry.ALL:
    words = figure.caption
    assert len(words) <= 200 and words.endswith(".") and words.count(". ") <= 1, words'
	assert_success
}

@test "a sub-title is one sentence" {
	cd "$ROOT/plots"
	run "$PYTHON" -c '
from figures import registry
for figure in registry.ALL:
    words = figure.subtitle
    assert len(words) <= 100 and not words.endswith(".") and ". " not in words, words'
	assert_success
}
