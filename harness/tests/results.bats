#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What run and compare write, and what stays when they are interrupted.

load common

# valid FILE SCHEMA: every line of the file (or the file as a whole) is as documented.
valid() {
	"$SYSTEM_PYTHON" "$ROOT/harness/tests/validate.py" "$ROOT/docs/result.schema.json" "$2" "$1"
}

small_compare() {
	timeout "$HANG_S" "$IOLAB" compare --idle 0 --engines blocking,epoll,libaio --workloads file,echo --depths 1,4 \
		--conns 2 --rounds 2 --runtime 0.03 --warmup 0.01 --out "$BATS_TEST_TMPDIR/results" "$@" \
		-- --file "$BATS_TEST_TMPDIR/file" --size 4M
}

# A small_compare in which each run did something: on a busy machine one of 30 ms may get no CPU at all.
working_compare() { until_true each_run_does_something "$@"; }
each_run_does_something() {
	rm -rf "$BATS_TEST_TMPDIR/results"
	small_compare "$@" >/dev/null
	! grep -Eq '"ops": *0[,}]' "$BATS_TEST_TMPDIR/results/runs.jsonl"
}

@test "every workload prints one line of JSON that its schema accepts, and nothing else" {
	for options in "-e blocking" "-e io_uring --depth 8 --direct 1" "-e libaio --depth 8 --rw randrw --fsync 10" \
		"-e epoll -w echo --conns 4" "-e poll -w idle --conns 20" "-e null -w nop --depth 32" "-e epoll" \
		"-e null -w nop --depth 4 --rate 5000" "-e epoll -w echo --conns 4 --rate 1000 --stall-ms 5" \
		"-e threads --depth 4 --compute-us 5 --batch-submit 2 --batch-complete 3 --verify"; do
		# shellcheck disable=SC2086
		quick --json $options >>"$BATS_TEST_TMPDIR/lines" || [ $? -eq 77 ]
	done
	assert_equal "$(wc -l <"$BATS_TEST_TMPDIR/lines")" 10
	run valid "$BATS_TEST_TMPDIR/lines" iolab.run.v2
	assert_success
}

@test "the schema refuses wrong values" {
	quick --json -e blocking >"$BATS_TEST_TMPDIR/line"
	sed 's/"ops_per_s":[0-9.]*/"ops_per_s":"fast"/' "$BATS_TEST_TMPDIR/line" >"$BATS_TEST_TMPDIR/wrong"
	run valid "$BATS_TEST_TMPDIR/wrong" iolab.run.v2
	assert_failure
	sed 's/"status":"ok"/"status":"fine"/' "$BATS_TEST_TMPDIR/line" >"$BATS_TEST_TMPDIR/wrong"
	run valid "$BATS_TEST_TMPDIR/wrong" iolab.run.v2
	assert_failure
}

@test "hardware counters: present, or absent with a reason, which is a warning if somebody asked for them" {
	output=$(quick --json -e null -w nop --depth 4)
	assert_equal "$(json config.count_hardware) $(json metrics.hardware.running_pct)" "False None"
	assert_equal "$(json metrics.hardware_reason.id)" hardware_not_asked_for
	quick --json -e io_uring -w nop --depth 4 --count-hardware >"$BATS_TEST_TMPDIR/line"
	run valid "$BATS_TEST_TMPDIR/line" iolab.run.v2
	assert_success
	# Events that every kernel counts are reported as documented, too.
	"$ROOT/build/tests/hardware_counters" --json >"$BATS_TEST_TMPDIR/counted.json"
	run "$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR/line" "$BATS_TEST_TMPDIR/counted.json" "$BATS_TEST_TMPDIR/lines" <<-'PY'
		import json, sys
		run, counted = (json.load(open(path)) for path in sys.argv[1:3])
		assert run["config"]["count_hardware"] is True
		hardware, reason = run["metrics"]["hardware"], run["metrics"]["hardware_reason"]
		assert reason is None or reason["id"] == "hardware_not_counted", reason
		why = reason["cause"] if reason else None
		assert hardware["running_pct"] or why["id"] in ("counter_not_opened", "counter_forbidden"), why
		assert hardware["running_pct"] or why["values"]["event"] == "instructions", why
		warned = [w["cause"] for w in run["warnings"] if w["id"] == "hardware_not_counted"]
		assert warned == [why] * bool(reason), run["warnings"]
		if counted["running_pct"] is None: # this user may count nothing of the kernel's
		    assert why["id"] == "counter_forbidden" and why["values"]["errno"] in ("EACCES", "EPERM"), why
		else:
		    assert counted["instructions_per_op"] > 0 and counted["branch_misses_per_op"] is None, counted
		run["metrics"]["hardware"] = counted
		json.dump(run, open(sys.argv[3], "w"))
	PY
	assert_success
	run valid "$BATS_TEST_TMPDIR/lines" iolab.run.v2
	assert_success
	run quick -e io_uring -w nop --depth 4 --count-hardware
	assert_output --regexp "instructions a no-op|warning +hardware counters: perf_event_open"
}

@test "hardware counters: the runs of a comparison count, and its summary is as documented" {
	timeout "$HANG_S" "$IOLAB" compare --idle 0 --engines null,io_uring --baseline null --workloads nop --depths 4 --rounds 2 \
		--runtime 0.02 --warmup 0.01 --no-count-syscalls --out "$BATS_TEST_TMPDIR/results" -- --count-hardware
	run valid "$BATS_TEST_TMPDIR/results/summary.json" iolab.summary.v2
	assert_success
	"$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR/results/runs.jsonl" "$BATS_TEST_TMPDIR/results/summary.json" <<-'PY'
		import json, sys
		# As if the counters had been there: the summary has their medians and the ratio.
		runs = [json.loads(line) for line in open(sys.argv[1])]
		for run in runs:
		    assert run["config"]["count_hardware"] is True
		    many = 100 if run["engine"]["label"] == "null" else 300
		    run["metrics"]["hardware"] = {
		        "scope": "user+kernel", "running_pct": 100, "instructions_per_op": many + run["config"]["round"],
		        "cycles_per_op": many / 2, "instructions_per_cycle": 2, "cache_misses_per_op": None,
		        "branch_misses_per_op": None}
		with open(sys.argv[1], "w") as file:
		    file.writelines(json.dumps(run) + "\n" for run in runs)
	PY
	timeout "$HANG_S" "$IOLAB" summary "$BATS_TEST_TMPDIR/results" >/dev/null
	run valid "$BATS_TEST_TMPDIR/results/summary.json" iolab.summary.v2
	assert_success
	"$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR/results/summary.json" <<-'PY'
		import json, sys
		ring = json.load(open(sys.argv[1]))["configurations"][1]
		assert ring["engine"]["label"] == "io_uring"
		assert ring["metrics"]["hardware.instructions_per_op"]["values"] == [300, 301], ring["metrics"]
		assert ring["metrics"]["hardware.instructions_per_cycle"]["median"] == 2
		assert ring["metrics"]["hardware.cache_misses_per_op"] is None
		assert 2.9 < ring["ratio"]["hardware.instructions_per_op"]["mean"] < 3.01, ring["ratio"]
	PY
}

# PID of a run's peer, whose run is the child of PID, a timeout(1).
peer_of() { pgrep -P "$(pgrep -P "$1")"; }
cpu_ticks_of() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }

@test "a run that stood still for a second of its window is ok, and says so" {
	timeout "$HANG_S" "$IOLAB" run -e epoll -w echo --conns 4 --warmup 0 --runtime 4 --json >"$BATS_TEST_TMPDIR/line" 3>&- &
	local run=$! peer
	until_more_than 0 peer_of $run
	peer=$(peer_of $run)
	until_more_than 3 cpu_ticks_of "$peer"
	kill -STOP "$peer"
	let_pass 1.5
	kill -CONT "$peer"
	await_end $run
	assert_equal "$status" 0
	output=$(<"$BATS_TEST_TMPDIR/line")
	assert_equal "$(json status) $(json warnings.paused.values.window_s)" "ok 4.0"
	run valid "$BATS_TEST_TMPDIR/line" iolab.run.v2
	assert_success
	output=$(timeout "$HANG_S" "$IOLAB" run -e epoll -w echo --conns 4 --warmup 0 --runtime 2 --stall-ms 1000 --json)
	refute_output --partial '"paused"'
}

