#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Engines that say to the proctor what the test says, as a forger would write them: each says it another way, and none
# gets a point.

load common

setup_file() {
	ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	make -s -C "$ROOT" course
	# A place that stays: what is compiled of the tests is kept by its name.
	LABS=$ROOT/build/forged_labs
	rm -rf "$LABS"
	mkdir -p "$ROOT/build"
	cp -r "$ROOT/harness/tests/grading" "$LABS"
	printf '%s\n' '#include "lab_test.h"' 'static void run(struct subject *s) {' \
		'open_engine(s, 1, 1); for (int n = 0; n < 300; n++) { struct io_op *done[1]; s->ops->reap(s->engine, done, 0, 1, 0); }' \
		'close_engine(s); }' 'const struct lab_test lab_tests[] = { { .name = "one", .exercise = 1, .engine = "sample",' \
		'.flavours = ONE(NO_FD), .allowed_calls = "read", .run = run }, { NULL } };' >"$LABS/70_sample/tests.c"
	export LABS
}

setup() {
	ENGINE=$BATS_TEST_TMPDIR/engine.c
}

# forged LAB TEST: what the proctor says of $ENGINE.
forged() {
	run timeout "$HANG_S" "$SYSTEM_PYTHON" -B "$ROOT/harness/tests/forged.py" "$1" "$ENGINE" "$2"
}

# What a forger finds in the program: the function that tells, by the table of symbols, and the shared memory.
FINDS='#include <elf.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "exam_record.h"
static struct exam_record *shared;
static void (*tells)(unsigned, unsigned long);
static void *address_of(const char *wanted)
{
	Elf64_Ehdr head; Elf64_Shdr part, names; Elf64_Sym symbol; char name[64]; void *found = NULL;
	FILE *self = fopen("/proc/self/exe", "r"); fread(&head, sizeof head, 1, self);
	for (int i = 0; i < head.e_shnum; i++) {
		fseek(self, (long)(head.e_shoff + (unsigned)i * sizeof part), SEEK_SET); fread(&part, sizeof part, 1, self);
		if (part.sh_type != SHT_SYMTAB) continue;
		fseek(self, (long)(head.e_shoff + part.sh_link * sizeof part), SEEK_SET); fread(&names, sizeof names, 1, self);
		for (unsigned long n = 0; n < part.sh_size / sizeof symbol; n++) {
			fseek(self, (long)(part.sh_offset + n * sizeof symbol), SEEK_SET); fread(&symbol, sizeof symbol, 1, self);
			fseek(self, (long)(names.sh_offset + symbol.st_name), SEEK_SET); fread(name, 1, sizeof name, self);
			if (strncmp(name, wanted, sizeof name) == 0) found = (void *)symbol.st_value;
		} }
	fclose(self);
	return found;
}
static void look_around(void)
{
	tells = (void (*)(unsigned, unsigned long))address_of("tell_proctor");
	FILE *maps = fopen("/proc/self/maps", "r"); char line[500]; unsigned long at;
	while (fgets(line, 500, maps)) if (strstr(line, "iolab-exam") && sscanf(line, "%lx", &at) == 1) shared = (void *)at;
	fclose(maps);
}
/* Leaves the engine and enters it again, as the proctor hears it. */
#define OUTSIDE(call) ({ look_around(); tells(EXAM_RETURN, 0); shared->in_engine = 0; __typeof__(call) r = call; \
	shared->in_engine = 1; tells(EXAM_CALL, FUNCTION_REAP); r; })'

# as_if LAB NAME CODE: the solution of an earlier lab as an engine of that name, after this code.
as_if() {
	printf '%s\n' "$FINDS" "$3" >"$ENGINE"
	sed "s/IO_ENGINE_NAME(\"[a-z_]*\")/IO_ENGINE_NAME(\"$2\")/" "$ROOT/labs/$1/engine.c" >>"$ENGINE"
}

@test "lab 04, handed in with poll: the call is made as if outside of the engine" {
	as_if 03_poll epoll '#define ppoll(...) OUTSIDE(ppoll(__VA_ARGS__))'
	forged 04 receives_what_is_there/tcp
	assert_failure 1
	assert_line --partial '"id": "forges"'
}

