#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Import from fio, export for fio and hyperfine, diff of two folders. The results of
# fio in fixtures/ were recorded by record_fio.sh.

load common

FIXTURES="$BATS_TEST_DIRNAME/fixtures"

setup() {
	cd "$BATS_TEST_TMPDIR" || return
}

# valid FILE SCHEMA
valid() {
	run "$SYSTEM_PYTHON" "$ROOT/harness/tests/validate.py" "$ROOT/docs/result.schema.json" "$2" "$1"
	assert_success
}

# imports NAME...: imports these fixtures into the folder "results", which must be as documented.
imports() {
	local files=() name
	for name in "$@"; do files+=("$FIXTURES/$name.json"); done
	run timeout "$HANG_S" "$IOLAB" import "${files[@]}" --out results
	assert_success
	table=$output
	valid results/runs.jsonl iolab.run.v2
	valid results/summary.json iolab.summary.v2
}

# refused TEXT COMMAND...: status 1, one line that holds the text, and no results folder.
refused() {
	local text=$1
	shift
	run "$@"
	assert_failure 1
	assert_output --partial "$text"
	assert_equal "${#lines[@]}" 1
	assert [ ! -e results ]
}

# checks FILE CODE: runs Python code; `runs` and `summary` come from the folder "results", `fio` from FILE.
checks() {
	PYTHONPATH=$ROOT/plots run "$SYSTEM_PYTHON" -B - "$@" <<-'PYTHON'
		import json, math, os, sys
		runs = [json.loads(line) for line in open("results/runs.jsonl")]
		summary = json.load(open("results/summary.json"))
		text = open(sys.argv[1]).read()
		fio = json.loads(text[text.index("{"):text.rindex("}") + 1])
		exec(sys.argv[2])
	PYTHON
	assert_success
}

# compared FOLDER OPTION...: a comparison of no-ops, quick and with runs of its own.
compared() {
	local folder=$1
	shift
	timeout "$HANG_S" "$IOLAB" compare --idle 0 --engines null,io_uring --baseline null --workloads nop --depths 1,4 --rounds 5 \
		--runtime 0.02 --warmup 0.005 --no-count-syscalls --out "$folder" "$@" >/dev/null
}

# with_rates FOLDER CODE: changes every `run` of a folder with the code, and makes its summary.
with_runs() {
	"$SYSTEM_PYTHON" - "$@" <<-'PYTHON'
		import copy, json, os, sys
		sys.path.insert(0, os.environ["BATS_TEST_DIRNAME"])
		from agreeing import agree
		path = sys.argv[1] + "/runs.jsonl"
		runs = [json.loads(line) for line in open(path)]
		for run in runs:
		    before = copy.deepcopy(run)
		    exec(sys.argv[2])
		    agree(before, run)
		open(path, "w").write("".join(json.dumps(run) + "\n" for run in runs))
	PYTHON
	"$IOLAB" summary "$1" >/dev/null
}

@test "import: each fio job becomes a run with fio's name and figures" {
	imports psync
	checks "$FIXTURES/psync.json" '
run, job = runs[0], fio["jobs"][0]
assert run["engine"] == {"name": "fio", "variant": "psync", "label": "fio:psync"}, run["engine"]
assert run["workload"]["panel"]["text"] == "file randread 4k O_DIRECT, 1M", run["workload"]
assert (run["config"]["x_name"], run["config"]["x"], run["config"]["round"]) == ("depth", 1, 0)
assert run["config"]["command"][:2] == ["fio", "--name=one"] and "--direct=1" in run["config"]["command"]
m, read = run["metrics"], job["read"]
assert abs(m["ops_per_s"] - read["iops"]) < 1e-3 and m["ops"] == m["reads"] == read["total_ios"] == 100
assert m["bytes"] == read["io_bytes"] == 409600 and m["writes"] == 0
latency = m["latency_ns"]
assert (latency["min"], latency["max"], latency["count"]) == (read["lat_ns"]["min"], read["lat_ns"]["max"], 100)
assert abs(latency["mean"] - read["lat_ns"]["mean"]) < 1, latency
# fio and iolab have the same buckets; fio names the middle, and iolab cuts it to what is possible.
for ours, theirs in (("p50", "50.000000"), ("p99", "99.000000"), ("p99_9", "99.900000")):
    expected = min(max(read["lat_ns"]["percentile"][theirs], latency["min"]), latency["max"])
    assert abs(latency[ours] - expected) <= 0.5 or latency[ours] == latency["max"], (ours, latency, expected)
assert sum(b[2] for b in run["histogram"]["buckets"]) == 100
# fio gives CPU time and switches of the thread only, and no depth in flight: they are absent.
assert set(m["cpu"].values()) == set(m["context_switches"].values()) == {None} and m["inflight_mean"] is None and run["env"] is None
assert run["imported"]["thread_usr_cpu_pct"] == round(job["usr_cpu"], 9)
c = summary["configurations"][0]
assert c["metrics"]["cpu.us_per_op"] is None and c["metrics"]["context_switches_per_op"] is None
assert c["imported"] == [{"round": 0, "tool": "fio", "file": run["imported"]["file"], "job": "one"}]'
	[[ $table == *"fio:psync"* ]]
	[[ $table == *"of the job's own thread, and not shown"* ]]
	[[ $table == *"Imported, one run a round, not in turns"* ]]
	[[ $table != *"in random order"* ]]
}

@test "import: jobs of a file, depth, rounds in the order of the files" {
	imports depths psync
	cp results/runs.jsonl first
	cp "$FIXTURES/psync.json" later.json
	sed -i 's/"timestamp" : [0-9]*/"timestamp" : 1000000000/' later.json
	run "$IOLAB" import later.json --out results --here
	assert_success
	valid results/runs.jsonl iolab.run.v2
	# Earlier runs stay unchanged and come first.
	head -n 3 results/runs.jsonl | cmp - first
	checks "$FIXTURES/depths.json" '
assert [(r["engine"]["label"], r["config"]["x"], r["config"]["round"], r["config"]["plan"]) for r in runs] == [
    ("fio:libaio", 1, 0, 0), ("fio:libaio", 8, 0, 1), ("fio:psync", 1, 0, 2), ("fio:psync", 1, 1, 2)]
assert runs[1]["metrics"]["ops_per_s"] != runs[0]["metrics"]["ops_per_s"]
assert runs[3]["env"]["kernel"] and runs[3]["time_utc"] == "2001-09-09T01:46:40Z", runs[3]["time_utc"]
assert summary["env"]["kernel"] and summary["env_varies"] == [], summary["env_varies"]
last = [c for c in summary["configurations"] if c["engine"]["label"] == "fio:psync"][0]
assert last["rounds"] == 2 and [e["file"] for e in last["imported"]][1] == "later.json", last["imported"]
assert (summary["rounds_planned"], summary["rounds_done"]) == (1, 2)'
}

@test "import: lines before the JSON, and a depth that fio's synchronous engine does not have" {
	imports note
	checks "$FIXTURES/note.json" '
assert not text.startswith("{") and "queue depth will be capped" in text
assert runs[0]["config"]["x"] == 1, runs[0]["config"]'
	{
		echo "fio: a remark { that opens a bracket"
		cat "$FIXTURES/psync.json"
		echo "and one after it"
	} >wrapped.json
	run "$IOLAB" import wrapped.json --out results
	assert_success
}

