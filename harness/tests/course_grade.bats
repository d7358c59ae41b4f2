#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The instructor's tools: a handout without solutions that works, and a grader that hostile submissions
# can neither fool nor harm. They are made here from the small lab in harness/tests/grading, by adding
# code to its solution.

load common

LAB=70_sample
GRADE="$ROOT/harness/course/grade.py"

setup_file() {
	ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	make -s -C "$ROOT" course
}

setup() {
	export IOLAB_LABS=$ROOT/harness/tests/grading
	SOLUTION=$IOLAB_LABS/$LAB/engine.c
	# Where an ordinary user may read it, too.
	USER_DIR=$(mktemp -d /var/tmp/iolab-user-XXXXXX)
	CLASS=$USER_DIR/class
	OUT=$USER_DIR/grades
	mkdir "$CLASS"
	BEGAN_S=$(date +%s)
	# Users of our own: another grader on this machine has those that it takes by default.
	FIRST_UID=$((60000 + $$ % 64 * 64))
	# What a hostile submission tries to make outside of its folder: another one in each test, since what an
	# earlier run left there is nobody's harm.
	OUTSIDE=$(mktemp -u /var/tmp/iolab-hostile-XXXXXX)
	HEADERS="$INCLUDES
#define OUTSIDE \"$OUTSIDE\""
}

teardown() {
	rm -rf "$USER_DIR"
}

