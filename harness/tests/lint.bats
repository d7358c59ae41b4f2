#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The linters of the house refuse what they promise to refuse, and accept what is right.

load common

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	mkdir -p common labs/10_lab harness/{base,summary,trust,tests/conformance} plots/{readings,drawing,figures}
	mkdir -p harness/course/{learning,grading,proctor} harness/processes
	touch common/clock.h harness/base/json.h harness/summary/ratio.h harness/tests/conformance/suite.h
	touch plots/plot.py plots/{readings/results,drawing/sheet,figures/timeline}.py
	touch harness/course/{proctor/findings,grading/reports}.py harness/processes/children.py
}

arrows() { run python3 "$ROOT/harness/lint/arrows.py" --rooms "base summary"; }
functions() { run python3 "$ROOT/harness/lint/functions.py"; }
reasons() { run python3 "$ROOT/harness/lint/reasons.py"; }

# includes FILE HEADER: a file with one include.
includes() { echo "#include \"$2\"" >"$1"; }

# refused FILE HEADER WORDS: the include is refused, with these words.
refused() {
	includes "$1" "$2"
	arrows
	assert_failure 1
	assert_output --partial "$1:1: \"$2\": "
	assert_output --partial "$3"
	rm "$1"
}

@test "includes that go down, or stay on their floor, are accepted" {
	includes common/clock.c clock.h
	includes harness/base/json.c base/json.h
	includes harness/summary/ratio.c base/json.h
	includes harness/summary/table.c summary/ratio.h
	includes harness/summary/median.c clock.h
	includes harness/summary/build.c build_info.h
	includes labs/10_lab/engine.c clock.h
	mkdir -p labs/10_lab/alternates/other
	touch labs/10_lab/own.h
	includes labs/10_lab/alternates/other/engine.c own.h
	includes harness/tests/ratio.c summary/ratio.h
	echo '#include <stdio.h>' >harness/base/print.c
	arrows
	assert_success
	refute_output
}

@test "an include that goes up is refused" {
	refused harness/base/json.c summary/ratio.h "harness/base may not include harness/summary"
	refused common/clock.c base/json.h "common may not include harness/base"
	refused harness/trust/engine.c base/json.h "harness/trust may not include harness/base"
	refused harness/summary/ratio.c tests/conformance/suite.h "may not include harness/tests/conformance"
}

@test "a lab that includes more than common is refused" {
	refused labs/10_lab/engine.c base/json.h "labs may not include harness/base"
	mkdir -p labs/{10_lab/alternates/other,11_lab}
	touch labs/11_lab/its.h
	refused labs/10_lab/alternates/other/engine.c its.h "no such header"
}

@test "an include without its room, that climbs, or that leads nowhere is refused" {
	refused harness/base/json.c json.h "a room's header is named with its room: \"base/json.h\""
	refused harness/summary/ratio.c ../base/json.h "an include does not climb"
	refused harness/summary/ratio.c base/nothing.h "no such header"
}

@test "a header of ours in angle brackets is refused: it would hide its layer" {
	echo '#include <summary/ratio.h>' >harness/base/json.c
	arrows
	assert_failure 1
	assert_output --partial "a header of ours stands in quotes"
}

@test "the tree itself keeps the rules of includes, functions and reasons" {
	cd "$ROOT"
	run "$SYSTEM_PYTHON" harness/lint/arrows.py --rooms "$(make -s -p -n list-tests | sed -n 's/^ROOMS *:= *//p' | head -n 1)"
	assert_success
	run "$SYSTEM_PYTHON" harness/lint/reasons.py
	assert_success
}