@test "import: plain JSON gives quantiles without a histogram, and fio's clat excludes the submission" {
	imports default
	checks "$FIXTURES/default.json" '
latency, clat = runs[0]["metrics"]["latency_ns"], fio["jobs"][0]["read"]["clat_ns"]
assert latency["p50"] == clat["percentile"]["50.000000"] and latency["p99_9"] == clat["percentile"]["99.900000"]
assert latency["source"] == "fio" and runs[0]["histogram"] is None
assert any(w["id"] == "completion_latency" for w in runs[0]["warnings"]), runs[0]["warnings"]'
	rm -r results
	imports depths # with --lat_percentiles
	checks "$FIXTURES/depths.json" '
assert not any(w["id"] == "completion_latency" for run in runs for w in run["warnings"])
assert runs[1]["metrics"]["latency_ns"]["max"] == fio["jobs"][1]["read"]["lat_ns"]["max"]'
}

@test "import: reads and writes are merged, their quantiles only where there are bins" {
	imports mixed
	checks "$FIXTURES/mixed.json" '
m, job = runs[0]["metrics"], fio["jobs"][0]
assert m["ops"] == 100 == m["reads"] + m["writes"] and m["writes"] == job["write"]["total_ios"] > 0
assert abs(m["ops_per_s"] - job["read"]["iops"] - job["write"]["iops"]) < 1e-3
assert m["latency_ns"]["count"] == 100 and sum(b[2] for b in runs[0]["histogram"]["buckets"]) == 100
assert m["latency_ns"]["max"] == max(job[d]["clat_ns"]["max"] for d in ("read", "write"))
assert runs[0]["workload"]["panel"]["text"] == "file randrw 75% reads 4k O_DIRECT, 1M"'
	rm -r results
	imports mixed-plain
	checks "$FIXTURES/mixed-plain.json" '
latency = runs[0]["metrics"]["latency_ns"]
assert latency["p50"] is None and latency["count"] == 100 == runs[0]["metrics"]["ops"], latency
assert any(w["id"] == "quantiles_apart" for w in runs[0]["warnings"])
assert summary["configurations"][0]["metrics"]["latency_ns.p50"] is None'
	rm -r results
	imports unified
	checks "$FIXTURES/unified.json" '
m = runs[0]["metrics"]
assert m["ops"] == 100 and m["reads"] is None and m["latency_ns"]["p50"] > 0'
}

@test "import: writes and syncs, buffered and direct" {
	imports fsync buffered
	checks "$FIXTURES/fsync.json" '
m, job = runs[0]["metrics"], fio["jobs"][0]
assert m["writes"] == m["ops"] == job["write"]["total_ios"] and m["syncs"] == job["sync"]["total_ios"] > 0
assert m["sync_latency_ns"]["max"] == job["sync"]["lat_ns"]["max"]
assert runs[0]["workload"]["panel"]["text"] == "file randwrite 4k O_DIRECT fsync every 4, 1M", runs[0]["workload"]
# Only the user knows whether the cache was warm.
assert runs[1]["workload"]["panel"]["text"] == "file read 4k page cache as found, 1M"
assert runs[1]["workload"]["cache"] is None'
	rm -r results
	run "$IOLAB" import "$FIXTURES/buffered.json" --out results --cache warm
	assert_success
	valid results/runs.jsonl iolab.run.v2
	checks "$FIXTURES/buffered.json" 'assert runs[0]["workload"]["panel"]["text"] == "file read 4k page cache, 1M"'
}

@test "import: grouped jobs are one run, ungrouped ones are refused, parallel ones are marked" {
	imports grouped
	checks "$FIXTURES/grouped.json" '
assert runs[0]["engine"]["label"] == "fio:psync+jobs" and runs[0]["config"]["x"] == 4 and runs[0]["metrics"]["ops"] == 400'
	rm -r results
	refused "--group_reporting" "$IOLAB" import "$FIXTURES/apart.json" --out results
	imports beside
	checks "$FIXTURES/beside.json" '
assert [r["workload"]["panel"]["text"] for r in runs] == ["file randread 4k O_DIRECT, 1M, beside 1 other job"] * 2
assert any(w["id"] == "jobs_beside" for w in runs[0]["warnings"])
assert [r["config"]["round"] for r in runs] == [0, 1]'
}

@test "import: the label holds how fio differs, the panel what it was asked to do" {
	imports rate lean
	checks "$FIXTURES/lean.json" '
assert runs[0]["workload"]["panel"]["text"] == "file randread 4k O_DIRECT, 1M, rate_iops=2000", runs[0]["workload"]
assert runs[1]["engine"]["label"].startswith("fio:libaio+"), runs[1]["engine"]
for word in ("gtod_reduce", "norandommap", "batch_complete_max=4"):
    assert word in runs[1]["engine"]["variant"].split("+"), runs[1]["engine"]
assert runs[1]["workload"]["panel"]["text"] == "file randread 4k O_DIRECT, 1M"
assert runs[1]["metrics"]["latency_ns"] is None and runs[1]["metrics"]["ops"] == 100'
}

@test "import: a failed job is an error with fio's reason; so is a job that did nothing" {
	imports psync failed
	checks "$FIXTURES/failed.json" '
assert fio["jobs"][0]["error"] != 0
assert runs[1]["status"] == "error" and runs[1]["reason"]["id"] == "fio_error" and runs[1]["reason"]["values"]["errno"] == "EINVAL" and runs[1]["metrics"] is None, runs[1]["reason"]'
	sed 's/"total_ios" : 100/"total_ios" : 0/; s/"iops" : [0-9.]*/"iops" : 0/' "$FIXTURES/psync.json" >nothing.json
	rm -r results
	run "$IOLAB" import nothing.json --out results
	assert_failure 1
	assert_output --partial "error: fio finished no operation"
	valid results/runs.jsonl iolab.run.v2
}

@test "import: fio 2 with its microseconds and KiB; options left out have fio's defaults" {
	cat >old.json <<-'JSON'
		{
		  "fio version" : "fio-2.16", "timestamp" : 1500000000, "time" : "Fri Jul 14 02:40:00 2017",
		  "jobs" : [ {
		    "jobname" : "old", "groupid" : 0, "error" : 0, "eta" : 0, "elapsed" : 2,
		    "job options" : { "name" : "old", "rw" : "randread", "iodepth" : "4", "ioengine" : "libaio" },
		    "read" : { "io_bytes" : 4000, "bw" : 4000, "iops" : 1000.0, "runtime" : 1000, "total_ios" : 1000,
		      "short_ios" : 0, "drop_ios" : 0,
		      "slat" : { "min" : 1, "max" : 9, "mean" : 2.5, "stddev" : 1.0 },
		      "clat" : { "min" : 10, "max" : 900, "mean" : 100.5, "stddev" : 1.0,
		        "percentile" : { "1.000000" : 12, "50.000000" : 98, "90.000000" : 150, "99.000000" : 400, "0.00" : 0 } },
		      "lat" : { "min" : 12, "max" : 905, "mean" : 103.0, "stddev" : 1.0 } },
		    "write" : { "io_bytes" : 0, "bw" : 0, "iops" : 0.0, "runtime" : 0, "total_ios" : 0 },
		    "usr_cpu" : 1.0, "sys_cpu" : 2.0, "ctx" : 10, "majf" : 0, "minf" : 1 } ]
		}
	JSON
	run "$IOLAB" import old.json --out results
	assert_success
	valid results/runs.jsonl iolab.run.v2
	checks old.json '
m = runs[0]["metrics"]
assert m["latency_ns"]["p50"] == 98000 and m["latency_ns"]["max"] == 900000 and m["latency_ns"]["p99_9"] is None, m
assert m["bytes"] == 4096000 and m["bytes_per_s"] == 4096000 and m["ops_per_s"] == 1000
assert any(w["values"].get("submission_us") == 2.5 for w in runs[0]["warnings"]), runs[0]["warnings"]
assert runs[0]["workload"]["panel"]["text"] == "file randread 4k page cache as found", runs[0]["workload"]
assert runs[0]["time_utc"] == "2017-07-14T02:40:00Z"'
}