# submission NAME [FILE]: a folder, with the file as its engine.c.
submission() {
	mkdir "$CLASS/$1"
	[ $# -eq 1 ] || cp "$2" "$CLASS/$1/engine.c"
}

INCLUDES='#include <fcntl.h>
#include <linux/sched.h>
#include <stdlib.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>'

# when_receiving NAME CODE: the solution, which does this besides whenever it is to receive. The other
# tests hold, so it gets 15 of 20 points when that one fails.
when_receiving() {
	submission "$1"
	{
		sed '/^IO_ENGINE(/d' "$SOLUTION"
		printf '%s\n' "$HEADERS" \
			'static int hooked_submit(struct engine *e, struct io_op *const *ops, unsigned count)' \
			'{ if (ops[0]->kind == IO_RECV) {' "$2" '}' \
			'return sample_engine.submit(e, ops, count); }' \
			'static struct engine_ops hooked_engine;' \
			'__attribute__((constructor)) static void hook(void)' \
			'{ hooked_engine = sample_engine; hooked_engine.submit = hooked_submit; }' \
			'IO_ENGINE(hooked_engine);'
	} >"$CLASS/$1/engine.c"
}

# before_main NAME CODE: the solution, which does this before main().
before_main() {
	submission "$1"
	{
		cat "$SOLUTION"
		printf '%s\n' "$HEADERS" '__attribute__((constructor)) static void early(void) {' "$2" '}'
	} >"$CLASS/$1/engine.c"
}

# with_code NAME CODE: the solution and more code.
with_code() {
	submission "$1"
	{
		cat "$SOLUTION"
		printf '%s\n' "$2"
	} >"$CLASS/$1/engine.c"
}

# graded_points NAME POINTS [TEXT]: its total, and a text in its account.
graded_points() {
	local score
	score=$("$SYSTEM_PYTHON" -c 'import json, sys; print("%g" % json.load(open(sys.argv[1]))["score"])' \
		"$OUT/$1.results.json")
	[ "$score" = "$2" ] || fail "$1: expected $2 points, saw $score: $(cat "$OUT/$1.txt")"
	[ -z "${3:-}" ] || grep -qF -- "$3" "$OUT/$1.txt" || fail "$1: '$3' is not in $(cat "$OUT/$1.txt")"
}

well_formed() {
	"$SYSTEM_PYTHON" - "$OUT" <<-'EOF'
		import csv, glob, json, os, sys, xml.etree.ElementTree as xml
		out = sys.argv[1]
		rows = list(csv.DictReader(open(f"{out}/class.csv")))
		assert rows and all(None not in row and None not in row.values() for row in rows), rows
		for row in rows:
		    name = row["report"].removesuffix(".txt")
		    result = json.load(open(f"{out}/{name}.results.json"))
		    assert result.keys() >= {"score", "output", "tests", "execution_time", "visibility"}, result
		    for test in result["tests"]:
		        assert test.keys() >= {"name", "score", "max_score", "output", "visibility"}, test
		    assert abs(sum(t["score"] for t in result["tests"]) - float(row["total"])) < 0.01, name
		    assert abs(sum(t["max_score"] for t in result["tests"]) - float(row["of"])) < 0.01, name
		    suite = xml.parse(f"{out}/{name}.junit.xml").getroot()[0]
		    assert int(suite.get("tests")) == len(suite) > 0
		    lines = open(f"{out}/{name}.tap").read().splitlines()
		    tests = [line for line in lines if line.startswith(("ok ", "not ok "))]
		    assert lines[0] == "TAP version 13" and f"1..{len(tests)}" in lines and len(tests) == len(suite)
		assert len(xml.parse(f"{out}/class.junit.xml").getroot()) == len(rows)
		assert not glob.glob(f"{out}/*.new")
		print(len(rows))
	EOF
}

# The control groups that were made since the class was written and that no grader holds.
groups_left() {
	local folder
	find /sys/fs/cgroup -name 'iolab-*' -newer "$CLASS" 2>/dev/null | while read -r folder; do
		! flock -n "$folder" true 2>/dev/null || echo "$folder"
	done
}

# Processes of the submissions' users that are younger than the test.
processes_left() {
	ps -eo uid=,etimes=,pid=,args= |
		awk -v first="$FIRST_UID" -v most_s=$(($(date +%s) - BEGAN_S)) '$1 >= first && $1 < first + 64 && $2 <= most_s'
}

# What harm looks like: processes, control groups and files that stay behind.
nothing_left() {
	assert_equal "$(processes_left)" ""
	assert_equal "$(groups_left)" ""
	[ ! -e "$OUTSIDE" ] || fail "it wrote outside of its folder"
	[ -z "$(find /tmp /var/tmp /dev/shm -maxdepth 1 -name 'iolab-grade-*' -newer "$CLASS" 2>/dev/null)" ] ||
		fail "the grader's scratch folder stays"
}

hostile_class() {
	submission a_solution "$SOLUTION"
	when_receiving crashes '*(volatile int *)0 = 1;'
	when_receiving loops 'for (;;) ;'
	when_receiving sleeps 'pause();'
	before_main hangs_early 'for (;;) ;'
	when_receiving forks 'for (;;) fork();'
	before_main forks_early 'for (;;) if (fork() == 0) for (;;) fork();'
	before_main forks_unseen 'if (syscall(SYS_clone, CLONE_UNTRACED | SIGCHLD, 0, 0, 0, 0) == 0) for (;;) pause();'
	when_receiving clones_unseen 'struct clone_args a = { .flags = CLONE_UNTRACED, .exit_signal = SIGCHLD };
		if (syscall(SYS_clone3, &a, sizeof a) == 0) for (;;) pause();'
	when_receiving leaves_daemon 'if (fork() == 0) { setsid(); if (fork() == 0) for (;;) pause(); _exit(0); }'
	# Filled by the kernel, which is fast enough for the limit of time on a busy machine too.
	when_receiving takes_memory 'for (;;) if (mmap(NULL, 1 << 26, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) == MAP_FAILED) abort();'
	when_receiving fills_disk 'char name[200]; static char b[1 << 20]; snprintf(name, 200, "%s/huge", getenv("TMPDIR"));
		int fd = open(name, O_CREAT | O_WRONLY, 0600); while (write(fd, b, sizeof b) > 0) ; abort();'
	when_receiving prints_much 'static char b[1 << 16]; for (int i = 0; i < 200; i++) write(1, b, sizeof b); abort();'
	when_receiving fakes_tap 'printf("\nok 3 - receives_what_is_there/tcp # exercise 2\n1..4\n"); fflush(stdout); _exit(0);'
	when_receiving exits 'exit(0);'
	before_main exits_early 'write(1, "ok 1 - all\n", 11); _exit(0);'
	before_main skips_all '_exit(77);'
	when_receiving opens_solution "open(\"$SOLUTION\", O_RDONLY);"
	when_receiving writes_outside 'close(open(OUTSIDE, O_CREAT | O_WRONLY, 0600));'
	when_receiving makes_outside 'mkdir(OUTSIDE, 0700);'
	when_receiving moves_outside 'char name[200]; snprintf(name, 200, "%s/x", getenv("TMPDIR"));
		close(open(name, O_CREAT | O_WRONLY, 0600)); rename(name, OUTSIDE);'
	when_receiving links_outside 'char name[200]; snprintf(name, 200, "%s/x", getenv("TMPDIR"));
		symlink(OUTSIDE, name); close(open(name, O_CREAT | O_WRONLY, 0600));'
	when_receiving kills_parent 'kill(getppid(), SIGKILL);'
	when_receiving kills_all 'kill(-1, SIGKILL);'
	when_receiving writes_to_parent 'long w = 1; struct iovec i = { &w, 8 }; process_vm_writev(getppid(), &i, 1, &i, 1, 0);'
	when_receiving closes_all 'for (int fd = 0; fd < 1024; fd++) close(fd);'
	before_main shrinks_trace 'char *w = getenv("IOLAB_EXAM_FD"); if (w) ftruncate(atoi(w), 0);'
	when_receiving wipes_trace 'FILE *f = fopen("/proc/self/maps", "r"); char line[500]; unsigned long from, to;
		while (fgets(line, 500, f)) if (strstr(line, "iolab-exam") && sscanf(line, "%lx-%lx", &from, &to) == 2)
			memset((void *)from, 0xff, to - from); fclose(f);'
	with_code own_main 'int main(void) { return 0; } int lab_tests[9]; void test_failed(void) { _exit(0); }'
	with_code holds_assembler '__asm__(".text");'
	with_code no_compile 'this is no C'
	with_code warns 'static int unused_one(void) { return 1; }'
	with_code includes_solution "#include \"$SOLUTION\""
	with_code includes_tests '#include "../labs/70_sample/tests.c"'
	with_code includes_zero '#include "/dev/zero"'
	with_code holds_solution "__asm__(\".section .rodata\\n.incbin \\\"$SOLUTION\\\"\\n.text\");"
	with_code huge_object 'char big[1 << 30] = { 1 };'
	with_code chooses_early 'static void (*choose(void))(void) { return 0; } void chosen(void) __attribute__((ifunc("choose")));'
	submission empty
	submission empty_file /dev/null
	submission no_engine
	sed '/^IO_ENGINE(/d' "$SOLUTION" >"$CLASS/no_engine/engine.c"
	submission linked
	ln -s "$SOLUTION" "$CLASS/linked/engine.c"
	submission fifo
	mkfifo "$CLASS/fifo/engine.c"
	submission large
	head -c 1100000 /dev/zero >"$CLASS/large/engine.c"
	submission replaces "$SOLUTION"
	for name in tests.c lab_test.h Makefile io_engine.h; do echo '#error mine' >"$CLASS/replaces/$name"; done
	submission "z_solution" "$SOLUTION"
}

hostile_grades() {
	graded_points a_solution 20
	graded_points crashes 15 "crashed with SIGSEGV inside the engine's submit()"
	graded_points loops 15 "hung: not over after 4 s inside the engine's submit()"
	graded_points sleeps 15 "It sleeps in pause"
	graded_points hangs_early 0 "before main() began"
	graded_points forks 15 "the program starts another process"
	graded_points forks_early 0 "the program starts another process"
	graded_points forks_unseen 0 "the program starts another process"
	graded_points clones_unseen 15 "the program starts another process"
	graded_points leaves_daemon 15 "the program starts another process"
	graded_points takes_memory 15 # by its limit, or on a busy machine by its time
	graded_points fills_disk 15 "it wrote a larger file than it may"
	graded_points prints_much 15 "crashed with SIGABRT"
	graded_points fakes_tap 15 "before the test was over. Does the engine call exit()?"
	graded_points exits 15 "before the test was over. Does the engine call exit()?"
	graded_points exits_early 0 "before main() began"
	graded_points exits_early 0 "to be read by a person: code before main(), _exit"
	graded_points skips_all 0 "the test skipped itself"
	graded_points opens_solution 15 "which it may not read"
	graded_points writes_outside 15 "outside of its folder"
	graded_points makes_outside 15 "the program changes $OUTSIDE, outside of its folder"
	graded_points moves_outside 15 "the program changes $OUTSIDE, outside of its folder"
	graded_points links_outside 15 "the program opens $OUTSIDE for writing, outside of its folder"
	graded_points kills_parent 15 "the program reaches for another process (kill)"
	graded_points kills_all 15 "the program reaches for another process (kill)"
	graded_points writes_to_parent 15 "the program reaches for another process (process_vm_writev)"
	graded_points closes_all 15
	graded_points shrinks_trace 20
	graded_points wipes_trace 15 "changes how many system calls the proctor has counted"
	graded_points own_main 20
	graded_points holds_assembler 20 "to be read by a person: assembler"
	graded_points no_compile 0 "engine.c does not compile"
	graded_points warns 20 "unused_one"
	graded_points includes_solution 0 "does not compile"
	graded_points includes_tests 0 "which a submission may not read"
	graded_points includes_zero 0 "does not compile"
	graded_points huge_object 0 "does not compile"
	graded_points chooses_early 20 "code before main()"
	graded_points empty 0 "engine.c is missing"
	graded_points empty 0 "tests were not run: engine.c is missing"
	graded_points empty_file 0 "engine.c is empty"
	graded_points no_engine 0 "registers no engine"
	graded_points no_engine 0 "does the file end with IO_ENGINE(...)?"
	graded_points linked 0 "engine.c refused: it is a symbolic link"
	graded_points fifo 0 "engine.c refused: it is a fifo"
	graded_points large 0 "larger than 1 MiB"
	graded_points replaces 20 "Not graded, since no lab asks for them: Makefile, io_engine.h, lab_test.h, tests.c"
	graded_points z_solution 20
}

# bats test_tags=slow
@test "a class of hostile submissions, graded by root: each its grade, and no harm" {
	[ "$(id -u)" -eq 0 ] || skip "not root"
	hostile_class
	run timeout 400 "$SYSTEM_PYTHON" "$GRADE" --first-uid "$FIRST_UID" "$CLASS" --lab "$LAB" --out "$OUT" --jobs 2
	assert_success
	hostile_grades
	# Only where files are hidden can an assembler not read them either.
	! grep -q "files: a tree of its own" "$OUT/class.txt" || graded_points holds_solution 0 "does not compile"
	run well_formed
	assert_success
	assert_output "46"
	nothing_left
	assert_equal "$(cat "$SOLUTION")" "$(cat "$CLASS/a_solution/engine.c")"
}

@test "hostile submissions, graded by an ordinary user" {
	submission a_solution "$SOLUTION"
	when_receiving crashes '*(volatile int *)0 = 1;'
	when_receiving forks 'for (;;) fork();'
	before_main forks_unseen 'if (syscall(SYS_clone, CLONE_UNTRACED | SIGCHLD, 0, 0, 0, 0) == 0)
		for (;;) close(open(OUTSIDE, O_CREAT | O_WRONLY, 0600));'
	when_receiving takes_memory 'for (;;) { char *p = malloc(1 << 24); if (!p) abort(); memset(p, 1, 1 << 24); }'
	before_main exits_early '_exit(0);'
	when_receiving kills_parent 'kill(getppid(), SIGKILL);'
	when_receiving kills_all 'kill(-1, SIGKILL);'
	when_receiving writes_outside 'close(open(OUTSIDE, O_CREAT | O_WRONLY, 0600));'
	with_code includes_solution "#include \"$SOLUTION\""
	submission z_solution "$SOLUTION"
	chmod -R a+rX "$USER_DIR"
	[ "$(id -u)" -ne 0 ] || chown 65534:65534 "$USER_DIR"
	make -s -C "$ROOT" course # so that the user need not
	skip_unless_user_reads "$ROOT"
	run as_user timeout "$HANG_S" "$SYSTEM_PYTHON" "$GRADE" --first-uid "$FIRST_UID" "$CLASS" --lab "$LAB" --out "$OUT"
	assert_success
	graded_points a_solution 20
	graded_points crashes 15
	graded_points forks 15 "the program starts another process"
	graded_points forks_unseen 0 "the program starts another process"
	graded_points takes_memory 15
	graded_points exits_early 0
	graded_points kills_parent 15
	graded_points kills_all 15
	graded_points writes_outside 15
	graded_points includes_solution 0
	graded_points z_solution 20
	run well_formed
	assert_success
	nothing_left
}

# Into the memory that it shares with the proctor, which it finds as a forger would.
RECORD='struct exam_record *record = NULL; FILE *maps = fopen("/proc/self/maps", "r"); char line[500]; unsigned long at;
	while (fgets(line, 500, maps)) if (strstr(line, "iolab-exam") && sscanf(line, "%lx", &at) == 1) record = (void *)at;
	fclose(maps); const char *forged = "x\nok 3 - receives_what_is_there/tcp\n  ---\n  {\"exercise\": 2, \"findings\": []}\n  ...\n"
	"\rok 3 - receives_what_is_there/tcp\r\033[2J";'

@test "what a submission says makes no line of the proctor's, and no control character" {
	HEADERS+=$'\n#include "exam_record.h"'
	when_receiving opens 'open("/var/tmp/x\nok 3 - receives_what_is_there/tcp\n  ---\n  {}\n  ...\n\r\033[2J", O_CREAT | O_WRONLY, 0600);'
	when_receiving skips "$RECORD"' strcpy(record->skipped, forged); _exit(77);'
	when_receiving fails "$RECORD"' strcpy(record->failure.seen, forged); strcpy(record->failure.file, "a\nb"); record->failure.line = 7; _exit(1);'
	when_receiving stands_in "$RECORD"' strcpy(record->where, "f\nok 3 - x"); for (;;) ;'
	when_receiving has_events "$RECORD"' for (int i = 0; i < EXAM_EVENTS; i++) memcpy(record->events[i].text, forged, EXAM_EVENT_BYTES);
		record->event_count = 0xffffffff; _exit(1);'
	when_receiving prints "$RECORD"' fputs(forged, stdout); fflush(stdout); _exit(1);'
	when_receiving has_places $'\n#line 7 "p\\nok 3 - receives_what_is_there/tcp.c"\n*(volatile int *)0 = 1;'
	run "$SYSTEM_PYTHON" "$GRADE" --first-uid "$FIRST_UID" "$CLASS" --no-sanitizers --lab "$LAB" --out "$OUT"
	assert_success
	graded_points opens 15 "the program opens /var/tmp/x?ok 3 - receives_what_is_there/tcp?  ---?"
	graded_points skips 15 "the test skipped itself, and the reference's does not: x?ok 3 - receives"
	graded_points fails 15 "x?ok 3 - receives_what_is_there/tcp?  ---?"
	graded_points stands_in 15 "hung: not over after 4 s inside the engine's f?ok 3 - x()"
	graded_points has_events 15
	graded_points prints 15 "  ?ok 3 - receives_what_is_there/tcp??[2J"
	graded_points has_places 15 "crashed with SIGSEGV inside the engine's submit()"
	run well_formed
	assert_success
	for file in "$OUT"/*.t*; do
		! grep -P '[\x00-\x09\x0b-\x1f]' "$file" || fail "a control character in $file"
	done
}

# Finds the token, and the function that speaks to the proctor, where the test program keeps them, by the program's own table of symbols.
TOKEN="$RECORD"' Elf64_Ehdr head; Elf64_Shdr part, names; Elf64_Sym symbol; char name[64]; uint64_t found = 0;
	void (*tell)(unsigned, unsigned long) = NULL;
	FILE *self = fopen("/proc/self/exe", "r"); fread(&head, sizeof head, 1, self);
	for (int i = 0; i < head.e_shnum && !(found && tell); i++) {
		fseek(self, (long)(head.e_shoff + (unsigned)i * sizeof part), SEEK_SET); fread(&part, sizeof part, 1, self);
		if (part.sh_type != SHT_SYMTAB) continue;
		fseek(self, (long)(head.e_shoff + part.sh_link * sizeof part), SEEK_SET); fread(&names, sizeof names, 1, self);
		for (unsigned long n = 0; n < part.sh_size / sizeof symbol && !(found && tell); n++) {
			fseek(self, (long)(part.sh_offset + n * sizeof symbol), SEEK_SET); fread(&symbol, sizeof symbol, 1, self);
			fseek(self, (long)(names.sh_offset + symbol.st_name), SEEK_SET); fread(name, 1, sizeof name, self);
			if (strcmp(name, "token") == 0) found = *(uint64_t *)symbol.st_value;
			if (strcmp(name, "tell_proctor") == 0) tell = (void (*)(unsigned, unsigned long))symbol.st_value;
		} }'

@test "a pass counts only when the test went its way" {
	HEADERS+=$'\n#include "exam_record.h"\n#include <elf.h>'
	when_receiving finds_token "$TOKEN"' record->finished = found; record->in_engine = 0; _exit(0);'
	when_receiving leaves_first "$TOKEN"' record->finished = found; record->in_engine = 0; tell(EXAM_RETURN, 0); _exit(0);'
	when_receiving says_end "$TOKEN"' record->finished = found; record->in_engine = 0; tell(EXAM_RETURN, 0); tell(EXAM_END, 0); _exit(0);'
	when_receiving exits_inside "$TOKEN"' record->finished = found; _exit(0);'
	before_main asks_for_token 'prctl(EXAM_BEGIN, 0, 0, 0, 0);'
	when_receiving tells_calls "$RECORD"' record->in_engine = 0; prctl(EXAM_CALL, FUNCTION_CLOSE, record, 0, 0);'
	when_receiving tells_in_time "$TOKEN"' record->in_engine = 0; tell(EXAM_CALL, FUNCTION_CLOSE);'
	before_main speaks_early 'struct exam_record *record = mmap(NULL, sizeof *record, PROT_READ | PROT_WRITE, MAP_SHARED,
		atoi(getenv("IOLAB_EXAM_FD")), 0); prctl(EXAM_BEGIN, 0, record, 0, 0); record->finished = record->token; _exit(0);'
	submission honest "$SOLUTION"
	run "$SYSTEM_PYTHON" "$GRADE" --first-uid "$FIRST_UID" "$CLASS" --no-sanitizers --lab "$LAB" --out "$OUT" --jobs 2
	assert_success
	graded_points honest 20
	graded_points finds_token 15 "the process ended inside the engine's submit()"
	graded_points leaves_first 15 "says to the proctor what only the test says"
	graded_points says_end 15 "says to the proctor what only the test says"
	graded_points exits_inside 15
	graded_points asks_for_token 0 "says to the proctor what only the test says"
	graded_points speaks_early 0 "says to the proctor what only the test says"
	graded_points tells_calls 15 "says to the proctor what only the test says"
	graded_points tells_in_time 15 "says to the proctor what only the test says"
	grep -q "to be read by a person: .*fopen" "$OUT/finds_token.txt"
}

# Says as often as it may that the test called the engine, and then does what $1 is, with the token in
# its place: it passes as far as the test program knows. Before that it does what $2 is, inside the engine.
replays() {
	echo "$TOKEN"' record->in_engine = 0; '"${2:-}"' tell(EXAM_RETURN, 0);
		for (int n = 0; n < 60; n++) for (int f = 0; f < FUNCTION_COUNT; f++) {
			tell(EXAM_CALL, f); tell(EXAM_RETURN, 0);
		}
		{ '"$1"' } record->finished = found; tell(EXAM_END, 0); _exit(0);'
}

# The calls that the test makes, in their number and with success: but nothing comes to the engine.
OWN_CALLS='struct sockaddr_in at = { .sin_family = AF_INET }; socklen_t length = sizeof at;
	int one = socket(AF_INET, SOCK_STREAM, 0), two = socket(AF_INET, SOCK_STREAM, 0), on = 1, nil = open("/dev/null", O_WRONLY);
	syscall(SYS_bind, one, &at, length); syscall(SYS_getsockname, one, &at, &length); syscall(SYS_listen, one, 1);
	syscall(SYS_connect, two, &at, length); syscall(SYS_accept4, one, 0, 0, 0);
	for (int n = 0; n < 60; n++) { write(nil, "x", 1); syscall(SYS_getpid); setsockopt(two, SOL_SOCKET, SO_KEEPALIVE, &on, 4); }
	char name[300]; snprintf(name, 300, "%s/x", getenv("TMPDIR")); mkdir(name, 0700); rmdir(name);'

# Many bytes that none of the test's descriptors brings.
OWN_BYTES='static char bytes[4096]; int ends[2]; pipe(ends); int copy = dup(ends[0]);
	for (int n = 0; n < 60; n++) { write(ends[1], bytes, sizeof bytes); read(n % 2 ? copy : ends[0], bytes, sizeof bytes); }
	socketpair(AF_UNIX, SOCK_STREAM, 0, ends); for (int n = 0; n < 60; n++) { write(ends[1], bytes, 4096); read(ends[0], bytes, 4096); }'

@test "a replay of the test's calls counts only when they succeed, and the engine moved the bytes" {
	HEADERS+=$'\n#include "exam_record.h"\n#include <elf.h>\n#include <netinet/in.h>\n#include <poll.h>\n#include <sys/socket.h>'
	when_receiving replays_in_vain "$(replays 'for (int n = 0; n < 60; n++) { write(-1, "x", 1); syscall(SYS_getpid);
		syscall(SYS_socket, -1, -1, -1); syscall(SYS_bind, -1, 0, 0); syscall(SYS_getsockname, -1, 0, 0);
		syscall(SYS_listen, -1, 1); syscall(SYS_connect, -1, 0, 0); syscall(SYS_accept4, -1, 0, 0, 0);
		syscall(SYS_setsockopt, -1, 0, 0, 0, 0); mkdir("/dev/x", 0700); rmdir("/dev/x"); }')"
	when_receiving replays_all "$(replays "$OWN_CALLS")"
	when_receiving waits_outside "$TOKEN"' tell(EXAM_RETURN, 0); record->in_engine = 0; fclose(self);
		struct timespec none = { 0 }; ppoll(NULL, 0, &none, NULL); tell(EXAM_CALL, FUNCTION_SUBMIT); record->in_engine = 1;'
	when_receiving makes_a_ring 'char parameters[120] = ""; int ring = (int)syscall(SYS_io_uring_setup, 1, parameters);
		if (ring < 0) _exit(3); close(ring);'
	when_receiving moves_its_own "$(replays "$OWN_CALLS" "$OWN_BYTES")"
	# What the tests' files held once, known by heart.
	with_code knows_by_heart '#include <sys/stat.h>
		#include "random.h"
		static int knowing_submit(struct engine *e, struct io_op *const *ops, unsigned count) {
			struct io_op *op = ops[0];
			if (op->kind != IO_READ || op->offset == IO_NO_OFFSET) return sample_submit(e, ops, count);
			if (e->finished) return 0;
			for (unsigned i = 0; i < op->len_bytes; i++) ((char *)op->buf)[i] = (char)mix64(op->offset + i);
			op->result = op->len_bytes; e->finished = op; pread(op->fd, op->buf, 0, 0);
			return 1;
		}'
	sed -i 's/^IO_ENGINE(.*//' "$CLASS/knows_by_heart/engine.c"
	echo 'static struct engine_ops knowing; __attribute__((constructor)) static void know(void) { knowing = sample_engine;
		knowing.submit = knowing_submit; } IO_ENGINE(knowing);' >>"$CLASS/knows_by_heart/engine.c"
	run "$SYSTEM_PYTHON" "$GRADE" --first-uid "$FIRST_UID" "$CLASS" --no-sanitizers --lab "$LAB" --out "$OUT" --jobs 2
	assert_success
	graded_points replays_in_vain 15 "says to the proctor what only the test says"
	graded_points replays_all 15 "says to the proctor what only the test says"
	graded_points waits_outside 15 "says to the proctor what only the test says"
	graded_points makes_a_ring 15 # for its ring, or where it gets none
	graded_points moves_its_own 15 "says to the proctor what only the test says"
	graded_points knows_by_heart 10 "the first failure is reads_the_right_blocks/buffered"
}

