/* SPDX-License-Identifier: MIT */
#include "exam.h"

#include <signal.h>
#include <stdio.h>

#include "findings.h"

struct tracee *find_task(struct exam *e, pid_t tid)
{
	for (unsigned i = 0; i < e->task_count; i++)
		if (e->tasks[i].tid == tid)
			return &e->tasks[i];
	return NULL;
}

struct tracee *add_task(struct exam *e, pid_t tid)
{
	struct tracee *task = find_task(e, tid);
	if (task || e->task_count == EXAM_TASKS_MAX)
		return task;
	task = &e->tasks[e->task_count++];
	*task = (struct tracee) { .tid = tid, .call = -1 };
	if (tid != e->pid && is_in_engine(e)) {
		task->engines = true;
		task->number = ++e->record->threads_started;
		e->threads_started++;
	}
	return task;
}

void remove_task(struct exam *e, pid_t tid)
{
	struct tracee *gone = find_task(e, tid);
	if (gone)
		*gone = e->tasks[--e->task_count];
}

void kill_all(struct exam *e)
{
	kill(e->pid, SIGKILL);
	for (unsigned i = 0; i < e->task_count; i++)
		kill(e->tasks[i].tid, SIGKILL);
}

void break_off(struct exam *e, const char *rule, const char *key, const char *value)
{
	if (!e->rule_broken) {
		json_t *values = add_finding(e->findings, rule);
		if (key)
			put_untrusted(values, key, value);
	}
	e->rule_broken = true;
	kill_all(e);
}

bool is_in_engine(const struct exam *e)
{
	bool all_told = true;
	for (unsigned i = 0; i < FUNCTION_COUNT; i++)
		all_told &= e->engine_calls[i] < EXAM_TOLD_MAX;
	return e->inside || (!all_told && e->record->in_engine);
}

void write_down(struct exam *e, struct event_key key, const char *text)
{
	uint32_t i = __atomic_fetch_add(&e->record->event_count, 1, __ATOMIC_RELAXED);
	struct exam_event *event = &e->record->events[exam_event_slot(i)];
	event->key = key;
	snprintf(event->text, sizeof event->text, "%s", text);
}

bool reached_main(const struct exam *e)
{
	return e->options->untraced ? e->record->token == 0 : e->begun;
}
