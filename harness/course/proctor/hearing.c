/* SPDX-License-Identifier: MIT */
#include "hearing.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "calls.h"
#include "syscall_names.h"

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

/*
 * Only main() says this. A constructor that did would learn the token, so where the place of the test's
 * own word is known, the word must come from there.
 */
static void hear_begin(struct exam *e, const struct tracee *task, uint64_t instruction)
{
	uint64_t offset_bytes = e->options->tells_offset_bytes;
	if (e->begun || (offset_bytes && instruction != address_of_segments(e) + offset_bytes)) {
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

bool hear_test(struct exam *e, const struct tracee *task, uint64_t instruction)
{
	uint64_t word = task->args[0], value = task->args[1];
	if (task->call != SYS_prctl || word < EXAM_BEGIN || word > EXAM_END)
		return false;
	if (word == EXAM_BEGIN) {
		hear_begin(e, task, instruction);
		return true;
	}
	/* A failure is told at any time, and by any thread. */
	bool fits =
		word == EXAM_FAILED || (task->tid == e->pid && e->inside == (word == EXAM_RETURN));
	if (!e->begun || instruction != e->tells_at || task->args[2] != e->record_at || !fits) {
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
