#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# make mutate, on the small lab of harness/tests/tiny_course with a function more: each way that a mutant
# may end is there once, and known.

load common

setup_file() {
	ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	make -s -C "$ROOT" course
	make -s -C "$ROOT" SANITIZE=address,undefined course
}

setup() {
	CLANG_PYTHON=$(sh "$ROOT/harness/setup/find-python.sh" clang.cindex tomllib) || skip "no libclang for python"
	export IOLAB_LABS=$BATS_TEST_TMPDIR/labs
	cp -r "$ROOT/harness/tests/tiny_course" "$IOLAB_LABS"
	LAB=$IOLAB_LABS/90_tiny
	rm -f "$ROOT"/build/mutation/90_tiny.{reference.,}json # else a run takes what is known
	own_test_file
}

teardown() { rm -rf "$TMPDIR"; }

mutate() { timeout 300 "$CLANG_PYTHON" -B "$ROOT/harness/course/mutate.py" 90 --jobs 2 "$@"; }

# longer_engine: the result comes from a function of its own.
longer_engine() {
	sed -i -e '/^static int tiny_submit/e cat' -e 's/= ops\[i\]->len_bytes;/= tiny_length(ops[i]);/' "$LAB/engine.c" <<-'C'
		static int64_t tiny_length(const struct io_op *op)
		{
			enum { NOTHING = 0, READS = 1 };
			for (unsigned left = 2; left > 0; left -= 1)
				;
			switch (op->kind) {
			case NOTHING:
				return 0;
			case READS:
				return op->len_bytes;
			}
			return -1;
		}

	C
}

# idle_engine: closing reads the clock, for nothing.
idle_engine() { sed -i -e 's/free(e);/clock_ns();\n\t&/' -e 's/#include "io_engine.h"/#include "clock.h"\n&/' "$LAB/engine.c"; }

