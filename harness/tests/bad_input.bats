#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A person's mistake, or a machine's refusal, gets one line that names the option and the cure.

load common

teardown() {
	[ -z "${USER_DIR:-}" ] || rm -rf "$USER_DIR"
}

# refused STATUS TEXT COMMAND...: that exit status, and a line with the text.
refused() {
	local status_expected=$1 text=$2
	shift 2
	run "$@"
	assert_equal "$status" "$status_expected"
	assert_output --partial "$text"
}

@test "no engine" { refused 2 "--engine is missing" quick; }
@test "options of an engine that stand behind a comma" {
	refused 2 "joined by '+'" quick -e io_uring:fixed_files,registered_ring
}
@test "an unknown engine, with the nearest name" { refused 2 "did you mean 'io_uring'" quick -e io_urin; }
@test "an unknown option of an engine" { refused 2 "fixed_files" quick -e io_uring:fixed_file; }
@test "an option for an engine that has none" { refused 2 "has no options" quick -e blocking:fast; }
@test "an unknown workload" { refused 2 "there are file, echo, idle, nop" quick -e null -w fil; }
@test "an unknown pattern" { refused 2 "must be one of read, write" quick -e null --rw readd; }
@test "depth 0" { refused 2 "--depth 0: must lie between" quick -e blocking --depth 0; }
@test "depth too large" { refused 2 "--depth 99999: must lie between" quick -e blocking --depth 99999; }
@test "a depth that is no number" { refused 2 "--depth x: not a whole number" quick -e blocking --depth x; }
@test "a negative size" { refused 2 "--size -1: not a whole number" quick -e blocking --size -1; }
@test "a file smaller than a block" { refused 2 "smaller than one block" quick -e blocking --size 512 --bs 4k; }
@test "a block size that is no multiple of 512" { refused 2 "multiple of 512" quick -e blocking --bs 1000; }
@test "a word that is no option" { refused 2 "options begin with --" quick -e blocking 4k; }
@test "fsync without writes" { refused 2 "writes nothing" quick -e blocking --fsync 1; }
@test "fsync and fdatasync" { refused 2 "exclude each other" quick -e blocking --rw write --fsync 1 --fdatasync 1; }
@test "more active than connected" { refused 2 "there are only 2 connections" quick -e epoll -w echo --conns 2 --active 3; }
@test "more slow than active" { refused 2 "connections are active" quick -e epoll -w echo --conns 2 --slow 3; }
@test "a CPU that does not exist" { refused 2 "may use only" quick -e blocking --cpus 900; }
@test "a CPU list that cannot be parsed" { refused 2 "must be a list as" quick -e blocking --cpus 0-; }
@test "a rate of nothing" { refused 2 "--rate 0: must lie between" quick -e blocking --rate 0; }
@test "a schedule and clients that pause" { refused 2 "no client pauses" quick -e epoll -w echo --slow 1 --rate 10; }
@test "a stall without a middle" { refused 2 "use --runtime" quick -e blocking --ops 10 --stall-ms 1; }
@test "a stall longer than the window" { refused 2 "more than half" quick -e blocking --stall-ms 9000; }
@test "--ops with a time as well" { refused 2 "leave out --runtime" quick -e blocking --ops 10 --warmup 1; }
@test "--ops on a server" { refused 2 "use --runtime" quick -e epoll -w echo --ops 10; }
@test "verify with too small a file" { refused 2 "twice as many blocks" quick -e libaio --depth 1000 --verify; }
@test "a CPU list that ends in a comma" { refused 2 "ends in a comma" quick -e blocking --cpus 0,; }
@test "an engine spec without its option" {
	refused 2 "an option is missing" quick -e blocking:
	refused 2 "an option is missing" quick -e io_uring:fixed_files++fixed_buffers
}
@test "a seed that JSON cannot hold" {
	refused 2 "must lie between" quick -e null -w nop --seed 9223372036854775808
	output=$(quick -e null -w nop --seed 9223372036854775807 --json)
	assert_equal "$(json config.seed)" 9223372036854775807
}

