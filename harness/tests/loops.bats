#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What `make bench-loops` measures with: the event loop and others do the same work.

load common

setup_file() {
	make -s -C "$ROOT" loops
}

loops_here() {
	for program in "$ROOT"/build/peers/loops/*; do
		basename "$program"
	done
}

@test "each loop starts, stops and calls all timers" {
	for loop in $(loops_here); do
		for what in stop expire; do
			run "$ROOT/build/peers/loops/$loop" "$what" 1000
			assert_success
			assert_regex "$output" '^\{"ops_per_s": [1-9][0-9.]*, "cpu_us_per_op": [0-9.]+\}$'
		done
	done
}

# Usage: waits_with_buffers_of BYTES LOOP [ENGINE]
waits_with_buffers_of() {
	run "$ROOT/build/peers/loops/$2" idle 100 "${@:3}"
	assert_success
	assert_regex "$output" "^\\{\"bytes_per_conn\": [1-9][0-9.]*, \"buffer_bytes_per_conn\": $1\\}\$"
}

@test "each loop waits on many connections, with a buffer for each only over an engine that lends none" {
	for loop in $(loops_here); do
		waits_with_buffers_of 0 "$loop"
	done
	waits_with_buffers_of 128 event_loop poll
}

@test "each loop echoes the right bytes" {
	cpu=$(taskset -cp $$ | sed 's/.*[:,-] *//')
	for loop in $(loops_here); do
		port=$((20000 + (BASHPID + RANDOM) % 10000))
		"$ROOT/build/peers/loops/$loop" echo "$port" 20 128 &
		server=$!
		for _ in {1..200}; do
			(: </dev/tcp/127.0.0.1/"$port") 2>/dev/null && break
			sleep 0.05
		done
		run "$ROOT/build/peers/server_load" stay "$port" "$server" 10 128 0.05 0.2 "$cpu"
		kill "$server"
		wait "$server" || true
		assert_success
		assert_regex "$output" '^\{"ops_per_s": [1-9]'
	done
}

@test "no-ops go through iolab's loop, over the engine that is named" {
	run "$ROOT/build/peers/loops/event_loop" no-ops 1000 null
	assert_success
	assert_output --partial ops_per_s
	run "$ROOT/build/peers/loops/event_loop" no-ops 1000 nul
	assert_failure 1
	assert_output --partial "null"
	run "$ROOT/build/peers/loops/event_loop" stop 0
	assert_failure 2
	assert_output --partial "a number from 1"
}

@test "the comparison prints its tables, and keeps the raw values" {
	"$PYTHON" -c "import numpy" 2>/dev/null || skip "no numpy"
	run "$PYTHON" "$ROOT/harness/peers/loops.py" --rounds 1 --most-rounds 1 --timers 1000 --conns 10 \
		--only timers --only no-ops --out "$BATS_TEST_TMPDIR/loops.json"
	assert_success
	assert_output --partial "1000 timers that expire"
	# One round holds nothing.
	[ "$(ls "$ROOT"/build/peers/loops)" = event_loop ] || assert_output --partial "its interval (0 %)"
	assert_output --partial "An operation through the loop costs"
	assert_output --partial "Memory of an idle connection, of 10, in bytes"
	run "$SYSTEM_PYTHON" -c "import json, sys; raw = json.load(open(sys.argv[1]))['raw']; \
		print(sum(r['contender'] == \"iolab's loop\" and len(r['values']) == 1 for r in raw))" "$BATS_TEST_TMPDIR/loops.json"
	assert_output 3
}

@test "a coroutine's switch is measured beside swapcontext, and beside minicoro where it was fetched" {
	for mechanism in ours swapcontext; do
		run "$ROOT/build/peers/switch_cost" "$mechanism" 1000
		assert_success
		assert_output --regexp '^\{"ops_per_s": [0-9.]+, "cpu_us_per_op": [0-9.]+\}$'
	done
	run "$ROOT/build/peers/switch_cost" minicoro 1000
	[ "$status" -eq 0 ] || { assert_failure 77 && assert_output --partial "make fetch-minicoro"; }
	run "$ROOT/build/peers/switch_cost" longjmp 1000
	assert_failure 2
	assert_output --partial "ours|swapcontext|minicoro"
}
