#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Ctrl-C ends a run soon, whatever it is doing, and leaves nothing behind.

load common

# begin OPTION...: a run in the background, which SIGINT reaches as at a terminal.
begin() {
	local file=(--file "$BATS_TEST_TMPDIR/file")
	[[ " $* " != *" -w echo "* ]] || file=()
	env --default-signal=INT "$IOLAB" run "${file[@]}" --runtime 30 "$@" \
		>"$BATS_TEST_TMPDIR/out" 2>&1 &
	pid=$!
}

has_peer() { [ -n "$(cat "/proc/$pid/task/$pid/children" 2>/dev/null)" ]; }
# Its main thread sleeps in the kernel.
sleeps() { [ "$(awk '{ print $3 }' "/proc/$pid/stat")" = S ]; }
is_large() { [ "$(stat -c %s "$BATS_TEST_TMPDIR/file" 2>/dev/null || echo 0)" -gt 8000000 ]; }

# ends_soon: SIGINT now; within 3 s it must be gone.
ends_soon() {
	local begun=$SECONDS
	kill -INT "$pid"
	await_end "$pid"
	assert_equal "$status" 130
	[ $((SECONDS - begun)) -le 3 ] || fail "it took $((SECONDS - begun)) s"
	grep -q interrupted "$BATS_TEST_TMPDIR/out"
}

@test "in the midst of a measurement" {
	begin -e epoll -w echo --conns 10
	until_true has_peer
	ends_soon
}

@test "blocking in a receive for which the client takes its time" {
	begin -e blocking -w echo --conns 2 --slow 2 --slow-pause-ms 9000
	until_true has_peer
	until_true sleeps
	ends_soon
}

@test "computing between operations" {
	begin -e libaio --size 16M --depth 64 --compute-us 500000
	until_true is_large
	ends_soon
}

@test "laying out a large file, which is then removed" {
	begin -e blocking --size 8G
	until_true is_large
	ends_soon
	[ ! -e "$BATS_TEST_TMPDIR/file" ]
}

@test "the peer process goes, too" {
	begin -e threads -w echo --conns 4
	until_true has_peer
	peer=$(tr -d ' ' <"/proc/$pid/task/$pid/children")
	ends_soon
	[ ! -e "/proc/$peer" ]
}

@test "more signals than one from other processes are one wish: the run still ends in order" {
	begin -e blocking --size 8G
	until_true is_large
	kill -TERM "$pid"
	for _ in 1 2 3; do kill -INT "$pid" 2>/dev/null || true; done
	await_end "$pid"
	assert_equal "$status" 130
	grep -q interrupted "$BATS_TEST_TMPDIR/out"
	[ ! -e "$BATS_TEST_TMPDIR/file" ]
}

# One engine on a file of its own.
setup() {
	compare=("$IOLAB" compare -e blocking -w file --depths 1 --idle 0 --warmup 0.01
		--out "$BATS_TEST_TMPDIR/results")
}

# Conditions for terminal.py.
has_runs() { echo "grep -qs . '$BATS_TEST_TMPDIR/results/runs.jsonl'"; }
size_over() { echo "[ \$(stat -c %s '$BATS_TEST_TMPDIR/file' || echo 0) -gt $1 ] 2>/dev/null"; }

@test "Ctrl-C in compare, while a run lays out its file: no half file, and no process" {
	at_terminal --until "$(size_over 8000000)" \
		"${compare[@]}" -- --file "$BATS_TEST_TMPDIR/file" --size 8G
	assert_equal "$status" 130
	assert_output --partial "Interrupted before the first run was done"
	[ ! -e "$BATS_TEST_TMPDIR/file" ]
}

@test "Ctrl-C in compare, in a later run: what was measured is kept, with a summary" {
	at_terminal --until "$(has_runs)" \
		"${compare[@]}" --runtime 0.3 --rounds 1000 -- --file "$BATS_TEST_TMPDIR/file" --size 8M
	assert_equal "$status" 130
	assert_output --partial "Interrupted: what was done is kept"
	run cat "$BATS_TEST_TMPDIR/results/summary.json"
	assert_equal "$(json interrupted)" True
	# The file is as it was: the run ended in order.
	[ "$(stat -c %s "$BATS_TEST_TMPDIR/file")" -eq $((8 << 20)) ]
}

@test "a second Ctrl-C in compare waits for nothing, and what was measured is kept" {
	# The run is stopped, so that it cannot end in order.
	# shellcheck disable=SC2016
	local stop_run='kill -STOP $(cat /proc/$COMMAND_PID/task/$COMMAND_PID/children) 2>/dev/null'
	at_terminal --until "$(has_runs)" --until "$stop_run" --twice \
		"${compare[@]}" --runtime 0.3 --rounds 1000 -- --file "$BATS_TEST_TMPDIR/file" --size 8M
	assert_equal "$status" 130
	assert_output --partial "Interrupted: what was done is kept"
	[ -s "$BATS_TEST_TMPDIR/results/summary.json" ]
}