# entry KEY=VALUE...: the mutant that reads no clock, as equivalent; with other values where given.
entry() {
	local -A is=([rule]=statement [function]=tiny_close [line]='clock_ns();' [becomes]=';'
		[reason]='nothing uses the time')
	local pair key
	for pair in "$@"; do
		is[${pair%%=*}]=${pair#*=}
	done
	echo '[[equivalent]]'
	for key in "${!is[@]}"; do
		echo "$key = '${is[$key]}'"
	done
}

@test "mutants are killed, hang, do not compile, make the same program, or survive" {
	longer_engine
	V=1 run mutate --function tiny_length
	assert_failure 1
	# Two values of a case that are the same.
	assert_line --regexp 'constant: enum \{ NOTHING = 1, READS = 1 \};: no_program'
	# A loop that never ends.
	assert_line --regexp 'left -= 0\): (hands_back|says_how_much)/nop'
	# A loop that does nothing, once more.
	assert_line --regexp 'unsigned left = 3;.*: equivalent'
	assert_line --regexp 'READS = 2 \};: says_how_much/nop'
	# No test asks for another kind of operation.
	assert_line --regexp 'return -2;: survived'
	assert_line --partial '90_tiny/engine.c:'
	assert_line '+return -2;'
	assert_line --regexp '^all +[0-9]+ +[0-9]+ +[0-9]+ +[1-9]'
	assert_line --regexp '^2 more changes do not compile'
	assert_line 'mutate: less than 95 % are killed'
}

@test "an equivalent mutant is named by its line's text, and has a reason" {
	idle_engine
	run mutate --function tiny_close
	assert_failure 1
	assert_line --regexp '^all +2 +0 +1 +1 '
	entry >"$LAB/equivalent.toml"
	run mutate --function tiny_close
	assert_success
	assert_line --regexp '^all +2 +1 +1 +0 '
	# The place does not matter.
	sed -i '3i /* a line more */' "$LAB/engine.c"
	run mutate --function tiny_close
	assert_success
}

@test "an entry that fits no mutant, has no reason or is not true is an error" {
	entry 'line=free(x);' >"$LAB/equivalent.toml"
	run mutate --function tiny_close
	assert_failure 1
	assert_output --partial "entry 1 fits no mutant: statement in tiny_close: free(x);"
	entry reason= >"$LAB/equivalent.toml"
	run mutate --function tiny_close
	assert_failure 1
	assert_output --partial "entry 1: reason is missing"
	entry function=tiny_submit 'line=op_queue_push(&e->finished, ops[i]);' >"$LAB/equivalent.toml"
	run mutate --function tiny_submit --rule statement
	assert_failure 1
	assert_output --partial "equivalent.toml is wrong about 90_tiny/engine.c:"
	assert_output --partial "hands_back/nop kills it"
	idle_engine
	{ entry; entry; } >"$LAB/equivalent.toml"
	run mutate --function tiny_close
	assert_failure 1
	assert_output --partial "entry 2 names a mutant that another entry names"
}

# bats test_tags=slow
@test "more than a tenth that is equivalent is an error" {
	idle_engine
	{
		entry
		entry rule=constant function=tiny_supports 'line=return 0;' 'becomes=return 1;' 'reason=nobody asks'
	} >"$LAB/equivalent.toml"
	run mutate
	assert_failure 1
	assert_line "mutate: more than 10 % are equivalent"
}

# unmutated FUNCTION: may not be changed.
unmutated() {
	sed -i "0,/^\[\[exercise/s/^\[\[exercise/[unmutated]\nfunctions = [\"$1\"]\nwhy = \"it harms\"\n\n&/" "$LAB/lab.toml"
}

@test "a function that may harm the machine is left as it is, and named" {
	unmutated tiny_submit
	run mutate --function tiny_submit
	assert_failure 1
	assert_output --partial "no function is called 'tiny_submit'; there are tiny_"
	sed -i 's/tiny_submit/tiny_nothing/' "$LAB/lab.toml"
	run mutate
	assert_failure 1
	assert_output "mutate: labs/90_tiny/lab.toml: no function is called 'tiny_nothing' (unmutated)"
	sed -i 's/tiny_nothing/tiny_submit/' "$LAB/lab.toml"
	run mutate --function tiny_supports --rule argument
	assert_line "not changed: tiny_submit: it harms"
}

# bats test_tags=slow
@test "a sample is the same for the same seed" {
	V=1 run mutate --sample 3 --seed 7
	first=$(grep '^# 90_tiny' <<<"$output" | sort)
	V=1 run mutate --sample 3 --seed 7
	assert_equal "$(grep '^# 90_tiny' <<<"$output" | sort)" "$first"
	assert_equal "$(wc -l <<<"$first")" 3
}

# stopped_at TEXT: a whole run, with Ctrl-C as soon as it has printed a line that begins so.
stopped_at() {
	V=1 "$CLANG_PYTHON" -B "$ROOT/harness/course/mutate.py" 90 --jobs 2 >"$BATS_TEST_TMPDIR/out" 2>&1 &
	pid=$!
	until grep -q "^$1" "$BATS_TEST_TMPDIR/out"; do
		kill -0 $pid || fail "$(cat "$BATS_TEST_TMPDIR/out")"
		let_pass 0.1
	done
	kill -INT $pid
	await_end $pid
	assert_equal "$status" 130
	run cat "$BATS_TEST_TMPDIR/out"
	assert_line --regexp 'stopped: [0-9]+ of [0-9]+ changes were tried'
}

@test "Ctrl-C prints what is known so far and leaves nothing behind" {
	stopped_at '# 90_tiny'
	assert_line --regexp '^all +[1-9]'
	assert_equal "$(ls "$TMPDIR")" ''
}

@test "a run that was stopped goes on, and begins anew when the engine has changed" {
	stopped_at '# 90_tiny'
	tried=$(sed -n 's/^stopped: \([0-9]*\) of .*/\1/p' <<<"$output")
	stopped_at "$tried of [0-9]* changes are known from an earlier run of the same programs"
	idle_engine
	stopped_at '# 90_tiny'
	refute_line --partial 'are known from an earlier run'
}

@test "what is known of the same programs is not tried again, except with --anew" {
	idle_engine
	run mutate --function tiny_close
	refute_line --partial 'are known from an earlier run'
	run mutate --function tiny_close
	assert_failure 1
	assert_line '2 of 2 changes are known from an earlier run of the same programs'
	assert_line --regexp '^all +2 +0 +1 +1 '
	run mutate --function tiny_close --anew
	refute_line --partial 'are known from an earlier run'
	assert_line --regexp '^all +2 +0 +1 +1 '
}

@test "only survivors: what survived when it was tried last, and has no reason" {
	idle_engine
	run mutate --function tiny_close
	run mutate --only-survivors
	assert_failure 1
	assert_line --regexp '^all +1 +0 +0 +1 '
	entry >"$LAB/equivalent.toml"
	run mutate --only-survivors
	assert_success
	assert_line --regexp '^all +0 '
}

@test "what killed a mutant in an earlier run is tried first" {
	V=1 run mutate --function tiny_submit --rule argument
	assert_line --regexp '^# 90_tiny.*: hands_back/nop$'
	# Both tests find that one.
	sed -i 's,hands_back/nop,says_how_much/nop,' "$ROOT/build/mutation/90_tiny.json"
	V=1 run mutate --function tiny_submit --rule argument --anew
	assert_line --regexp '^# 90_tiny.*: says_how_much/nop$'
}

@test "TERM, HUP and KILL end all programs of mutants, and only KILL leaves the folder" {
	for signal in TERM HUP KILL; do
		rm -f "$ROOT/build/mutation/90_tiny.json"
		at_terminal --send "$signal" --until "ls -d '$TMPDIR'/mutate-*/0 2>/dev/null" \
			"$CLANG_PYTHON" -B "$ROOT/harness/course/mutate.py" 90 --jobs 2
		[ "$status" -eq 130 ] || [ "$signal $status" = "KILL 137" ] || fail "$signal: $status, $output"
		[ "$signal" = KILL ] || assert_equal "$(ls "$TMPDIR")" ""
	done
}

@test "an unknown rule, function or lab, a reference that fails: one line" {
	run mutate --rule magic
	assert_failure 1
	assert_output --regexp "^mutate: no rule is called 'magic'; there are statement, condition.*$"
	run mutate --function tiny_nothing
	assert_failure 1
	assert_output --partial "no function is called 'tiny_nothing'; there are "
	run "$CLANG_PYTHON" -B "$ROOT/harness/course/mutate.py" 17
	assert_failure 1
	assert_output --partial "no lab is called '17'"
	sed -i 's/= ops\[i\]->len_bytes;/= 7;/' "$LAB/engine.c"
	run mutate
	assert_failure 1
	assert_output "mutate: 90_tiny: the reference itself fails says_how_much/nop"
}

@test "a python without libclang says what to install" {
	mkdir "$BATS_TEST_TMPDIR/clang"
	echo 'raise ImportError' >"$BATS_TEST_TMPDIR/clang/__init__.py"
	PYTHONPATH=$BATS_TEST_TMPDIR run mutate
	assert_failure 1
	assert_output --regexp '^mutate: .*clang\.cindex.*harness/setup\.sh check'
}
