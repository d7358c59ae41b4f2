/* SPDX-License-Identifier: MIT */
/*
 * What the tests of a layer over an event loop are written with, beside lab_test.h: one loop over the
 * subject's engine, turns with a limit of time, and a letter for each call.
 *
 * All of it is compiled with the lab's tests.c, and not once for all labs: a grader lets a submission
 * show the names that this object calls.
 */
#ifndef IOLAB_LOOP_TEST_H
#define IOLAB_LOOP_TEST_H

#include <signal.h>
#include <string.h>
#include <sys/time.h>

#include "clock.h"
#include "event_loop.h"
#include "lab_test.h"

/* A loop that sleeps on is stopped after this long, or later on a busy machine. A right one never comes to it. */
#define PATIENCE_MS 2000

/* A letter as the context of a callback. */
#define LETTER(letter) ((void *)(uintptr_t)(letter))

/* The loop under test. */
static struct event_loop *loop;

/* It was stopped, because it slept on. */
static volatile sig_atomic_t was_impatient;

static uint64_t patience_ends_ns;

/* What a test is at: the words where the loop sleeps on. A test may say it better. */
static const char *scene = "while the loop turns";

/* What was called, a letter for each call. */
static char calls[512];

/* What a signal handler does when patience ends. */
static inline void stop_waiting(int signal_number)
{
	(void)signal_number;
	if (!time_is_up(patience_ends_ns))
		return;
	was_impatient = 1;
	event_loop_stop(loop);
}

/* From now on; 0: patience does not end. */
static inline void lose_patience_after(unsigned patience_ms)
{
	struct sigaction action = { .sa_handler = stop_waiting };
	/* Again and again: the first may come just before the loop sleeps. */
	struct itimerval timer = { { 0, 50000 },
				   { patience_ms / 1000, patience_ms % 1000 * 1000 } };
	patience_ends_ns = clock_ns() + patience_ms * (uint64_t)NS_PER_MS;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

/* Skips the test where the engine cannot do this, in its words. */
static inline void need_support(const struct subject *s, enum io_kind kind, enum io_fd_kind fd_kind)
{
	struct reason why = { "" };
	struct engine_config config = { .depth = 4, .cpu_count = 1, .options = s->options };
	if (s->ops->supports(&config, kind, fd_kind, &why) < 0)
		test_skipped("%s", why.text);
}

/* Opens it, and loses patience after PATIENCE_MS. */
static inline void open_loop_under_test(const struct event_loop_config *config)
{
	struct reason why = { "" };
	int rc = event_loop_open(&loop, config, &why);
	expect(rc == 0, EXPECTED("0 from event_loop_open()") SAW("%s: %s"), answer(rc), why.text);
	lose_patience_after(PATIENCE_MS);
}

/* Turns until nothing is alive. */
static inline void run_to_its_end(void)
{
	int rc = event_loop_run(loop, LOOP_RUN);
	expect(!was_impatient,
	       WHEN("%s") EXPECTED("an end of the loop, since nothing is alive")
		       SAW("that it goes on after %d ms"),
	       scene, PATIENCE_MS);
	expect(rc == 0, EXPECTED("0 from event_loop_run()") SAW("%s"), answer(rc));
}

static inline void turn_loop(enum loop_run how)
{
	int rc = event_loop_run(loop, how);
	expect(rc >= 0, EXPECTED("0 or 1 from event_loop_run()") SAW("%s"), answer(rc));
}

static inline void add_call(char letter)
{
	size_t length = strlen(calls);
	expect(length < sizeof calls - 1, "more than %zu calls", sizeof calls - 2);
	calls[length] = letter;
}

static inline void forget_calls(void)
{
	memset(calls, 0, sizeof calls);
}

static inline void expect_calls(const char *when, const char *expected)
{
	expect(strcmp(calls, expected) == 0, WHEN("%s") EXPECTED("the calls \"%s\"") SAW("\"%s\""),
	       when, expected, calls);
}

/* Turns until there are so many calls. */
static inline void turn_until_called(size_t count)
{
	while (strlen(calls) < count && !was_impatient)
		turn_loop(LOOP_ONCE);
	expect(!was_impatient, WHEN("%s") EXPECTED("%zu calls") SAW("\"%s\" after %d ms"), scene,
	       count, calls, PATIENCE_MS);
}

#endif