@test "TERM in compare alone is passed on to the run" {
	at_terminal --send TERM --until "$(size_over 8000000)" \
		"${compare[@]}" -- --file "$BATS_TEST_TMPDIR/file" --size 8G
	assert_equal "$status" 130
	[ ! -e "$BATS_TEST_TMPDIR/file" ]
}

@test "TERM that reaches all of them, and more than once, as timeout sends it" {
	at_terminal --send TERM --until "$(size_over 8000000)" \
		timeout "$HANG_S" "${compare[@]}" -- --file "$BATS_TEST_TMPDIR/file" --size 8G
	assert_equal "$status" 130
	assert_output --partial "Interrupted before the first run was done"
	[ ! -e "$BATS_TEST_TMPDIR/file" ]
}

@test "KILL, HUP and QUIT end compare, and no run or peer outlives it" {
	for signal in KILL HUP QUIT; do
		rm -rf "$BATS_TEST_TMPDIR/results"
		at_terminal --send "$signal" --until-runs "--workload echo" "$IOLAB" compare -e threads -w echo \
			--conns 4 --idle 0 --runtime 20 --out "$BATS_TEST_TMPDIR/results"
		assert_equal "$status" $((128 + $(kill -l "$signal")))
	done
}

@test "a run at a file limit says so, and does not die" {
	run bash -c "ulimit -f 1024; exec $IOLAB run -e blocking --file '$BATS_TEST_TMPDIR/file' --size 8M --runtime 0.05"
	assert_equal "$status" 1
	assert_output --partial EFBIG
}

@test "summary and export at a file limit say so, and leave an older file as it was" {
	"${compare[@]}" --rounds 1 --runtime 0.02 -- --file "$BATS_TEST_TMPDIR/file" --size 1M
	cp "$BATS_TEST_TMPDIR/results/summary.json" "$BATS_TEST_TMPDIR/before"
	run bash -c "ulimit -f 1; exec $IOLAB summary '$BATS_TEST_TMPDIR/results' --baseline blocking"
	assert_equal "$status" 1
	assert_output --partial EFBIG
	cmp "$BATS_TEST_TMPDIR/results/summary.json" "$BATS_TEST_TMPDIR/before"
	run ls -A "$BATS_TEST_TMPDIR/results"
	refute_output --partial .new
}

# Any child of the command.
# shellcheck disable=SC2016
has_child='grep -q . /proc/$COMMAND_PID/task/$COMMAND_PID/children'

# interrupt_series COMMAND [OPTION...]: while a piece of a long series is under way.
interrupt_series() {
	own_test_file
	at_terminal --until "$has_child" "$IOLAB" "$1" --engines threads --out "$BATS_TEST_TMPDIR/results" "${@:2}"
	assert_equal "$status" 130
	assert_output --partial "Interrupted in round"
	refute_output --partial "killed by"
	[ ! -e "$BATS_TEST_TMPDIR/results/$1.json" ]
	assert_equal "$(ls "$TMPDIR")" ""
	rm -r "$TMPDIR"
}

@test "Ctrl-C in timeline: what was measured is shown, and no file is written" {
	interrupt_series timeline --rounds 1000 -- --size 8G
}

@test "Ctrl-C in overlap" {
	interrupt_series overlap --rounds 1000 -- --size 8G
}

@test "Ctrl-C in responsiveness" {
	interrupt_series responsiveness --rounds 1000
}

@test "Ctrl-C in responsiveness --loop" {
	interrupt_series responsiveness --loop --rounds 1000
	[ ! -e "$BATS_TEST_TMPDIR/results/loop_lateness.json" ]
}

@test "Ctrl-C in operator" {
	interrupt_series operator --rounds 1000
}

@test "Ctrl-C in styles" {
	interrupt_series styles --rounds 1000
}

@test "Ctrl-C in upcall" {
	# The reason is the same in all rows of a machine that cannot trace, and is told at once.
	run "$IOLAB" upcall --engines threads --rounds 1 --ops 1
	[ "$status" -ne 77 ] || skip "cannot trace here"
	interrupt_series upcall --rounds 1000
}

@test "Ctrl-C in matrix" {
	interrupt_series matrix
}

@test "TERM in timeline alone is passed on; KILL leaves no run behind" {
	own_test_file
	at_terminal --send TERM --until "$has_child" "$IOLAB" timeline --engines threads -- --size 8G
	assert_equal "$status" 130
	assert_equal "$(ls "$TMPDIR")" ""
	at_terminal --send KILL --until "$has_child" "$IOLAB" timeline --engines threads -- --size 8G
	assert_equal "$status" 137
	rm -r "$TMPDIR"
}