@test "an option that has no effect is refused, with the cure" {
	for option in "--depth 16" "--bs 8k" "--rw write" "--file x" "--size 4k" "--direct 1" "--cache dropped" \
		"--fsync 1" "--fd-per-op" "--verify" "--rwmixread 70"; do
		# shellcheck disable=SC2086
		refused 2 "${option%% *} has no effect here" quick -e epoll -w echo --conns 2 $option
	done
	refused 2 "use --conns" quick -e epoll -w idle --depth 2
	for option in "--conns 7" "--active 9" "--msg-size 4k" "--transport unix" "--slow 1" "--slow-pause-ms 5"; do
		# shellcheck disable=SC2086
		refused 2 "belongs to the workloads echo" quick -e blocking $option
	done
	refused 2 "--verify has no effect here" quick -e null -w nop --verify
	refused 2 "goes past the page cache" quick -e blocking --direct 1 --cache dropped
	refused 2 "only --rw randrw" quick -e blocking --rwmixread 70
	refused 2 "no client pauses without --slow" quick -e epoll -w echo --conns 2 --slow-pause-ms 5
}

@test "a file that no disk holds is refused before anything is written to it" {
	for pattern in randread randwrite; do
		refused 1 "keeps no data" "$IOLAB" run -e blocking --file /proc/self/comm --size 4k --rw "$pattern" --ops 1
	done
	[ "$(id -u)" = 0 ] && unshare --uts true || skip "this user cannot make a host name of its own"
	run unshare --uts bash -c 'strace -f -e trace=openat -o "$2" "$1" run -e blocking --ops 1 --verify \
		--file /proc/sys/kernel/hostname --size 8k >/dev/null; hostname' bash "$IOLAB" "$BATS_TEST_TMPDIR/calls"
	assert_output "$(hostname)"
	refute grep -E 'hostname.*(O_WRONLY|O_RDWR)' "$BATS_TEST_TMPDIR/calls"
}

@test "a run that spoilt the first block leaves a file that is still iolab's" {
	output=$(quick -e blocking --rw randwrite --ops 10)
	dd if=/dev/zero of="$BATS_TEST_TMPDIR/file" bs=4k count=1 conv=notrunc status=none
	run quick -e blocking --rw randwrite --verify
	assert_success
	head -c 4M /dev/urandom >"$BATS_TEST_TMPDIR/file" # and a person's is not
	refused 1 "would be overwritten" quick -e blocking --rw randwrite --verify
}

