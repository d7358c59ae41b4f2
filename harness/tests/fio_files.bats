#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Import of files that fio, or a program that passed its result on, could have written: a recorded one
# with changes.

load common

FIXTURES="$BATS_TEST_DIRNAME/fixtures"

setup() {
	cd "$BATS_TEST_TMPDIR" || return
}

# changed CODE: odd.json, a whole result of one job, after Python code that changes `fio`, `job`,
# `options` or `read`, or sets `text`.
changed() {
	"$SYSTEM_PYTHON" - "$FIXTURES/fio/group_of_one.json" "$1" <<-'PYTHON'
		import copy, json, sys
		fio = json.load(open(sys.argv[1]))
		job = fio["jobs"][0]
		options, read, text = job["job options"], job["read"], None
		exec(sys.argv[2])
		open("odd.json", "w").write(text if text is not None else json.dumps(fio))
	PYTHON
}

# refused TEXT [CODE]: odd.json, changed by the code, is refused in one line, and no folder is made.
refused() {
	[ $# -eq 1 ] || changed "$2"
	run "$IOLAB" import odd.json --out results
	assert_failure 1
	assert_output --partial "$1"
	assert_equal "${#lines[@]}" 1
	assert [ ! -e results ]
}

# imported CODE CHECK: odd.json, changed by the code, is taken; Python code checks `run`, its first run,
# and `ids`, the identifiers of its warnings.
imported() {
	changed "$1"
	run "$IOLAB" import odd.json --out results
	assert_success
	run "$SYSTEM_PYTHON" - "$2" <<-'PYTHON'
		import json, sys
		run = json.loads(open("results/runs.jsonl").readline())
		w, c, m, ids = run["workload"], run["config"], run["metrics"], {one["id"]: one["values"] for one in run["warnings"]}
		assert eval(sys.argv[1]), (run["workload"], run["config"], run["metrics"], ids)
	PYTHON
	assert_success
	rm -r results
}

@test "of two options that set the same thing, the later one counts" {
	imported 'fio["global options"] = {"readwrite": "write"}' 'w["rw"] == "randread"'
	imported 'fio["global options"] = {"rw": "write"}; del options["rw"]; options["readwrite"] = "randread"' 'w["rw"] == "randread"'
	imported 'fio["global options"] = {"bs": "64k"}; del options["bs"]; options["blocksize"] = "4k"' \
		'w["bs_bytes"] == 4096 and "block_size_contradicts" not in ids'
	imported 'fio["global options"] = {"buffered": "1"}' 'w["direct"] is True'
	imported 'options["buffered"] = "1"' 'w["direct"] is False'
	imported 'fio["global options"] = {"runtime": "60"}; options |= {"timeout": "2", "time_based": "1"}' \
		'c["runtime_s"] == 2 and "ended_early" not in ids'
	imported 'fio["global options"] = {"rwmixread": "70"}; options |= {"rw": "randrw", "rwmixwrite": "60", "rwmixread": "20"}' \
		'w["read_pct"] == 20'
}

@test "a value of another type is refused, with its key" {
	refused "job 'alone': error is not a number" 'job["error"] = "5"'
	refused "elapsed is not a number" 'job["elapsed"] = [3]'
	refused "timestamp is not a number" 'fio["timestamp"] = "today"'
	refused "jobname is not a text" 'job["jobname"] = 7'
	refused "read.total_ios is not a number" 'read["total_ios"] = "4000"'
	refused "clat_ns.mean is not a number" 'read["clat_ns"]["mean"] = True'
	refused "clat_ns.50.000000 is not a number" 'read["clat_ns"]["percentile"]["50.000000"] = "x"'
	refused "write is not an object" 'job["write"] = []'
	refused "job options is not an object" 'job["job options"] = ["rw"]'
	refused "job options.bs is not the value of an option" 'options["bs"] = {"read": "4k"}'
	refused "the job is not an object" 'fio["jobs"] = [None]'
	# A null is a nan that was.
	imported 'read["iops"] = None' 'm["ops_per_s"] == 2000'
}

@test "a counter of 0 that others deny is not taken" {
	imported 'read["total_ios"] = 0' 'm["ops"] == 4000 and m["ops_per_s"] == 2000 and "operations_computed" in ids'
	imported 'read["bw_bytes"] = 0' 'm["bytes_per_s"] == 8192000'
	imported 'read |= {"bw": 0}; del read["bw_bytes"]' 'm["bytes_per_s"] == 8192000'
}

@test "a job that verifies nothing reads nothing back" {
	imported 'options |= {"rw": "randwrite", "verify": "crc32c"}' 'w["rw"] == "randwrite"'
	imported 'options |= {"rw": "randwrite", "verify": "0"}' 'w["rw"] is None and "pattern_contradicts" in ids'
	imported 'options |= {"rw": "randwrite", "verify": "md5", "do_verify": "0"}' 'w["rw"] is None'
}

@test "numbers of 64 bits are read, and a time that is none is refused" {
	imported 'options["randseed"] = "1234567890123456789"' 'c["seed"] == 1234567890123456789'
	imported 'options["randseed"] = "18446744073709551615"' 'c["seed"] is None'
	imported 'options["number_ios"] = "5g"' 'c["op_limit"] == 5 << 30'
	refused "randseed=dice is not a number" 'options["randseed"] = "dice"'
	for time in 5x -3 inf nan "" 1e308d; do
		refused "ramp_time=$time is not a time" "options['ramp_time'] = '$time'"
		refused "is not a time" "options['timeout'] = '$time'"
	done
}

@test "what killed a job, and that it never became steady, is told" {
	imported 'text = "fio: pid=12, got signal=9\n" + json.dumps(fio)' 'ids["interrupted"] == {"signal": 9}'
	imported 'options["steadystate"] = "iops:2%"; job["steadystate"] = {"attained": 0}' '"not_steady" in ids'
	imported 'options["steadystate"] = "iops:2%"; job["steadystate"] = {"attained": 1}' '"not_steady" not in ids'
}

@test "fio's result is found within a line, also where its keys were sorted" {
	imported 'text = "out: {x} " + json.dumps({"disk_util": [], **fio})' 'm["ops"] == 4000'
	imported 'text = "a {} line\nout: " + json.dumps(fio, sort_keys=True) + " end"' 'm["ops"] == 4000'
	refused "more than one result of fio (2)" 'text = 2 * ("out: " + json.dumps({"disk_util": [], **fio}) + "\n")'
	# Many beginnings of nothing are read once, and not each up to the end.
	changed 'text = "x" + "{\"a\"," * 2_000_000'
	run timeout "$HANG_S" "$IOLAB" import odd.json --out results
	assert_failure 1
}

@test "nothing from a file turns the direction of a line, ends it, or is obeyed by a terminal" {
	# U+202E, U+2066, U+200F, U+061C, U+2028, U+0085, U+009B; as bytes, for a shell of any locale
	marks=($'\xe2\x80\xae' $'\xe2\x81\xa6' $'\xe2\x80\x8f' $'\xd8\x9c' $'\xe2\x80\xa8' $'\xc2\x85' $'\xc2\x9b')
	name=$(printf 'a%s' "${marks[@]}")
	imported "job['jobname'] = '$name'" 'run["imported"]["job"] == "'"$name"'"'
	refused "job 'a???a" "job |= {'jobname': '$name', 'error': 'x'}"
	for mark in "${marks[@]}"; do refute_output --partial "$mark"; done
	refused "job 'é'" "job |= {'jobname': 'é', 'error': 'x'}"
}

@test "a file without an end is refused" {
	ln -s /dev/zero odd.json
	refused "it has more than 256 MiB"
}

@test "more rounds than a comparison may have are refused before anything is written" {
	changed 'fio["jobs"] = [job | {"jobname": f"j{i}", "groupid": i, "elapsed": i} for i in range(1001)]'
	refused "job 'j1000': there are more than 1000 rounds"
	changed 'fio["jobs"] = [job | {"jobname": f"j{i}", "groupid": i, "elapsed": i} for i in range(999)]'
	"$IOLAB" import odd.json --out kept >/dev/null
	changed 'fio["jobs"] = [job | {"jobname": name, "groupid": name} for name in "ab"]'
	before=$(md5sum <kept/runs.jsonl)
	run "$IOLAB" import odd.json --out kept
	assert_failure 1
	assert_output --partial "job 'b': there are more than 1000 rounds"
	assert_equal "$(md5sum <kept/runs.jsonl)" "$before"
}
