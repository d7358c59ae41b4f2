/* SPDX-License-Identifier: MIT */
#include "hearing.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "calls.h"
#include "frames.h"
#include "syscall_names.h"

/* How far the frame of the function that tells may lie above the end of the stack. */
#define INNERMOST_BYTES_MAX 256

/* Where the program's table of segments lies in memory, as the kernel has put it there. */
static uint64_t address_of_segments(const struct exam *e)
{
	char path[40];
	Elf64_auxv_t entry;
	uint64_t found = 0;
	snprintf(path, sizeof path, "/proc/%d/auxv", e->pid);
	FILE *file = fopen(path, "re");
	while (file && !found && fread(&entry, sizeof entry, 1, file) == 1)
		if (entry.a_type == AT_PHDR)
			found = entry.a_un.a_val;
	if (file)
		fclose(file);
	return found;
}

static bool is_tests_code(const struct exam *e, const struct frame *frame)
{
	return frame->returns_to >= e->code_from && frame->returns_to < e->code_to;
}

/*
 * Only main() says this. A constructor that did would learn the token, so where the place of the test's
 * own word is known, the word must come from there.
 */
static void hear_begin(struct exam *e, const struct tracee *task, uint64_t instruction)
{
	const struct exam_options *o = e->options;
	uint64_t segments = o->tells_offset_bytes ? address_of_segments(e) : 0;
	if (o->code_to_bytes) {
		e->code_from = segments + o->code_from_bytes;
		e->code_to = segments + o->code_to_bytes;
	}
	if (e->begun || (segments && instruction != segments + o->tells_offset_bytes) ||
	    !read_frame(task->tid, task->args[3], &e->begun_in) ||
	    (e->code_to && !is_tests_code(e, &e->begun_in))) {
		break_off(e, "forges", "call", "prctl");
		return;
	}
	e->begun = true;
	e->tells_at = instruction;
	e->record_at = task->args[2];
	e->record->attached = 1;
	e->record->token = e->token;
}

/* The engine can write to the counts, and hide a call from the test. */
static void compare_counts(struct exam *e)
{
	const struct exam_record *record = e->record;
	if (memcmp(record->calls_main, e->calls_main, sizeof e->calls_main) != 0 ||
	    memcmp(record->calls_others, e->calls_others, sizeof e->calls_others) != 0 ||
	    record->threads_started != e->threads_started || record->prints != e->prints ||
	    (record->fault.failed && !e->faults))
		break_off(e, "changes_counts", NULL, NULL);
}

static void reset_counts(struct exam *e)
{
	memset(e->calls_main, 0, sizeof e->calls_main);
	memset(e->calls_others, 0, sizeof e->calls_others);
	memset(e->record->calls_main, 0, sizeof e->record->calls_main);
	memset(e->record->calls_others, 0, sizeof e->record->calls_others);
}

/*
 * Does the test speak, and not the submission, which can call the function that tells? The test does where
 * only functions of its own led there. It leaves the engine from where it entered it, and by the same
 * calls: so no engine has made it return to another place. It ends where it began. A layer is called by the
 * test and calls the engine, so there only the end is certain.
 */
static bool test_speaks(struct exam *e, const struct tracee *task, uint64_t stack)
{
	struct frames frames;
	uint64_t word = task->args[0], innermost = task->args[3];
	if (!e->code_to || word == EXAM_FAILED || (e->options->layer && word != EXAM_END))
		return true;
	if (innermost < stack || innermost - stack > INNERMOST_BYTES_MAX ||
	    !read_frames(task->tid, innermost, e->begun_in.callers, &frames))
		return false;
	for (unsigned i = 0; i < frames.count; i++)
		if (!is_tests_code(e, &frames.frames[i]))
			return false;
	if (word == EXAM_CALL)
		e->entered_in = frames;
	if (word == EXAM_RETURN)
		return same_calls(&frames, &e->entered_in);
	return word != EXAM_END || innermost == e->begun_in.at;
}

bool is_told_by_test(const struct tracee *task)
{
	return task->call == SYS_prctl && task->args[0] >= EXAM_BEGIN && task->args[0] <= EXAM_END;
}

bool hear_test(struct exam *e, const struct tracee *task, const struct __ptrace_syscall_info *info)
{
	uint64_t word = task->args[0], value = task->args[1];
	uint64_t instruction = info->instruction_pointer;
	if (!is_told_by_test(task))
		return false;
	if (word == EXAM_BEGIN) {
		hear_begin(e, task, instruction);
		return true;
	}
	/* A failure is told at any time, and by any thread. */
	bool fits =
		word == EXAM_FAILED || (task->tid == e->pid && e->inside == (word == EXAM_RETURN));
	if (!e->begun || instruction != e->tells_at || task->args[2] != e->record_at || !fits ||
	    !test_speaks(e, task, info->stack_pointer)) {
		break_off(e, "forges", "call", "prctl");
		return true;
	}
	if (word == EXAM_CALL && value < FUNCTION_COUNT) {
		e->engine_calls[value]++;
		e->function = (enum engine_function)value;
		e->inside = true;
	}
	if (word == EXAM_FAILED)
		e->told_failure = true;
	if (word == EXAM_END)
		e->told_end = true;
	if (word == EXAM_RETURN)
		e->inside = false;
	if (word == EXAM_RETURN || word == EXAM_COUNT || word == EXAM_END)
		compare_counts(e);
	if (word == EXAM_RESET)
		reset_counts(e);
	return true;
}

/* The record's list of allowed calls is the program's, and this one is not. */
static void note_hidden_call(struct exam *e, long call)
{
	const char *allowed = e->test->allowed_calls;
	bool limited = e->function == FUNCTION_SUBMIT || e->function == FUNCTION_REAP ||
		       e->function == FUNCTION_CANCEL;
	if (e->inside && limited && *allowed && e->hidden_call < 0 && !is_background_call(call) &&
	    call != SYS_restart_syscall && !syscall_among(call, allowed))
		e->hidden_call = call;
}

void note_call_of_engine(struct exam *e, const struct tracee *task, bool mains)
{
	if (task->prints) {
		e->record->prints++;
		e->prints++;
		return;
	}
	(mains ? e->record->calls_main : e->record->calls_others)[task->call]++;
	(mains ? e->calls_main : e->calls_others)[task->call]++;
	if (mains)
		note_hidden_call(e, task->call);
}