@test "a truncated reason keeps its errno and whole characters" {
	local name=é # two bytes: of 30 lengths in a row some end within it
	while [ ${#name} -lt 110 ]; do name+=é; done
	for filler in "" a aa aaa; do
		run "$IOLAB" run -e blocking --file "/no/$filler$name/$name/$name/file" --json
		assert_failure 1
		assert_equal "$(json reason.values.errno)" ENOENT
	done
}

@test "an unknown command" { refused 2 "did you mean 'compare'" "$IOLAB" compar; }
@test "no command" { refused 2 "Usage: iolab" "$IOLAB"; }

@test "impossible pairs are unsupported, with the kernel's reason" {
	refused 77 "EPERM: Operation not permitted" quick -e epoll
	refused 77 "exclude each other" quick -e io_uring:sqpoll+defer_taskrun
	refused 77 "exclude each other" quick -e io_uring:sqpoll_shared+defer_taskrun
	refused 77 "registered buffer" quick -e io_uring:fixed_buffers -w echo --conns 2
	refused 77 "no sends without a copy" quick -e uring_tuned:send_zc -w echo --conns 2 --transport unix
	refused 77 "first silent descriptor" quick -e blocking -w idle --conns 2
	refused 77 "would measure the schedule" quick -e blocking -w echo --conns 2 --rate 100
	refused 77 "moves no bytes" quick -e null -w echo --conns 2
	refused 77 "moves no bytes" quick -e null --verify
	refused 77 "no system call that does nothing" quick -e blocking -w nop
	refused 77 "sqpoll needs a CPU of its own" quick -e io_uring:sqpoll --cpus 0
	# A CPU that is asked for by name is used, shared or not.
	run quick -e io_uring:sqpoll_shared --cpus 0 --depth 4
	[ "$status" -eq 0 ] || [ "$status" -eq 77 ]
	refute_output --partial "sqpoll needs a CPU of its own"
}

@test "a file that cannot be read" {
	user_dir
	touch "$USER_DIR/secret" && chmod 000 "$USER_DIR/secret"
	refused 1 "EACCES" as_user "$USER_DIR/iolab" run -e blocking --file "$USER_DIR/secret"
}

@test "a folder that does not exist" {
	refused 1 "ENOENT" "$IOLAB" run -e blocking --file "$BATS_TEST_TMPDIR/no/such/file"
}

@test "a folder in place of a file" {
	refused 1 "--file" "$IOLAB" run -e blocking --file "$BATS_TEST_TMPDIR"
}

@test "a person's file is read, and never written" {
	head -c 8M /dev/urandom >"$BATS_TEST_TMPDIR/mine"
	before=$(md5sum <"$BATS_TEST_TMPDIR/mine")
	run "$IOLAB" run -e blocking --file "$BATS_TEST_TMPDIR/mine" --size 8M --runtime 0.05
	assert_success
	refused 1 "would be overwritten" "$IOLAB" run -e blocking --file "$BATS_TEST_TMPDIR/mine" --size 8M --rw randwrite
	refused 1 "would be overwritten" "$IOLAB" run -e blocking --file "$BATS_TEST_TMPDIR/mine" --size 8M --verify
	assert_equal "$(md5sum <"$BATS_TEST_TMPDIR/mine")" "$before"
}

@test "a person's file that is too small, or has holes" {
	head -c 1M /dev/urandom >"$BATS_TEST_TMPDIR/mine"
	refused 1 "does not hold --size" "$IOLAB" run -e blocking --file "$BATS_TEST_TMPDIR/mine" --size 8M
	truncate -s 8M "$BATS_TEST_TMPDIR/mine"
	refused 1 "does not hold --size" "$IOLAB" run -e blocking --file "$BATS_TEST_TMPDIR/mine" --size 8M
}

@test "a block size that O_DIRECT does not take" {
	run quick -e blocking --direct 1 --bs 512
	if [ "$status" -eq 0 ]; then
		skip "this device takes blocks of 512 bytes"
	fi
	assert_output --partial "not aligned for O_DIRECT"
}

@test "no space left" {
	[ "$(id -u)" -eq 0 ] || skip "mounting a small file system takes root"
	mkdir "$BATS_TEST_TMPDIR/small"
	mount -t tmpfs -o size=2M tmpfs "$BATS_TEST_TMPDIR/small" || skip "mount is not allowed here"
	run "$IOLAB" run -e blocking --file "$BATS_TEST_TMPDIR/small/file" --size 8M
	left=$(ls "$BATS_TEST_TMPDIR/small")
	umount "$BATS_TEST_TMPDIR/small"
	assert_failure 1
	assert_output --partial "ENOSPC"
	assert_output --partial "free some space"
	assert_equal "$left" ""
}

@test "RLIMIT_FSIZE is an error, not a dead process" {
	user_dir
	refused 1 "EFBIG" bash -c "ulimit -f 1024; exec '$USER_DIR/iolab' run -e blocking --file '$USER_DIR/file' --size 8M"
}

@test "RLIMIT_NOFILE too small for the connections" {
	refused 1 "RLIMIT_NOFILE allows 100" bash -c "ulimit -n 100; exec '$IOLAB' run -e epoll -w echo --conns 200"
}

@test "RLIMIT_MEMLOCK too small for registered buffers" {
	user_dir
	run as_user bash -c "ulimit -l 64; exec '$USER_DIR/iolab' run -e io_uring:fixed_buffers --file '$USER_DIR/file' --size 8M --depth 64"
	assert_failure
	[ "$status" -eq 1 ] || [ "$status" -eq 77 ]
	assert_output --partial "ulimit -l"
}

@test "RLIMIT_NPROC too small for the threads" {
	user_dir
	refused 1 "ulimit -u" as_user bash -c "ulimit -u 20; exec '$USER_DIR/iolab' run -e threads --file '$USER_DIR/file' --size 8M --depth 64"
}

@test "io_uring refused by seccomp, as in containers" {
	run "$(dirname "$IOLAB")/tests/without_io_uring" "$IOLAB" run -e io_uring --file "$BATS_TEST_TMPDIR/file" --size 4M
	assert_failure 77
	assert_output --partial "seccomp"
	run "$(dirname "$IOLAB")/tests/without_io_uring" "$IOLAB" run -e epoll -w echo --conns 2 --runtime 0.05
	assert_success
	run "$(dirname "$IOLAB")/tests/without_io_uring" "$IOLAB" doctor
	assert_success
	assert_output --partial "refused, probably by seccomp"
	assert_output --partial "cure: lift what the cause names"
	refute_output --partial "can be compared without it"
}

@test "the test file is deleted during a run: reported, and nothing lost" {
	"$IOLAB" run -e blocking --file "$BATS_TEST_TMPDIR/file" --size 4M --runtime 3 --json >"$BATS_TEST_TMPDIR/out" 3>&- &
	pid=$!
	until_more_than 5000 awk '/^syscr/ { print $2 }' "/proc/$pid/io" # more than preparing takes: it measures
	rm "$BATS_TEST_TMPDIR/file"
	await_end $pid
	assert_success
	output=$(cat "$BATS_TEST_TMPDIR/out")
	assert_equal "$(json status)" ok
	assert_output --partial "deleted during the run"
}

@test "the result cannot be written" {
	[ -e /dev/full ] || skip "no /dev/full"
	run bash -c "'$IOLAB' run -e null -w nop --runtime 0.02 --json >/dev/full"
	assert_failure 1
	assert_output --partial "ENOSPC"
}

@test "a seed that JSON cannot hold, or no rounds, is refused by every command that runs in rounds" {
	for command in timeline overlap responsiveness operator styles upcall compare; do
		refused 2 "--seed -1: must be a whole number below 2^63" "$IOLAB" "$command" --seed -1
		refused 2 "--seed 9223372036854775808: must be" "$IOLAB" "$command" --seed 9223372036854775808
		refused 2 "--rounds 0: must lie between 1 and 1000" "$IOLAB" "$command" --rounds 0
	done
}

@test "a number that a script takes lies in its range, or is refused in words" {
	while read -r script folder option number; do
		run "$SYSTEM_PYTHON" -B "$ROOT/harness/$script" "$folder" "$option" "$number"
		assert_failure 2
		assert_output --partial "'$number' must be a"
		refute_output --partial Traceback
	done <<-'END'
		course/grade.py nowhere --limit-s nan
		course/grade.py nowhere --limit-s -1
		course/grade.py nowhere --first-uid 99999999999
		course/check_course.py 00 --repeats -2
		course/check_course.py 00 --repeats 1_0
		studies/study.py nowhere --rounds 0
		studies/study.py nowhere --rounds +5
		studies/quick.py nowhere --time-limit inf
	END
}

@test "a script whose standard output is closed or full says so in one line" {
	[ -e /dev/full ] || skip "no /dev/full"
	cd "$ROOT" || return
	python_of() { case $1 in plots/* | harness/peers/*) echo "$PYTHON" ;; *) echo "$SYSTEM_PYTHON" ;; esac; }
	for script in harness/course/{learner,check_course,grade,handout,mutate,new_lab}.py harness/peers/{bench,loops}.py \
		harness/studies/{quick,six_steps,study}.py harness/trust/check_trust.py plots/{plot,report}.py; do
		run --separate-stderr bash -c "'$(python_of "$script")' -B $script nothing >&-"
		assert_failure
		assert_equal "${#stderr_lines[@]}" 1
		[[ $script == harness/peers/* ]] || assert_regex "$stderr" "^[a-z._-]+: standard output is closed$"
	done
	for command in "harness/course/learner.py help" "harness/course/learner.py labs" "plots/report.py --help"; do
		run --separate-stderr bash -c "'$(python_of "$command")' -B $command >/dev/full"
		assert_failure 1
		assert_regex "$stderr" "^[a-z._-]+: standard output: No space left on device$"
		run --separate-stderr bash -c "set -o pipefail; '$(python_of "$command")' -B $command | true"
		assert_equal "$stderr" ""
	done
}
