/* SPDX-License-Identifier: MIT */
/* The record of context switches: is what it says of a thread true, also when it has overflowed? */
#include <sched.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/json_path.h"
#include "clock.h"
#include "meters/on_cpu.h"
#include "tap.h"

#define RECORDED_MAX 8192 /* switches of a CPU, away or back */

/* How often it leaves the CPU. */
static void sleep_often(unsigned times)
{
	struct timespec moment = { .tv_nsec = 1 };
	while (times-- > 0)
		nanosleep(&moment, NULL);
}

/* How many stretches on a CPU this thread has in the list. */
static size_t stretches_of_loop(const json_t *threads)
{
	size_t i;
	json_t *thread;
	json_array_foreach (threads, i, thread) {
		if (json_is_true(json_object_get(thread, "loop")))
			return json_array_size(json_object_get(thread, "on_cpu"));
	}
	return 0;
}

/* All switches on one CPU, so that they are in one ring. */
static void stay_here(void)
{
	cpu_set_t one;
	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	sched_setaffinity(0, sizeof one, &one);
}

int main(void)
{
	struct tap tap = { 0 };
	struct reason why = { "" };
	stay_here();
	struct on_cpu *record = on_cpu_open(&why);
	if (!record) {
		tap_skip(&tap, "the record of context switches", why.text);
		return tap_end(&tap);
	}
	uint64_t begin_ns = clock_ns();
	sleep_often(100);
	json_t *threads = on_cpu_json(record, begin_ns, clock_ns(), &why);
	tap_check(&tap, stretches_of_loop(threads) >= 100,
		  "each of 100 sleeps cuts the time on a CPU (%zu stretches)",
		  stretches_of_loop(threads));
	json_decref(threads);
	on_cpu_close(record);

	record = on_cpu_open(&why);
	begin_ns = clock_ns();
	sleep_often(RECORDED_MAX / 2 + 200); /* each is two of them */
	uint64_t late_ns = clock_ns();
	sleep_often(100);
	uint64_t end_ns = clock_ns();
	threads = on_cpu_json(record, begin_ns, end_ns, &why);
	tap_check(&tap, !threads && strcmp(why.id, "switches_overrun") == 0,
		  "a record that does not reach back to the beginning says so: %s", why.text);
	json_decref(threads);
	threads = on_cpu_json(record, late_ns, end_ns, &why);
	tap_check(&tap, stretches_of_loop(threads) >= 100,
		  "what is within its reach is still there (%zu stretches)",
		  stretches_of_loop(threads));
	json_decref(threads);
	on_cpu_close(record);
	return tap_end(&tap);
}