@test "the figures agree with each other" {
	output=$(quick --json -e libaio --depth 8 --ops 5000 --direct 1)
	assert_equal "$(json metrics.ops) $(json metrics.bytes) $(json metrics.latency_ns.count)" "5000 20480000 5000"
	assert_equal "$(json metrics.inflight_max)" 8
	"$SYSTEM_PYTHON" - "$output" <<'PY'
import json, sys
m = json.loads(sys.argv[1])
counts = sum(b[2] for b in m["histogram"]["buckets"])
m = m["metrics"]
assert counts == 5000, counts
assert abs(m["ops_per_s"] * m["elapsed_s"] - m["ops"]) < 1
# Little's law: operations in flight = rate x mean latency.
assert abs(m["inflight_mean"] - m["ops_per_s"] * m["latency_ns"]["mean"] / 1e9) < 1, m
assert m["latency_ns"]["min"] <= m["latency_ns"]["p50"] <= m["latency_ns"]["p99"] <= m["latency_ns"]["max"]
PY
}

@test "open loop: a stall counts for every operation that it delays, on files and on sockets" {
	for options in "-e io_uring --depth 4" "-e threads --depth 4" "-e epoll -w echo --conns 4" \
		"-e io_uring -w idle --conns 8 --active 2" "-e libaio -w echo --conns 3 --transport unix"; do
		# shellcheck disable=SC2086
		output=$(quick --json $options --rate 1000 --runtime 1 --stall-ms 200)
		"$SYSTEM_PYTHON" - "$options" "$output" <<'PY'
import json, sys
options, m = sys.argv[1], json.loads(sys.argv[2])["metrics"]
assert 990 < m["offered_per_s"] < 1010, (options, m)
since_due, since_begun = m["latency_ns"], m["latency_uncorrected_ns"]
assert since_due["p90"] > 50e6, (options, since_due)
total = [latency["mean"] * latency["count"] for latency in (since_due, since_begun)]
assert total[0] >= total[1], (options, since_due, since_begun)
if "echo" not in options and "idle" not in options:
    # What was offered is done, or accounted for.
    offered = m["owed_before"] + m["offered_per_s"] * m["elapsed_s"]
    assert abs(m["ops"] + m["unfinished"] - offered) < 0.5, (options, m)
    assert since_begun["p90"] < since_due["p90"] / 2, (options, since_begun)
PY
	done
}

@test "open loop: an engine that blocks in submit makes the load queue, and its latency shows it" {
	output=$(quick --json -e blocking --rate 100000000 --depth 1 --runtime 0.2)
	assert_output --partial "the offered load was not reached"
	"$SYSTEM_PYTHON" - "$output" <<'PY'
import json, sys
m = json.loads(sys.argv[1])["metrics"]
assert m["unfinished"] > m["ops"] and "achieved_per_s" not in m, m
# Half of what was finished in a growing queue waited for a good part of the run.
assert m["latency_ns"]["p50"] > 0.05e9 > 100 * m["latency_uncorrected_ns"]["p50"], m
PY
}

@test "compare: rates are swept instead of depth" {
	run "$IOLAB" compare --idle 0 --engines null --workloads nop --rates 1000,2000 --rounds 1 --runtime 0.05 \
		--out "$BATS_TEST_TMPDIR/results" -- --depth 4
	assert_success
	assert_output --partial "nop, open loop, depth 4"
	assert_output --partial "rate 2000"
	run valid "$BATS_TEST_TMPDIR/results/summary.json" iolab.summary.v2
	assert_success
}

@test "the same seed gives every engine the same operations" {
	for engine in blocking threads libaio io_uring; do
		strace -f -qqq -e trace=pread64,io_submit,io_uring_enter -o /dev/null true 2>/dev/null || skip "no ptrace"
		quick -e $engine --rw randwrite --ops 300 --seed 9 --json >/dev/null
		cmp "$BATS_TEST_TMPDIR/file" "$BATS_TEST_TMPDIR/first" 2>/dev/null ||
			[ ! -e "$BATS_TEST_TMPDIR/first" ] || fail "$engine wrote other blocks"
		cp "$BATS_TEST_TMPDIR/file" "$BATS_TEST_TMPDIR/first"
		rm "$BATS_TEST_TMPDIR/file"
	done
}

@test "compare: table, ratios, results folder" {
	run small_compare
	assert_success
	assert_output --partial "file randread 4k page cache"
	assert_output --partial "unsupported: epoll_ctl"
	run valid "$BATS_TEST_TMPDIR/results/runs.jsonl" iolab.run.v2
	assert_success
	run valid "$BATS_TEST_TMPDIR/results/summary.json" iolab.summary.v2
	assert_success
	# 3 engines x 3 places x (2 rounds + 2 for the system calls), epoll on files only once for each depth.
	assert_equal "$(wc -l <"$BATS_TEST_TMPDIR/results/runs.jsonl")" 30
	run "$IOLAB" summary "$BATS_TEST_TMPDIR/results"
	assert_success
	assert_output --partial "Medians of 2 rounds"
	# The recorded command is the whole one, so that it can be typed again.
	run "$IOLAB" summary --json "$BATS_TEST_TMPDIR/results"
	assert_equal "$(json command.0)" "$IOLAB"
	assert_equal "$(json command.1)" compare
	assert_output --partial '"blocking,epoll,libaio"'
}

@test "compare: the idle host is measured first, and a new summary keeps what only compare knew" {
	run "$IOLAB" compare --idle 0.1 --engines null,io_uring --baseline null --workloads nop --depths 1 --runtime 0.02 \
		--until-ci 90 --out "$BATS_TEST_TMPDIR/results"
	assert_success
	assert_output --partial "the idle host used"
	run valid "$BATS_TEST_TMPDIR/results/runs.jsonl" iolab.run.v2
	assert_success
	run valid "$BATS_TEST_TMPDIR/results/summary.json" iolab.summary.v2
	assert_success
	output=$(cat "$BATS_TEST_TMPDIR/results/summary.json")
	before="$(json idle_baseline) $(json precision) $(json interval) $(json rounds_planned)"
	[[ $(json idle_baseline.elapsed_s) == 0.1* ]]
	"$IOLAB" summary "$BATS_TEST_TMPDIR/results" >/dev/null
	output=$(cat "$BATS_TEST_TMPDIR/results/summary.json")
	assert_equal "$(json idle_baseline) $(json precision) $(json interval) $(json rounds_planned)" "$before"
}

@test "words tell no configuration from another, in a summary and in a diff" {
	local folder=$BATS_TEST_TMPDIR/a
	"$IOLAB" compare -w nop -e null,blocking --baseline null --rounds 4 --runtime 0.01 --warmup 0 --idle 0 --out "$folder" >/dev/null
	cp -r "$folder" "$BATS_TEST_TMPDIR/b"
	"$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR/b/runs.jsonl" <<-'PYTHON'
		import json, sys
		runs = [json.loads(line) for line in open(sys.argv[1])]
		for run in runs:
		    if run["config"]["round"] % 2:
		        run["workload"]["words"] = run["workload"]["panel"]["text"] = "said otherwise"
		        run["config"].update(x_label="otherwise", x_unit="thing", x_about="Otherwise.")
		open(sys.argv[1], "w").writelines(json.dumps(run) + "\n" for run in runs)
	PYTHON
	"$IOLAB" summary "$BATS_TEST_TMPDIR/b" --baseline null >"$BATS_TEST_TMPDIR/said"
	"$IOLAB" summary "$folder" --baseline null | diff - "$BATS_TEST_TMPDIR/said"
	run "$IOLAB" diff "$folder" "$BATS_TEST_TMPDIR/b"
	assert_success
	refute_output --partial "not alike"
}

