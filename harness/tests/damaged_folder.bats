#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Files of a results folder that cannot be read to their end: refused in one line, never a wait, and never
# a result of the part that was read.

load common

setup() {
	mkdir "$BATS_TEST_TMPDIR/folder" && cd "$BATS_TEST_TMPDIR" || return
	for round in 0 1 2 3 4 5 6 7; do
		sed "s/\"round\": *[0-9]*/\"round\": $round/" "$BATS_TEST_DIRNAME/fixtures/whole_runs.jsonl"
	done >folder/runs.jsonl
}

# refused TEXT COMMAND...: status 1, one line, which holds the text.
refused() {
	local text=$1
	shift
	run --separate-stderr timeout "$HANG_S" "$@"
	assert_failure 1
	assert_equal "${#stderr_lines[@]}" 1
	assert_regex "$stderr" "$text"
}

@test "an error of the disk in the midst of runs.jsonl is not its end" {
	for nth in 1 2 3; do
		refused 'runs.jsonl.*EIO' strace -qqq -o calls -P "$PWD/folder/runs.jsonl" -e trace=read \
			-e inject="read:error=EIO:when=$nth" "$IOLAB" summary folder
		assert [ ! -e folder/summary.json ]
	done
	"$IOLAB" summary folder >/dev/null
	refused 'runs.jsonl.*EIO' strace -qqq -o calls -P "$PWD/folder/runs.jsonl" -e trace=read \
		-e inject=read:error=EIO:when=2 "$IOLAB" export folder --format csv --out all.csv
	assert [ ! -e all.csv ]
	refused 'summary.json' strace -qqq -o calls -P "$PWD/folder/summary.json" -e trace=read \
		-e inject=read:error=EIO:when=1 "$IOLAB" summary folder
}

@test "a pipe, a device or a folder in the place of a file is refused, and waited for by nobody" {
	for name in runs.jsonl summary.json; do
		"$IOLAB" summary folder >/dev/null
		mv "folder/$name" kept
		for made in "mkfifo" "ln -s /dev/zero" "mkdir"; do
			$made "folder/$name"
			for command in "summary folder" "export folder --format csv" "diff folder folder" \
				"import $BATS_TEST_DIRNAME/fixtures/psync.json --out folder"; do
				# diff reads the summary alone; import writes its runs before it makes one.
				case "$name $command" in "runs.jsonl diff"* | "summary.json import"*) continue ;; esac
				# shellcheck disable=SC2086 # words of a command
				refused "$name" "$IOLAB" $command
			done
			rm -r "folder/$name"
		done
		mv kept "folder/$name"
	done
}

@test "neither plot.py nor report.py waits for a pipe" {
	mkfifo folder/summary.json
	refused "summary.json" "$PYTHON" "$ROOT/plots/plot.py" folder
	refused "summary.json" "$PYTHON" "$ROOT/plots/report.py" folder
	rm folder/summary.json
	"$IOLAB" summary folder >/dev/null
	mkfifo folder/other.json
	ln -s nowhere folder/gone.json
	run timeout "$HANG_S" "$PYTHON" "$ROOT/plots/report.py" folder
	assert_success
}

@test "a document does not take the place of a pipe or a device" {
	"$IOLAB" summary folder >/dev/null
	mkfifo out.csv report.html
	ln -s out.csv link.csv
	for place in out.csv link.csv; do
		refused "$place: it is no plain file and stays" "$IOLAB" export folder --format csv --out $place
	done
	refused "report.html: it is no plain file and stays" "$PYTHON" "$ROOT/plots/report.py" folder --out report.html
	assert [ -p out.csv ] && assert [ -L link.csv ] && assert [ -p report.html ]
}

# damage PYTHON: `runs` is the list of the folder's runs, to be changed.
damage() {
	"$SYSTEM_PYTHON" - "$1" <<-'PY'
		import json, sys
		runs = [json.loads(line) for line in open("folder/runs.jsonl")]
		exec(sys.argv[1])
		open("folder/runs.jsonl", "w").writelines(json.dumps(run) + "\n" for run in runs)
	PY
}

@test "a run whose round another one has is named, and takes nobody's place unseen" {
	count=$(wc -l <folder/runs.jsonl)
	damage 'runs.append({**runs[1], "time_utc": "2030-01-01T00:00:00Z"})'
	refused "runs.jsonl:$((count + 1)): its engine, configuration and round are those of line 2" "$IOLAB" summary folder
	refused "runs.jsonl:$((count + 1)): " "$IOLAB" export folder --format csv
	damage 'runs.pop(1)'
	"$IOLAB" summary folder >/dev/null
}

