#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The workload accept: every engine that can accept serves clients that come and go, and the run ends with
# the last of them.

load common

# refused STATUS TEXT RUN-OPTION...: that exit status, and a line with the text.
refused() {
	local expected=$1 text=$2
	shift 2
	run quick -w accept "$@"
	assert_equal "$status" "$expected"
	assert_output --partial "$text"
}

# NAME[:OPTION], one a line, of those that say yes to a listener.
accepting_engines() {
	"$IOLAB" list --json | python3 -c '
import json, sys
for engine in json.load(sys.stdin)["engines"]:
    for suffix, can in [("", engine)] + [(":" + option["name"], option) for option in engine["options"]]:
        if can["supports"]["listener"]["supported"] and can["supports"]["socket"]["supported"]:
            print(engine["name"] + suffix)'
}

@test "accept: every engine that can serves clients, and ends with the last of them" {
	engines=$(accepting_engines)
	[[ $engines == *blocking*epoll*io_uring* ]] || fail "only these: $engines"
	for engine in $engines; do
		loads=("--clients 10 --msg-size 5000")
		# What the load changes is the workload's; a few engines show it.
		[[ $engine != @(blocking|epoll|io_uring) ]] || loads+=("--clients 1" "--clients 100 --transport unix")
		for load in "${loads[@]}"; do
			# shellcheck disable=SC2086
			run quick -e "$engine" -w accept --json $load
			[ "$status" -ne 77 ] || continue
			assert_success
			assert_equal "$(json status)" ok
			assert_equal "$(json metrics.bytes)" \
				$(($(json metrics.ops) * $(json workload.msg_size_bytes)))
		done
	done
}

@test "accept: a long run leaves no port behind that the next one would miss" {
	waiting() { awk '$4 == "06"' /proc/net/tcp | wc -l; }
	before=$(waiting)
	"$IOLAB" run -e epoll -w accept --clients 10 --runtime 1 --json >"$BATS_TEST_TMPDIR/run.json"
	output=$(cat "$BATS_TEST_TMPDIR/run.json")
	[ "$(json metrics.ops)" -gt 100 ] || fail "$output"
	# A connection of it would be in TIME_WAIT (06) for a minute; others' may be, too.
	[ $(($(waiting) - before)) -lt $(($(json metrics.ops) / 10)) ] || fail "$(waiting) wait, $before before"
}

@test "accept: engines that cannot are refused in plain words" {
	refused 77 "neither accept nor connect" -e posix_aio
	refused 77 "moves no bytes" -e null
}

@test "accept: an option that changes accepts is refused where nobody is accepted" {
	accepting_engines | grep -q "^uring_tuned:multishot_accept$" || skip "this kernel has no such option"
	run -77 quick -e uring_tuned:multishot_accept -w echo
	assert_output --partial "here it accepts nobody"
	run quick -e uring_tuned:multishot_accept -w accept
	refute_output --partial "accepts nobody"
}

@test "accept: options that make no sense" {
	refused 2 "--clients 0: must lie between 1 and 4000" -e epoll --clients 0
	refused 2 "--msg-size 64k1" -e epoll --msg-size 64k1
	refused 2 "measured for a time; use --runtime" -e epoll --ops 10
	refused 2 "come back at once; leave it out" -e epoll --rate 10
	refused 2 "use --clients" -e epoll --depth 4
	refused 2 "compares every byte already" -e epoll --verify
	refused 2 "it belongs to the workloads echo and idle; use --clients" -e epoll --conns 4
}

@test "accept: no port that is free is told with its cause" {
	[ "$(id -u)" -eq 0 ] || skip "a network of its own takes root"
	# shellcheck disable=SC2016 # the inner shell's
	run unshare -n sh -c 'ip link set lo up && echo "32768 32770" >/proc/sys/net/ipv4/ip_local_port_range &&
		exec "$1" run -e epoll -w accept --clients 10 --runtime 0.2' sh "$IOLAB"
	assert_failure 1
	assert_output --partial "no port is free"
}

@test "accept: Ctrl-C ends it at once" {
	for engine in blocking epoll io_uring; do
		"$IOLAB" run -e "$engine" -w accept --clients 3 --runtime 60 >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
		pid=$!
		until_true grep -q . "/proc/$pid/task/$pid/children"
		kill -INT "$pid"
		await_end "$pid"
		assert_equal "$status" 130
	done
}

@test "accept: compare sweeps --clients, and the report says what was done" {
	run timeout "$HANG_S" "$IOLAB" compare --idle 0 -w accept -e poll,epoll --baseline poll --clients 2,4 --rounds 2 \
		--runtime 0.2 --out "$BATS_TEST_TMPDIR/results"
	assert_success
	assert_output --partial "accept tcp, 128"
	assert_output --partial "clients 4"
	"$PYTHON" "$ROOT/plots/plot.py" "$BATS_TEST_TMPDIR/results"
	assert [ -s "$BATS_TEST_TMPDIR/results/figures/throughput.svg" ]
	"$PYTHON" "$ROOT/plots/report.py" "$BATS_TEST_TMPDIR/results"
	run tr '\n' ' ' <"$BATS_TEST_TMPDIR/results/report.md"
	assert_output --partial "clients come for one message"
	assert_output --partial "2 and 4 clients"
}

@test "accept: its result is as the schema says" {
	output=$(quick -e epoll -w accept --json | tee "$BATS_TEST_TMPDIR/run.json")
	"$SYSTEM_PYTHON" "$ROOT/harness/tests/validate.py" "$ROOT/docs/result.schema.json" "$(json schema)" \
		"$BATS_TEST_TMPDIR/run.json"
}