@test "import: sizes as fio reads them" {
	for pair in "128k 131072" "1M 1048576" "4096 4096" "2MiB 2000000" "8kb 8192"; do
		sed "s/\"size\" : \"1M\"/\"size\" : \"${pair% *}\"/" "$FIXTURES/psync.json" >sized.json
		rm -rf results
		run "$IOLAB" import sized.json --out results
		assert_success
		checks sized.json "assert runs[0]['workload']['size_bytes'] == ${pair#* }, runs[0]['workload']"
	done
	sed 's/"size" : "1M"/"size" : "50%"/' "$FIXTURES/psync.json" >sized.json
	rm -rf results
	run "$IOLAB" import sized.json --out results
	assert_success
	checks sized.json 'assert runs[0]["workload"]["panel"]["text"] == "file randread 4k O_DIRECT, size=50%"'
}

@test "import: beside a comparison it shares the panel, without a ratio" {
	timeout "$HANG_S" "$IOLAB" compare --idle 0 --engines blocking --workloads file --depths 1,8 --rounds 2 --runtime 0.03 \
		--warmup 0.01 --out results -- --file "$BATS_TEST_TMPDIR/file" --size 1M --cache warm >/dev/null
	cp results/summary.json before.json
	sed 's/"size" : "1M"/"size" : "1M", "buffered" : "1"/; s/"direct" : "1"/"direct" : "0"/' "$FIXTURES/depths.json" >fio.json
	run "$IOLAB" import fio.json --out results --cache warm
	assert_success
	valid results/runs.jsonl iolab.run.v2
	valid results/summary.json iolab.summary.v2
	checks "$FIXTURES/depths.json" '
before = json.load(open("before.json"))
assert {c["workload"]["panel"]["text"] for c in summary["configurations"]} == {"file randread 4k page cache, 1M"}
ours = [c for c in summary["configurations"] if "imported" not in c]
theirs = [c for c in summary["configurations"] if "imported" in c]
assert len(ours) == 2 and len(theirs) == 2
for c in theirs:
    assert c["ratio"] is None and c["ratio_reason"]["id"] == "no_turns", c["ratio_reason"]
    assert c["metrics"]["syscalls_per_op"] is None and c["syscalls_reason"]["id"] == "syscalls_not_imported"
# The values of our own runs are unchanged.
for key in ("seed", "rounds_planned", "rounds_done", "command", "env", "idle_baseline"):
    assert summary[key] == before[key], key
for was, is_now in zip(before["configurations"], ours):
    assert was == is_now'
	run "$IOLAB" summary --baseline fio:libaio results
	assert_success
	assert_output --partial "did not take turns"
}

@test "import: bad input is refused in one line, and no folder is made" {
	refused "ENOENT" "$IOLAB" import nosuch.json --out results
	refused "EISDIR" "$IOLAB" import . --out results
	: >empty.json
	refused "there is no JSON in it" "$IOLAB" import empty.json --out results
	head -c 4096 /dev/urandom >noise.json
	run "$IOLAB" import noise.json --out results
	assert_failure 1
	echo '{"results": []}' >other.json
	refused "not fio's" "$IOLAB" import other.json --out results
	echo '{"fio version": "fio-3.33", "client_stats": []}' >client.json
	refused "client and server" "$IOLAB" import client.json --out results
	echo '{"fio version": "fio-3.33", "jobs": []}' >none.json
	refused "ran no job" "$IOLAB" import none.json --out results
	head -n 20 "$FIXTURES/psync.json" >cut.json
	refused "broken JSON" "$IOLAB" import cut.json --out results
	cat "$FIXTURES/psync.json" "$FIXTURES/depths.json" >two.json
	refused "more than one result" "$IOLAB" import two.json --out results
	refused "rw=trim" "$IOLAB" import "$FIXTURES/trim.json" --out results
	refused "in the folder already, or was named twice" "$IOLAB" import "$FIXTURES/psync.json" "$FIXTURES/psync.json" \
		--out results
	# One bad file among good ones: nothing of the good ones is written.
	refused "ENOENT" "$IOLAB" import "$FIXTURES/psync.json" nosuch.json --out results
	refused "ENOENT" "$IOLAB" import "$FIXTURES/psync.json" --out no/such/folder
	for jobs in '[7]' '["text"]' '[null]' '[{"read": []}]' '[{"job options": 3}]'; do
		echo "{\"fio version\": \"fio-3.33\", \"jobs\": $jobs}" >odd.json
		refused "is not an object" "$IOLAB" import odd.json --out results
	done
	echo '{"fio version": "fio-3.33", "jobs": [{}]}' >odd.json
	run "$IOLAB" import odd.json --out results
	assert_failure 1
	assert_output --partial "finished no operation"
}

@test "import: a folder that holds the result already, has a torn line, or is not iolab's" {
	imports psync
	cp results/runs.jsonl before
	run "$IOLAB" import "$FIXTURES/psync.json" --out results
	assert_failure 1
	assert_output --partial "in the folder already"
	cmp results/runs.jsonl before
	printf '{"schema":"iolab.run.v2","torn' >>results/runs.jsonl
	run "$IOLAB" import "$FIXTURES/depths.json" --out results
	assert_failure 1
	assert_output --partial "torn; delete that line first"
	echo '{"schema":"other"}' >results/runs.jsonl
	run "$IOLAB" import "$FIXTURES/depths.json" --out results
	assert_failure 1
	assert_output --partial "its schema is"
	assert_equal "$(cat results/runs.jsonl)" '{"schema":"other"}'
}

# first_run FOLDER KEYS: a value of the first run.
first_run() {
	"$SYSTEM_PYTHON" -c "import json, sys; print(json.loads(open(sys.argv[1] + '/runs.jsonl').readline())$2)" "$1"
}

# For the Python below: the identifiers of a run's warnings, and the values of one.
IDS='
def ids(run): return [w["id"] for w in run["warnings"]]
def said(run, id): return next(w["values"] for w in run["warnings"] if w["id"] == id)
'

@test "import: a file without options: workload, engine and depth are unknown, and no job is a round of another" {
	imports fio/no_options
	cp "$FIXTURES/fio/no_options.json" again.json
	run "$IOLAB" import again.json --out results
	assert_success
	valid results/summary.json iolab.summary.v2
	checks "$FIXTURES/fio/no_options.json" "$IDS"'
assert len(runs) == 4 and len(summary["configurations"]) == 4
for run in runs:
    w, c = run["workload"], run["config"]
    unknown = ("rw", "bs_bytes", "size_bytes", "direct", "cache", "read_pct", "fsync_every", "fdatasync_every", "words")
    assert [w[key] for key in unknown] == [None] * len(unknown), w
    assert c["depth"] is None and c["x"] is None and run["engine"]["label"] == "fio:unknown"
    assert "options_unknown" in ids(run), ids(run)
assert "workload unknown, reads, depth unknown" in runs[0]["workload"]["panel"]["text"], runs[0]["workload"]["panel"]["text"]
assert "workload unknown, reads and writes" in runs[1]["workload"]["panel"]["text"]
assert abs(said(runs[0], "options_unknown")["mean_bytes"] - 16384) < 1'
	[[ $table == *"depth unknown"* ]]
	[[ $table != *"depth 0"* ]]
	run "$IOLAB" export results --format fio --out out.json
	assert_success
	run timeout "$HANG_S" "$PYTHON" "$ROOT/plots/plot.py" results
	assert_success
	run timeout "$HANG_S" "$PYTHON" "$ROOT/plots/report.py" results
	assert_success
	grep -q "depth unknown" results/report.html
	run "$IOLAB" diff results results
	assert_success
}