@test "a signal while a script starts a child reaches both, and leaves none behind" {
	run timeout "$HANG_S" "$SYSTEM_PYTHON" - "$ROOT/harness/processes" "$ROOT/plots" <<-'PYTHON'
		import os, signal, sys
		sys.path[:0] = sys.argv[1:]
		import children
		def to_both():
		    os.kill(os.getpid(), signal.SIGINT)
		    os.kill(os.getppid(), signal.SIGINT)
		os.register_at_fork(after_in_child=to_both)
		children.main("script", lambda: children.run(["sleep", "1000"]))
	PYTHON
	assert_equal "$status" 130
	run timeout "$HANG_S" "$SYSTEM_PYTHON" - "$ROOT/harness/processes" "$ROOT/plots" <<-'PYTHON'
		import os, signal, sys
		sys.path[:0] = sys.argv[1:]
		import children
		os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGINT))
		children.catch_signals()
		print(children.run(["sleep", "1000"]).returncode)
	PYTHON
	assert_output -2
}

# The scripts and make targets that run many commands. -o: what is built already stays as it is.
make_words() { make=(make -C "$ROOT" --no-print-directory -o all -o need-python PYTHON="$PYTHON"); }

@test "Ctrl-C in make bench: compare drains, keeps what was measured, and no report is made" {
	make_words
	results=$BATS_TEST_TMPDIR/results
	at_terminal --until "$(has_runs)" "${make[@]}" bench \
		COMPARE="-e null --baseline null -w nop --idle 0 --rounds 1000 --out $results"
	assert_equal "$status" 130
	assert_output --partial "Interrupted: what was done is kept"
	[ -s "$results/summary.json" ]
	refute_output --partial "report.html"
}

@test "Ctrl-C and TERM in study.py: its comparison keeps what was measured, and is made anew" {
	own_test_file
	results=$BATS_TEST_TMPDIR/results
	for signal in "^C" TERM; do
		rm -rf "$results/study/batching"
		at_terminal --send "$signal" --until "grep -qs . '$results/study/batching/runs.jsonl'" \
			"$SYSTEM_PYTHON" "$ROOT/harness/studies/study.py" --only batching "$results"
		assert_equal "$status" 130
		assert_output --partial "Interrupted: what is whole is kept"
		run cat "$results/study/batching/summary.json"
		assert_equal "$(json interrupted)" True
	done
	run cat "$results/study/study.json"
	refute_output --partial batching
	rm -r "$TMPDIR"
}

@test "a second Ctrl-C in study.py kills the run, and what was measured is kept" {
	own_test_file
	results=$BATS_TEST_TMPDIR/results
	# The run is stopped, so that it cannot end in order.
	# shellcheck disable=SC2016
	local stop_run='for pid in $(cat /proc/$COMMAND_PID/task/$COMMAND_PID/children); do
		kill -STOP $(cat /proc/$pid/task/$pid/children) || exit; done 2>/dev/null'
	at_terminal --until "grep -qs . '$results/study/batching/runs.jsonl'" --until "$stop_run" --twice \
		"$SYSTEM_PYTHON" "$ROOT/harness/studies/study.py" --only batching "$results"
	assert_equal "$status" 130
	assert_output --partial "Interrupted: what is whole is kept"
	[ -s "$results/study/batching/summary.json" ]
	rm -r "$TMPDIR"
}

@test "KILL of study.py leaves no comparison and no run behind" {
	at_terminal --send KILL --until "grep -qs . '$BATS_TEST_TMPDIR/results/study/batching/runs.jsonl'" \
		"$SYSTEM_PYTHON" "$ROOT/harness/studies/study.py" --only batching "$BATS_TEST_TMPDIR/results"
	assert_equal "$status" 137
}

@test "Ctrl-C in make figures" {
	make_words
	own_test_file
	at_terminal --until-runs "run --engine" "${make[@]}" figures QUICK=1 RESULTS="$BATS_TEST_TMPDIR/results"
	assert_equal "$status" 130
	assert_output --partial "Interrupted: what is whole is kept"
	assert_equal "$(find "$BATS_TEST_TMPDIR/results" -name '*.new')" ""
	rm -r "$TMPDIR"
}

@test "Ctrl-C in quick.py, in the comparison" {
	own_test_file
	at_terminal --until-runs "run --engine" \
		"$SYSTEM_PYTHON" "$ROOT/harness/studies/quick.py" "$BATS_TEST_TMPDIR/results"
	assert_equal "$status" 130
	rm -r "$TMPDIR"
}