@test "compare: equal rounds show no difference; a ratio is a geometric mean with Student's t" {
	working_compare --rounds 3 --no-count-syscalls
	"$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR/results" <<'PY'
import copy, json, math, os, sys
sys.path.insert(0, os.environ["BATS_TEST_DIRNAME"])
from agreeing import agree
folder = sys.argv[1]
# Known rates: 1, 1.5 and 1.1 times the baseline's, and compared with itself.
lines = []
for line in open(folder + "/runs.jsonl"):
    run = json.loads(line)
    before = copy.deepcopy(run)
    if run["metrics"]:
        factor = {"blocking": (1, 1, 1), "libaio": (1.0, 1.5, 1.1)}.get(run["engine"]["label"], (1, 1, 1))
        # A round a hundredfold faster than the others must not matter.
        run["metrics"]["ops_per_s"] = (10, 1000, 30)[run["config"]["round"]] * factor[run["config"]["round"]]
        agree(before, run)
    lines.append(json.dumps(run))
open(folder + "/runs.jsonl", "w").write("\n".join(lines) + "\n")
PY
	run "$IOLAB" summary "$BATS_TEST_TMPDIR/results"
	assert_success
	"$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR/results" <<'PY'
import json, math, sys
logs = [math.log(r) for r in (1.0, 1.5, 1.1)]
mean = sum(logs) / 3
half = 4.30265273 * math.sqrt(sum((x - mean) ** 2 for x in logs) / 2 / 3)
seen = 0
for c in json.load(open(sys.argv[1] + "/summary.json"))["configurations"]:
    ratio = c["ratio"] and c["ratio"]["ops_per_s"]
    if not ratio:
        continue
    seen += 1
    expected = (mean, half) if c["engine"]["label"] == "libaio" else (0, 0)
    for key, value in (("mean", expected[0]), ("low", expected[0] - expected[1]), ("high", sum(expected))):
        assert abs(ratio[key] - math.exp(value)) < 1e-6, (key, ratio, math.exp(value))
    assert ratio["verdict"] == "none", ratio
assert seen >= 3, seen
PY
}

@test "compare: a latency is as exact as its histogram; a window that began cold is reported" {
	"$IOLAB" compare --idle 0 -e null,io_uring --baseline null -w nop --depths 1 --rounds 5 --runtime 0.02 --warmup 0 \
		--no-count-syscalls --out "$BATS_TEST_TMPDIR/results" >/dev/null
	"$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR/results" <<'PY'
import copy, json, os, sys
sys.path.insert(0, os.environ["BATS_TEST_DIRNAME"])
from agreeing import agree
path = sys.argv[1] + "/runs.jsonl"
runs = [json.loads(line) for line in open(path)]
for run in runs:
    before = copy.deepcopy(run)
    ring = run["engine"]["label"] == "io_uring"
    # The middles of two neighbours among the buckets, the same in each round.
    run["metrics"]["latency_ns"]["p50"] = 70144.0 if ring else 69120.0
    run["metrics"]["latency_ns"]["p99"] = 80000.0 if ring else 69120.0
    # Scattered a little, so that there is an interval.
    first_slice = (-30 if ring else -5) + run["config"]["round"] * 0.5
    run["metrics"]["steadiness"]["first_slice_pct"] = first_slice
    agree(before, run)
open(path, "w").write("".join(json.dumps(run) + "\n" for run in runs))
PY
	run "$IOLAB" summary "$BATS_TEST_TMPDIR/results"
	assert_success
	assert_output --partial "first tenth of the window was slower"
	assert_output --partial "io_uring"
	"$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR/results" <<'PY'
import json, sys
null, ring = json.load(open(sys.argv[1] + "/summary.json"))["configurations"]
assert null["config"]["runtime_s"] == 0.02 and null["config"]["warmup_s"] == 0, null["config"]
p50, p99 = ring["ratio"]["latency_ns.p50"], ring["ratio"]["latency_ns.p99"]
assert p50["verdict"] == "none" and p50["low"] < 1 < p50["high"], p50
assert p99["verdict"] == "higher" and 1.13 < p99["low"] < p99["mean"] < p99["high"], p99
cold = [c["engine"]["label"] for c in (null, ring) if any(w["id"] == "cold_start" for w in c["warnings"])]
assert cold == ["io_uring"], cold
PY
}

@test "compare: a seed repeats the order" {
	small_compare --seed 5 --no-count-syscalls >/dev/null
	first=$(grep -o '"position":[0-9]*,"plan":[0-9]*' "$BATS_TEST_TMPDIR/results/runs.jsonl")
	rm -r "$BATS_TEST_TMPDIR/results"
	small_compare --seed 5 --no-count-syscalls >/dev/null
	assert_equal "$(grep -o '"position":[0-9]*,"plan":[0-9]*' "$BATS_TEST_TMPDIR/results/runs.jsonl")" "$first"
}

@test "compare: mistakes are refused before anything runs" {
	run "$IOLAB" compare --engines blokking --out "$BATS_TEST_TMPDIR/results"
	assert_failure 2
	assert_output --partial "did you mean 'blocking'"
	assert [ ! -e "$BATS_TEST_TMPDIR/results" ]
	run "$IOLAB" compare --workloads fil --out "$BATS_TEST_TMPDIR/results"
	assert_failure 2
	run "$IOLAB" compare --rounds 0
	assert_failure 2
	run "$IOLAB" compare --rounds 2 stray
	assert_failure 2
}

# misused TEXT COMPARE-OPTION...: exit status 2 with that text, and no results folder.
misused() {
	local text=$1
	shift
	run "$IOLAB" compare --out "$BATS_TEST_TMPDIR/results" "$@"
	assert_failure 2
	assert_output --partial "$text"
	assert [ ! -e "$BATS_TEST_TMPDIR/results" ]
}

@test "compare: lists that are empty, too long, or hold a word twice" {
	misused "a word is missing" -e ""
	misused "a word is missing" -e ,
	misused "a word is missing" -e blocking,,epoll
	misused "--depths '': a word is missing" -w file --depths ""
	misused "more than 64 words" -e null -w nop --depths "$(seq -s, 65)"
	misused "is there twice" -e blocking,blocking
	misused "is there twice" -e io_uring:fixed_files+fixed_buffers,io_uring:fixed_buffers+fixed_files
	misused "is there twice" -e null -w nop --depths 4,04
	misused "is there twice" -e null -w nop,nop
	misused "must lie between 1 and 1000" --rounds 4294967297
	misused "below 2^63" --seed -1
	misused "without the baseline blocking" -e null,io_uring -w nop --until-ci 5%
	misused "in place of --depths" -e null -w nop --depths 4 --rates 1000
	misused "echo and idle have --conns" -e epoll -w echo --depths 4
	misused "file and nop have --depths" -e null -w nop --conns 4
	misused "--runtime after --" -e null -w nop -- --runtime 1
	misused "leave out --runtime" -e null -w nop --runtime 1 -- --ops 100
	misused "below 2^63" --seed 9223372036854775808
	# shellcheck disable=SC2046
	misused "too many options" -e null -w nop -- $(seq -f --seed=%g 200)
}

@test "compare: the baseline is one of the engines" {
	misused "no engine 'nosuch'" --baseline nosuch
	misused "add it to --engines" -e null,io_uring -w nop --baseline blocking
	run "$IOLAB" compare -e null,io_uring:fixed_buffers+fixed_files -w nop --depths 2 --rounds 1 --runtime 0.01 \
		--baseline io_uring:fixed_files+fixed_buffers --out "$BATS_TEST_TMPDIR/results"
	output=$(cat "$BATS_TEST_TMPDIR/results/summary.json")
	assert_equal "$(json baseline)" "$(json configurations.1.engine.label)"
}

@test "compare: options after -- cannot override the plan, and some workload must know them" {
	misused "would override the plan" -e blocking -w nop -- --engine null
	misused "would override the plan" -e null -w nop -- --depth 2
	misused "would override the plan" -e null -w nop -- --depth=2
	misused "would override the plan" -e null -w nop -- --dep 2
	misused "would override the plan" -- --direct 1
	misused "no effect on any of these workloads" -e null -w nop -- --msg-size 4k
	# An option of one workload goes to that workload.
	working_compare --rounds 1 --no-count-syscalls --runtime 0.01
	run grep -c '"name":"echo".*"command":\[[^]]*"--size"' "$BATS_TEST_TMPDIR/results/runs.jsonl"
	assert_output 0
	run grep -c '"name":"file".*"command":\[[^]]*"--size"' "$BATS_TEST_TMPDIR/results/runs.jsonl"
	assert_output 6
}

