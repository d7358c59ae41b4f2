#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Labs of layers, on the small one of harness/tests/tiny_layer: it stands on the reference of three folders,
# and its tests run over the engines there.

load common

LAB=80_sums
GRADE="$ROOT/harness/course/grade.py"

setup_file() {
	ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	make -s -C "$ROOT" all course
}

setup() {
	export IOLAB_LABS=$ROOT/harness/tests/tiny_layer
	export IOLAB_WORK=$BATS_TEST_TMPDIR/work
	unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES NO_COLOR
	SOLUTION=$IOLAB_LABS/$LAB
	MINE=$IOLAB_WORK/$LAB
	cd "$ROOT" || exit
}

learner() { timeout "$HANG_S" "$SYSTEM_PYTHON" -B harness/course/learner.py "$@" </dev/null; }

# tested FILE...: the lab's tests on these files, over all engines.
tested() {
	"$SYSTEM_PYTHON" -B - "$BATS_TEST_TMPDIR/tests" "$@" <<-'EOF'
		import sys
		sys.path.insert(0, "harness/course")
		import labs
		from proctor import programs
		programs.compile_tests(labs.find("80"), sys.argv[2:], sys.argv[1])
		for outcome in programs.run_tests(sys.argv[1]).outcomes:
		    print(outcome.status, outcome.name)
	EOF
}

@test "a test runs once over each engine, and says in the engine's words what it cannot do" {
	learner start >/dev/null
	[ -e "$MINE/layer.h" ]
	cp "$SOLUTION/layer.c" "$MINE"
	run learner check-lab EXERCISE=1
	assert_line --regexp "^  ok +performs/null$"
	assert_line --regexp "^  ok +performs/io_uring$|^  skipped performs/io_uring: "
	assert_line "  skipped performs/blocking: there is no system call that does nothing"
}

@test "the starter of a layer builds, and fails over each engine that can" {
	learner start >/dev/null
	run learner check-lab
	assert_failure
	assert_line --regexp "^  FAILED +performs/null$"
	assert_output --partial "expected 3 operations, saw 0"
	assert_output --partial "the system calls of the engine"
}

@test "a header among a lab's files is the learner's own" {
	learner start >/dev/null
	cp "$SOLUTION/layer.c" "$MINE"
	sed -i 's/#include "io_engine.h"/&\n#define WELL 1/' "$MINE/layer.h"
	sed -i 's/well += done->result >= 0;/well += WELL;/' "$MINE/layer.c"
	run learner check-lab
	assert_success
	assert_output --partial "Everything passes"
	assert_output --partial "compares your layer with the reference"
}

@test "given code with a bug is in the starter, and fails the test of its own exercise alone" {
	export IOLAB_LABS=$BATS_TEST_TMPDIR/labs
	cp -r "$ROOT/harness/tests/tiny_layer" "$IOLAB_LABS"
	# It looks right with one operation.
	sed -i 's|//> 2 Count it.*|//> 2 Given code with a bug.\n\t\t//+ well = done->result >= 0;|' "$IOLAB_LABS/$LAB/layer.c"
	learner start >/dev/null
	run grep -A4 "EXERCISE 2: Given code with a bug" "$MINE/layer.c"
	assert_line --partial "well = done->result >= 0;"
	refute_output --partial "well +="
	# The first exercise is done, and the second is as it was given.
	"$SYSTEM_PYTHON" -B - >"$MINE/layer.c" <<-'EOF'
		import sys
		sys.path.insert(0, "harness/course")
		import labs
		print(labs.find("80").starter({1})["layer.c"], end="")
	EOF
	run learner check-lab
	assert_failure
	assert_line --regexp "^  ok +performs/null$"
	assert_line --regexp "^  FAILED +counts/null$"
	assert_output --partial "expected 5 that ended well, saw 1"
	sed -i 's/well = done/well += done/' "$MINE/layer.c"
	run learner check-lab
	assert_success
}

