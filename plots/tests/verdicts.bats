#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Verdicts: each follows its rule.

load common

@test "verdicts follow their rules, and so do those of the figures" {
	run "$PYTHON" "$ROOT/plots/tests/judged.py" "$GOLDEN"
	assert_success
}

@test "every verdict stands in one table, and what was not measured with its reason" {
	cp -r "$GOLDEN" "$BATS_TEST_TMPDIR/some"
	rm -r "$BATS_TEST_TMPDIR/some/study/batching" "$BATS_TEST_TMPDIR/some/study/durability_fsync"
	"$PYTHON" - "$BATS_TEST_TMPDIR/some/study/study.json" <<-'PYTHON'
		import json, sys
		document = json.load(open(sys.argv[1]))
		document["missing"] = {"durability_fsync": {
		    "id": "study_failed", "values": {"seconds": 0}, "text": "failed after {seconds} s: no space left"}}
		open(sys.argv[1], "w").write(json.dumps(document))
	PYTHON
	run "$SYSTEM_PYTHON" "$ROOT/harness/tests/validate.py" "$ROOT/docs/result.schema.json" iolab.study.v2 \
		"$BATS_TEST_TMPDIR/some/study/study.json"
	assert_success
	report_in_words "$BATS_TEST_TMPDIR/some"
	table=$(sed -n '/^## What others found/,/^## Method/p' "$BATS_TEST_TMPDIR/some/report.md")
	[[ $table =~ and[[:space:]]2[[:space:]]not[[:space:]]measured ]] || fail "$table"
	[[ $table == *"**not measured**: failed after 0 s: no space left"* ]] || fail "$table"
	[[ $table == *"**not measured**: the folder does not hold what it is drawn from"* ]] || fail "$table"
	[[ $table == *"](#one-operation-at-a-time)"* ]] || fail "$table"
	"$PYTHON" - "$BATS_TEST_TMPDIR/some/study/depth_one/summary.json" <<-'PYTHON'
		import json, sys
		s = json.load(open(sys.argv[1]))
		for c in s["configurations"]:
		    c.update(status="error", reason={"id": "failed", "text": "the disk is gone"}, metrics=None, ratio=None)
		open(sys.argv[1], "w").write(json.dumps(s))
	PYTHON
	report_in_words "$BATS_TEST_TMPDIR/some"
	grep -q "no run ended ok.*the disk is gone" "$BATS_TEST_TMPDIR/some/report.html"
	folder=$(changed '')
	report_in_words "$folder"
	grep -q "Nothing of it was tried here but what the comparison itself can tell" "$folder/report.html"
}

@test "a verdict in the summary is the verdict in the report" {
	folder=$(changed '
for c in s["configurations"]:
    if c["ratio"]:
        c["ratio"]["ops_per_s"].update(verdict="none", low=0.9, high=1.1, mean=1.0)')
	report_in_words "$folder"
	run grep -o "no difference shown" "$folder/report.html"
	assert_success
}