@test "an import that goes up, or to the side, is refused; one that goes down is accepted" {
	echo "from readings import results" >plots/figures/timeline.py
	echo "from figures import timeline" >plots/plot.py
	arrows
	assert_success
	echo "from figures.timeline import draw" >plots/readings/results.py
	arrows
	assert_failure 1
	assert_output --partial "plots/readings/results.py:1: figures.timeline: plots/readings may not import plots/figures"
	echo "import plot" >plots/readings/results.py
	arrows
	assert_output --partial "plots/readings may not import plots: it may import nothing"
	rm plots/readings/results.py
	printf 'def late():\n    from grading import reports\n' >harness/course/learning/check.py
	arrows
	assert_failure 1
	assert_output --partial "harness/course/learning/check.py:2: grading: harness/course/learning may not import harness/course/grading"
	rm harness/course/learning/check.py
	# The course reads documents as plots/ does, and draws nothing.
	echo "from readings import results" >harness/course/labs.py
	arrows
	assert_success
	echo "from drawing import sheet" >harness/course/labs.py
	arrows
	assert_output --partial "harness/course/labs.py:1: drawing: harness/course/labs.py may not import plots/drawing"
	rm harness/course/labs.py
	# Each room that holds a script has its place, too.
	for room in studies peers trust; do
		mkdir -p "harness/$room"
		printf 'import children\nfrom readings import results\n' >"harness/$room/script.py"
	done
	arrows
	assert_success
	echo "from proctor import findings" >harness/studies/script.py
	arrows
	assert_output --partial "harness/studies may not import harness/course/proctor"
	rm harness/studies/script.py
	# A room that the table lacks is refused: nothing says what it may import.
	mkdir plots/extra
	echo "from figures import timeline" >plots/extra/more.py
	arrows
	assert_failure 1
	assert_output --partial "plots/extra/more.py: plots/extra is no room"
}

@test "a script that another file imports is refused" {
	mkdir -p harness/studies
	printf 'if __name__ == "__main__":\n    print()\n' >harness/studies/study.py
	echo "import study" >harness/studies/quick.py
	arrows
	assert_failure 1
	assert_output --partial "harness/studies/quick.py:1: study: harness/studies/study.py is a script"
}

# c_function LINES FILE: writes a function of that length.
c_function() {
	{
		echo 'int long_one(void)' && echo '{'
		for ((i = 0; i < $1 - 4; i++)); do echo '	;'; done
		echo '	return 0;' && echo '}'
	} >"$2"
}

@test "a C function of 71 lines is refused, one of 70 is accepted; tests and alternates are exempt" {
	command -v ctags >/dev/null || skip "no ctags"
	mkdir -p labs/10_lab/alternates/other
	for file in harness/tests/t.c labs/10_lab/tests.c labs/10_lab/alternates/other/engine.c; do
		c_function 200 "$file"
	done
	c_function 70 harness/base/json.c
	functions
	assert_success
	for file in harness/base/json.c labs/10_lab/engine.c common/clock.h; do
		c_function 71 "$file"
		functions
		assert_failure 1
		assert_output "$file:1: long_one() has 71 lines; a function has at most 70"
		rm "$file"
	done
}

# reason FILE CALL: a file with one call. judged WORDS: it is refused, with these words; then it is gone.
reason() { printf 'int f(void)\n{\n\t%s;\n}\n' "$2" >"$1"; }
judged() {
	reasons
	assert_failure 1
	assert_output --partial "harness/base/json.c:3: reason \"limit\""
	assert_output --partial "$1"
	rm harness/base/json.c
}

@test "a reason with a number in its text, a sentence as a value, or two texts is refused" {
	reason common/clock.c 'reason_set(why, "limit", "{option} exceeds " "{limit}", reason_int("limit", 7), reason_string("option", o))'
	reason labs/10_lab/engine.c 'reason_errno(why, "refused", rc, "epoll_create1, read(2)")'
	reason harness/base/json.c 'reason_set(why, "limit", "{option} exceeds {limit}", reason_int("limit", 8), reason_string("option", o))'
	reasons
	assert_success
	reason harness/base/json.c 'reason_set(why, "limit", "{option} exceeds 7", reason_string("option", o))'
	judged "7 stands in its text"
	reason harness/base/json.c 'reason_set(why, "limit", "{why}", reason_string("why", "a limit is exceeded"))'
	judged "its value \"why\" is a sentence"
	reason harness/base/json.c 'reason_set(why, "limit", "{option} is too much", reason_string("option", o))'
	judged "has another text in common/clock.c:3"
	reason harness/base/json.c 'reason_errno(why, "limit", rc, "{option} exceeds {limit}", reason_int("limit", 8), reason_string("option", o))'
	judged "has another text in common/clock.c:3"
}