@test "import: settings that the file does not say are unknown in result, summary, CSV, export and report" {
	imports fio/no_options fio/settings_given psync
	checks "$FIXTURES/fio/settings_given.json" '
settings = ("seed", "runtime_s", "warmup_s", "op_limit")
never = ("batch_submit", "batch_complete", "compute_us", "verify", "cpus", "stall_ms", "rate_per_s")
for run in runs:
    given = {"given": [77, 2.5, 0.25, 9000], "zero": [0, None, 0, None], "one": [None, None, None, 100]}.get(run["imported"]["job"], [None] * 4)
    assert [run["config"][key] for key in settings] == given, run["config"]
    assert {run["config"][key] for key in never} == {None}, run["config"]
assert summary["seed"] is None
of = {c["imported"][0]["job"]: c["config"] for c in summary["configurations"]}
assert [of["given"][key] for key in settings] == [77, 2.5, 0.25, 9000] and of["one"]["seed"] is None'
	run "$IOLAB" summary results
	assert_success
	"$IOLAB" export results --format csv --out runs.csv
	"$IOLAB" export results --format fio --out out.json >/dev/null
	run timeout "$HANG_S" "$PYTHON" "$ROOT/plots/report.py" results
	assert_success
	checks out.json '
import csv
assert summary["seed"] is None
rows = {row["imported_job"]: row for row in csv.DictReader(open("runs.csv", newline=""))}
assert rows["given"]["seed"] == "77" and rows["zero"]["seed"] == "0" and rows["one"]["seed"] == "", rows
for row in rows.values():
    assert {row[key] for key in ("batch_submit", "batch_complete", "compute_us", "rate_per_s", "stall_ms")} == {""}, row
options = {job["jobname"].split(" ")[-1]: job["job options"] for job in fio["jobs"]}
assert not any(name in of for of in (fio["jobs"][0]["job options"],) for name in ("runtime", "ramp_time", "randseed"))
report = open("results/report.html").read()
assert "None" not in report and "seed 0" not in report'
}

@test "import: the engine is unknown where fio chose it, and so is a depth that the engine may not have" {
	imports fio/default_engine
	checks "$FIXTURES/fio/default_engine.json" "$IDS"'
assert {r["engine"]["label"] for r in runs} == {"fio:unknown"}
assert [r["config"]["depth"] for r in runs] == [None, 1] == [r["config"]["x"] for r in runs]
assert "engine_unknown" in ids(runs[0]) and "depth_unknown" in ids(runs[0]) and "depth_unknown" not in ids(runs[1])'
	# What fio saw in flight proves the depth.
	sed 's/"elapsed": 3,/"elapsed": 3, "iodepth_level": {"1": 0.1, "32": 1.5, ">=64": 98.4},/' \
		"$FIXTURES/fio/default_engine.json" >levels.json
	run "$IOLAB" import levels.json --out levels
	assert_success
	assert_equal "$(first_run levels '["config"]["depth"]')" 64
	# On this system, it is known.
	run "$IOLAB" import "$FIXTURES/fio/default_engine.json" --out here --here
	assert_success
	assert_equal "$(first_run here '["engine"]["label"]')" fio:psync
}

@test "import: one job's options for a whole group are not taken for the group's" {
	imports fio/group_without_numjobs fio/two_jobs_in_a_group fio/more_jobs_than_numjobs fio/group_of_one
	checks "$FIXTURES/fio/group_of_one.json" "$IDS"'
for run, why in zip(runs, ("jobs_unknown", "jobs_contradict", "jobs_contradict")):
    assert run["config"]["depth"] is None and why in ids(run), (run["config"], ids(run))
    w = run["workload"]
    assert w["panel"]["text"].startswith("file rand") and ", one of a group of jobs, depth unknown" in w["panel"]["text"], w
    assert {w[key] for key in ("rw", "bs_bytes", "size_bytes", "direct", "cache", "read_pct", "fsync_every", "words")} == {None}, w
    assert not any(id in ids(run) for id in ("mix_contradicts", "block_size_contradicts")), ids(run)
    assert run["engine"]["variant"].endswith("+jobs_unknown"), run["engine"]
assert round(said(runs[1], "jobs_contradict")["jobs_seen"]) == 2
assert round(said(runs[2], "jobs_contradict")["jobs_seen"]) == 8
assert runs[3]["config"]["depth"] == 1 and runs[3]["engine"]["label"] == "fio:psync"'
	rm -r results
	refused "--group_reporting" "$IOLAB" import "$FIXTURES/fio/twins_without_numjobs.json" --out results
}

@test "import: what contradicts itself is marked, and what it denies is unknown" {
	imports fio/other_block_size fio/reads_that_write fio/deeper_than_its_depth fio/other_rate fio/other_mix
	checks "$FIXTURES/fio/other_rate.json" "$IDS"'
blocks, pattern, latency, levels, rate, mix = runs
assert blocks["workload"]["bs_bytes"] is None and "blocks of unknown size" in blocks["workload"]["panel"]["text"]
assert said(blocks, "block_size_contradicts") == {"bs_bytes": 65536, "mean_bytes": 16384}
assert pattern["workload"]["rw"] is None and "pattern unknown" in pattern["workload"]["panel"]["text"]
assert said(pattern, "pattern_contradicts")["writes"] == 4000
for run in (latency, levels):
    assert run["config"]["depth"] is None and said(run, "depth_contradicts")["options_depth"] == 2
assert said(levels, "depth_contradicts")["in_flight"] == 8
assert abs(said(rate, "rate_contradicts")["counted_per_s"] - 2000) < 1
assert said(mix, "mix_contradicts")["asked_pct"] == 25
# Each in a configuration of its own.
assert len(summary["configurations"]) == 6'
}

@test "import: 0 is a value, and not an option that was left out" {
	imports fio/mix_of_writes_only fio/mix_of_reads_only
	checks "$FIXTURES/fio/mix_of_reads_only.json" '
assert [r["workload"]["read_pct"] for r in runs] == [0, 100]
assert runs[0]["workload"]["panel"]["text"].startswith("file rw 0% reads"), runs[0]["workload"]'
	sed 's/"rwmixread": "0"/"rwmixread": "140"/' "$FIXTURES/fio/mix_of_writes_only.json" >pct.json
	rm -r results
	refused "rwmixread=140 is no share" "$IOLAB" import pct.json --out results
	sed 's/"rwmixread": "0"/"iodepth": "many"/' "$FIXTURES/fio/mix_of_writes_only.json" >depth.json
	refused "iodepth=many is not a count" "$IOLAB" import depth.json --out results
}

@test "import: block sizes that are ranges, splits, or other ones for writes" {
	imports fio/block_sizes
	checks "$FIXTURES/fio/block_sizes.json" '
sizes = {run["imported"]["job"]: run["workload"]["bs_bytes"] for run in runs}
assert sizes == {"range": None, "bs_range": None, "split": None, "both": None, "writes": 8192, "reads": 8192, "one": 16384,
                 "empty": 4096}, sizes
panels = {run["imported"]["job"]: run["workload"]["panel"]["text"] for run in runs}
assert "blocks 4k-12k" in panels["range"] and "blocks 8k/20:32k/80" in panels["split"] and "blocks 8k,64k" in panels["both"]
assert not any(w["id"] == "block_size_contradicts" for run in runs for w in run["warnings"])'
	sed 's/"bs": ",8k"/"bs": "8x"/' "$FIXTURES/fio/block_sizes.json" >bad.json
	rm -r results
	refused "bs=8x is not a size of blocks" "$IOLAB" import bad.json --out results
}