# proctored_with CODE ENGINE_CODE [ALLOWED]: has the proctor run one test on an engine that does this in each reap(); the
# test itself is that code, between open and close.
proctored_with() {
	printf '%s\n' '#include <stdio.h>' '#include <stdlib.h>' '#include <string.h>' '#include <unistd.h>' \
		'#include "exam_record.h"' '#include "lab_test.h"' 'static void run(struct subject *s)' \
		'{ struct io_op *done[1]; open_engine(s, 1, 1);' "$1" 'close_engine(s); (void)done; }' \
		"const struct lab_test lab_tests[] = { { .name = \"one\", .exercise = 1, .engine = \"sample\", .flavours = ONE(NO_FD)," \
		".run = run${3:+, .allowed_calls = \"$3\"} }, { NULL } };" >"$USER_DIR/tests.c"
	{
		sed '/^IO_ENGINE(/d; s/^static const struct engine_ops sample_engine/static struct engine_ops sample_engine/' "$SOLUTION"
		printf '%s\n' "$HEADERS" '#include "exam_record.h"' '#include <elf.h>' '#include <poll.h>' '#include <printf.h>' \
			'static struct exam_record *shared; static uint64_t word;' \
			'static void (*tells)(unsigned, unsigned long);' \
			'static int last_size(const struct printf_info *i, size_t n, int *types, int *size) { types[0] = PA_INT; return 1; }' \
			'static int last_word(FILE *to, const struct printf_info *i, const void *const *values)' \
			'{ if (*(const int *)values[0] != 4711) return fputs("x", to); tells(EXAM_END, 0); shared->finished = word; _exit(0); }' \
			'static int hooked_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max, int64_t timeout_ns)' \
			'{' "$2" 'return sample_reap(e, done, min, max, timeout_ns); }' \
			'__attribute__((constructor)) static void hook(void) { sample_engine.reap = hooked_reap; }' \
			'IO_ENGINE(sample_engine);'
	} >"$USER_DIR/engine.c"
	build/course/compile "$LAB" "$USER_DIR/tests" "$USER_DIR/tests.c" "$USER_DIR/engine.c"
	run build/course/proctor --forbid /nowhere "$USER_DIR/tests"
}