@test "compare: if no run succeeds, the comparison fails" {
	run "$IOLAB" compare -e blocking -w nop --depths 1 --rounds 1 --out "$BATS_TEST_TMPDIR/none"
	assert_failure 77
	assert_output --partial "no run ended ok"
	run "$IOLAB" compare -e blocking -w file --depths 1 --rounds 1 --out "$BATS_TEST_TMPDIR/results" -- \
		--file /no/such/folder/file
	assert_failure 1
	assert_output --partial "ENOENT"
}

@test "compare: no process can be started" {
	user_dir
	run as_user bash -c "ulimit -u 1; exec '$USER_DIR/iolab' compare -e null -w nop --depths 1 --rounds 1 \
		--out '$USER_DIR/results'"
	rm -rf "$USER_DIR"
	assert_failure 1
	assert_output --partial "fork (see ulimit -u and the pids cgroup): EAGAIN"
}

@test "run: no timer fits into the queues of signals" {
	run bash -c "ulimit -i 0; exec '$IOLAB' run -e null -w nop --runtime 0.05"
	assert_failure
	assert_output --partial "RLIMIT_SIGPENDING, ulimit -i): EAGAIN"
}

@test "compare: a run's time limit follows from its options" {
	run "$(dirname "$IOLAB")/tests/run_options"
	assert_success
}

@test "compare: interrupted before the first result" {
	"$IOLAB" compare -e null -w nop --depths 1 --rounds 2 --runtime 20 --out "$BATS_TEST_TMPDIR/results" \
		>"$BATS_TEST_TMPDIR/table" 2>&1 3>&- &
	pid=$!
	until_true pgrep -P "$pid" >/dev/null
	kill -TERM "$pid"
	await_end "$pid"
	assert_failure 130
	run cat "$BATS_TEST_TMPDIR/table"
	assert_output "Interrupted before the first run was done: no results folder is left."
	[ ! -e "$BATS_TEST_TMPDIR/results" ]
}

@test "compare: an older results folder is never written to" {
	small_compare >/dev/null
	run small_compare
	assert_failure 1
	assert_output --partial "choose another --out"
}

@test "compare: a results folder that cannot be written" {
	user_dir
	mkdir "$USER_DIR/locked" && chmod 555 "$USER_DIR/locked"
	run as_user "$USER_DIR/iolab" compare --engines null --workloads nop --out "$USER_DIR/locked/results"
	rm -rf "$USER_DIR"
	assert_failure 1
	assert_output --partial "EACCES"
}

@test "compare: a full disk is one clear line, and the written lines stay valid" {
	[ "$(id -u)" -eq 0 ] || skip "mounting a small file system takes root"
	mkdir "$BATS_TEST_TMPDIR/small"
	mount -t tmpfs -o size=96k tmpfs "$BATS_TEST_TMPDIR/small" || skip "mount is not allowed here"
	run timeout "$HANG_S" "$IOLAB" compare --idle 0 --engines null --workloads nop --depths 1,2,4,8 --rounds 9 --runtime 0.01 \
		--out "$BATS_TEST_TMPDIR/small/results"
	cp "$BATS_TEST_TMPDIR/small/results/runs.jsonl" "$BATS_TEST_TMPDIR/lines"
	umount "$BATS_TEST_TMPDIR/small"
	assert_failure 1
	assert_output --partial "ENOSPC"
	run valid "$BATS_TEST_TMPDIR/lines" iolab.run.v2
	assert_success
}

# Starts a comparison that would take minutes and waits for its third line.
start_long_compare() {
	"$IOLAB" compare --idle 0 --engines null --workloads nop --depths 1,2,4,8 --rounds 500 --runtime 0.05 \
		--out "$BATS_TEST_TMPDIR/results" >"$BATS_TEST_TMPDIR/table" 2>&1 3>&- &
	compare_pid=$!
	until_more_than 2 grep -c . "$BATS_TEST_TMPDIR/results/runs.jsonl"
}

@test "compare: SIGTERM and SIGINT keep the finished runs, and say so" {
	start_long_compare
	kill -TERM "$compare_pid"
	await_end "$compare_pid"
	assert_failure 130
	run cat "$BATS_TEST_TMPDIR/table"
	assert_output --partial "is kept, $(wc -l <"$BATS_TEST_TMPDIR/results/runs.jsonl") runs (planned: 2008)"
	assert_output --partial "no-ops/s"
	run valid "$BATS_TEST_TMPDIR/results/runs.jsonl" iolab.run.v2
	assert_success
	run valid "$BATS_TEST_TMPDIR/results/summary.json" iolab.summary.v2
	assert_success
}

@test "compare: SIGKILL leaves whole lines" {
	start_long_compare
	kill -KILL "$compare_pid"
	wait "$compare_pid" || true
	run valid "$BATS_TEST_TMPDIR/results/runs.jsonl" iolab.run.v2
	assert_success
	# A torn line, as a crash of the machine may leave one.
	printf '{"schema":"iolab.run.v2","st' >>"$BATS_TEST_TMPDIR/results/runs.jsonl"
	run "$IOLAB" summary "$BATS_TEST_TMPDIR/results"
	assert_success
	assert_output --partial "torn"
}

# Is its handler there? A bit of SigCgt says so.
handles_sigint() {
	local caught
	caught=$(awk '/^SigCgt/ { print $2 }' "/proc/$1/status")
	[ $((0x${caught:-0} >> 1 & 1)) -eq 1 ]
}

@test "a CPU quota that was set is told below the table, and no other" {
	working_compare --rounds 2 --runtime 0.01 --no-count-syscalls
	sed -i 's/"cpu_quota": *[^,]*,/"cpu_quota": 1.5,/' "$BATS_TEST_TMPDIR/results/runs.jsonl"
	run "$IOLAB" summary "$BATS_TEST_TMPDIR/results"
	assert_success
	assert_output --partial "A control group allows this process 1.5 CPUs' time (cpu.max)"
	sed -i 's/"cpu_quota": *[^,]*,/"cpu_quota": null,/' "$BATS_TEST_TMPDIR/results/runs.jsonl"
	run "$IOLAB" summary "$BATS_TEST_TMPDIR/results"
	refute_output --partial "A control group"
}

@test "run: SIGINT ends the run early and says so" {
	# A shell without job control starts its background jobs with SIGINT ignored.
	env --default-signal=INT "$IOLAB" run -e null -w nop --runtime 30 --json >"$BATS_TEST_TMPDIR/out" 3>&- &
	pid=$!
	until_true handles_sigint "$pid"
	kill -INT $pid
	await_end $pid
	assert_failure 130
	output=$(cat "$BATS_TEST_TMPDIR/out")
	assert_equal "$(json status) $(json reason.id)" "error interrupted"
}

# changed_runs PYTHON-CODE: the summary, as JSON in $output, of five rounds in which the code has
# changed each run `r` (of engine `e` in round `n`). The table is in the file `table`.
changed_runs() {
	[ -e "$BATS_TEST_TMPDIR/results" ] || working_compare --rounds 5 --runtime 0.01 --no-count-syscalls
	[ -e "$BATS_TEST_TMPDIR/measured" ] || cp "$BATS_TEST_TMPDIR/results/runs.jsonl" "$BATS_TEST_TMPDIR/measured"
	"$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR/measured" "$BATS_TEST_TMPDIR/results/runs.jsonl" "$1" <<-'PYTHON'
		import copy, json, os, sys
		sys.path.insert(0, os.environ["BATS_TEST_DIRNAME"])
		from agreeing import agree
		source, target, code = sys.argv[1:]
		runs = [json.loads(line) for line in open(source)]
		for r in runs:
		    e, n, m = r["engine"]["label"], r["config"]["round"], r["metrics"]
		    before = copy.deepcopy(r)
		    exec(code)
		    agree(before, r)
		open(target, "w").write("".join(json.dumps(r) + "\n" for r in runs))
	PYTHON
	valid "$BATS_TEST_TMPDIR/results/runs.jsonl" iolab.run.v2
	"$IOLAB" summary "$BATS_TEST_TMPDIR/results" >"$BATS_TEST_TMPDIR/table"
	valid "$BATS_TEST_TMPDIR/results/summary.json" iolab.summary.v2
	output=$(cat "$BATS_TEST_TMPDIR/results/summary.json")
}