@test "a layer is measured as an engine, beside the reference's and under a name of its own" {
	learner start >/dev/null
	cp "$SOLUTION/layer.c" "$MINE"
	run learner measure FORCE=1 PREDICT=no
	assert_success
	assert_output --partial "in which your layer is called my_sums"
	assert_output --regexp $'\n'"  null +[0-9]"
	assert_output --regexp $'\n'"  sums +[0-9]"
	assert_output --regexp $'\n'"  my_sums +[0-9]"
	# An engine of the lab is no part of the program that everybody runs.
	run build/iolab list
	refute_output --partial sums
}

@test "a lab with neither engines nor what it stands on is refused" {
	export IOLAB_LABS=$BATS_TEST_TMPDIR/labs
	cp -r "$ROOT/harness/tests/tiny_layer" "$IOLAB_LABS"
	sed -i -e '/^stands_on/d' -e 's/^engines = .*/engines = []/' "$IOLAB_LABS/$LAB/lab.toml"
	run learner labs
	assert_failure
	assert_output --partial "labs/80_sums/lab.toml: it has neither engines nor stands_on"
}

@test "a layer's own engine takes no place of one below" {
	sed 's/"sums"/"null"/' "$SOLUTION/as_engine.c" >"$BATS_TEST_TMPDIR/as_engine.c"
	# With this one in its place, as_engine.c would call itself without end.
	run tested "$SOLUTION/layer.c" "$BATS_TEST_TMPDIR/as_engine.c"
	assert_line "passed performs/null"
}

@test "the grader runs a layer over the engines; what it may not define stays its own" {
	local class=$BATS_TEST_TMPDIR/class out=$BATS_TEST_TMPDIR/grades
	[ "$(id -u)" -ne 0 ] || chmod 755 "$BATS_TEST_TMPDIR"
	mkdir -p "$class"/{a_solution,b_starter,c_names,d_engine}
	cp "$SOLUTION"/layer.[ch] "$class/a_solution"
	for name in b_starter c_names d_engine; do cp "$SOLUTION"/layer.[ch] "$class/$name"; done
	sed -i -e '/ops->submit(engine/,/return -EIO/d' -e '/well += /d' "$class/b_starter/layer.c"
	# Functions of the tests and of the kernel's library: the tests must call theirs.
	printf '%s\n' 'void test_failed(const char *file, int line, const char *format, ...);' \
		'void test_failed(const char *file, int line, const char *format, ...)' \
		'{ (void)file; (void)line; (void)format; }' >>"$class/c_names/layer.c"
	sed -i 's/well += .*/well = 0;/' "$class/c_names/layer.c"
	cat >>"$class/d_engine/layer.c" <<-'C'
		static const struct engine_ops own_engine = { .name = "null", .summary = "", .lab = "" };
		IO_ENGINE(own_engine);
	C
	run "$SYSTEM_PYTHON" -B "$GRADE" "$class" --lab 80 --out "$out" --first-uid 65200
	assert_success
	run cat "$out/class.csv"
	assert_line --regexp "^a_solution,1,1,2,2,,"
	assert_line --regexp "^b_starter,0,0,0,2,"
	assert_line --regexp "^c_names,1,0,1,2,"
	assert_line --regexp "^d_engine,1,1,2,2,.*to be read by a person: an engine of its own"
}

@test "make mutate changes a layer, and its tests over the engines kill" {
	CLANG_PYTHON=$(sh "$ROOT/harness/setup/find-python.sh" clang.cindex tomllib) || skip "no libclang for python"
	export IOLAB_LABS=$BATS_TEST_TMPDIR/labs
	cp -r "$ROOT/harness/tests/tiny_layer" "$IOLAB_LABS"
	own_test_file
	rm -f "$ROOT"/build/mutation/80_sums.{reference.,}json # else the run takes what is known
	V=1 run timeout 300 "$CLANG_PYTHON" -B harness/course/mutate.py 80 --jobs 2 --function perform_all --rule constant
	assert_line --regexp "^# 80_sums/layer.c:.*: (performs|counts)/null$"
	refute_output --partial "layer.h"
	rm -r "$TMPDIR"
}