@test "Ctrl-C and TERM in six_steps.py: strace and its run end" {
	command -v strace >/dev/null || skip "no strace"
	own_test_file
	for signal in "^C" TERM KILL; do
		at_terminal --send "$signal" --until-runs "iolab run" \
			"$SYSTEM_PYTHON" "$ROOT/harness/studies/six_steps.py" "$BATS_TEST_TMPDIR/results"
		[ "$status" -eq 130 ] || [ "$signal $status" = "KILL 137" ] || fail "$signal: $status, $output"
		[ ! -e "$BATS_TEST_TMPDIR/results/steps.json" ]
	done
	rm -r "$TMPDIR"
}

@test "what loses its parent on the way ends with the program, too" {
	local program='import children
children.main("a program", lambda: children.run(["sh", "-c", "sh -c \"sleep 301.$0; :\"; :", "'$$'"]))'
	env --default-signal=TERM PYTHONPATH="$ROOT/harness/processes:$ROOT/plots" "$SYSTEM_PYTHON" -B -c "$program" 3>&- &
	pid=$!
	until_true pgrep -f "^sleep 301.$$"
	kill -TERM "$pid"
	await_end "$pid"
	assert_equal "$status" 130
	run pgrep -f "^sleep 301.$$"
	assert_failure 1
}

@test "Ctrl-C, TERM and KILL in bench-peers: what it runs ends with it" {
	"$PYTHON" -c "import numpy" 2>/dev/null || skip "no numpy"
	own_test_file
	# A fio that measures for long.
	mkdir "$TMPDIR/bin"
	printf '#!/bin/sh\n[ "$1" = --version ] || exec sleep 60\n' >"$TMPDIR/bin/fio"
	chmod +x "$TMPDIR/bin/fio"
	for signal in "^C" TERM KILL; do
		at_terminal --send "$signal" --until-runs "sleep 60" env PATH="$TMPDIR/bin:$PATH" "$PYTHON" \
			"$ROOT/harness/peers/bench.py" --file "$TMPDIR/file" --size $((8 << 20)) --only "page cache" \
			--out "$TMPDIR/peers.json"
		[ "$status" -eq 130 ] || [ "$signal $status" = "KILL 137" ]
		[ "$signal" = KILL ] || assert_output --partial "stopped early"
	done
	rm -r "$TMPDIR"
}

@test "Ctrl-C, TERM and KILL in check-trust: its comparison ends with it, and its folder goes" {
	own_test_file
	for signal in "^C" TERM KILL; do
		at_terminal --send "$signal" --until-runs "run --engine" "$SYSTEM_PYTHON" "$ROOT/harness/trust/check_trust.py" \
			--iolab "$ROOT/build/trust/iolab" --out "$BATS_TEST_TMPDIR/trust.json"
		[ "$status" -eq 130 ] || [ "$signal $status" = "KILL 137" ] || fail "$signal: $status, $output"
		refute_output --partial "Traceback"
		[ ! -e "$BATS_TEST_TMPDIR/trust.json" ]
		[ "$signal" = KILL ] || assert_equal "$(ls "$TMPDIR")" ""
	done
	rm -r "$TMPDIR"
}

@test "a terminal that obeys no escapes is sent none" {
	quick=(--idle 0 -e null --baseline null -w nop --rounds 2 --depths 1 --runtime 0.02 --no-count-syscalls)
	for term in dumb "" xterm; do
		rm -rf "$BATS_TEST_TMPDIR/results"
		run env TERM="$term" timeout "$HANG_S" script -qec "'$IOLAB' compare ${quick[*]} --out '$BATS_TEST_TMPDIR/results'" /dev/null
		assert_success
		[ "$term" = xterm ] || refute_output --partial $'\e'
	done
	assert_output --partial $'\e[K' # a shorter line leaves nothing of the longer one
	run env TERM=dumb PYTHONPATH="$ROOT/harness/processes" script -qec \
		"'$SYSTEM_PYTHON' -B -c 'import progress_line; progress_line.show(7); print(8)'" /dev/null
	refute_output --partial $'\e'
}

@test "a document replaces a link at its place, follows none, and leaves no unfinished file" {
	echo precious >"$BATS_TEST_TMPDIR/precious"
	mkdir "$BATS_TEST_TMPDIR/results"
	ln -s "$BATS_TEST_TMPDIR/precious" "$BATS_TEST_TMPDIR/results/summary.json"
	"${compare[@]}" --rounds 1 --runtime 0.02 -- --file "$BATS_TEST_TMPDIR/file" --size 1M
	assert_equal "$(cat "$BATS_TEST_TMPDIR/precious")" precious
	[ ! -L "$BATS_TEST_TMPDIR/results/summary.json" ]
	assert_equal "$(find "$BATS_TEST_TMPDIR/results" -name '*.new')" ""
	# As the umask says, not as mkstemp(3) would have it.
	assert_equal "$(stat -c %a "$BATS_TEST_TMPDIR/results/summary.json")" "$(stat -c %a "$BATS_TEST_TMPDIR/results/runs.jsonl")"
}