@test "a label that is another engine's is refused" {
	for label in io_uring '' blockingX 'blocking:'; do
		damage "runs[0]['engine'].update(name='blocking', variant='', label='$label')"
		refused 'runs.jsonl:1: engine.label' "$IOLAB" summary folder
	done
	damage 'runs[0]["engine"].update(name="", variant="", label="")'
	refused 'runs.jsonl:1: engine.name' "$IOLAB" summary folder
}

@test "a histogram whose buckets are not in order is refused" {
	for buckets in '[[10, 20, 1], [5, 9, 1]]' '[[10, 20, 1], [15, 30, 1]]' '[[10, 10, 1]]' '[[20, 10, 1]]'; do
		damage "runs[0]['histogram']['buckets'] = $buckets"
		refused 'runs.jsonl:1: histogram.buckets' "$IOLAB" summary folder
	done
}

@test "a run with a great many warnings is refused before each is compared with each" {
	damage 'runs[0]["warnings"] = [{"id": f"w{i}", "values": {}, "text": "w"} for i in range(20000)]'
	refused 'runs.jsonl:1: warnings is too long' "$IOLAB" summary folder
}

@test "a workload whose panel is none is refused" {
	cp folder/runs.jsonl whole
	for damage in 'update(panel=5)' 'update(panel=None)' 'pop("panel")' 'update(op=7)' 'update(words=[])'; do
		cp whole folder/runs.jsonl
		damage "runs[0]['workload'].$damage"
		refused 'runs.jsonl:1: workload' "$IOLAB" summary folder
	done
	cp whole folder/runs.jsonl
	damage 'runs[0]["workload"] = []'
	refused 'runs.jsonl:1: workload must be an object' "$IOLAB" summary folder
}

@test "a title of a megabyte is refused, and drawn by nobody" {
	"$IOLAB" summary folder >/dev/null
	damage 'runs[0]["workload"]["panel"]["text"] = "A" * 1000000'
	refused 'runs.jsonl:1: workload.panel.text is too long' "$IOLAB" summary folder
	"$SYSTEM_PYTHON" - <<-'PY'
		import json
		summary = json.load(open("folder/summary.json"))
		summary["configurations"][0]["workload"]["panel"]["text"] = "A" * 1000000
		json.dump(summary, open("folder/summary.json", "w"))
	PY
	refused 'summary.json.*text of at most 1000 characters' "$PYTHON" "$ROOT/plots/plot.py" folder
	refused 'summary.json.*text of at most 1000 characters' "$PYTHON" "$ROOT/plots/report.py" folder
}