@test "a Python function of 71 lines is refused" {
	command -v ctags >/dev/null || skip "no ctags"
	{ echo 'def long_one():' && for ((i = 0; i < 70; i++)); do echo '    pass'; done; } >plots/plot.py
	functions
	assert_failure 1
	assert_output "plots/plot.py:1: long_one() has 71 lines; a function has at most 70"
}

# names: two objects of one program, made of what stands in common/a.c and common/b.c.
names() {
	for part in a b; do
		"${CC:-cc}" -O0 -c -o "common/$part.o" "common/$part.c"
	done
	echo "program common/a.o common/b.o" >programs
	run python3 "$ROOT/harness/lint/names.py" programs
}

@test "a name that two objects of a program define is refused" {
	echo 'int ratio(void) { return 1; }' | tee common/a.c >common/b.c
	names
	assert_failure 1
	assert_output "program: ratio is defined in common/a.o and in common/b.o"
}

@test "a static name that another object has with external linkage is refused" {
	echo 'int ratio(void) { return 1; }' >common/a.c
	echo 'static int ratio(void) { return 2; } int twice(void) { return ratio() * 2; }' >common/b.c
	names
	assert_failure 1
	assert_output "ratio is static in common/b.o and means something else in common/a.o"
}

@test "two static functions of one name are refused, but for those that have one role in each file" {
	echo 'static int ratio(void) { return 1; } int once(void) { return ratio(); }' >common/a.c
	echo 'static int ratio(void) { return 2; } int twice(void) { return ratio() * 2; }' >common/b.c
	names
	assert_failure 1
	assert_output "common/b.c: the static function ratio means something else in common/a.c"
	sed -i 's/ratio/parse_option/g' common/a.c common/b.c
	names
	assert_success
	# A header's function is taken for all files. A lab is read alone.
	echo 'static inline double ratio(void) { return 1; }' >common/ratio.h
	echo 'static const char *ratio(int a) { return a ? "a" : ""; } int once(void) { return *ratio(1); }' >common/a.c
	names
	assert_failure 1
	assert_output "common/a.c: the static function ratio means something else in common/ratio.h"
	mkdir -p labs/01_one labs/02_two
	rm common/ratio.h
	cp common/a.c labs/01_one/engine.c
	cp common/a.c labs/02_two/engine.c
	names
	assert_success
}

@test "a struct tag that another file defines anew is refused" {
	touch common/a.c
	echo 'struct trace {' >common/clock.h
	printf 'struct trace {\n\tint i;\n};\n' >common/b.c
	names
	assert_failure 1
	assert_output "common/b.c: the tag trace means something else in common/clock.h"
	mkdir -p labs/01_one
	mv common/clock.h common/trace.h
	mv common/b.c labs/01_one/engine.c
	touch common/b.c
	names
	assert_failure 1
	assert_output "labs/01_one/engine.c: the tag trace means something else in common/trace.h"
	# Without a header, too; but each file completes what a contract leaves open.
	rm -r common/trace.h labs
	printf 'enum row {\n\tA\n};\n' | tee common/a.c >common/b.c
	names
	assert_failure 1
	assert_output "common/b.c: the tag row means something else in common/a.c"
	printf 'struct workload_settings {\n\tlong l;\n};\n' | tee common/a.c >common/b.c
	names
	assert_success
}

@test "a linter of another version than CI's is skipped with a word; a missing one is an error" {
	mkdir bin
	printf '#!/bin/sh\ncase $1 in --version) echo "Linter version 14.0.6" ;; bad) exit 1 ;; says) echo word ;; esac\n' >bin/linter
	chmod +x bin/linter
	PATH=$PWD/bin:$PATH
	run "$ROOT/harness/lint/judge.sh" linter 14 stamp good
	assert_success
	[ -e stamp ] && rm stamp
	for finding in bad says; do
		run "$ROOT/harness/lint/judge.sh" linter 14 stamp $finding
		assert_failure
		[ ! -e stamp ]
	done
	run "$ROOT/harness/lint/judge.sh" linter 1 stamp bad
	assert_success
	assert_output --partial "SKIP    linter 14.0.6: only version 1 judges here"
	[ ! -e stamp ]
	run "$ROOT/harness/lint/judge.sh" no-such-linter 14 stamp good
	assert_failure 1
	assert_output --partial "no-such-linter is missing"
}
