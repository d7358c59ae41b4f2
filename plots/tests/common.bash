# SPDX-License-Identifier: MIT
# Loaded by the .bats files here: figures and report from plots/tests/golden, a results folder that never
# changes: three rounds of a small comparison in which something is unsupported.

load ../../harness/tests/common

GOLDEN="$ROOT/plots/tests/golden"
PANEL_FIGURES=(throughput cpu_per_op latency_throughput latency_distribution syscalls)

plot() { "$PYTHON" "$ROOT/plots/plot.py" "$@"; }
report() { "$PYTHON" "$ROOT/plots/report.py" "$@"; }

# The same report without its figures, much faster.
report_in_words() { "$PYTHON" "$ROOT/plots/tests/report_in_words.py" "$@"; }

# changed PYTHON-CODE: a results folder whose summary `s` the code has changed. Prints its name.
changed() {
	local folder="$BATS_TEST_TMPDIR/changed results"
	mkdir -p "$folder"
	change_json "$GOLDEN/summary.json" "$folder/summary.json" "$1"
	echo "$folder"
}

# change_json FROM TO PYTHON-CODE: the code changes the document `s`. tell(ESTIMATE, VALUE) makes all rounds of an
# estimate the same.
change_json() {
	"$PYTHON" - "$@" <<-'PYTHON'
		import json, sys
		source, target, code = sys.argv[1:]
		s = json.load(open(source))
		def tell(estimate, value, **more):
		    estimate.update({key: value for key in ("median", "mean", "low", "high", "min", "max") if key in estimate})
		    estimate.update(values=[value] * estimate["count"], **more)
		exec(code)
		open(target, "w").write(json.dumps(s))  # json.dump() is many times slower
	PYTHON
}

# refused TEXT PROGRAM ARGUMENT...: fails with status 1 and one line that has the text.
refused() {
	local text=$1
	shift
	run "$@"
	assert_failure 1
	assert_output --partial "$text"
	[ "${#lines[@]}" -eq 1 ] || fail "more than one line: $output"
}