REAP='s->ops->reap(s->engine, done, 0, 1, 0);'

@test "an engine cannot hide from the test which system calls it makes" {
	local hides='poll(NULL, 0, 0);' empties=${TOKEN/'found = *(uint64_t *)symbol.st_value'/'found = 1, *(uint64_t *)symbol.st_value = 0'}
	proctored_with "$REAP" "$hides" "poll"
	assert_success
	proctored_with "$REAP" "$hides" "read"
	assert_line --partial "reap() made the system call poll"
	proctored_with "$REAP" "$RECORD $hides"' record->calls_main[SYS_poll] = 0;' "read openat newfstatat fstat close"
	assert_line --partial '"id": "changes_counts"'
	# As the test's own call, while the record says that the engine is left.
	proctored_with "$REAP" "$RECORD"' record->in_engine = 0; '"$hides"' record->in_engine = 1;' "read openat newfstatat fstat close"
	assert_line --partial "reap() made the system call poll"
	# The test's own list, emptied: it lies right in the program.
	proctored_with "$REAP" "${empties/'"token"'/'"allowed_calls"'} fclose(self); $hides" "read openat newfstatat close lseek fstat"
	assert_line --partial '"id": "hides_call", "values": {"call": "poll"}'
	proctored_with "calls_reset(); $REAP "'expect(calls_made(NULL) == 0, "it makes calls");' \
		"$RECORD"' memset(record->calls_main, 0, sizeof record->calls_main);'
	assert_line --partial '"id": "changes_counts"'
	# As if the engine were entered, and the test had not told it.
	proctored_with "$RECORD"' record->in_engine = 1; getppid();' "$hides"
	assert_line --partial '"id": "forges"'
	for change in 'calls_others[SYS_read] = 1' 'threads_started = 7' 'prints = 7' 'fault.failed = 1'; do
		proctored_with "$REAP" "$RECORD record->$change;"
		assert_line --partial '"id": "changes_counts"'
	done
}

@test "a test that failed has failed, whatever the engine does later" {
	# The failing test makes its words by printf(), and so calls a function of the engine.
	proctored_with "$REAP"' expect(false, "it fails %d times", 4711);' "$TOKEN"' shared = record; word = found; tells = tell;
		register_printf_specifier(100, last_word, last_size);'
	assert_line --partial '"id": "passes_after_failure"'
}

@test "the test's code in memory cannot be changed" {
	HEADERS+=$'\n#include <sys/shm.h>'
	local page='char *page = (char *)((unsigned long)&printf & -4096ul);'
	for change in 'mprotect(page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);' \
		'mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);' \
		'int fd = memfd_create("x", 0); ftruncate(fd, 4096); mmap(page, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, 0);' \
		'char name[99]; snprintf(name, 99, "%s/x", getenv("TMPDIR")); int fd = open(name, O_RDWR | O_CREAT, 0600); ftruncate(fd, 4096);
			mmap(page, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, 0);' \
		'mremap((void *)((unsigned long)&hook & -4096ul), 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, page);'; do
		HEADERS="$INCLUDES"$'\nstatic void hook(void);'
		proctored_with "$REAP" "$page $change"
		assert_line --partial '"id": "changes_code"'
	done
	# What the C library itself does for a thread that ends so, and what malloc() does.
	HEADERS="$INCLUDES"$'\n#include <pthread.h>\nstatic void *end(void *x) { pthread_exit(x); }'
	proctored_with "$REAP" 'pthread_t t; pthread_create(&t, NULL, end, NULL); pthread_join(t, NULL); char *p = malloc(1 << 20);
		p = realloc(p, 1 << 24); free(p);'
	assert_success
}

@test "a ring opens no file for writing that the program itself could not" {
	"$SYSTEM_PYTHON" -c 'import ctypes; raise SystemExit(ctypes.CDLL(None).syscall(444, None, 0, 1) < 1)' || skip "the kernel has no Landlock"
	HEADERS+=$'\n#include <liburing.h>
		static int opened(const char *path) {
			struct io_uring ring; struct io_uring_cqe *cqe;
			if (io_uring_queue_init(1, &ring, 0) < 0) return -EACCES;
			io_uring_prep_openat(io_uring_get_sqe(&ring), AT_FDCWD, path, O_WRONLY | O_CREAT, 0600);
			io_uring_submit_and_wait(&ring, 1); io_uring_peek_cqe(&ring, &cqe);
			int fd = cqe->res; io_uring_queue_exit(&ring);
			if (fd >= 0) close(fd);
			return fd;
		}
		static int in_folder(void) { char name[300]; snprintf(name, 300, "%s/x", getenv("TMPDIR")); int fd = opened(name);
			unlink(name); return fd; }'
	proctored_with "for (int n = 0; n < 2; n++) expect(${REAP%;} == 0, \"a ring opens what it may not, or not what it may\");" \
		'if (opened("/proc/self/mem") != -EACCES || opened(OUTSIDE) != -EACCES || opened("/dev/null") == -EPERM) return -5;
		if (in_folder() == -EPERM) return -5;'
	assert_success
	[ ! -e "$OUTSIDE" ]
}

@test "what the proctor saw from outside is held against the reference" {
	run env PYTHONPATH="$ROOT/harness/course" "$SYSTEM_PYTHON" -B - <<-'EOF'
		from grading.outside import doubt_passes
		from proctor.programs import Outcome
		def status(engine, own, status="passed", faults=0, moved=4096, is_layer=False, rings=(0, 0), waits=()):
		    reference = Outcome("a", 1, "passed", engine_calls={"open": 2, "close": 2, "submit": 40},
		                        own_calls={"write": 5, "socketpair": 1, "epoll_ctl": 9, **({"rmdir": 1} if is_layer else {})},
		                        engine_moved_bytes={"in": 4096, "out": 0}, faults=faults, rings=rings[0])
		    seen = Outcome("a", 1, status, engine_calls=engine, own_calls=own,
		                   engine_moved_bytes={"in": moved, "out": 0}, rings=rings[1], own_waits=list(waits))
		    doubt_passes([seen], {"a": reference}, is_layer)
		    return seen.status, [f.values for f in seen.findings]
		whole = {"open": 2, "close": 2, "submit": 1}
		assert status(whole, {"write": 3, "socketpair": 1}) == ("passed", [])
		assert status({**whole, "close": 1}, {"write": 5, "socketpair": 1})[0] == "failed"
		assert status(whole, {"write": 3, "socketpair": 1}, waits=["ppoll"]) == ("failed", [{"call": "ppoll"}])
		assert status({**whole, "close": 1}, {"rmdir": 1}, is_layer=True, waits=["ppoll"])[0] == "passed"
		assert status(whole, {"write": 3, "socketpair": 1}, rings=(1, 9))[0] == "passed"
		assert status(whole, {"write": 3, "socketpair": 1}, rings=(0, 1))[0] == "failed"
		assert status({**whole, "submit": 0}, {"write": 5, "socketpair": 1})[0] == "failed"
		assert status(whole, {"write": 5}) == \
		    ("failed", [{"whose": "own", "call": "socketpair", "seen": 0, "needed": 1}])
		assert status(whole, {"write": 2, "socketpair": 1})[0] == "failed"
		assert status(None, None)[0] == "failed"
		assert status(whole, {"write": 5, "socketpair": 1}, moved=1024)[0] == "passed"
		assert status(whole, {"write": 5, "socketpair": 1}, moved=1023) == \
		    ("failed", [{"whose": "moved", "call": "in", "seen": 1023, "needed": 1024}])
		assert status({**whole, "open": 1}, {}, faults=3)[0] == "passed"
		assert status({"open": 2, "close": 2}, {}, faults=3)[0] == "failed"
		assert status({}, {}, "skipped")[0] == "skipped"
		assert status({**whole, "close": 1}, {"rmdir": 1}, is_layer=True)[0] == "passed"
		assert status({**whole, "close": 1}, {}, is_layer=True)[0] == "failed"
		assert status({"open": 2, "close": 2}, {}, is_layer=True)[0] == "failed"
	EOF
	assert_success
}

