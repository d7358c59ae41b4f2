#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# `iolab upcall`: one operation, seen from inside the kernel.

load common

# upcall_rows OPTION...: the document, valid by its schema, in $BATS_TEST_TMPDIR/upcall. Skips where
# this machine cannot trace.
upcall_rows() {
	own_test_file
	timeout "$HANG_S" "$IOLAB" upcall --json "$@" >"$BATS_TEST_TMPDIR/upcall" || {
		output=$(cat "$BATS_TEST_TMPDIR/upcall")
		skip_without_trace
		fail "$output"
	}
	run "$SYSTEM_PYTHON" "$ROOT/harness/tests/validate.py" "$ROOT/docs/result.schema.json" iolab.upcall.v1 \
		"$BATS_TEST_TMPDIR/upcall"
	assert_success
}

# Of a machine that cannot trace all rows say why.
skip_without_trace() {
	case $output in
	*kernel_without_tracefs* | *tracefs_not_mounted* | *no_right_to_trace* | *built_without_libtracefs* | *pid_namespace*) skip "cannot trace here" ;;
	esac
}

# doctor_says_the_same COMMAND... ID: cause and cure of that iolab's doctor are those of its upcall, and the cause has this
# identifier, an extended regular expression.
doctor_says_the_same() {
	local iolab=("${@:1:$#-1}")
	"${iolab[@]}" upcall --engines blocking --json >"$BATS_TEST_TMPDIR/upcall" || true
	"${iolab[@]}" doctor --json >"$BATS_TEST_TMPDIR/doctor" || true
	run "$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR" "${!#}" <<-'PYTHON'
		import json, re, sys
		upcall, doctor = (json.load(open(f"{sys.argv[1]}/{name}")) for name in ("upcall", "doctor"))
		said, = {json.dumps(row["reason"], sort_keys=True) for row in upcall["rows"]}
		said = json.loads(said)
		finding, = (f for f in doctor["findings"] if f["topic"]["id"] == "upcall")
		assert re.fullmatch(sys.argv[2], said["cause"]["id"]), said
		assert finding["status"] == "missing" and finding["cause"]["cause"] == said["cause"], (finding, said)
		assert finding["cure"]["text"] == said["values"]["cure"], (finding, said)
	PYTHON
	assert_success
}

need_root_and_trace() {
	[ "$(id -u)" -eq 0 ] || skip "only root mounts tracefs"
	in_tracefs 'true' || skip "no tracefs to be mounted here"
}

# in_tracefs COMMAND: a shell's command in the folder of instances, of a tracefs of its own if there is none.
in_tracefs() {
	unshare -m sh -c "cd /sys/kernel/tracing/instances ||
		{ mount -t tracefs tracefs /sys/kernel/tracing && cd /sys/kernel/tracing/instances; } && $1" 2>/dev/null
}

# Where nobody else has mounted a tracefs.
without_tracefs() {
	# shellcheck disable=SC2016 # the inner shell's
	unshare -m sh -c 'while umount /sys/kernel/tracing; do :; done; exec "$@"' sh "$@" 2>/dev/null
}

instances() { in_tracefs 'ls' | grep -c '^iolab-' || true; }