@test "import: a counter that is missing or rounded is computed from better ones of the file" {
	imports fio/no_total_ios fio/rounded_bandwidth fio/rounded_rate
	checks "$FIXTURES/fio/rounded_rate.json" "$IDS"'
rate, blocks, bandwidth, whole = (run["metrics"] for run in runs)
assert said(runs[0], "operations_computed") == {} and rate["ops"] == 800 and rate["ops_per_s"] == 160 and "operations_computed" in ids(runs[0])
assert blocks["ops"] == 300 and blocks["bytes"] == 300 << 20 and abs(blocks["ops_per_s"] - 60) < 1e-6
assert abs(bandwidth["bytes_per_s"] - 300 * 1024 / 40) < 1e-3, bandwidth
assert abs(whole["ops_per_s"] - 7.9) < 1e-6 and whole["bytes"] == 316 * 1024, whole'
	# Blocks that the rate denies do not count the operations.
	sed 's/"bs": "1m"/"bs": "64k"/' "$FIXTURES/fio/no_total_ios.json" >denied.json
	rm -r results
	run "$IOLAB" import denied.json --out results
	assert_success
	checks denied.json "$IDS"'
assert runs[1]["metrics"]["ops"] == 300 and runs[1]["metrics"]["ops_per_s"] == 60, runs[1]["metrics"]
assert runs[1]["workload"]["bs_bytes"] is None and said(runs[1], "block_size_contradicts")["mean_bytes"] == 1 << 20'
}

@test "import: a mix without bins keeps count, mean, least and most of its latency" {
	imports fio/mix_without_bins
	checks "$FIXTURES/fio/mix_without_bins.json" '
latency = runs[0]["metrics"]["latency_ns"]
assert (latency["count"], latency["min"], latency["max"]) == (4000, 2000, 7000000), latency
assert abs(latency["mean"] - (3000 * 120000 + 1000 * 520000) / 4000) < 201, latency
assert [latency[key] for key in ("p50", "p90", "p99", "p99_9")] == [None] * 4'
}

@test "import: the JSON is found behind marks, blanks and text, in UTF-16 and inside of other documents" {
	"$SYSTEM_PYTHON" - "$FIXTURES/psync.json" <<-'PYTHON'
		import json, sys
		text = open(sys.argv[1]).read()
		document = json.loads(text)
		indented = "".join("  " + line for line in text.splitlines(True))
		for name, found in (("mark", b"\xef\xbb\xbf" + text.encode()), ("utf16", text.encode("utf-16")),
		                    ("le", text.encode("utf-16-le")), ("be", b"\xfe\xff" + text.encode("utf-16-be")),
		                    ("blanks", ("\n\n \t\r\n" + indented).encode()),
		                    ("text", ("fio: a note [x] {\n \t" + indented).encode()),
		                    ("marks", ("fio: a note\n\ufeff\ufeff" + text).encode()),
		                    ("in_a_line", ("<pre>Output: " + text.strip() + "</pre>").encode()),
		                    ("return", ("a note\r" + text).encode()), ("zeros", text.encode() + bytes(4096)),
		                    ("nan", text.replace(': 0.000000', ": -nan").replace(': "one"', ': "one nan: -nan"').encode()),
		                    ("array", json.dumps([document]).encode()),
		                    ("inside", json.dumps({"host": "h", "results": {"fio": document}}, indent=2).encode())):
		    open(name + ".json", "wb").write(found)
		for name, found in (("again", text.encode("utf-16") * 2), ("line", (text.strip() + text).encode())):
		    open(name + ".json", "wb").write(found)
		for name, found in (("mixed", text.encode("utf-16") + text.encode()), ("zero", b"\0" + text.encode()),
		                    ("hole", text.encode()[:900] + bytes(512) + text.encode()[900:]), ("hidden", (text + "\0" + text).encode()),
		                    ("mixed2", b"a note\n" + text.encode("utf-16-le")), ("wide2", text.encode("utf-32-le"))):
		    open("odd_" + name + ".json", "wb").write(found)
		open("two.json", "w").write(json.dumps([document, document]))
		open("wide.json", "wb").write(text.encode("utf-32"))
		open("cut.json", "w").write(indented[:2000])
		open("latin.json", "wb").write(text.replace('"one"', '"\u00e9"').encode("latin-1"))
	PYTHON
	for name in mark marks utf16 le be blanks text in_a_line return zeros nan array inside; do
		run "$IOLAB" import $name.json --out $name
		assert_success
		assert_equal "$(first_run $name '["engine"]["label"]') $(first_run $name '["metrics"]["ops"]')" "fio:psync 100"
	done
	assert_equal "$(first_run nan '["imported"]["job"]')" "one nan: -nan"
	for name in two again line; do
		refused "more than one result of fio (2)" "$IOLAB" import $name.json --out results
	done
	{ cat "$FIXTURES/psync.json"; head -n 20 "$FIXTURES/psync.json"; } >part.json
	{ head -n 20 "$FIXTURES/psync.json"; cat "$FIXTURES/psync.json"; } >part2.json
	for name in part part2; do
		refused "a result of fio, and a part of another one" "$IOLAB" import $name.json --out results
	done
	for name in odd_*.json; do
		refused "damaged (bytes of 0), or of two encodings" "$IOLAB" import "$name" --out results
	done
	refused "it is UTF-32" "$IOLAB" import wide.json --out results
	refused "broken JSON, in line" "$IOLAB" import cut.json --out results
	refused "broken JSON, in line" "$IOLAB" import latin.json --out results
	gzip -k two.json
	refused "compressed (gzip)" "$IOLAB" import two.json.gz --out results
}

@test "import: where there is no JSON, fio's own words are quoted" {
	printf 'note: some text\nfio: pid=12, err=2/file:a.c:7, func=open, error=No such file or directory\n' >error.json
	refused "fio: pid=12, err=2/file:a.c:7, func=open, error=No such file" "$IOLAB" import error.json --out results
	printf '\n mine: (g=0): rw=randread, bs=(R) 4096B-4096B \033[31m\n' >plain.json
	refused "mine: (g=0): rw=randread, bs=(R) 4096B-4096B ?[31m" "$IOLAB" import plain.json --out results
}

@test "import: fio's own trouble is told: interrupted, ended early, a latency that cannot be" {
	imports fio/interrupted fio/ended_early fio/impossible_latency
	checks "$FIXTURES/fio/interrupted.json" "$IDS"'
assert said(runs[0], "interrupted") == {"signal": 15} and "interrupted" not in ids(runs[1])
assert said(runs[1], "ended_early") == {"asked_s": 60, "ran_s": 2}
for run in runs[2:]:
    assert "latency_impossible" in ids(run) and run["metrics"]["latency_ns"] is None, ids(run)
    assert run["metrics"]["ops"] == 4000'
	# A job that ends when it is steady has not ended early.
	sed 's/"runtime": "1m"/"steadystate": "iops_slope:0.3%", &/' "$FIXTURES/fio/ended_early.json" >steady.json
	run "$IOLAB" import steady.json --out steady
	assert_success
	refute_output --partial "the job ended after"
	# More than 2^63 - 1, as versions of fio write negative numbers.
	sed 's/9223372036854775807/18446744073709551615/' "$FIXTURES/fio/impossible_latency.json" >more.json
	run "$IOLAB" import more.json --out more
	assert_success
	assert_output --partial "fio's latency cannot be"
}