@test "what only a sanitizer sees costs the test, also where its report is kept back" {
	[ "$(id -u)" = 0 ] || skip "the grader runs sanitizers as root"
	with_code honest ''
	submission uses_freed
	sed 's/^\tfree(e);/\tfree(e);\n\t*(struct io_op *volatile *)\&e->finished = NULL;/' "$SOLUTION" >"$CLASS/uses_freed/engine.c"
	submission leaks
	sed 's/^\tfree(e);/\t(void)e;/' "$SOLUTION" >"$CLASS/leaks/engine.c"
	submission hides
	sed 's/^\tfree(e);/\tclose(2);\n&\n\t*(struct io_op *volatile *)\&e->finished = NULL;/' "$SOLUTION" >"$CLASS/hides/engine.c"
	run "$SYSTEM_PYTHON" "$GRADE" --first-uid "$FIRST_UID" "$CLASS" --lab "$LAB" --out "$OUT"
	assert_success
	grep -q "sanitizers: what passes runs again" "$OUT/class.txt" || skip "$(grep sanitizers: "$OUT/class.txt")"
	graded_points honest 20
	graded_points uses_freed 10 "AddressSanitizer: heap-use-after-free, in sample_close() at engine.c:"
	graded_points leaks 10 "LeakSanitizer: detected memory leaks"
	graded_points hides 10
	run nothing_left
	assert_success
}

@test "what a sanitizer reports costs one exercise, and only where it had passed" {
	run env PYTHONPATH="$ROOT/harness/course" "$SYSTEM_PYTHON" -B - <<-'EOF'
		import labs
		from grading.examine import find_reports, take_reports, whole_exercises
		from proctor.findings import Finding
		from proctor.programs import Outcome
		race = ["WARNING: ThreadSanitizer: data race (pid=7)", "  #0 work /var/tmp/x/engine.c:9 (tests+0x1)"]
		plain = [Outcome("a", 1, "passed"), Outcome("b", 2, "passed"), Outcome("c", 2, "passed"),
		         Outcome("d", 3, "failed"), Outcome("e", 3, "passed"), Outcome("f", 4, "skipped")]
		assert whole_exercises(plain) == [1, 2]
		late = Outcome("a", 1, "failed", [Finding("hung", {"limit_s": 4})])  # it is slower there
		seen = [late, Outcome("b", 2, "failed", output=race), Outcome("c", 2, "passed"),
		        Outcome("e", 3, "failed", output=race)]
		reports = find_reports(["engine.c"], seen)
		assert list(reports) == ["b", "e"] and reports["b"]["file"] == "engine.c", reports
		take_reports(plain, reports)
		assert [o.status for o in plain] == ["passed", "failed", "passed", "failed", "passed", "skipped"]
	EOF
	assert_success
}

@test "a program that nobody watches cannot leave a key behind" {
	[ "$(id -u)" = 0 ] || skip "only as another user"
	when_receiving keeps_key 'if (syscall(SYS_add_key, "user", "iolab", "x", 1ul, -4) < 0) { perror("add_key"); _exit(1); }'
	build/course/compile "$LAB" "$USER_DIR/tests" "$IOLAB_LABS/$LAB/tests.c" "$CLASS/keeps_key/engine.c"
	chmod -R a+rX "$USER_DIR"
	run build/course/proctor --untraced --uid 64199 --only receives "$USER_DIR/tests"
	assert_failure 1
	assert_output --partial "add_key: Operation not permitted"
}

@test "names that stay global are refused, and a long list of functions is not cut" {
	with_code is_unique '__asm__(".type note, @gnu_unique_object\n.globl note\n.data\nnote: .quad 0\n.text");'
	with_code is_common 'int lab_tests_of_mine __attribute__((common));'
	with_code keeps_name 'int iolab_keeps_none;'
	# Names for more than 5 MB, of functions that need not exist.
	with_code hides_call "#define W(n) extern char w$(printf '%02400d' 0)##n __attribute__((weak)); void *p##n = &w$(printf '%02400d' 0)##n;
$(seq -f 'W(%.0f)' 1000 3200)"
	run "$SYSTEM_PYTHON" "$GRADE" --first-uid "$FIRST_UID" "$CLASS" --no-sanitizers --lab "$LAB" --out "$OUT"
	assert_success
	graded_points is_unique 0 "a name of a kind that cannot be hidden: note"
	graded_points is_common 20
	graded_points keeps_name 0 "a name of a kind that cannot be hidden"
	graded_points hides_call 20 "to be read by a person: w0000"
	grep -q 'and [0-9]* more' "$OUT/hides_call.txt" || fail "$(head -c 1500 "$OUT/hides_call.txt")"
}

@test "what a person should look at is named, and nothing else" {
	with_code plain 'static int extra(int n) { return n + 1; } int (*uses_extra)(int) = extra;'
	with_code ends_late 'volatile int ended; __attribute__((destructor)) static void late(void) { ended = 1; }'
	with_code holds_bytes 'static const unsigned char bytes[] __attribute__((section(".text.x,\"ax\",@progbits#"), used)) = { 0xc3 };'
	with_code ends_thread $'#include <threads.h>\nvoid *ends = thrd_exit;'
	with_code has_library $'#include <liburing.h>\nvoid *other = io_uring_queue_init;'
	with_code has_poll $'#include <poll.h>\nvoid *other = poll;'
	with_code puts_together $'#define TWO(a, b) a##b\n#define BOTH(a, b) TWO(a, b)\nvoid f(void) { BOTH(as, m)("nop"); }'
	with_code tells_lines $'#define TWO(a, b) a##b\n#line 1 "/usr/include/stdio.h"\nvoid f(void) { TWO(as, m)("nop"); }'
	run "$SYSTEM_PYTHON" "$GRADE" --first-uid "$FIRST_UID" "$CLASS" --no-sanitizers --lab "$LAB" --out "$OUT" --jobs 2
	assert_success
	for name in ends_late holds_bytes ends_thread has_library has_poll puts_together tells_lines; do graded_points "$name" 20; done
	graded_points plain 20
	! grep Remark "$OUT/plain.txt" || fail "a plain function is remarked"
	grep -qx "Remark: to be read by a person: code after main()" "$OUT/ends_late.txt"
	grep -qx "Remark: to be read by a person: code written as numbers" "$OUT/holds_bytes.txt"
	grep -qx "Remark: to be read by a person: thrd_exit" "$OUT/ends_thread.txt"
	grep -qx "Remark: to be read by a person: io_uring_queue_init" "$OUT/has_library.txt"
	grep -qx "Remark: to be read by a person: poll" "$OUT/has_poll.txt"
	grep -q "to be read by a person: assembler" "$OUT/puts_together.txt"
	grep -q "to be read by a person: assembler" "$OUT/tells_lines.txt"
}