# of_each PYTHON-EXPRESSION: its values over the configurations `c`, ok ones, engine by engine.
of_each() {
	"$SYSTEM_PYTHON" -c '
import json, sys
print(*[eval(sys.argv[1]) for c in json.load(sys.stdin)["configurations"] if c["status"] == "ok"])' "$1" <<<"$output"
}

@test "a window that finished nothing has the rate 0, and no latency, no nan and no ratio" {
	output=$(quick -e epoll -w echo --conns 2 --slow 2 --json)
	assert_equal "$(json metrics.latency_ns)" None
	run quick -e epoll -w echo --conns 2 --slow 2
	assert_output --partial "nothing was timed"
	# In five rounds libaio finished something in two, and blocking on echo in none.
	changed_runs '
if m and (e == "libaio" and n < 3 or e == "blocking" and r["workload"]["name"] == "echo"):
    m.update(ops=0, bytes=0, ops_per_s=0.0, bytes_per_s=0.0, latency_ns=None)
    m["cpu"].update(us_per_op=None, host_us_per_op=None)
    r["histogram"]["buckets"] = []'
	run cat "$BATS_TEST_TMPDIR/table"
	refute_output --regexp "nan|inf|0[.]00 ns"
	assert_output --partial "no ratio: in a round it or blocking finished nothing"
	output=$(cat "$BATS_TEST_TMPDIR/results/summary.json")
	run of_each '(c["engine"]["label"], c["workload"]["name"], c["metrics"]["ops_per_s"] and
		c["metrics"]["ops_per_s"]["count"], c["ratio"] and c["ratio"]["ops_per_s"] and c["ratio"]["ops_per_s"]["verdict"])'
	assert_output --partial "('libaio', 'file', 5, None)"
	assert_output --partial "('blocking', 'echo', 5, None)"
	# Such a ratio has no interval, so it misses the precision that was asked for.
	"$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR/results/summary.json" <<-'PYTHON'
		import json, sys
		summary = json.load(open(sys.argv[1]))
		summary["precision"] = {"wanted_pct": 1e6, "time_limit_s": None, "ended_by": "rounds"}
		json.dump(summary, open(sys.argv[1], "w"))
	PYTHON
	run "$IOLAB" summary "$BATS_TEST_TMPDIR/results"
	assert_output --partial "libaio on file randread 4k page cache, 4M, depth 1, ops_per_s: no ratio, since a round finished nothing"
	valid "$BATS_TEST_TMPDIR/results/summary.json" iolab.summary.v2
}

@test "fewer rounds than reach 90 % confidence give no verdict" {
	changed_runs 'if m: m["ops_per_s"] = 1000.0 * (2 if e == "libaio" else 1)'
	assert_equal "$(of_each 'c["ratio"] and c["ratio"]["ops_per_s"]["verdict"] == "higher"' | grep -c True)" 1
	changed_runs 'if m: m["ops_per_s"] = 1000.0 * (2 if e == "libaio" else 1)
if n == 4: r.update(status="error", reason={"id": "left_out", "values": {}, "text": "left out"}, metrics=None, histogram=None)'
	run of_each 'c["ratio"] and c["ratio"]["ops_per_s"]["verdict"]'
	refute_output --partial "higher"
}

@test "if the peer was the bottleneck with one engine, its neighbours' rates are not comparable" {
	changed_runs 'if m and m["cpu"]["peer_util_pct"] is not None:
    m["cpu"]["peer_util_pct"] = 97.0 if e == "libaio" and n == 2 else 60.0'
	run of_each '(c["workload"]["name"], c["peer_limited"], len([w for w in c["warnings"] if w["id"].startswith("peer_at_limit")]))'
	assert_output --partial "('echo', True, 1)"
	assert_output --partial "('file', False, 0)"
	refute_output --partial "('echo', False"
	refute_output --partial "('file', True"
	assert_equal "$(grep -c "with another engine the peer was at its limit here" "$BATS_TEST_TMPDIR/table")" 1
	changed_runs 'if m and m["cpu"]["peer_util_pct"] is not None: m["cpu"]["peer_util_pct"] = 94.0'
	run of_each 'c["peer_limited"]'
	refute_output --partial True
}

@test "warnings that differ only in numbers are shown once" {
	changed_runs 'r["warnings"] = [{"id": "part_there", "values": {"pct": 4 + 10 * n}, "text": "only {pct} % of the file was there"}] if m and e != "epoll" else []'
	run cat "$BATS_TEST_TMPDIR/table"
	assert_output --partial "only 4-44 % of the file was there"
	assert_equal "$(grep -c "of the file was there" <<<"$output")" 1
}

@test "steal is stated beside the CPU time" {
	changed_runs 'if m: m["cpu"]["host_steal_s"], m["elapsed_s"] = (0.05, 0.2) if e == "libaio" else (0.0, 0.2)'
	run of_each 'c["metrics"]["cpu.host_steal_pct"]["median"]'
	assert_output --partial "0.0 "
	assert_output --partial "25.0"
	run cat "$BATS_TEST_TMPDIR/table"
	assert_output --partial "took up to 25 % of a CPU away (steal): from libaio on"
}

@test "without /proc/stat the host's CPU time is unknown, not 100 %" {
	unshare -m true 2>/dev/null || skip "no mount namespace"
	output=$(unshare -m sh -c "mount --bind /dev/null /proc/stat && exec '$IOLAB' run -e null -w nop --runtime 0.05 --json")
	assert_equal "$(json metrics.cpu.host_busy_s) $(json metrics.cpu.host_util_pct)" "None None"
	assert_equal "$(json metrics.cpu.host_us_per_op) $(json metrics.cpu.host_steal_s)" "None None"
	echo "$output" >"$BATS_TEST_TMPDIR/line"
	run valid "$BATS_TEST_TMPDIR/line" iolab.run.v2
	assert_success
}

@test "a missing ratio is explained in words" {
	run "$IOLAB" compare -e blocking,epoll -w idle --conns 3 --rounds 1 --runtime 0.02 --out "$BATS_TEST_TMPDIR/results"
	assert_success
	assert_output --partial "no ratio: blocking is unsupported here: one thread that blocks"
	run valid "$BATS_TEST_TMPDIR/results/summary.json" iolab.summary.v2
	assert_success
	run "$IOLAB" compare -e null -w nop --depths 1 --rounds 1 --runtime 0.02 --out "$BATS_TEST_TMPDIR/other"
	assert_output --partial "no ratio: blocking was not run here"
}

@test "another engine stands in for a baseline that cannot run, with its name and the reason" {
	run "$IOLAB" compare --idle 0 -e epoll,blocking,poll -w idle --conns 3 --rounds 5 --runtime 0.1 --warmup 0.01 \
		--no-count-syscalls --out "$BATS_TEST_TMPDIR/results"
	assert_success
	assert_output --partial "ratios to epoll: blocking is unsupported here: one thread that blocks"
	refute_output --partial "no ratio: blocking"
	assert_output --regexp "spread +epoll +p50"
	local table=$output
	run valid "$BATS_TEST_TMPDIR/results/summary.json" iolab.summary.v2
	assert_success
	output=$(cat "$BATS_TEST_TMPDIR/results/summary.json")
	assert_equal "$(json baseline)" blocking
	for i in 0 1 2; do
		assert_equal "$(json configurations.$i.baseline)" epoll
	done
	assert_equal "$(json configurations.0.ratio)" None
	# On a busy machine a round may have finished nothing. Then there is no ratio, and the table says why.
	[[ $table == *"finished nothing"* ]] || [ "$(json configurations.2.ratio.ops_per_s.count)" -ge 1 ]
	# An engine that never failed is preferred to one that failed once.
	"$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR/results/runs.jsonl" <<'PY'
import json, sys
runs = [json.loads(line) for line in open(sys.argv[1])]
for run in runs:
    if run["engine"]["label"] == "epoll" and run["config"]["round"] == 2:
        run.update(status="error", reason={"id": "gone", "values": {}, "text": "it is gone"}, metrics=None, histogram=None)
open(sys.argv[1], "w").write("".join(json.dumps(run) + "\n" for run in runs))
PY
	run "$IOLAB" summary "$BATS_TEST_TMPDIR/results"
	assert_output --partial "ratios to poll: blocking is unsupported here"
	# The report names it wherever it names the baseline of ratios.
	timeout "$HANG_S" "$PYTHON" "$ROOT/plots/report.py" "$BATS_TEST_TMPDIR/results"
	for page in report.html report.md; do
		words=$(tr '\n' ' ' <"$BATS_TEST_TMPDIR/results/$page" | tr -s ' ')
		[[ $words == *"Throughput against poll"*"Ratios to poll: blocking is unsupported here"* ]] || fail "$page"
		[[ $words == *": ratios to poll: blocking is unsupported here"*"Throughput against poll"* ]] || fail "$page"
	done
}