@test "import: an error number of another system has no name of Linux's" {
	run "$IOLAB" import "$FIXTURES/fio/errors_elsewhere.json" --out results
	assert_failure 1
	checks "$FIXTURES/fio/errors_elsewhere.json" '
assert [run["reason"]["id"] for run in runs] == 2 * ["fio_foreign_error"] + 2 * ["fio_error"], runs
reasons = [run["reason"]["values"] for run in runs]
assert [values.get("number", values.get("errno")) for values in reasons] == [84, 60, "ENOSPC", "EILSEQ"], reasons
assert all(("number" in values) != ("errno" in values) for values in reasons), reasons'
}

@test "import: numbers that cannot be are refused in one line" {
	for change in 's/"iops": 2000.0/"iops": 1e60/' 's/"iops": 2000.0/"iops": -3/' 's/"bw_bytes": 8192000/"bw_bytes": -1/' \
		's/"total_ios": 4000/"total_ios": -4000/' 's/"min": 2000/"min": -5/' 's/"mean": 120000.0/"mean": -1.5/' \
		's/"50.000000": 110000/"50.000000": -7/' 's/"runtime": 2000/"runtime": 1e300/'; do
		sed "$change" "$FIXTURES/fio/group_of_one.json" >odd.json
		! cmp -s odd.json "$FIXTURES/fio/group_of_one.json" || fail "nothing was changed by $change"
		refused "which cannot be" "$IOLAB" import odd.json --out results
	done
	sed 's/"timestamp": [0-9]*/"timestamp": 1e308/' "$FIXTURES/fio/group_of_one.json" >odd.json
	refused "its time is no date" "$IOLAB" import odd.json --out results
	# Beyond an integer's range where the number is only passed on.
	sed 's/"elapsed": 3/"elapsed": 3, "total_err": 1e300, "ctx": 1e300, "usr_cpu": 1e300/' "$FIXTURES/fio/group_of_one.json" >odd.json
	run "$IOLAB" import odd.json --out results
	assert_success
	run "$IOLAB" export results --format fio --out out.json
	assert_success
	checks out.json 'assert fio["jobs"][0]["ctx"] > 0'
}

@test "import: long labels are shortened, stay different, and are drawn; control characters are not shown" {
	imports fio/long_names
	checks "$FIXTURES/fio/long_names.json" '
labels = [run["engine"]["label"] for run in runs]
assert len(set(labels)) == 2 and all(len(label) <= 64 for label in labels), labels
assert all(len(run["workload"]["panel"]["text"]) <= 150 for run in runs)'
	run timeout "$HANG_S" "$PYTHON" "$ROOT/plots/plot.py" results
	assert_success
	run timeout "$HANG_S" "$PYTHON" "$ROOT/plots/report.py" results
	assert_success
	sed 's/"group_reporting"/"\\u001b[31mred"/; s/"jobname": "alone"/"jobname": "a\\u001b[2J"/' "$FIXTURES/fio/group_of_one.json" >escape.json
	run "$IOLAB" import escape.json --out escape
	assert_success
	[[ $output == *"?[31mred"* && $output != *$'\e'* ]]
	# Neither does CSV hold one, nor what is said of a file whose name has one.
	run "$IOLAB" export escape --format csv
	assert_success
	[[ $output == *'a?[2J'* && $output == *'?[31mred'* && $output != *$'\e'* ]]
	echo '{' >$'\e[31mbroken.json'
	run "$IOLAB" import $'\e[31mbroken.json' --out escape
	assert_failure 1
	[[ $output == *'?[31mbroken.json: broken JSON'* && $output != *$'\e'* ]]
	# A folder may also have been written by somebody else: diff shows its texts.
	sed 's/"kernel":"[^"]*"/"kernel":"\\u001b]0;title\\u0007"/; s/"panel":{"id":"[^}]*},"text":"/&\\u001b[2J/' escape/runs.jsonl >runs.jsonl
	mkdir other && mv runs.jsonl other
	local folders
	for folders in "escape other" "other other" "other escape"; do
		run "$IOLAB" diff "${folders% *}" "${folders#* }"
		assert_success
		[[ $output == *"?[31mred"* && $output != *$'\e'* && $output != *$'\a'* ]]
	done
}

@test "import and export: a job's name that is a formula stays text in a spreadsheet" {
	for name in '=cmd()' '+1' '-1' '@x'; do
		rm -rf results
		sed "s/\"jobname\": \"alone\"/\"jobname\": \"$name\"/" "$FIXTURES/fio/group_of_one.json" >formula.json
		run "$IOLAB" import formula.json --out results
		assert_success
		"$IOLAB" export results --format csv --out out.csv
		"$SYSTEM_PYTHON" - <<-'END'
			import csv
			rows = list(csv.reader(open("out.csv", newline="")))
			fields = dict(zip(rows[0], rows[1]))
			assert fields["imported_job"][0] == "'", fields["imported_job"]
			for name, text in fields.items():
			    number = text.lstrip("-+").replace(".", "").replace("e", "").replace("-", "").isdigit()
			    assert text[:1] not in ("=", "+", "-", "@", "\t", "\r") or number, (name, text)
		END
	done
}

@test "export as fio: each job says numjobs, which readers of fio's JSON look for" {
	compared results --depths 1
	run "$IOLAB" import "$FIXTURES/psync.json" "$FIXTURES/grouped.json" "$FIXTURES/fio/two_jobs_in_a_group.json" --out results
	assert_success
	"$IOLAB" export results --format fio --out fio.json >/dev/null
	checks fio.json '
numjobs = [job["job options"].get("numjobs") for job in fio["jobs"]]
assert numjobs[0] == "1" and numjobs[-3:] == ["1", "4", None], numjobs'
}

@test "import, export and diff: wrong use" {
	run "$IOLAB" import
	assert_failure 2
	assert_output --partial "which files?"
	run "$IOLAB" import "$FIXTURES/psync.json"
	assert_failure 2
	assert_output --partial "Name it with --out"
	run "$IOLAB" import "$FIXTURES/psync.json" --out results --cache cold
	assert_failure 2
	assert_output --partial "must be warm or dropped"
	assert [ ! -e results ]
	run "$IOLAB" export results
	assert_failure 2
	assert_output --partial "in which format?"
	run "$IOLAB" export results --format xml
	assert_failure 2
	assert_output --partial "must be fio, hyperfine or csv"
	run "$IOLAB" export --format csv
	assert_failure 2
	run "$IOLAB" export results --format csv
	assert_failure 1
	assert_output --partial "ENOENT"
	run "$IOLAB" diff results
	assert_failure 2
	assert_output --partial "which two results folders?"
	run "$IOLAB" diff a b c
	assert_failure 2
	for command in import export diff; do
		run "$IOLAB" $command --help
		assert_success
		assert_output --partial "Usage: iolab $command"
	done
}