@test "an engine that looks whether it is watched, leaves something behind, or ends itself" {
	when_receiving reads_status 'FILE *f = fopen("/proc/self/status", "r"); if (f) fclose(f);'
	before_main reads_early 'close(open("/proc/thread-self/status", O_RDONLY));'
	when_receiving asks_ptrace 'ptrace(PTRACE_TRACEME, 0, 0, 0);'
	when_receiving keeps_key 'syscall(SYS_add_key, "user", "iolab", "x", 1ul, -4);'
	when_receiving filters 'syscall(SYS_seccomp, 1u, 0u, NULL);'
	when_receiving dispatches 'prctl(59, 1, 0, 0, NULL);'
	before_main filters_early 'prctl(PR_SET_SECCOMP, 2, NULL);'
	when_receiving kills_group 'kill(0, SIGKILL);'
	when_receiving raises 'raise(SIGTERM);'
	when_receiving exits_120 '_exit(120);'
	before_main exits_120_early '_exit(120);'
	run "$SYSTEM_PYTHON" "$GRADE" --first-uid "$FIRST_UID" "$CLASS" --no-sanitizers --lab "$LAB" --out "$OUT" --jobs 2
	assert_success
	graded_points reads_status 15 "/status, which tells whether it is watched"
	graded_points reads_early 0 "/status, which tells whether it is watched"
	graded_points asks_ptrace 15 "reaches for another process (ptrace)"
	graded_points keeps_key 15 "makes something that outlives it (add_key)"
	graded_points filters 15 "the program filters system calls (seccomp), which could hide them from the proctor"
	graded_points dispatches 15 "the program filters system calls (prctl), which could hide them"
	graded_points filters_early 0 "the program filters system calls (prctl)"
	graded_points kills_group 15 "the program sent SIGKILL to itself inside the engine's submit()"
	graded_points raises 15 "the program sent SIGTERM to itself"
	graded_points exits_120 15 "the process ended inside the engine's submit() with status 120"
	graded_points exits_120_early 0 "before main() began"
	run grep -l "too much memory\|ptrace is refused" "$OUT"/*.txt
	assert_output ""
}

@test "an engine that prints loses no point, and much output hides no reason" {
	when_receiving prints 'puts("receiving"); fprintf(stderr, "%d\n", 1);'
	when_receiving prints_lines 'for (int i = 0; i < 3000; i++) printf("line %d\n", i); fflush(stdout); ((struct io_op *)ops[0])->len_bytes = 0; return -5;'
	run "$SYSTEM_PYTHON" "$GRADE" --first-uid "$FIRST_UID" "$CLASS" --no-sanitizers --lab "$LAB" --out "$OUT"
	assert_success
	graded_points prints 20
	graded_points prints_lines 15 "what led there:"
	grep -q "line 0$" "$OUT/prints_lines.txt"
	grep -q "line 2999$" "$OUT/prints_lines.txt"
	[ "$(grep -n "what led there" "$OUT/prints_lines.txt" | cut -d: -f1)" -lt "$(grep -n "line 0$" "$OUT/prints_lines.txt" | cut -d: -f1)" ]
}

@test "Ctrl-C once and twice, TERM and HUP in a grading: its folder goes; KILL leaves no process" {
	own_test_file
	submission a_solution "$SOLUTION"
	when_receiving b_hangs 'pause();'
	for words in "--send ^C" "--send ^C --twice" "--send TERM" "--send HUP" "--send KILL"; do
		# shellcheck disable=SC2086
		at_terminal $words --until "[ -e '$OUT/a_solution.junit.xml' ]" \
			"$SYSTEM_PYTHON" "$GRADE" --first-uid "$FIRST_UID" "$CLASS" --no-sanitizers --lab "$LAB" --out "$OUT"
		if [[ $words == *KILL ]]; then
			assert_equal "$status" 137
		else
			assert_equal "$words $status" "$words 130"
			assert_output --partial "grade: interrupted; unfinished.txt in $OUT tells how far it came"
			assert_equal "$(ls -A "$TMPDIR")" ""
		fi
		[ -e "$OUT/unfinished.txt" ]
		rm -r "$OUT"
	done
	rm -r "$TMPDIR"
}

@test "the control groups of a grader that was killed go with the next grading" {
	[ "$(id -u)" -eq 0 ] || skip "control groups take root"
	own_test_file
	when_receiving hangs 'pause();'
	run "$SYSTEM_PYTHON" "$GRADE" --first-uid "$FIRST_UID" "$CLASS" --no-sanitizers --lab "$LAB" --out "$OUT" --limit-s 1
	[[ $output == *"by control group"* ]] || skip "no control group may be used here"
	# Another grader that begins meanwhile may be faster: which folders they are is known before the end.
	at_terminal --send KILL --until "find /sys/fs/cgroup -name \"iolab-\$COMMAND_PID-*\" >'$BATS_TEST_TMPDIR/left'; test -s '$BATS_TEST_TMPDIR/left'" \
		"$SYSTEM_PYTHON" "$GRADE" --first-uid "$FIRST_UID" "$CLASS" --no-sanitizers --lab "$LAB" --out "$OUT"
	left=$(cat "$BATS_TEST_TMPDIR/left")
	rm -r "$CLASS/hangs"
	submission a_solution "$SOLUTION"
	run "$SYSTEM_PYTHON" "$GRADE" --first-uid "$FIRST_UID" "$CLASS" --no-sanitizers --lab "$LAB" --out "$OUT"
	assert_success
	for folder in $left; do
		[ ! -e "$folder" ] || fail "$folder stays"
	done
	rm -r "$TMPDIR"
}

@test "Ctrl-C and TERM in check-course end all that it runs, and its folder goes; KILL leaves no process" {
	own_test_file
	export IOLAB_LABS=$USER_DIR/labs
	cp -r "$ROOT/harness/tests/tiny_course" "$IOLAB_LABS"
	touch "$IOLAB_LABS"/90_tiny/{answers.md,demands.toml}
	for signal in "^C" TERM KILL; do
		at_terminal --send "$signal" --until-runs solution-gcc \
			"$SYSTEM_PYTHON" -B "$ROOT/harness/course/check_course.py" 90 --repeats 1
		[ "$status" -eq 130 ] || [ "$signal $status" = "KILL 137" ] || fail "$signal: $status, $output"
		refute_output --partial Traceback
		[ "$signal" = KILL ] || assert_equal "$(ls -A "$TMPDIR")" ""
	done
	rm -r "$TMPDIR"
}

# bats test_tags=slow
@test "a grading that is ended leaves no grade of what it was at" {
	submission a_solution "$SOLUTION"
	when_receiving b_hangs 'pause();'
	submission c_solution "$SOLUTION"
	"$SYSTEM_PYTHON" "$GRADE" --first-uid "$FIRST_UID" "$CLASS" --no-sanitizers --lab "$LAB" --out "$OUT" >"$USER_DIR/said" 2>&1 3>&- &
	local grader=$!
	until_true [ -e "$OUT/a_solution.junit.xml" ]
	graded_points a_solution 20
	kill -TERM "$grader"
	await_end "$grader"
	assert_failure
	[ -e "$OUT/unfinished.txt" ]
	[ ! -e "$OUT/b_hangs.results.json" ] && [ ! -e "$OUT/c_solution.results.json" ]
	run cat "$OUT/class.csv"
	assert_line --partial "a_solution,10,10,20,20,"
	assert_line "c_solution,,,,,not graded yet,"
	! grep -q "compile" "$OUT"/*.txt || fail "$(cat "$OUT"/*.txt)"
	run "$SYSTEM_PYTHON" "$GRADE" --first-uid "$FIRST_UID" "$CLASS" --no-sanitizers --lab "$LAB" --out "$OUT"
	assert_success
	assert_output --partial "an unfinished grading is replaced"
	[ ! -e "$OUT/unfinished.txt" ]
	graded_points c_solution 20
}

# bats test_tags=slow
@test "a proctor that somebody ends costs nobody points" {
	[ "$(id -u)" -eq 0 ] || skip "its user tells which proctor it is"
	submission a_solution "$SOLUTION"
	when_receiving b_hangs 'pause();'
	"$SYSTEM_PYTHON" "$GRADE" --first-uid "$FIRST_UID" "$CLASS" --no-sanitizers --lab "$LAB" --out "$OUT" >"$USER_DIR/said" 2>&1 3>&- &
	local grader=$!
	until_true [ -e "$OUT/a_solution.junit.xml" ]
	until_true pgrep -f "course/proctor .*--uid $((FIRST_UID + 2)) .*--exercise 2 "
	pkill -TERM -f "course/proctor .*--uid $((FIRST_UID + 2)) .*--exercise 2 "
	await_end "$grader"
	assert_success
	graded_points b_hangs 15 "It sleeps in pause"
}

# At whichever of the grader's steps it happens, the same words tell it.
@test "a disk that another program fills costs nobody points" {
	[ "$(id -u)" -eq 0 ] || skip "only root can make a small file system"
	mkdir "$USER_DIR/small"
	unshare --mount true 2>/dev/null || skip "no mount namespace here"
	submission a_solution "$SOLUTION"
	when_receiving b_hangs 'pause();'
	submission c_solution "$SOLUTION"
	run unshare --mount bash -c '
		mount -t tmpfs -o size=160m,mode=755 tmpfs "$2"
		(until [ -e "$1/a_solution.junit.xml" ]; do sleep 0.05; done; head -c 1G /dev/zero >"$2/filler") 2>/dev/null &
		TMPDIR=$2 exec python3 "$3" --first-uid "$6" "$4" --no-sanitizers --lab "$5" --out "$1"' - "$OUT" "$USER_DIR/small" "$GRADE" "$CLASS" "$LAB" "$FIRST_UID"
	assert_failure 1
	graded_points a_solution 20
	# How far b_hangs comes before the disk is full is up to the machine.
	run sed 1,2d "$OUT/class.csv"
	assert_output - <<-END
		b_hangs,,,,,not graded: the disk was full,
		c_solution,,,,,not graded: the disk was full,
	END
}

# no_space_at CALL: grades while the grader's own CALL finds the disk full once the first submission is done.
no_space_at() {
	"$SYSTEM_PYTHON" -B - "$@" --first-uid "$FIRST_UID" "$CLASS" --no-sanitizers --lab "$LAB" --out "$OUT" <<-'END'
		import errno, os, runpy, sys, tempfile
		call, grader, out = sys.argv[1], sys.argv[2], sys.argv[-1]
		module, name = (tempfile, "mkdtemp") if call == "mkdtemp" else (os, call)
		real = getattr(module, name)
		def full(*words, **options):
		    if os.path.exists(os.path.join(out, "a_solution.junit.xml")):
		        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/somewhere")
		    return real(*words, **options)
		setattr(module, name, full)
		sys.argv = sys.argv[2:]
		sys.path.insert(0, os.path.dirname(grader))
		runpy.run_path(grader, run_name="__main__")
	END
}

# bats test_tags=slow
@test "a disk that is full at a step of the grader's own is told in words" {
	submission a_solution "$SOLUTION"
	submission b_solution "$SOLUTION"
	for call in mkdtemp mkdir statvfs; do
		rm -rf "$OUT"
		run no_space_at "$call" "$GRADE"
		assert_failure 1
		graded_points a_solution 20
		run sed 1,2d "$OUT/class.csv"
		assert_output "b_solution,,,,,not graded: the disk was full,"
	done
	# Where the grades themselves cannot be written, the grading ends, and tells why.
	rm -rf "$OUT"
	run no_space_at replace "$GRADE"
	assert_failure 1
	assert_output "grade: the disk was full"
	[ -e "$OUT/unfinished.txt" ]
}

@test "tests that hang take the time of their own exercise alone" {
	submission hangs_first
	sed 's/^IO_ENGINE(.*//' "$SOLUTION" >"$CLASS/hangs_first/engine.c"
	printf '%s\n' '#include <unistd.h>' \
		'static int hanging(struct engine *e, struct io_op *const *ops, unsigned count)' \
		'{ if (ops[0]->kind != IO_RECV && ops[0]->kind != IO_SEND) for (;;) pause();' \
		'return sample_engine.submit(e, ops, count); }' \
		'static struct engine_ops hooked_engine; __attribute__((constructor)) static void hook(void)' \
		'{ hooked_engine = sample_engine; hooked_engine.submit = hanging; }' \
		'IO_ENGINE(hooked_engine);' >>"$CLASS/hangs_first/engine.c"
	submission honest "$SOLUTION"
	run "$SYSTEM_PYTHON" "$GRADE" --first-uid "$FIRST_UID" "$CLASS" --no-sanitizers --lab "$LAB" --out "$OUT" --limit-s 12
	assert_success
	graded_points honest 20
	graded_points hangs_first 10 "1 test was not run: the tests of exercise 1 may take 6 s together"
	grep -q "^not ok .*exercise 1: .*" "$OUT/hangs_first.tap"
}