@test "where the CPU time went: each CPU and other work, over the rounds, in summary and table" {
	"$IOLAB" compare --idle 0.3 -e null,threads --baseline null -w nop,file --depths 4 --rounds 3 --runtime 0.1 \
		--no-count-syscalls --out "$BATS_TEST_TMPDIR/results" -- --file "$BATS_TEST_TMPDIR/file" --size 4M \
		>"$BATS_TEST_TMPDIR/table"
	run cat "$BATS_TEST_TMPDIR/table"
	assert_output --regexp "Other CPU use .* peaked at [0-9]+ % \(\+-[123][0-9] %\) of one CPU"
	"$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR/results" <<'PY'
import json, statistics, sys
runs = [json.loads(line) for line in open(sys.argv[1] + "/runs.jsonl")]
summary = json.load(open(sys.argv[1] + "/summary.json"))
idle = summary["idle_baseline"]["busy_pct"]
seen = 0
for c in summary["configurations"]:
    mine = [r["metrics"] for r in runs if r["status"] == "ok" and r["engine"] == c["engine"]
            and r["workload"]["name"] == c["workload"]["name"]]
    if not mine:
        continue
    seen += 1
    assert len(c["per_cpu_pct"]) == len(mine[0]["cpu"]["per_cpu_pct"])
    for cpu, found in enumerate(c["per_cpu_pct"]):
        values = [m["cpu"]["per_cpu_pct"][cpu] for m in mine]
        for key, value in (("median", statistics.median(values)), ("low", min(values)), ("high", max(values))):
            assert abs(found[key] - value) < 1e-5, (cpu, key, found, values)
    for key, pick in (("user_pct", lambda m: 100 * m["cpu"]["user_s"] / m["elapsed_s"]),
                      ("system_pct", lambda m: 100 * m["cpu"]["system_s"] / m["elapsed_s"]),
                      ("other_above_idle_pct", lambda m: m["cpu"]["other_util_pct"] - idle),
                      ("host_error_pct", lambda m: 100 * m["cpu"]["host_error_s"] / m["elapsed_s"])):
        median = statistics.median(map(pick, mine))
        assert abs(c["metrics"]["cpu." + key]["median"] - median) < 1e-4, (key, c["metrics"]["cpu." + key], median)
assert seen >= 2, seen
PY
	run "$IOLAB" summary --cpu "$BATS_TEST_TMPDIR/results"
	assert_success
	assert_output --regexp "threads +[0-9]+ +[0-9]+ +- +-?[0-9]+ \(-?[0-9]+\.\.-?[0-9]+\)"
	assert_output --partial "other programs"
	timeout "$HANG_S" "$PYTHON" "$ROOT/plots/report.py" "$BATS_TEST_TMPDIR/results"
	grep -q "^### Where the CPU time went" "$BATS_TEST_TMPDIR/results/report.md"
}

@test "system calls are counted in two runs, and their spread is kept" {
	"$IOLAB" compare --idle 0 -e null,io_uring --baseline null -w nop --depths 8 --rounds 5 --runtime 0.02 \
		--out "$BATS_TEST_TMPDIR/results" >/dev/null
	output=$(cat "$BATS_TEST_TMPDIR/results/summary.json")
	[ "$(json configurations.1.syscalls_reason)" = None ] || skip "no tracepoint here"
	"$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR/results" <<'PY'
import json, sys
runs = [json.loads(line) for line in open(sys.argv[1] + "/runs.jsonl")]
for c in json.load(open(sys.argv[1] + "/summary.json"))["configurations"]:
    counts = sorted(r["metrics"]["syscalls_per_op"] for r in runs
                    if r["config"]["count_syscalls"] and r["engine"] == c["engine"])
    assert len(counts) == 2, counts
    e = c["metrics"]["syscalls_per_op"]
    assert e["count"] == 2 and len(e["values"]) == 2, e
    assert all(abs(a - b) < 1e-6 for a, b in zip(counts, (e["min"], e["max"]))), (e, counts)
PY
}

@test "a panel names every parameter" {
	output=$(quick -e blocking --size 4M --compute-us 50 --batch-submit 2 --batch-complete 3 --verify --json)
	assert_equal "$(json workload.panel.text)" \
		"file randread 4k page cache, 4M, 50 us of compute, 2 submitted together, 3 reaped together, verified"
	output=$(quick -e epoll -w echo --conns 2 --compute-us 0.5 --json)
	assert_equal "$(json workload.panel.text)" "echo tcp 128B, 0.5 us of compute"
}

@test "summary: a read-only folder is read, and a line says that nothing was written" {
	working_compare --rounds 1 --no-count-syscalls
	user_dir
	cp -r "$BATS_TEST_TMPDIR/results" "$USER_DIR/results" && chmod 555 "$USER_DIR/results"
	run --separate-stderr as_user "$USER_DIR/iolab" summary "$USER_DIR/results"
	chmod 755 "$USER_DIR/results" && rm -rf "$USER_DIR"
	assert_failure 1
	assert_output --partial "One round only, so the spread of values and ratios is unknown"
	[[ $stderr == *"printed, but not written"*EACCES* ]] || fail "$stderr"
}

@test "summary: the baseline is one of the engines there" {
	working_compare --rounds 1 --no-count-syscalls
	run "$IOLAB" summary --baseline nosuch "$BATS_TEST_TMPDIR/results"
	assert_failure 2
	assert_output --partial "--baseline nosuch: no run of it"
	run "$IOLAB" summary --baseline libaio "$BATS_TEST_TMPDIR/results"
	assert_success
}

@test "summary: a full disk is named" {
	[ "$(id -u)" -eq 0 ] || skip "mounting a small file system takes root"
	working_compare --rounds 1 --no-count-syscalls
	pages=$(($(stat -c %s "$BATS_TEST_TMPDIR/results/runs.jsonl") / 4096 + 2))
	mkdir "$BATS_TEST_TMPDIR/small"
	mount -t tmpfs -o nr_blocks="$pages" tmpfs "$BATS_TEST_TMPDIR/small" || skip "mount is not allowed here"
	cp "$BATS_TEST_TMPDIR/results/runs.jsonl" "$BATS_TEST_TMPDIR/small/"
	run "$IOLAB" summary "$BATS_TEST_TMPDIR/small"
	umount "$BATS_TEST_TMPDIR/small"
	assert_failure 1
	assert_output --partial "ENOSPC"
}

@test "output that cannot be printed is a failure" {
	[ -e /dev/full ] || skip "no /dev/full"
	working_compare --rounds 1 --no-count-syscalls
	for words in list "list --json" doctor "doctor --json" "summary $BATS_TEST_TMPDIR/results" --help --version "list --help" \
		"compare -e null -w nop --depths 1 --rounds 1 --runtime 0.01 --out $BATS_TEST_TMPDIR/full"; do
		run bash -c "'$IOLAB' $words >/dev/full"
		assert_failure 1
		assert_output --partial "ENOSPC"
	done
}

@test "summary: an unknown schema, an empty folder, no folder" {
	mkdir "$BATS_TEST_TMPDIR/r"
	run "$IOLAB" summary "$BATS_TEST_TMPDIR/r"
	assert_failure 1
	assert_output --partial "ENOENT"
	: >"$BATS_TEST_TMPDIR/r/runs.jsonl"
	run "$IOLAB" summary "$BATS_TEST_TMPDIR/r"
	assert_failure 1
	assert_output --partial "holds no run"
	echo '{"schema":"iolab.run.v9"}' >"$BATS_TEST_TMPDIR/r/runs.jsonl"
	run "$IOLAB" summary "$BATS_TEST_TMPDIR/r"
	assert_failure 1
	assert_output --partial "its schema is iolab.run.v9"
}