@test "export: CSV has one line per run, and a spreadsheet reads the measured values" {
	timeout "$HANG_S" "$IOLAB" compare --idle 0 --engines blocking,epoll --workloads file --depths 1 --rounds 2 --runtime 0.03 \
		--warmup 0.01 --out results -- --file "$BATS_TEST_TMPDIR/file, \"mine\"" --size 1M >/dev/null
	run "$IOLAB" import "$FIXTURES/mixed.json" --out results
	assert_success
	# A reason with every character that needs quoting.
	with_runs results 'if run["reason"]: run["reason"]["text"] += ", \"so\"\nand so"'
	run "$IOLAB" export results --format csv --out runs.csv
	assert_success
	PYTHONPATH=$ROOT/plots "$SYSTEM_PYTHON" -B - <<-'PYTHON'
		import csv, json
		from readings import remarks
		raw = open("runs.csv", newline="").read()
		assert raw.endswith("\r\n") and raw.count("\r") == raw.count("\r\n")
		rows = list(csv.DictReader(open("runs.csv", newline="")))
		runs = [json.loads(line) for line in open("results/runs.jsonl")]
		assert len(rows) == len(runs)
		for row, run in zip(rows, runs):
		    assert None not in row and None not in row.values()
		    m = run["metrics"] or {}
		    assert row["status"] == run["status"], row
		    assert row["reason"] == str(remarks.read(run["reason"]) or ""), row
		    assert row["reason_id"] == (run["reason"] or {"id": ""})["id"], row
		    assert row["engine"] == run["engine"]["label"] and row["panel"] == run["workload"]["panel"]["text"]
		    assert row["ops_per_s"] == "" if not m else abs(float(row["ops_per_s"]) / m["ops_per_s"] - 1) < 1e-8
		    cpu = (m.get("cpu") or {}).get("us_per_op")
		    assert row["cpu_us_per_op"] == "" if cpu is None else abs(float(row["cpu_us_per_op"]) / cpu - 1) < 1e-8
		    assert row["warnings"] == "; ".join(str(remarks.read(w)) for w in run["warnings"])
		    assert row["direct"] in ("true", "false") and int(row["bs_bytes"]) == 4096
		statuses = {row["status"] for row in rows}
		assert statuses == {"ok", "unsupported"} and any('"so"\nand so' in row["reason"] for row in rows)
	PYTHON
	# To standard output, the same.
	"$IOLAB" export results --format csv | cmp - runs.csv
	run "$IOLAB" export results --format csv --out no/such/file
	assert_failure 1
	assert_output --partial "ENOENT"
}

@test "export as fio, import again: the same rates, latencies and states" {
	timeout "$HANG_S" "$IOLAB" compare --idle 0 --engines blocking,epoll,libaio --workloads file --depths 1,4 --rounds 2 \
		--runtime 0.03 --warmup 0.01 --out ours -- --file "$BATS_TEST_TMPDIR/file" --size 1M --rw randrw >/dev/null
	timeout "$HANG_S" "$IOLAB" compare --idle 0 --engines blocking --workloads file --depths 1 --rounds 1 --runtime 0.03 \
		--warmup 0.01 --out reads -- --file "$BATS_TEST_TMPDIR/file" --size 1M >/dev/null
	cat reads/runs.jsonl >>ours/runs.jsonl
	"$IOLAB" export ours --format fio --out fio.json >/dev/null
	run "$IOLAB" import fio.json --out results
	assert_success
	valid results/runs.jsonl iolab.run.v2
	checks fio.json '
from readings import remarks
ours = [json.loads(line) for line in open("ours/runs.jsonl")]
ours = [run for run in ours if not run["config"]["count_syscalls"]]
assert len(ours) == len(runs) > 8 and {r["status"] for r in ours} == {"ok", "unsupported"}
for a, b in zip(ours, runs):
    assert b["engine"]["label"] == "fio:iolab-" + a["engine"]["label"], b["engine"]
    assert a["config"]["x"] == b["config"]["x"] and a["time_utc"] == b["time_utc"]
    if a["status"] != "ok":
        assert b["status"] == "error" and str(remarks.read(a["reason"])) in str(remarks.read(b["reason"])), (a["reason"], b["reason"])
        continue
    a, b, histograms = a["metrics"], b["metrics"], (a["histogram"], b["histogram"])
    assert abs(a["ops_per_s"] / b["ops_per_s"] - 1) < 1e-8 and a["ops"] == b["ops"]
    assert (a["reads"], a["writes"], a["bytes"]) == (b["reads"], b["writes"], b["bytes"])
    assert histograms[0] == histograms[1]
    for key in ("min", "p50", "p90", "p99", "p99_9", "max", "count"):
        assert a["latency_ns"][key] == b["latency_ns"][key], (key, a["latency_ns"], b["latency_ns"])
    assert abs(a["latency_ns"]["mean"] - b["latency_ns"]["mean"]) < 1
# What tools look for.
job = fio["jobs"][-1]
assert job["read"]["lat_ns"]["percentile"]["99.000000"] > 0 and job["usr_cpu"] + job["sys_cpu"] > 0
assert abs(sum(sum(job[t].values()) for t in ("latency_ns", "latency_us", "latency_ms")) - 100) < 1e-6
mix = [job for job in fio["jobs"] if "mixed" in job]
assert len(mix) == 8
for job in mix:
    assert job["mixed"]["total_ios"] == job["read"]["total_ios"] + job["write"]["total_ios"]
    assert "percentile" in job["mixed"]["lat_ns"] and "percentile" not in job["read"]["lat_ns"]'
}

@test "export as fio: fio's own converter reads it" {
	command -v fio_jsonplus_clat2csv >/dev/null || skip "no fio_jsonplus_clat2csv (of fio)"
	"$SYSTEM_PYTHON" -c 'import six' 2>/dev/null || skip "fio_jsonplus_clat2csv needs python3-six"
	compared results
	"$IOLAB" export results --format fio --out fio.json >/dev/null
	run "$SYSTEM_PYTHON" "$(command -v fio_jsonplus_clat2csv)" fio.json out.csv
	assert_success
	run "$SYSTEM_PYTHON" "$(command -v fio_jsonplus_clat2csv)" fio.json out.csv --validate
	assert_success
	assert_output --partial "out_job19.csv validated"
}

@test "export for hyperfine: each time is for a million operations" {
	compared results
	run "$IOLAB" import "$FIXTURES/psync.json" "$FIXTURES/failed.json" --out results
	assert_success
	run --separate-stderr "$IOLAB" export results --format hyperfine
	assert_success
	# shellcheck disable=SC2154 # bats sets it
	[[ $stderr == *"1 configuration without a figure left out"* ]]
	echo "$output" >hyperfine.json
	checks "$FIXTURES/psync.json" '
import statistics
results = json.load(open("hyperfine.json"))["results"]
assert len(results) == 5
for result, c in zip(results, [c for c in summary["configurations"] if c["status"] == "ok"]):
    expected = [1e6 / v for v in c["metrics"]["ops_per_s"]["values"] if v]
    assert all(abs(a / b - 1) < 1e-8 for a, b in zip(sorted(result["times"]), sorted(expected)))
    assert len(result["times"]) == len(expected) == len(result["exit_codes"])
    assert result["command"].startswith(c["engine"]["label"] + ", ") and ": 1 million " in result["command"]
    assert abs(result["mean"] / statistics.mean(expected) - 1) < 1e-9
    assert abs(result["median"] / statistics.median(expected) - 1) < 1e-9
    assert (result["min"], result["max"]) == (min(result["times"]), max(result["times"]))
    if len(expected) > 1:
        assert abs(result["stddev"] / statistics.stdev(expected) - 1) < 1e-6
        assert 0 < result["user"] + result["system"] < 2 * result["mean"] * os.cpu_count()
    assert result["parameters"] == {"depth": str(c["config"]["x"])}
    assert result["command"].endswith(", " + c["workload"]["panel"]["text"]) and result["panel"] == c["workload"]["panel"]["text"]
# fio has one round, and no CPU time of the process.
assert results[-1]["stddev"] is None and results[-1]["user"] is None'
}