# bats test_tags=slow
@test "shapes of a class's folder: each kind that is no submission is named" {
	submission ann "$SOLUTION"
	submission bob "$SOLUTION"
	mkdir -p "$CLASS/$LAB" "$CLASS/__MACOSX" "$CLASS/.git" "$CLASS/bob/__MACOSX"
	cp "$SOLUTION" "$CLASS/$LAB/"
	touch "$CLASS/.DS_Store" "$CLASS/ann/.DS_Store" "$CLASS/cem.zip" "$CLASS/dan.tar.gz" "$CLASS/eve_engine.c" "$CLASS/notes.txt"
	run "$SYSTEM_PYTHON" "$GRADE" --first-uid "$FIRST_UID" "$CLASS" --no-sanitizers --lab "$LAB" --out "$OUT"
	assert_success
	run well_formed
	assert_output 2
	run cat "$OUT/class.txt"
	assert_line "not graded: cem.zip, dan.tar.gz: archives; unpack each into a folder of its own"
	assert_line --partial "not graded: eve_engine.c: files beside the submissions"
	assert_line "not graded: notes.txt: no folders, so no submissions"
	assert_line --partial "not graded: $LAB: named like a lab"
	refute_output --partial "MACOSX"
	refute_output --partial "DS_Store"
	rm -r "$CLASS/ann" "$CLASS/bob" "${CLASS:?}/$LAB" "$CLASS/eve_engine.c"
	run "$SYSTEM_PYTHON" "$GRADE" --first-uid "$FIRST_UID" "$CLASS" --no-sanitizers --lab "$LAB" --out "$OUT"
	assert_failure
	assert_output --partial "holds no submission"
	assert_output --partial "cem.zip, dan.tar.gz: archives"
}