# with_assembler FOLDER: the tiny layer there, with a file of assembler for exercise 2. It has no instruction, so every
# processor knows it.
with_assembler() {
	cp -r "$ROOT/harness/tests/tiny_layer" "$1"
	sed -i 's/^files = .*/files = ["layer.c", "layer.h", "counted.S"]/' "$1/$LAB/lab.toml"
	sed -i -e '/\/\/> 2/d' -e '/\/\/< 2/d' -e 's/well += .*/well += done->result < 0 ? 0 : counted_each;/' "$1/$LAB/layer.c"
	sed -i 's/#include "io_engine.h"/&\nextern const int64_t counted_each;/' "$1/$LAB/layer.h"
	cat >"$1/$LAB/counted.S" <<-'S'
		#define ONE 1
		        .section .rodata
		        .balign 8
		        .globl counted_each
		counted_each:
		        //> 2 How much each no-op counts.
		        //+ .quad 0
		        .quad ONE
		        //< 2
		        .section .note.GNU-stack, "", %progbits
	S
}

@test "a file of a lab may be assembler: the starter, the tests, the measurement, the grader" {
	local class=$BATS_TEST_TMPDIR/class out=$BATS_TEST_TMPDIR/grades
	export IOLAB_LABS=$BATS_TEST_TMPDIR/labs
	with_assembler "$IOLAB_LABS"
	SOLUTION=$IOLAB_LABS/$LAB
	learner start >/dev/null
	run cat "$MINE/counted.S"
	assert_line --partial "EXERCISE 2: How much each no-op counts."
	refute_output --partial ".quad ONE"
	cp "$SOLUTION"/layer.c "$MINE"
	run learner check-lab
	assert_failure
	assert_line --regexp "^  FAILED +counts/null$"
	cp "$SOLUTION"/counted.S "$MINE"
	run learner check-lab
	assert_success
	run learner measure FORCE=1 PREDICT=no
	assert_success
	assert_output --regexp $'\n'"  my_sums +[0-9]"

	[ "$(id -u)" -ne 0 ] || chmod 755 "$BATS_TEST_TMPDIR"
	mkdir -p "$class"/{a_solution,b_wrong}
	cp "$SOLUTION"/{layer.[ch],counted.S} "$class/a_solution"
	cp "$SOLUTION"/{layer.[ch],counted.S} "$class/b_wrong"
	sed -i 's/quad ONE/quad 2/' "$class/b_wrong/counted.S"
	run "$SYSTEM_PYTHON" -B "$GRADE" "$class" --lab 80 --out "$out" --first-uid 65200
	assert_success
	run cat "$out/class.csv"
	assert_line --regexp "^a_solution,1,1,2,2,,"
	assert_line --regexp "^b_wrong,1,0,1,2,"
}

# checked CODE: runs CODE in check_course.py, with `check`, which checks the tiny layer.
checked() {
	"$SYSTEM_PYTHON" -B - <<-EOF
		import sys
		sys.path.insert(0, "harness/course")
		import check_course, labs
		check = check_course.LabCheck(labs.find("80"), check_course.Tap(), "$BATS_TEST_TMPDIR/scratch", 1)
		$1
	EOF
}

@test "check-course: a mutant for another processor is skipped, one for this processor is not" {
	export IOLAB_LABS=$BATS_TEST_TMPDIR/labs
	with_assembler "$IOLAB_LABS"
	SOLUTION=$IOLAB_LABS/$LAB
	mkdir "$SOLUTION/mutants"
	for processor in "$(uname -m)" pdp11; do
		printf '%s\n' 'Bug: a no-op counts twice' 'Killed-by: counts/null' "Processor: $processor" \
			'--- a/counted.S' '+++ b/counted.S' '@@ -1 +1 @@' '-#define ONE 1' '+#define ONE 2' \
			>"$SOLUTION/mutants/twice_$processor.patch"
	done
	run checked 'for mutant in check.lab.mutants(): check.check_mutant(mutant)'
	assert_line --regexp "^ok . - lab 80: the mutant twice_$(uname -m) is killed by counts/null$"
	assert_line --regexp "^ok . - lab 80: the mutant twice_pdp11 # SKIP it is one for pdp11$"
}