@test "a peer killed during the run ends it with a reason" {
	"$IOLAB" run -e epoll -w echo --conns 10 --runtime 20 --json >"$BATS_TEST_TMPDIR/out" 3>&- &
	pid=$!
	until_true pgrep -P $pid >/dev/null
	kill -KILL "$(pgrep -P $pid)" # whether it is connecting still or answers already
	await_end $pid
	assert_failure 1
	output=$(cat "$BATS_TEST_TMPDIR/out")
	assert_equal "$(json reason.id)" peer_killed
	assert_equal "$(json reason.values.signal)" KILL
}

@test "check-trust: its result is as documented, and its interval is Clopper and Pearson's" {
	# Only a quiet machine can say whether the check passes.
	run timeout "$HANG_S" "$SYSTEM_PYTHON" "$ROOT/harness/trust/check_trust.py" --iolab "$ROOT/build/trust/iolab" \
		--only latency --out "$BATS_TEST_TMPDIR/trust.json"
	assert_output --partial "operations that take 1000"
	run valid "$BATS_TEST_TMPDIR/trust.json" iolab.trust.v1
	assert_success
	run "$SYSTEM_PYTHON" -B - "$ROOT/harness/trust" <<'PY'
import sys
sys.path.insert(0, sys.argv[1])
from check_trust import exact_interval
# From tables: 10 of 200, none of 20, all of 20.
for k, n, low, high in ((10, 200, 0.02423, 0.09002), (0, 20, 0, 0.16843), (20, 20, 0.83157, 1)):
    found = exact_interval(k, n)
    assert abs(found[0] - low) < 2e-5 and abs(found[1] - high) < 2e-5, (k, n, found)
PY
	assert_success
}

@test "list and doctor in JSON" {
	"$IOLAB" list --json >"$BATS_TEST_TMPDIR/list.json"
	run valid "$BATS_TEST_TMPDIR/list.json" iolab.list.v2
	assert_success
	"$IOLAB" doctor --json >"$BATS_TEST_TMPDIR/doctor.json"
	run valid "$BATS_TEST_TMPDIR/doctor.json" iolab.doctor.v2
	assert_success
	output=$("$IOLAB" list --json)
	assert_equal "$(json engines.0.name) $(json workloads.0.name)" "null file"
	output=$("$IOLAB" doctor --json)
	assert_equal "$(json can_compare)" True
	for topic in engine o_direct descriptors system_calls cpus hardware_counters upcall; do
		assert_output --partial "\"topic\":{\"id\":\"$topic\""
	done
	run "$IOLAB" list extra
	assert_failure 2
	run "$IOLAB" doctor --file /no/such/folder/file
	assert_failure 1
	assert_output --partial "name another place"
	# Its folder would do, and still no run can use it.
	run "$IOLAB" doctor --file "$BATS_TEST_TMPDIR/$(printf 'a%.0s' {1..256})"
	assert_failure 1
	assert_output --partial "File name too long"
}

@test "list says who takes listeners, in text and JSON, and why another does not" {
	run "$IOLAB" list
	header=$(grep -m 1 "file .*listener" <<<"$output")
	before=${header%listener*}
	text=$output
	for engine in blocking threads poll epoll libaio; do
		row=$(grep -m 1 "^  $engine " <<<"$text")
		assert_equal "$engine ${row:${#before}:8}" "$engine yes     "
	done
	row=$(grep -m 1 "^  posix_aio " <<<"$text")
	assert_equal "${row:${#before}:8}" "-       "
	"$IOLAB" list --json >"$BATS_TEST_TMPDIR/list.json"
	run "$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR/list.json" <<-'PYTHON'
		import json, sys
		answers = {e["name"]: e["supports"]["listener"] for e in json.load(open(sys.argv[1]))["engines"]}
		assert answers["epoll"] == {"supported": True, "reason": None}, answers["epoll"]
		refused = answers["posix_aio"]
		assert not refused["supported"] and refused["reason"]["id"], refused
	PYTHON
	assert_success
}

@test "doctor says of every engine what it does with every workload, and why not, as list sends for it" {
	"$IOLAB" list --json >"$BATS_TEST_TMPDIR/list.json"
	"$IOLAB" doctor --json >"$BATS_TEST_TMPDIR/doctor.json"
	run "$IOLAB" list
	assert_output --partial "Why something cannot be done here: iolab doctor"
	run "$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR" <<-'PYTHON'
		import json, re, sys
		listed, found = (json.load(open(f"{sys.argv[1]}/{name}.json")) for name in ("list", "doctor"))
		workloads = {w["name"] for w in listed["workloads"]}
		for engine in listed["engines"]:
		    works, refused = set(), {}
		    for finding in found["findings"]:
		        if finding["topic"]["values"].get("engine") != engine["name"]:
		            continue
		        cause = finding["cause"]
		        names = set(re.split(", | and ", cause["values"]["workloads"]))
		        if cause["id"] == "workloads":
		            works |= names
		        else:
		            refused.update(dict.fromkeys(names, json.dumps(cause["cause"])))
		    assert works | set(refused) == workloads and not works & set(refused), (engine["name"], works, refused)
		    # Where the descriptor itself is refused, the reason is list's.
		    for column, name in (("file", "file"), ("socket", "echo"), ("pipe", "pipe"), ("nop", "nop")):
		        answer = engine["supports"][column]
		        if not answer["supported"]:
		            assert refused[name] == json.dumps(answer["reason"]), (engine["name"], name, refused)
	PYTHON
	assert_success
	# What a workload depends on beside its engine is its own.
	run bash -c "ulimit -n 1000; exec '$IOLAB' doctor"
	assert_line --regexp "^limited +descriptors +RLIMIT_NOFILE 1000: at most 936 connections$"
	# A variant's findings are those in which it differs from its engine.
	run "$IOLAB" doctor
	assert_line --regexp "^ok +engine io_uring:fixed_buffers +not echo, idle and accept: recv and send have no form"
	[ "$(grep -c "engine epoll:oneshot " <<<"$output")" -eq 1 ]
}

@test "doctor and list: a kernel below the minimum is told, with the minimum; one at or above it is not" {
	setarch --uname-2.6 true || skip "personality(2) is refused here"
	run setarch --uname-2.6 "$IOLAB" doctor
	assert_line --regexp "^limited +kernel +2\.6\..* is older than .*5\.15$"
	assert_line --regexp "^ +cure: Linux 5\.15 or newer$"
	run setarch --uname-2.6 "$IOLAB" list
	assert_success
	assert_line --regexp "^This kernel is 2\.6\..*: iolab is for Linux 5\.15 and newer$"
	run "$IOLAB" doctor
	assert_line --regexp "^ok +kernel +$(uname -r)$"
	run "$IOLAB" list
	refute_output --partial "This kernel"
	# The README names the same.
	grep -qF "iolab needs Linux 5.15 or newer" "$ROOT/README.md"
}

@test "doctor: a full disk is not mistaken for a file system without O_DIRECT" {
	[ "$(id -u)" -eq 0 ] || skip "mounting a small file system takes root"
	mkdir "$BATS_TEST_TMPDIR/small"
	mount -t tmpfs -o size=64k tmpfs "$BATS_TEST_TMPDIR/small" || skip "mount is not allowed here"
	head -c 1M /dev/zero >"$BATS_TEST_TMPDIR/small/full" 2>/dev/null || true
	run "$IOLAB" doctor --file "$BATS_TEST_TMPDIR/small/file"
	umount "$BATS_TEST_TMPDIR/small"
	assert_failure 1
	assert_output --regexp "missing +test file .*ENOSPC"
	assert_output --partial "free some space"
	refute_output --partial "the file system refuses it"
	assert_output --partial "cannot run here"
}

@test "doctor: a block device, and a file in a read-only folder, are read" {
	device=$(find /dev -maxdepth 1 -type b 2>/dev/null | head -n 1)
	if [ -n "$device" ]; then
		run "$IOLAB" doctor --file "$device"
		assert_output --regexp "test file +(opening )?$device: (a block device|E)"
		refute_output --partial "free in /dev"
	fi
	user_dir
	mkdir "$USER_DIR/locked"
	head -c 8k /dev/zero >"$USER_DIR/locked/file"
	chmod -R a+rX "$USER_DIR/locked" && chmod 555 "$USER_DIR/locked"
	run as_user "$USER_DIR/iolab" doctor --file "$USER_DIR/locked/file"
	rm -rf "$USER_DIR"
	assert_success
	assert_output --partial "locked/file: a file of 0 MiB"
}

