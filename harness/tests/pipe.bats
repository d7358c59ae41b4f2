#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The workload pipe: every engine that can wait for a pipe passes tokens, whole and in order, and lets go
# of its reads at the end.

load common

setup_file() {
	# NAME[:OPTION], one a line, of those that say yes to pipes. What blocks is refused by the workload.
	ENGINES=$("${IOLAB:-$BATS_TEST_DIRNAME/../../build/iolab}" list --json | python3 -c '
import json, sys
for engine in json.load(sys.stdin)["engines"]:
    for suffix, can in [("", engine)] + [(":" + option["name"], option) for option in engine["options"]]:
        if can["supports"]["pipe"]["supported"] and engine["name"] != "blocking":
            print(engine["name"] + suffix)')
	export ENGINES
}

# refused STATUS TEXT RUN-OPTION...: that exit status, and a line with the text.
refused() {
	local expected=$1 text=$2
	shift 2
	run quick -w pipe "$@"
	assert_equal "$status" "$expected"
	assert_output --partial "$text"
}

@test "pipe: every engine that can passes tokens, and its reads end when the run does" {
	[[ " $ENGINES " == *epoll*io_uring* ]] || fail "only these: $ENGINES"
	for engine in $ENGINES; do
		loads=("--pipes 16 --tokens 3")
		# What the load changes is the workload's; a few engines show it.
		[[ $engine != @(poll|io_uring|threads) ]] || loads+=("--pipes 2" "--pipes 64 --tokens 64 --msg-size 4k")
		for load in "${loads[@]}"; do
			SECONDS=0
			# shellcheck disable=SC2086
			run quick -e "$engine" -w pipe --verify --json $load
			# A read that nobody ended would be cancelled after five seconds.
			[ "$SECONDS" -lt 5 ] || fail "$engine $load: $SECONDS s"
			assert_success
			assert_equal "$(json status)" ok
			[ "$(json metrics.ops)" -gt 0 ] || fail "$engine $load: no hop"
			assert_equal "$(json metrics.bytes)" \
				$(($(json metrics.ops) * $(json workload.msg_size_bytes)))
		done
	done
}

@test "pipe: batches, and more pipes than a soft limit of descriptors allows" {
	run bash -c "ulimit -Sn 300; exec '$IOLAB' run -e epoll -w pipe --pipes 400 --tokens 7 --batch-submit 2 \
		--batch-complete 3 --runtime 0.05 --warmup 0.01 --verify"
	assert_success
	run bash -c "ulimit -n 300; exec '$IOLAB' run -e epoll -w pipe --pipes 400 --runtime 0.05"
	assert_failure 1
	assert_output --partial "--pipes 400 needs 864 descriptors"
}

@test "pipe: engines that it cannot live with are refused in plain words" {
	refused 77 "wait for ever on the first silent descriptor" -e blocking
	refused 77 "moves no bytes" -e null
	refused 77 "cannot be taken back" -e posix_aio
	refused 77 "cannot be tried" -e epoll:edge
}

@test "pipe: options that make no sense" {
	refused 2 "there are only 4 pipes" -e epoll --pipes 4 --tokens 5
	refused 2 "--pipes 1: must lie between 2 and 8192" -e epoll --pipes 1
	refused 2 "--msg-size 4097: must lie between 1 and 4096" -e epoll --msg-size 4097
	refused 2 "must be a multiple of 8" -e epoll --msg-size 63 --verify
	refused 2 "measured for a time; use --runtime" -e epoll --ops 10
	refused 2 "passed on when it arrives" -e epoll --rate 10
	refused 2 "use --pipes" -e epoll --depth 4
	refused 2 "it belongs to the workloads echo and idle; use --pipes" -e epoll --conns 4
	run quick -e epoll -w nop --pipes 4
	assert_output --partial "it belongs to the workload pipe; use --depth"
}

descriptors_of() { find "/proc/$1/fd" | wc -l; }

@test "pipe: Ctrl-C ends it at once, with nothing left waiting" {
	for engine in epoll threads io_uring; do
		"$IOLAB" run -e "$engine" -w pipe --pipes 100 --runtime 30 >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
		pid=$!
		until_more_than 200 descriptors_of "$pid"
		kill -INT "$pid"
		await_end "$pid"
		assert_equal "$status" 130
	done
}

@test "pipe: compare sweeps --pipes, and the report says what was done" {
	run timeout "$HANG_S" "$IOLAB" compare --idle 0 -w pipe -e poll,epoll --baseline poll --pipes 2,4 --rounds 2 --runtime 0.02 \
		--out "$BATS_TEST_TMPDIR/results" -- --tokens 2
	assert_success
	assert_output --partial "pipe 64B, 2 tokens"
	assert_output --partial "pipes 4"
	"$PYTHON" "$ROOT/plots/plot.py" "$BATS_TEST_TMPDIR/results"
	assert [ -s "$BATS_TEST_TMPDIR/results/figures/throughput.svg" ]
	"$PYTHON" "$ROOT/plots/report.py" "$BATS_TEST_TMPDIR/results"
	run tr '\n' ' ' <"$BATS_TEST_TMPDIR/results/report.md"
	assert_output --partial "passed round a ring of pipes"
	assert_output --partial "2 and 4 pipes"
	run "$IOLAB" compare -w pipe -e epoll --depths 4
	assert_failure 2
	assert_output --partial "--depths: pipe has --pipes"
}

@test "pipe: its result is as the schema says, and it is no part of the standard comparison" {
	output=$(quick -e epoll -w pipe --json | tee "$BATS_TEST_TMPDIR/run.json")
	"$SYSTEM_PYTHON" "$ROOT/harness/tests/validate.py" "$ROOT/docs/result.schema.json" "$(json schema)" \
		"$BATS_TEST_TMPDIR/run.json"
	own_test_file
	run timeout "$HANG_S" "$IOLAB" compare --idle 0 -e null --baseline null --rounds 1 --runtime 0.01 --no-count-syscalls \
		--out "$BATS_TEST_TMPDIR/results"
	rm -rf "$TMPDIR"
	assert_success
	refute_output --partial "pipe"
}

@test "pipe: its own parameters are columns of CSV" {
	cd "$BATS_TEST_TMPDIR"
	"$IOLAB" compare --idle 0 --workloads pipe --engines threads --baseline threads --pipes 2,4 --rounds 1 \
		--runtime 0.02 --warmup 0 --no-count-syscalls --out results -- --tokens 2 >/dev/null
	"$IOLAB" export results --format csv --out runs.csv
	run "$SYSTEM_PYTHON" -c 'import csv
rows = list(csv.DictReader(open("runs.csv", newline="")))
assert sorted(row["pipes"] for row in rows) == ["2", "4"], rows
assert {(row["tokens"], row["msg_size_bytes"], row["rw"]) for row in rows} == {("2", "64", "")}, rows
header = open("runs.csv", newline="").readline().split(",")
assert len(header) == len(set(header)), header
assert {"active_conns", "bs_bytes", "cache_resident_pct", "conns", "depth"} <= set(header), header'
	assert_success
}