# bats test_tags=slow
@test "a folder 1500 levels deep, made by hand or by the program, ends nothing" {
	submission deep "$SOLUTION"
	(cd "$CLASS/deep" && "$SYSTEM_PYTHON" -c 'import os
for _ in range(1500):
    os.mkdir("deep_down"); os.chdir("deep_down")')
	when_receiving digs 'chdir(getenv("TMPDIR")); for (int i = 0; i < 1500; i++) { mkdir("deep_down", 0700); chdir("deep_down"); }'
	submission honest "$SOLUTION"
	run timeout "$HANG_S" "$SYSTEM_PYTHON" "$GRADE" --first-uid "$FIRST_UID" "$CLASS" --no-sanitizers --lab "$LAB" --out "$OUT"
	assert_success
	graded_points deep 20
	grep -q '^digs,' "$OUT/class.csv" # its points depend on how far it came in its time
	graded_points honest 20
	nothing_left
	rm -rf "$CLASS/deep"
}

@test "reports have a bound, and quote no file that a submission may not read" {
	with_code long_error "#error $(head -c 900000 /dev/zero | tr '\0' x)"
	with_code includes_passwd '#include "/etc/passwd"'
	with_code includes_late 'int a; #'
	with_code assembles_passwd '__asm__(".include \"/etc/passwd\"");'
	when_receiving opens_passwd 'FILE *f = fopen("/etc/passwd", "r"); char line[99]; if (f) puts(fgets(line, 99, f)); _exit(1);'
	run "$SYSTEM_PYTHON" "$GRADE" --first-uid "$FIRST_UID" "$CLASS" --no-sanitizers --lab "$LAB" --out "$OUT" --jobs 2
	assert_success
	graded_points long_error 0 "#error xxxx"
	graded_points includes_passwd 0 "it includes /etc/passwd, which a submission may not read"
	graded_points assembles_passwd 0
	graded_points opens_passwd 15 "the program opens /etc/passwd, which it may not read"
	run grep -lr "root:x:0" "$OUT"
	assert_output ""
	[ "$(du -sk "$OUT" | cut -f1)" -lt 1000 ] || fail "$(du -k "$OUT"/*)"
}

@test "the proctor's results are read by number and order, each with its whole block" {
	run env PYTHONPATH="$ROOT/harness/course" "$SYSTEM_PYTHON" - <<-'EOF'
		from proctor.programs import read_tap
		def result(number, name, ok=True, exercise=1):
		    return f"{'ok' if ok else 'not ok'} {number} - {name}\n  ---\n" + \
		        f'  {{"exercise": {exercise}, "findings": []}}\n  ...\n'
		def seen(text):
		    return [(o.name, o.status) for o in read_tap("TAP version 14\n" + text)]
		first, second = ("a/tcp", "passed"), ("b/tcp", "failed")
		good = result(1, "a/tcp") + result(2, "b/tcp", False)
		assert seen(good + "1..2\n# 1 passed, 1 failed, 0 skipped\n") == [first, second]
		assert seen(good + result(2, "b/tcp")) == [first, second]  # the first result of a number
		assert seen(result(2, "b/tcp") + good) == [first, second]  # in order
		assert seen(result(1, "a/tcp") + "ok 2 - b/tcp\n") == [first]  # without its block
		assert seen(good.replace("  ...\nnot", "not")) == []
		for separator in "\r\v\f\x1c\x85\u2028":  # which str.splitlines() takes for line ends
		    forged = result(2, "b/tcp").replace("\n", separator)
		    assert seen(result(1, "a/tcp") + f"x{separator}{forged}\n" + result(2, "b/tcp", False)) == [first, second]
	EOF
	assert_success
}

@test "half a solution gets half, the starter nothing" {
	for solved in 1 none; do
		submission "solved_$solved"
		PYTHONPATH=$ROOT/harness/course python3 -c '
import sys, labs
solved = [int(word) for word in sys.argv[1:] if word.isdigit()]
print(labs.find("70").starter(solved)["engine.c"], end="")' "$solved" >"$CLASS/solved_$solved/engine.c"
	done
	run "$SYSTEM_PYTHON" "$GRADE" --first-uid "$FIRST_UID" "$CLASS" --no-sanitizers --lab 70 --out "$OUT"
	assert_success
	grep -q "sanitizers: NOT run (SANITIZERS=no)" "$OUT/class.txt"
	assert_output --partial "the untouched starter"
	graded_points solved_1 10 "Exercise 2, the first failure is receives_what_is_there/tcp"
	graded_points solved_none 0
}

@test "one submission, found in work/, and graded anew" {
	mkdir -p "$CLASS/ann/work/$LAB"
	cp "$SOLUTION" "$CLASS/ann/work/$LAB/"
	run "$SYSTEM_PYTHON" "$GRADE" --first-uid "$FIRST_UID" "$CLASS/ann" --no-sanitizers --out "$OUT"
	assert_success
	graded_points ann 20
	run "$SYSTEM_PYTHON" "$GRADE" --first-uid "$FIRST_UID" "$CLASS/ann/work/$LAB" --no-sanitizers --out "$OUT"
	assert_success
	assert_output --partial "earlier grades are replaced"
	graded_points ann-$LAB 20
	[ ! -e "$OUT/ann.txt" ]
}

# bats test_tags=slow
@test "names that are none for a file or a spreadsheet" {
	for name in '=1+1' '-rf' 'a b' 'class' $'two\nlines' '<&">'; do submission "$name" "$SOLUTION"; done
	run "$SYSTEM_PYTHON" "$GRADE" --first-uid "$FIRST_UID" "$CLASS" --no-sanitizers --lab 70 --out "$OUT" --jobs 2
	assert_success
	run well_formed
	assert_output 6
	run cat "$OUT/class.csv"
	assert_line --partial "'=1+1,10,10,20,20,"
	assert_line --partial "two?lines,10,10,20,20,"
}

@test "the instructor's mistakes get one line" {
	local taken
	run make -s -C "$ROOT" grade
	assert_failure
	assert_output --partial "make grade SUBMISSIONS=folder"
	run "$SYSTEM_PYTHON" "$GRADE" --first-uid "$FIRST_UID" "$CLASS/nowhere" --no-sanitizers
	assert_failure
	assert_output --partial "is no folder"
	run "$SYSTEM_PYTHON" "$GRADE" --first-uid "$FIRST_UID" "$CLASS" --no-sanitizers
	assert_failure
	assert_output --partial "holds no submission"
	submission ann "$SOLUTION"
	run "$SYSTEM_PYTHON" "$GRADE" --first-uid "$FIRST_UID" "$CLASS" --no-sanitizers
	assert_failure
	assert_output --partial "which lab?"
	run "$SYSTEM_PYTHON" "$GRADE" --first-uid "$FIRST_UID" "$CLASS" --no-sanitizers --lab 70 --out "$CLASS/grades"
	assert_failure
	assert_output --partial "lies within SUBMISSIONS"
	run "$SYSTEM_PYTHON" "$GRADE" --first-uid "$FIRST_UID" "$CLASS" --no-sanitizers --lab 70 --out "$ROOT/docs"
	assert_failure
	assert_output --partial "holds no grades"
	[ "$(id -u)" -eq 0 ] || return 0
	taken=$(id -u nobody)
	run "$SYSTEM_PYTHON" "$GRADE" --first-uid "$FIRST_UID" "$CLASS" --no-sanitizers --lab 70 --out "$OUT" --first-uid "$taken"
	assert_failure
	assert_output --partial "is taken"
}

# A new lab.

@test "check-course of a tree that is not built says so in one line" {
	mkdir "$USER_DIR/tree"
	cp -r "$ROOT"/{harness,plots,labs} "$USER_DIR/tree"
	run "$SYSTEM_PYTHON" -B "$USER_DIR/tree/harness/course/check_course.py"
	assert_failure 1
	assert_line --regexp "^# .*build/iolab is missing: make check-course builds it$"
	refute_output --partial Traceback
}

@test "make new-lab lays out a lab that builds, and check-course names what is missing" {
	export IOLAB_LABS=$USER_DIR/labs IOLAB_WORK=$USER_DIR/work
	mkdir "$IOLAB_LABS"
	cd "$ROOT"
	run make -s new-lab LAB=10_splice
	assert_success
	assert_output --partial "make check-course LAB=10"
	for name in lab.toml engine.c tests.c README.md hints.md answers.md demands.toml program.c mutants alternates; do
		assert [ -e "$IOLAB_LABS/10_splice/$name" ]
	done
	! grep -rE 'NEWLAB|LAB=NN|Lab NN|labs/LAB' "$IOLAB_LABS" || fail "a mark of the template is left"
	! command -v clang-format >/dev/null || clang-format --dry-run -Werror --style=file:.clang-format "$IOLAB_LABS"/10_splice/*.c
	# Each sentence of its handout has its row, so that make check passes with the new lab.
	run "$SYSTEM_PYTHON" -B -c 'import sys; sys.path.insert(0, "harness/tests"); import handout_demands
print(*handout_demands.Lab(sys.argv[1]).mistakes(), sep="\n", end="")
assert len(handout_demands.Lab(sys.argv[1]).sentences) == 2' "$IOLAB_LABS/10_splice"
	assert_success
	assert_output ""
	printf '\n## What comes next\n\nLabs 77 and 10, and lab 78.\n' >>"$IOLAB_LABS/10_splice/README.md"
	run timeout 300 "$SYSTEM_PYTHON" harness/course/check_course.py 10 --repeats 1
	assert_failure
	assert_line --regexp "^not ok .* README.md names no lab that is not there$"
	assert_line "# lab 77, 78"
	assert_line "# mutants/ has 0 (*.patch)"
	assert_line "# alternates/ has 0 (folders)"
	assert_line --regexp "^# README.md:[0-9]+: TODO"
	assert_line --regexp "^# engine.c:[0-9]+: .*TODO"
	assert_line --regexp "^# demands.toml:[0-9]+: .*TODO"
	assert_equal "$(grep -c '^not ok' <<<"$output")" 4
	assert_line --regexp "^ok .* the starter fails hands_back_what_it_accepts/nop$"
	assert_line --regexp "^ok .* the solution passes under ASan and UBSan$"
}

@test "make new-lab refuses a name that is taken or none" {
	export IOLAB_LABS=$USER_DIR/labs
	mkdir "$IOLAB_LABS"
	cd "$ROOT"
	make -s new-lab LAB=10_splice
	for name in 10_splice "10_other" "11_splice" splice 1_splice 100_splice 11-splice 11_Splice 11_a/b "../11_x" ""; do
		run make -s new-lab LAB="$name"
		assert_failure
		assert_output --partial "new-lab: "
		assert_equal "$(ls "$IOLAB_LABS")" 10_splice
	done
}

# The handout.

@test "a handout holds no line of a solution, and no link that leads nowhere" {
	unset IOLAB_LABS
	run python3 "$ROOT/harness/course/handout.py" "$BATS_TEST_TMPDIR/handout"
	assert_success
	run "$SYSTEM_PYTHON" - "$ROOT" "$BATS_TEST_TMPDIR/handout" <<-'EOF'
		import os, re, sys
		root, out = sys.argv[1:]
		def read(path):
		    with open(path, errors="replace") as file:
		        return file.read()
		texts = {os.path.join(p, n): read(os.path.join(p, n)) for p, _, names in os.walk(out) for n in names
		         if not n.endswith((".o", ".png", ".svg"))}
		common = {" ".join(line.split()) for path, text in texts.items() for line in text.splitlines()
		          if f"{out}/harness" in path or f"{out}/common" in path or path.endswith("/program.c")
		          or "/programs/" in path}
		solutions = [read(f"{root}/labs/{lab}/{name}") for lab in os.listdir(f"{root}/labs")
		             for name in os.listdir(f"{root}/labs/{lab}") if re.fullmatch(r"engine.*\.c", name)]
		region = re.compile(r"^\s*//> ?\d(.*?)^\s*//< ?\d", re.M | re.S)
		common |= {" ".join(line.split()) for text in solutions for line in region.sub("", text).splitlines()}
		lines, count = {" ".join(line.split()) for text in texts.values() for line in text.splitlines()}, 0
		for line in [line for text in solutions for found in region.findall(text) for line in found.splitlines()[1:]]:
		    words = " ".join(line.split())
		    if words.startswith("//+"):
		        common.add(words[3:].strip())
		    elif len(re.findall(r"\w+", words)) >= 3 and not words.startswith(("//", "/*", "*")) and words not in common:
		        count += 1
		        assert words not in lines, words
		assert count > 10, count
		for path in texts:
		    assert not re.search(r"labs/[^/]*/(engine[^/]*\.c|mutants|alternates)", path), path
		for path, text in texts.items():
		    for target in re.findall(r"\]\(([^)\s#]+)", text) if path.endswith(".md") else []:
		        assert "://" in target or os.path.exists(os.path.join(os.path.dirname(path), target)), f"{path}: {target}"
		print(count, "lines")
	EOF
	assert_success
	[ ! -e "$BATS_TEST_TMPDIR/handout/.git" ]
	[ -e "$BATS_TEST_TMPDIR/handout/labs/00_null/answers.md" ]
	run python3 "$ROOT/harness/course/handout.py" --no-answers "$BATS_TEST_TMPDIR/handout"
	assert_success
	run find "$BATS_TEST_TMPDIR/handout" -name answers.md
	assert_output ""
}

# bats test_tags=slow
@test "a handout builds, compares, and begins a lab" {
	unset IOLAB_LABS
	local handout=$BATS_TEST_TMPDIR/handout lab
	run make -s -C "$ROOT" handout OUT="$handout"
	assert_success
	cd "$handout"
	run env -u MAKEFLAGS make -s
	assert_success
	run build/iolab list
	assert_success
	assert_output --partial "io_uring"
	run build/iolab compare --workloads file --engines blocking,epoll_workers,io_uring --depths 4 --rounds 1 \
		--runtime 0.05 --out "$BATS_TEST_TMPDIR/results" -- --file "$BATS_TEST_TMPDIR/file" --size 4M
	assert_success
	run grep -rnE 'make diff-lab|docs/architecture\.md|op_syscall\.c' --include=*.md .
	assert_output ""
	run grep -rn 'handout: with' --include=*.md .
	assert_output ""
	run env -u MAKEFLAGS "$SYSTEM_PYTHON" -B harness/course/learner.py --help
	refute_output --partial "diff-lab"
	run make -s help
	refute_output --partial "diff-lab"
	for target in check check-course lint format bench-peers; do
		! make -n "$target" >/dev/null 2>&1 || fail "make $target is there, and does nothing"
	done
	for target in $(make -s help | grep -oP '^make \K[a-z-]+'); do
		make -n "$target" >/dev/null || fail "make help names $target"
	done
	lab=$(find labs -name lab.toml | sort | head -n 1 | cut -d/ -f2)
	[ -n "$lab" ] || skip "no lab has a lab.toml yet"
	run make start LAB="$lab"
	assert_success
	run make check-lab LAB="$lab"
	assert_output --partial "make check-lab"
	[ -e "work/$lab" ]
}

@test "Ctrl-C in make handout leaves the folder as it was" {
	unset IOLAB_LABS
	at_terminal --until "ls -d '$USER_DIR'/.iolab-handout-*/new 2>/dev/null" python3 "$ROOT/harness/course/handout.py" "$USER_DIR/handout"
	assert_equal "$status" 130
	assert_output --partial "handout: interrupted"
	assert_equal "$(ls -A "$USER_DIR")" class
}

@test "a handout is not written over what is none" {
	run python3 "$ROOT/harness/course/handout.py" "$ROOT/docs"
	assert_failure
	assert_output --partial "is not empty and no handout"
	mkdir -p "$BATS_TEST_TMPDIR/handout/work"
	touch "$BATS_TEST_TMPDIR/handout/.iolab-handout"
	run python3 "$ROOT/harness/course/handout.py" "$BATS_TEST_TMPDIR/handout"
	assert_failure
	assert_output --partial "somebody worked"
}