@test "doctor: the limits of our cgroup and of those above it" {
	[ "$(id -u)" -eq 0 ] || skip "a cgroup of its own takes root"
	local root made group=""
	for root in /sys/fs/cgroup/pids /sys/fs/cgroup; do
		made="$root/iolab-test-$$"
		mkdir -p "$made/inner" 2>/dev/null || continue
		echo 77 >"$made/pids.max" 2>/dev/null && group=$made && break
		rmdir "$made/inner" "$made"
	done
	[ -n "$group" ] || skip "no pids cgroup can be made here"
	run bash -c "echo \$\$ >'$group/inner/cgroup.procs' && exec '$IOLAB' doctor"
	rmdir "$group/inner" "$group"
	assert_output --regexp "limited +threads +77 allowed"
}

@test "env: a file of docker's makes a container only in a namespace of its own" {
	[ -e /.dockerenv ] || skip "no image of docker's"
	# The PID namespace that the kernel began with has this number.
	[ "$(stat -Lc %i /proc/self/ns/pid)" = 4026531836 ] || skip "in a container already"
	run "$IOLAB" doctor --json
	assert_output --partial '"virtualization":"image of docker'
	unshare --uts true || skip "no namespace can be made"
	run unshare --uts "$IOLAB" doctor --json
	assert_output --partial '"virtualization":"container: docker'
}

@test "env: a container does not hide the hypervisor below it" {
	grep -q "^flags.* hypervisor" /proc/cpuinfo || skip "no hypervisor"
	unshare -m true 2>/dev/null || skip "no mount namespace"
	run unshare -m sh -c "mount -t tmpfs tmpfs /run && echo >/run/.containerenv && exec '$IOLAB' doctor --json"
	assert_output --regexp '"virtualization":"container: [a-z]*, in a virtual machine'
}

@test "a configuration's command repeats it alone, without what belongs to one run of several" {
	working_compare --rounds 2
	run "$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR/results" <<-'PYTHON'
		import json, sys
		own = ["--round", "--position", "--plan", "--json", "--count-syscalls"]
		runs = [json.loads(line)["config"]["command"] for line in open(sys.argv[1] + "/runs.jsonl")]
		assert all(any(word in run for run in runs) for word in own), runs[0]
		for c in json.load(open(sys.argv[1] + "/summary.json"))["configurations"]:
		    words = c["command"]
		    assert words[1:4:2] == ["run", c["engine"]["label"]] and not set(words) & set(own), words
		    assert all(word.startswith("-") or before.startswith("-") for before, word in zip(words[1:], words[2:])), words
	PYTHON
	assert_success
}

@test "the parts of an operation's CPU time are those of the runs" {
	working_compare --rounds 3
	run "$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR/results" <<-'PYTHON'
		import json, statistics, sys
		runs = [json.loads(line) for line in open(sys.argv[1] + "/runs.jsonl")]
		found = [c for c in json.load(open(sys.argv[1] + "/summary.json"))["configurations"] if c["status"] == "ok"]
		assert len(found) >= 5, found
		for c in found:
		    mine = [r["metrics"] for r in runs if r["status"] == "ok" and not r["config"]["count_syscalls"] and
		            (r["engine"]["label"], r["workload"]["panel"], r["config"]["x"]) ==
		            (c["engine"]["label"], c["workload"]["panel"], c["config"]["x"])]
		    assert len(mine) == 3
		    # On a busy machine a window of 0.03 s may see no operation's end; such a run has no time of one.
		    mine = [m for m in mine if m["ops"]]
		    assert mine
		    for key, seconds in (("user", "user_s"), ("system", "system_s"), ("host_error", "host_error_s")):
		        median = statistics.median(m["cpu"][seconds] * 1e6 / m["ops"] for m in mine)
		        assert abs(c["metrics"][f"cpu.{key}_us_per_op"]["median"] - median) < 1e-3, (c, median)
		    other = statistics.median(m["cpu"]["other_util_pct"] / 100 * m["elapsed_s"] * 1e6 / m["ops"] for m in mine)
		    assert abs(c["metrics"]["cpu.other_us_per_op"]["median"] - other) < 1e-3, (c, other)
	PYTHON
	assert_success
}

@test "the schema and docs/metrics.md are those that \`make schema\` makes" {
	"$IOLAB" list --json >"$BATS_TEST_TMPDIR/list.json"
	"$SYSTEM_PYTHON" -B "$ROOT/harness/schema/make_schema.py" "$BATS_TEST_TMPDIR/list.json" "$BATS_TEST_TMPDIR"
	for made in result.schema.json metrics.md; do
		run diff "$ROOT/docs/$made" "$BATS_TEST_TMPDIR/$made"
		assert_success # else: make schema
	done
}

@test "a folder of iolab.run.v1 is read: summary, table, exports, diff" {
	local folder=$BATS_TEST_TMPDIR/v1
	cp -r "$ROOT/harness/tests/fixtures/v1" "$folder"
	run "$IOLAB" summary "$folder"
	assert_success
	# A sentence of then is the text of a remark now.
	assert_equal "$(grep -c "  hardware counters: perf_event_open, instructions of user+kernel: ENOENT" <<<"$output")" 1
	assert_output --regexp "null +[0-9.]+M"
	valid "$folder/summary.json" iolab.summary.v2
	for format in fio hyperfine csv; do
		run "$IOLAB" export "$folder" --format $format
		assert_success
	done
	assert_output --partial "hardware counters: perf_event_open"
	run "$IOLAB" diff "$folder" "$folder"
	assert_success
	assert_output --regexp "io_uring +1\.0000"
	# A folder of a version that nobody here knows is refused with what to do.
	sed -i 's/iolab\.run\.v1/iolab.run.v9/' "$folder/runs.jsonl"
	run "$IOLAB" summary "$folder"
	assert_failure 1
	assert_output --partial "use the iolab that wrote the folder"
}

@test "comparisons that begin in the same second have folders of their own" {
	cd "$BATS_TEST_TMPDIR"
	local pids=()
	for _ in 1 2 3 4 5; do
		"$IOLAB" compare -e null -w nop --depths 1 --rounds 1 --runtime 0.01 --warmup 0.01 --idle 0 >/dev/null &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid"; done
	assert_equal "$(find results -mindepth 2 -name summary.json | wc -l)" 5
	[ -e results/latest/summary.json ]
}

@test "reasons are shown as one only where identifier and all values agree" {
	local folder=$BATS_TEST_TMPDIR/reasons
	"$IOLAB" compare -e null,epoll -w file --depths 1,16 --rounds 1 --runtime 0.01 --warmup 0 --idle 0 \
		--no-count-syscalls --out "$folder" -- --size 1M >/dev/null
	refusals() { "$IOLAB" summary "$folder" | grep -c "^  epoll .*unsupported:"; }
	changed() { # EXPRESSION on `reason` and `run`, of the runs of epoll at depth 16
		"$SYSTEM_PYTHON" - "$folder/runs.jsonl" "$1" <<-'PYTHON'
			import json, sys
			runs = [json.loads(line) for line in open(sys.argv[1])]
			for run in runs:
			    reason = run["reason"]
			    if reason and run["config"]["x"] == 16:
			        exec(sys.argv[2])
			open(sys.argv[1], "w").writelines(json.dumps(run) + "\n" for run in runs)
		PYTHON
	}
	assert_equal "$(refusals)" 1
	changed 'reason["text"] += ", as epoll says"'
	assert_equal "$(refusals)" 1
	changed 'reason["values"]["errno"] = "EINVAL"'
	assert_equal "$(refusals)" 2
	changed 'reason["values"] = {"errno": "EPERM", "file": "another"}'
	assert_equal "$(refusals)" 2
	changed 'reason["values"] = {"errno": "EPERM"}'
	assert_equal "$(refusals)" 1
	changed 'reason["cause"] = {"id": "another", "values": {}, "text": "another"}'
	assert_equal "$(refusals)" 2
	changed 'run["reason"] = "a sentence"'
	run "$IOLAB" summary "$folder"
	assert_failure 1
	assert_output --regexp "runs.jsonl:[0-9]+: reason must be"
}