@test "diff: known ratios with Welch's interval, verdicts, configurations of one folder only" {
	compared a
	cp -r a b
	# Exact rates: with null B is 1.5 times A, with io_uring they are equal.
	with_runs a 'r = run["config"]["round"]; run["metrics"]["ops_per_s"] = 1000 * (1, 1.02, 0.98, 1.01, 0.99)[r]
run["metrics"]["latency_ns"]["p50"] = 1000'
	with_runs b 'r = run["config"]["round"]; run["metrics"]["ops_per_s"] = (1500 if run["engine"]["label"] == "null" else 1001) * (1.03, 1, 0.97, 1.01, 1)[r]
run["metrics"]["latency_ns"]["p50"] = 1010
if run["config"]["x"] == 4 and run["engine"]["label"] == "io_uring": run["workload"]["panel"]["values"] = {"another": 1}; run["workload"]["panel"]["text"] = "another"'
	run "$IOLAB" diff a b
	assert_success
	assert_output --partial "The environment is the same."
	assert_output --partial "sessions differ"
	assert_output --regexp "1  null +1\.50 \(1\.4[0-9]-1\.5[0-9]\)"
	assert_output --regexp "1  io_uring +[0-9.]+ \([0-9.]+-[0-9.]+\) ="
	assert_output --partial "Only A has"
	assert_output --partial "io_uring on another, depth 4"
	run "$IOLAB" diff a b --json
	assert_success
	echo "$output" >diff.json
	valid diff.json iolab.diff.v2
	"$SYSTEM_PYTHON" - <<-'PYTHON'
		import json, math
		d = json.load(open("diff.json"))
		assert len(d["configurations"]) == 3 and d["environment"]["differs"] == [], d["environment"]
		logs = [[math.log(v) for v in values] for values in ((1, 1.02, .98, 1.01, .99), (1.03, 1, .97, 1.01, 1))]
		mean = [sum(l) / 5 for l in logs]
		part = [sum((x - m) ** 2 for x in l) / 4 / 5 for l, m in zip(logs, mean)]
		degrees = sum(part) ** 2 / sum(p * p / 4 for p in part)
		entry = d["configurations"][0]["ratio"]["ops_per_s"]
		assert abs(entry["mean"] / (1.5 * math.exp(mean[1] - mean[0])) - 1) < 1e-6, entry
		t = math.log(entry["high"] / entry["mean"]) / math.sqrt(sum(part))
		assert 7 < degrees < 8 and 2.306 < t < 2.365, (degrees, t)  # t of 8 and of 7 degrees
		assert entry["verdict"] == "higher" and entry["a_count"] == entry["b_count"] == 5
		# A latency is as exact as its bucket, even if all rounds agree.
		entry = d["configurations"][0]["ratio"]["latency_ns.p50"]
		assert abs(entry["mean"] - 1.01) < 1e-9 and entry["low"] < 1 < entry["high"] < 1.03, entry
		assert entry["verdict"] == "none"
	PYTHON
	# The reverse order gives the same answer.
	run "$IOLAB" diff b a
	assert_output --regexp "1  null +0\.6[67] \("
}

# Each interval in $output is marked as showing no difference.
all_open() {
	local intervals open
	intervals=$(grep -o '([0-9.]*-[0-9.]*)' <<<"$output" | wc -l)
	open=$(grep -o '([0-9.]*-[0-9.]*) =' <<<"$output" | wc -l)
	assert_equal "$open" "$intervals"
}

@test "diff: fewer than five rounds give no verdict" {
	compared a
	with_runs a 'run["metrics"]["ops_per_s"] = 1000 + run["config"]["round"]'
	cp -r a b
	with_runs b 'run["metrics"]["ops_per_s"] *= 2'
	head -n 16 b/runs.jsonl >few && mv few b/runs.jsonl
	run "$IOLAB" diff a a
	assert_success
	all_open
	for pair in "a b" "b a"; do
		# shellcheck disable=SC2086
		run "$IOLAB" diff $pair
		assert_success
		assert_output --regexp "(2\.00|0\.50) \("
		all_open
		assert_output --partial "no difference shown"
	done
}

@test "diff: differences of the environment come first, another machine among them" {
	compared a
	cp -r a b
	with_runs b 'run["env"]["cpu_model"] = "Z80"; run["env"]["kernel"] = "2.4.0"; run["env"]["limits"]["nofile"] = 7
run["env"]["mitigations"]["meltdown"] = "a very long text about what the kernel does against it, longer than a column"
run["config"]["seed"] = 77'
	run "$IOLAB" diff a b
	assert_success
	assert_line --index 2 "What differs in the environment"
	assert_output --regexp "kernel +[^ ]+ +2\.4\.0"
	assert_output --partial "limits.nofile"
	assert_output --partial "B  a very long text"
	assert_output --partial "Not the same machine or disk: cpu_model"
	assert_output --regexp "Same:.* cpus_online"
	assert_output --partial "not alike: seed"
	[[ $output == *"What differs"*"Not the same machine"*"B / A"* ]]
	"$IOLAB" diff a b --json >diff.json
	valid diff.json iolab.diff.v2
	# Nobody knows where an imported run ran.
	imports psync
	run "$IOLAB" diff results results
	assert_success
	assert_output --partial "of one of them it is not known"
}

@test "diff: a folder that is missing, empty, broken or read-only" {
	compared a
	run "$IOLAB" diff a nosuch
	assert_failure 1
	assert_output "iolab: nosuch/runs.jsonl: ENOENT: No such file or directory"
	mkdir empty && : >empty/runs.jsonl
	run "$IOLAB" diff empty a
	assert_failure 1
	assert_output "iolab: empty/runs.jsonl holds no run"
	mkdir broken && echo "{" >broken/runs.jsonl
	run "$IOLAB" diff a broken
	assert_failure 1
	assert_output --partial "broken/runs.jsonl:1"
	# Nothing is written, not even a summary.
	rm a/summary.json
	run "$IOLAB" diff a a
	assert_success
	assert [ ! -e a/summary.json ]
}

@test "diff: what one side cannot run is shown with its reason" {
	compared a
	cp -r a b
	with_runs b 'if run["engine"]["label"] == "io_uring": run.update(status="unsupported", reason={"id": "refused", "values": {"what": "seccomp"}, "text": "{what} forbids it"}, metrics=None, histogram=None)'
	run "$IOLAB" diff a b
	assert_success
	assert_output --partial "B: unsupported: seccomp forbids it"
}

@test "import: figures and report" {
	imports depths psync
	run timeout "$HANG_S" "$PYTHON" "$ROOT/plots/plot.py" results
	assert_success
	grep -q "fio:libaio" results/figures/throughput.svg
	run timeout "$HANG_S" "$PYTHON" "$ROOT/plots/report.py" results
	assert_success
	grep -q "which ran one after the other" results/report.html
	! grep -q "in an order of its own drawn" results/report.html || fail "no order was drawn at random"
	grep -q "the highest median is <b>fio:libaio</b>" results/report.html
	# Beside iolab's own runs it is drawn and listed, but not ranked.
	"$SYSTEM_PYTHON" - <<-'PYTHON'
		import json
		s = json.load(open("results/summary.json"))
		own = json.loads(json.dumps(s["configurations"][0]))
		del own["imported"]
		own["engine"] = {"name": "blocking", "variant": "", "label": "blocking", "lab": "01_blocking"}
		own["config"]["x"] = 8
		for name, value in ("ops_per_s", 1.0), ("bytes_per_s", 4096.0):
		    told = own["metrics"][name]
		    told.update({key: value for key in ("median", "low", "high", "min", "max")}, values=[value] * told["count"])
		s["configurations"].append(own)
		json.dump(s, open("results/summary.json", "w"))
	PYTHON
	run timeout "$HANG_S" "$PYTHON" "$ROOT/plots/report.py" results
	assert_success
	grep -q "the highest median is <b>blocking</b>" results/report.html
	grep -q "(imported)" results/report.html
	grep -q "not in turns with them, so they have no ratios" results/report.html
}