@test "upcall: the moments of every engine on file and socket, in the order in which they must come" {
	upcall_rows --rounds 2 --ops 20
	run "$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR/upcall" <<-'PYTHON'
		import json, sys
		document = json.load(open(sys.argv[1]))
		rows = {(row["engine"]["label"], row["target"]): row for row in document["rows"]}
		assert len(rows) == len(document["rows"])
		names = [moment["name"] for moment in document["moments"]]
		for key, row in rows.items():
		    if row["status"] != "ok":
		        assert row["reason"]["id"] and row["ops"] == 0, row
		        continue
		    # On a busy machine the trace may lose events of a round, and says so.
		    lost = sum((warning.get("cause") or {}).get("id") == "events_lost" for warning in row["warnings"])
		    assert row["ops"] == 40 - 20 * lost, row
		    seen = {moment["name"]: moment for moment in row["moments"]}
		    for name in ("offered", "taken"):
		        assert seen[name]["seen"] == row["ops"], (key, name)
		    for moment in seen.values():
		        assert (moment["at_ns"] is None) == (moment["seen"] == 0), (key, moment)
		        for spread in filter(None, (moment["at_ns"], moment["leg_ns"])):
		            assert 0 <= spread["p10"] <= spread["median"] <= spread["p90"], (key, moment)
		    steps = [moment["step"] for moment in row["moments"] if moment["step"]]
		    assert {1, 3, 5, 6} <= set(steps) and len(steps) == len(set(steps)), (key, steps)
		    # In the operation that is shown each moment is in its place.
		    at = dict(zip(names, row["trace"]["path"]))
		    order = [at[name] for name in ("offered", "called", "issued", "packet", "interrupt", "softirq", "completed",
		                                   "woken", "runs", "returned", "taken") if at.get(name) is not None]
		    assert order == sorted(order), (key, at)
		    # What is shown are events that happened.
		    times = {event[0] for event in row["trace"]["events"]}
		    for name, value in at.items():
		        clock = name in ("offered", "accepted", "taken")
		        assert value is None or clock or value in times, (key, name)
		done = [row for row in rows.values() if row["status"] == "ok"]
		on = {target: [row for row in done if row["target"] == target] for target in ("file", "socket")}
		assert len(on["file"]) >= 3 and len(on["socket"]) >= 3
		for row in on["socket"]:
		    seen = {moment["name"]: moment["seen"] for moment in row["moments"]}
		    assert seen["interrupt"] == 0, row["engine"]  # the loopback interface has none
		    most = 0.9 * row["ops"]
		    assert seen["packet"] >= most and seen["completed"] >= most and seen["softirq"] >= most, (row["engine"], seen)
		for row in on["file"]:
		    seen = {moment["name"]: moment["seen"] for moment in row["moments"]}
		    most = 0.9 * row["ops"]
		    assert "packet" not in seen and seen["issued"] >= most and seen["completed"] >= most, (row["engine"], seen)
		blocking = {moment["name"] for moment in rows["blocking", "socket"]["moments"]}
		assert "accepted" not in blocking  # its submit() returns when all is over
		assert 2 not in [moment["step"] for moment in rows["blocking", "file"]["moments"]]
		helped = {moment["name"]: moment["seen"] for moment in rows["threads", "socket"]["moments"]}
		assert helped["helper_woken"] >= 0.9 * rows["threads", "socket"]["ops"], helped
		assert rows["epoll", "file"]["reason"]["id"] == "epoll_refuses_file" or rows["epoll", "file"]["reason"]["values"]
	PYTHON
	assert_success
}

@test "upcall: the table says what is absent and what is refused" {
	own_test_file
	run "$IOLAB" upcall --engines epoll --rounds 1 --ops 10
	skip_without_trace
	[ "$status" -ne 77 ] || skip "cannot trace here"
	assert_success
	assert_output --regexp "epoll, file: unsupported: epoll_ctl"
	assert_output --regexp "hardware interrupt +absent"
	assert_output --regexp "1  submit\(\) is called +0.0 us"
}

@test "upcall: --format chrome is a trace of the operation, leg by leg" {
	upcall_rows --engines blocking,io_uring --rounds 1 --ops 10
	timeout "$HANG_S" "$IOLAB" upcall --engines blocking,io_uring --rounds 1 --ops 10 --format chrome \
		--out "$BATS_TEST_TMPDIR/out" >"$BATS_TEST_TMPDIR/chrome"
	run "$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR/out/upcall.json" "$BATS_TEST_TMPDIR/chrome" <<-'PYTHON'
		import json, sys
		document, chrome = (json.load(open(path)) for path in sys.argv[1:])
		assert chrome["displayTimeUnit"] == "ns"
		words = {moment["words"] for moment in document["moments"]}
		for number, row in enumerate(document["rows"], 1):
		    mine = [event for event in chrome["traceEvents"] if event["pid"] == number]
		    legs = sorted((e["ts"], e["ts"] + e["dur"], e["name"]) for e in mine if e["ph"] == "X")
		    if row["status"] != "ok":
		        assert not legs
		        continue
		    assert legs[0][0] == 0 and abs(legs[-1][1] - row["trace"]["taken_ns"] / 1e3) < 2e-3, legs
		    for (_, end, _), (begin, _, _) in zip(legs, legs[1:]):
		        assert abs(end - begin) < 2e-3, legs
		    assert {name for _, _, name in legs} <= words
		    assert sum(e["ph"] == "i" for e in mine) == len(row["trace"]["events"])
	PYTHON
	assert_success
	run "$IOLAB" upcall --format svg
	assert_failure 2
	assert_output --partial "table, json or chrome"
}

@test "upcall: without the right to trace it is unsupported, with cause and cure" {
	skip_unless_user_reads "$ROOT"
	user_dir
	run as_user "$USER_DIR/iolab" upcall --engines blocking
	assert_failure 77
	assert_output --regexp "^unsupported: .*(run it as root|harness/setup.sh)"
	run as_user "$USER_DIR/iolab" upcall --engines blocking --json
	assert_failure 77
	echo "$output" >"$BATS_TEST_TMPDIR/refused"
	run "$SYSTEM_PYTHON" "$ROOT/harness/tests/validate.py" "$ROOT/docs/result.schema.json" iolab.upcall.v1 \
		"$BATS_TEST_TMPDIR/refused"
	assert_success
	doctor_says_the_same as_user "$USER_DIR/iolab" '(no_right_to_trace|tracefs_not_mounted|built_without_libtracefs|pid_namespace)'
}