@test "check-course: a mutant that only a sanitizer sees is tried under it" {
	run checked 'from types import SimpleNamespace as Namespace
mutant = Namespace(name="m", processor="", sanitize="thread", killed_by="t", bug="")
labs.apply_mutant = lambda lab, mutant, folder: [labs.write(f"{folder}/{n}", t) for n, t in lab.solution().items()]
check.build = lambda files, name, cc="gcc", sanitize="": (f"tests under {sanitize}", "")
check_course.programs.run_tests = lambda program, options: print(program, *options) or Namespace(trouble="", failed=[1])
check.check_mutant(mutant)'
	assert_line "tests under thread --only t --stop-at-first --untraced"
	assert_line "ok 1 - lab 80: the mutant m is killed by t"
}

@test "check-course: a bug of a later starter must not hide what the next exercise lacks" {
	export IOLAB_LABS=$BATS_TEST_TMPDIR/labs
	mkdir "$IOLAB_LABS"
	cp -r "$SOLUTION" "$IOLAB_LABS"
	run checked 'check.check_way(1)'
	assert_line "ok 1 - lab 80: with the exercises up to 1 solved, performs/null passes and counts/null fails"
	printf '%s\n' '' '[[exercise]]' 'title = "Find the bug"' 'points = 1' 'fails = "counts/null"' \
		>>"$IOLAB_LABS/$LAB/lab.toml"
	sed -i 's,^\(\s*\)//< 2,&\n\1//> 3 Given code with a bug.\n\1//+ well = i + 1;\n\1//< 3,' "$IOLAB_LABS/$LAB/layer.c"
	run checked 'check.check_way(1)'
	assert_line --regexp "^not ok 1 - lab 80: with the exercises up to 1 solved, performs/null passes"
	assert_line "# it passes counts/null"
	run checked 'check.check_exercise(check.lab.exercises[1])'
	assert_line "ok 1 - lab 80: exercise 2 is tested alone by counts/null"
}

@test "check-course: a further program of a lab is short, and the handout compiles it" {
	export IOLAB_LABS=$BATS_TEST_TMPDIR/labs
	mkdir -p "$IOLAB_LABS"
	cp -r "$SOLUTION" "$IOLAB_LABS"
	mkdir "$IOLAB_LABS/$LAB/programs"
	seq -f '/* %.0f */' 151 >"$IOLAB_LABS/$LAB/programs/long.c"
	echo "int main(void) { return 0; }" >"$IOLAB_LABS/$LAB/programs/short.c"
	printf '%s\n' '' '```sh' "cc -o build/short labs/$LAB/programs/short.c" '```' >>"$IOLAB_LABS/$LAB/README.md"
	run checked 'check.build = lambda *rest: ("true", "")
check.check_parts()'
	assert_output --regexp "not ok .* programs/long.c has at most 150 lines"$'\n'"# it has 151"
	assert_output --partial "# no line cc ... labs/$LAB/programs/long.c"
	assert_line --regexp "^ok .* programs/short.c has at most 150 lines$"
	assert_line --regexp "^ok .* the handout compiles programs/short.c$"
}

@test "check-course: what a handout quotes from a file has to stand there" {
	run checked 'print([check.misquoted("harness/tests/tiny_layer/80_sums/layer.h", q) for q in
		    ("#include \"io_engine.h\"\n", "#ifndef IOLAB_TINY_LAYER_H\n...\n#endif\n", "#include \"io_engine.c\"\n",
		     "#endif\n...\n#ifndef IOLAB_TINY_LAYER_H\n")])'
	assert_line --regexp "^\['', '', 'this does not stand there.*io_engine.c.*', 'this does not stand there.*ifndef.*'\]$"
}
