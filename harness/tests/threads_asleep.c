/* SPDX-License-Identifier: MIT */
/* What labs' tests wait for: a thread asleep, and all other threads asleep at one moment. */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "clock.h"
#include "course/proctor/threads_asleep.h"
#include "tap.h"

#define SHORT_NS (50 * NS_PER_MS)
#define LONG_NS	 (60 * NS_PER_S) /* never waited for: what must come true does */

/* A thread that spins until it is told to read, and ends after so many bytes. */
struct worker {
	pthread_t thread;
	bool may_sleep;
	int ends[2];
	unsigned reads;
	int tid; /* once it runs; 0 before that */
};

static void *spin_then_read(void *argument)
{
	struct worker *w = argument;
	char byte;
	__atomic_store_n(&w->tid, gettid(), __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&w->may_sleep, __ATOMIC_SEQ_CST))
		;
	for (unsigned i = 0; i < w->reads; i++)
		if (read(w->ends[0], &byte, 1) != 1)
			break;
	return NULL;
}

static void begin_worker(struct worker *w, bool may_sleep, unsigned reads)
{
	*w = (struct worker) { .may_sleep = may_sleep, .reads = reads };
	if (pipe(w->ends) < 0 || pthread_create(&w->thread, NULL, spin_then_read, w) != 0)
		puts("Bail out! no thread to be had");
	while (!__atomic_load_n(&w->tid, __ATOMIC_SEQ_CST))
		;
}

static void let_sleep(struct worker *w)
{
	__atomic_store_n(&w->may_sleep, true, __ATOMIC_SEQ_CST);
}

static void end_worker(struct worker *w)
{
	let_sleep(w);
	close(w->ends[1]);
	pthread_join(w->thread, NULL);
	close(w->ends[0]);
}

static bool first_may_sleep;

/* As a lab's test is run: in a thread of its own, beside the first one, which does not count. */
static void *look(void *argument)
{
	struct tap *tap = argument;
	struct worker sleeper, spinner;
	uint64_t before = 0, after = 0;
	tap_check(tap, others_fall_asleep(0),
		  "the first thread, which spins, does not count, and there is no other");
	__atomic_store_n(&first_may_sleep, true, __ATOMIC_SEQ_CST);
	begin_worker(&sleeper, true, 2);
	tap_check(tap, others_fall_asleep(LONG_NS), "a thread that waits in read(2) sleeps");
	others_sleep(&before);
	if (write(sleeper.ends[1], "", 1) != 1)
		puts("Bail out! the pipe takes nothing");
	/* It sleeps again only when it has been up, and that is counted. */
	do {
		after = 0;
	} while (!others_sleep(&after) || after == before);
	tap_check(tap, after > before, "one that was up in between has gone to sleep once more");
	begin_worker(&spinner, false, 1);
	tap_check(tap, !others_fall_asleep(SHORT_NS),
		  "one of two that spins is waited for in vain");
	tap_check(tap, thread_falls_asleep(sleeper.tid, 0) == 0, "the other one sleeps meanwhile");
	tap_check(tap, thread_falls_asleep(spinner.tid, SHORT_NS) == -ETIMEDOUT,
		  "and this one does not");
	let_sleep(&spinner);
	tap_check(tap, thread_falls_asleep(spinner.tid, LONG_NS) == 0, "until it is let");
	tap_check(tap, others_fall_asleep(LONG_NS), "then both do");
	end_worker(&spinner);
	tap_check(tap, thread_falls_asleep(spinner.tid, LONG_NS) == -ESRCH,
		  "a thread that has ended is none");
	end_worker(&sleeper);
	tap_check(tap, others_fall_asleep(LONG_NS), "threads that have ended are not waited for");
	return NULL;
}

int main(void)
{
	struct tap tap = { 0 };
	pthread_t test;
	if (pthread_create(&test, NULL, look, &tap) != 0)
		return 1;
	while (!__atomic_load_n(&first_may_sleep, __ATOMIC_SEQ_CST))
		;
	pthread_join(test, NULL);
	return tap_end(&tap);
}