# each_refused: of each line "RUN | TEXT | PYTHON" the folder with that run damaged so is refused, with a line
# that names the run and holds the text.
each_refused() {
	"$SYSTEM_PYTHON" - "$(cat)" <<-'PY'
		import copy, json, os, sys
		runs = [json.loads(line) for line in open("folder/runs.jsonl")]
		for number, line in enumerate(sys.argv[1].splitlines()):
		    run, text, change = (part.strip() for part in line.split("|", 2))
		    damaged = [copy.deepcopy(one) for one in runs[:4]]
		    r = damaged[int(run)]
		    m, c, w = r["metrics"], r["config"], r["workload"]
		    l = m["latency_ns"]
		    exec(change)
		    os.makedirs(f"each/{number}")
		    open(f"each/{number}/runs.jsonl", "w").writelines(json.dumps(one) + "\n" for one in damaged)
		    open(f"each/{number}/said", "w").write(f"runs.jsonl:{int(run) + 1}: {text}")
	PY
	for folder in each/*; do
		refused "$(cat "$folder/said")" "$IOLAB" summary "$folder"
	done
}

@test "a run whose numbers contradict each other is refused" {
	each_refused <<-'ROWS'
		0 | metrics.ops_per_s is 5, | m["ops_per_s"] = 5
		0 | metrics.ops_per_s .* ops over elapsed_s | m["elapsed_s"] *= 2
		0 | metrics.elapsed_s | m["elapsed_s"] = 0
		0 | metrics.bytes_per_s | m["bytes_per_s"] *= 2
		0 | metrics.bytes is .* the size of one | m["bytes"] += 4096; m["bytes_per_s"] = m["bytes"] / m["elapsed_s"]
		0 | metrics.reads | m["reads"] -= 1
		0 | metrics.latency_ns.count | l["count"] += 1
		0 | metrics.latency_ns.count | m["latency_ns"] = None; r["histogram"]["buckets"] = []
		0 | metrics.latency_ns.count .* histogram | r["histogram"]["buckets"][0][2] += 1
		0 | metrics.latency_ns: its min or max | r["histogram"]["buckets"][-1][0:2] = [10**9, 10**9 + 1]
		0 | metrics.latency_ns.p90 .* p50 | l["p50"] = l["p99"] + 1
		0 | metrics.latency_ns.p50 .* min | l["min"] = l["p99"]
		0 | metrics.latency_ns.mean | l["mean"] = l["max"] * 2
		0 | metrics.cpu.user_s | m["cpu"]["user_s"] = 1e6
		0 | metrics.cpu.user_s must lie | m["cpu"]["user_s"] = -1
		0 | metrics.cpu.util_pct | m["cpu"]["util_pct"] = 1
		0 | metrics.cpu.us_per_op | m["cpu"]["us_per_op"] *= 3
		0 | metrics.cpu.host_busy_s | m["cpu"]["host_busy_s"] = 100
		0 | metrics.cpu.per_cpu_pct.1 | m["cpu"]["per_cpu_pct"][1] = 1e5
		0 | metrics.inflight_mean | m["inflight_mean"] = 7
		0 | metrics.inflight_max | m["inflight_max"] = 7
		0 | metrics.ops is .* config.op_limit | c["op_limit"] = 7
		0 | metrics.elapsed_s is .* config.runtime_s | c["runtime_s"] = 60
		0 | config.x is 9 | c["x"] = 9
		0 | config.x_name | c["x_name"] = "pipes"
		0 | time_utc must be a time | r["time_utc"] = "2026-02-30T00:00:00Z"
		0 | time_utc must be a time | r["time_utc"] = "2026-13-01T00:00:00Z"
		0 | time_utc must be a time | r["time_utc"] = "2026-01-01T25:00:00Z"
		0 | time_utc must be a time | r["time_utc"] = "2026-01-01T00:61:00Z"
		1 | metrics.offered_per_s | m["offered_per_s"] *= 2
		1 | metrics.latency_ns.count | m["latency_ns"]["count"] *= 100; r["histogram"]["buckets"][0][2] += m["latency_ns"]["count"] * 99 // 100
	ROWS
	"$IOLAB" summary folder >/dev/null
}

@test "a run with options that no run accepts is refused" {
	each_refused <<-'ROWS'
		0 | workload.name must be a workload | w["name"] = "kafka"
		0 | workload.panel.id | w["panel"]["id"] = "nop"
		0 | workload.panel.values.bs_bytes | w["panel"]["values"]["bs_bytes"] = 512
		0 | workload.bs_bytes must lie | w["bs_bytes"] = w["panel"]["values"]["bs_bytes"] = 1; m["bytes"] = m["ops"]
		0 | workload.bs_bytes is missing | del w["bs_bytes"]
		0 | workload.rw is none of the words | w["rw"] = "sideways"
		0 | workload.direct must be of type | w["direct"] = 3
		0 | config.depth must lie | c["depth"] = c["x"] = 10**6
		0 | config.runtime_s must lie | c["runtime_s"] = 0
		0 | config.warmup_s must lie | c["warmup_s"] = 1e9
		0 | config.compute_us must lie | c["compute_us"] = 1e12
		0 | config.cpus.1 | c["cpus"] = [1, 1]
		0 | config.cpus.0 | c["cpus"] = [4096]
		1 | workload.msg_size_bytes must lie | w["msg_size_bytes"] = w["panel"]["values"]["msg_size_bytes"] = 10**12
	ROWS
}

@test "export, diff and import refuse a run that contradicts itself as summary does" {
	cp -r folder right
	damage 'runs[0]["metrics"]["ops_per_s"] = 5'
	for command in "export folder --format csv" "diff right folder" "diff folder right" \
		"import $BATS_TEST_DIRNAME/fixtures/psync.json --out folder"; do
		# shellcheck disable=SC2086 # words of a command
		refused 'runs.jsonl:1: metrics.ops_per_s' "$IOLAB" $command
	done
}