@test "doctor: where upcall can trace, it says so" {
	"$IOLAB" upcall --engines blocking --rounds 1 --ops 1 --json >"$BATS_TEST_TMPDIR/upcall" || true
	output=$(cat "$BATS_TEST_TMPDIR/upcall")
	skip_without_trace
	run "$IOLAB" doctor --json
	assert_output --regexp '"topic":\{"id":"upcall"[^}]*\},"text":"[^"]*"\},"status":"ok","cause":\{"id":"can_trace"'

}

@test "upcall: in a PID namespace, whose numbers of threads the trace does not have, it is unsupported" {
	need_root_and_trace
	unshare -pf --mount-proc true 2>/dev/null || skip "no PID namespace to be had here"
	run unshare -pf --mount-proc "$IOLAB" upcall --engines blocking
	assert_failure 77
	assert_output --partial "run it on the host"
	doctor_says_the_same unshare -pf --mount-proc "$IOLAB" pid_namespace
}

@test "upcall: built without libtracefs it says so, and what to do" {
	skip_unless_user_reads "$ROOT"
	# What is built already stays as it is: only what reads the trace is made again.
	cp -a "$ROOT/build" "$BATS_TEST_TMPDIR/build"
	run make -s -C "$ROOT" TRACE_CFLAGS= BUILD="$BATS_TEST_TMPDIR/build" "$BATS_TEST_TMPDIR/build/iolab"
	assert_success
	run "$BATS_TEST_TMPDIR/build/iolab" upcall
	assert_failure 77
	assert_output "unsupported: built without libtracefs; run harness/setup.sh, then make"
	doctor_says_the_same "$BATS_TEST_TMPDIR/build/iolab" built_without_libtracefs
}

@test "upcall: nothing stays in tracefs, whichever way it ends" {
	need_root_and_trace
	own_test_file
	# A first run removes what a killed one left. What is still there belongs to a run that goes on.
	"$IOLAB" upcall --engines blocking --rounds 1 --ops 5 >"$BATS_TEST_TMPDIR/table"
	[ "$(instances)" -eq 0 ] || skip "somebody else traces with iolab"
	without_tracefs sh -c '"$1" upcall --engines blocking --rounds 1 --ops 5 && ! grep tracefs /proc/self/mounts' \
		sh "$IOLAB" >"$BATS_TEST_TMPDIR/table"
	assert_equal "$(instances)" 0
	local pid other
	for signal in INT TERM; do
		"$IOLAB" upcall --engines blocking --rounds 1000 >"$BATS_TEST_TMPDIR/table" 3>&- &
		pid=$!
		until_more_than 0 instances
		kill -"$signal" "$pid"
		await_end "$pid"
		assert_equal "$status" 130
		assert_equal "$(instances)" 0
	done
	"$IOLAB" upcall --engines blocking --rounds 1000 >"$BATS_TEST_TMPDIR/table" 3>&- &
	pid=$!
	until_more_than 0 instances
	kill -KILL "$pid"
	await_end "$pid"
	assert_equal "$(instances)" 1
	# Another one's that runs stays, and that of the killed one goes.
	"$IOLAB" upcall --engines blocking --rounds 1000 >"$BATS_TEST_TMPDIR/table" 3>&- &
	other=$!
	until_true in_tracefs "test -d iolab-$other"
	"$IOLAB" upcall --engines blocking --rounds 1 --ops 5 >"$BATS_TEST_TMPDIR/second"
	assert_equal "$(in_tracefs ls | grep '^iolab-')" "iolab-$other"
	kill -TERM "$other"
	await_end "$other"
	assert_equal "$(instances)" 0
}

@test "upcall: events that the kernel had to drop are an error" {
	need_root_and_trace
	own_test_file
	"$IOLAB" upcall --engines poll --rounds 1 --ops 2000 --json >"$BATS_TEST_TMPDIR/lost" 3>&- &
	local pid=$!
	# Events are turned on after iolab has chosen the size.
	until_true in_tracefs "cd iolab-$pid && test -n \"\$(cat set_event)\" && echo 1 >buffer_size_kb"
	await_end "$pid"
	output=$(cat "$BATS_TEST_TMPDIR/lost")
	assert_output --partial '"id":"events_lost"'
}

@test "upcall: mistakes are refused before anything runs" {
	run "$IOLAB" upcall --ops 0
	assert_failure 2
	assert_output --partial "--ops"
	run "$IOLAB" upcall --engines epol
	assert_failure 2
	assert_output --partial "did you mean 'epoll'"
	run "$IOLAB" upcall stray
	assert_failure 2
}