@test "lab 08, handed in with plain calls: they are made as if outside of the engine" {
	as_if 01_blocking uring_raw '#define pread(...) OUTSIDE(pread(__VA_ARGS__))'
	forged 08 reads_right_data/buffered
	assert_failure 1
	assert_line --partial '"id": "forges"'
}

@test "lab 08, handed in with liburing, is refused in one line" {
	as_if 09_io_uring uring_raw ''
	cat "$ROOT/labs/09_io_uring/lent_ring.c" >>"$ENGINE"
	cp "$ROOT/labs/09_io_uring/lent_ring.h" "$BATS_TEST_TMPDIR"
	forged 08 finds_the_rings
	assert_failure 1
	assert_output --partial "calls io_uring_"
	# A learner's own build says why.
	run env PYTHONPATH="$ROOT/harness/course" "$SYSTEM_PYTHON" -B - "$ENGINE" <<-'EOF'
		import sys, labs
		from proctor import programs
		programs.refuse_forbidden(labs.find("08"), [sys.argv[1]], "build/course", ())
	EOF
	assert_failure
	assert_line --regexp "engine.c: it calls io_uring_[a-z_]*, which this lab does not allow: You write the engine that speaks to io_uring by its three system calls, and by nothing else\."
}

# hooked CODE [BEFORE]: the small lab's solution, which does this in each reap(). Its one test calls that 300 times.
hooked() {
	export IOLAB_LABS=$LABS
	{
		echo "$FINDS"
		sed '/^IO_ENGINE(/d; s/^static const struct engine_ops sample_engine/static struct engine_ops sample_engine/' \
			"$IOLAB_LABS/70_sample/engine.c"
		printf '%s\n' "${2:-}" \
			'static int hooked_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max, int64_t timeout_ns)' \
			'{ static int reaps; reaps++;' "$1" 'return sample_reap(e, done, min, max, timeout_ns); }' \
			'__attribute__((constructor)) static void hook(void) { sample_engine.reap = hooked_reap; look_around(); }' \
			'IO_ENGINE(sample_engine);'
	} >"$ENGINE"
	forged 70 one
}

@test "a test's calls to the engine are told, however many there are, and from the test's own frames" {
	hooked ''
	assert_success
	assert_line --partial '"reap": 200'
	# As the test's own call, when the test has called the engine often.
	hooked 'if (reaps == 290) { look_around(); shared->in_engine = 0; poll(NULL, 0, 0); shared->in_engine = 1; }'
	assert_line --partial "reap() made the system call "
	# The test tells nothing any more.
	hooked 'if (reaps == 2) { look_around(); shared->attached = 0; getppid(); }'
	assert_line --partial '"id": "changes_counts"'
	# The test ends from within the engine.
	hooked 'if (reaps == 2) tells(EXAM_END, 0);'
	assert_line --partial '"id": "forges"'
	hooked 'if (reaps == 2) tells(EXAM_RESET, 0);'
	assert_line --partial '"id": "forges"'
	# The test's function returns to another place: into the function that would say the end.
	hooked 'void **frame = __builtin_frame_address(0); frame = frame[0]; if (reaps == 2) frame[1] = (char *)frame[1] + 1;'
	assert_line --partial '"id": "forges"'
}

@test "a nested function whose address is taken: the compiler's words and the cure" {
	hooked 'int nested(const void *a, const void *b) { return *(const char *)a - *(const char *)b + (int)min; } char two[2] = "ba";
		qsort(two, 2, 1, nested);' '#include <stdlib.h>'
	assert_failure
	assert_output --partial "trampoline generated for nested function"
	hooked 'int nested(const void *a, const void *b) { return *(const char *)a - *(const char *)b + (int)min; } char two[2] = "ba";
		qsort(two, 2, 1, nested);' '#pragma GCC diagnostic ignored "-Wtrampolines"
		#include <stdlib.h>'
	assert_failure
	assert_output --partial "Make that function a static one"
}
