/* SPDX-License-Identifier: MIT */
/*
 * Measures one event loop, alone in its process. `make bench-loops` runs it.
 *
 *     PROGRAM stop TIMERS [ENGINE]             starts and stops timers
 *     PROGRAM expire TIMERS [ENGINE]           starts timers, and waits for all of them
 *     PROGRAM no-ops COUNT [ENGINE]            operations that do nothing, 32 in flight
 *     PROGRAM idle CONNS [ENGINE]              memory of connections that wait
 *     PROGRAM echo PORT CONNS BYTES [ENGINE]   an echo server, until it is killed
 *
 * Prints timers a second of CPU time and the CPU time of one, or the bytes of a connection, as JSON.
 */
#include "peers/loops/loop_bench.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "clock.h"
#include "random.h"

/* Far beyond the end of the measurement, or so near that the last are due when the first are called. */
#define DELAY_TO_STOP_MS   100000
#define DELAY_TO_EXPIRE_MS 100

#define MESSAGE_BYTES 128

static uint64_t cpu_ns(void)
{
	struct timespec used;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * NS_PER_S + (uint64_t)used.tv_nsec;
}

static uint32_t *numbers(unsigned count)
{
	uint32_t *made = calloc(count, sizeof *made);
	if (!made)
		errx(1, "no memory");
	return made;
}

static struct timer_task make_timers(unsigned count, uint32_t delay_most_ms)
{
	struct random_stream random = { .state = 1 };
	uint32_t *delays_ms = numbers(count), *order = numbers(count);
	for (unsigned i = 0; i < count; i++) {
		uint32_t other = (uint32_t)random_below(&random, i + 1);
		delays_ms[i] = 1 + (uint32_t)random_below(&random, delay_most_ms);
		order[i] = order[other];
		order[other] = i;
	}
	return (struct timer_task) { count, delays_ms, order };
}

static void print_rate(unsigned count, uint64_t used_ns)
{
	printf("{\"ops_per_s\": %.1f, \"cpu_us_per_op\": %.6f}\n",
	       count / ((double)used_ns / NS_PER_S), (double)used_ns / count / 1e3);
}

/* The first time allocates and touches the memory; the second is measured. */
static void measure_timers(void (*run)(const struct timer_task *), unsigned count,
			   uint32_t delay_most_ms)
{
	struct timer_task task = make_timers(count, delay_most_ms);
	run(&task);
	uint64_t from_ns = cpu_ns();
	run(&task);
	print_rate(count, cpu_ns() - from_ns);
}

/* What malloc(3) gave out, large pieces with a mapping of their own too. */
static size_t allocated_bytes(void)
{
	struct mallinfo2 info = mallinfo2();
	return info.uordblks + info.hblkhd;
}

static void raise_descriptor_limit(void)
{
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void measure_idle(const char *engine, unsigned conns, uint32_t message_bytes)
{
	int *fds = calloc(conns, sizeof *fds);
	if (!fds)
		errx(1, "no memory");
	for (unsigned i = 0; i < conns; i++) {
		int pair[2];
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
			err(1, "socketpair");
		fds[i] = pair[0];
	}
	size_t before_bytes = allocated_bytes();
	loop_bench.open(engine, 0, conns, message_bytes);
	loop_bench.wait_on(fds, conns);
	size_t bytes = allocated_bytes() - before_bytes;
	bool holds = loop_bench.idle_holds_a_buffer && loop_bench.idle_holds_a_buffer();
	printf("{\"bytes_per_conn\": %.1f, \"buffer_bytes_per_conn\": %u}\n", (double)bytes / conns,
	       holds ? message_bytes : 0);
}

static void serve(const char *engine, uint16_t port, unsigned conns, uint32_t message_bytes)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 1024) < 0)
		err(1, "port %u", port);
	loop_bench.open(engine, 0, conns, message_bytes);
	loop_bench.echo(fd);
}

static unsigned number(const char *word)
{
	unsigned long value = word ? strtoul(word, NULL, 10) : 0;
	if (value < 1 || value > 100000000)
		errx(2, "%s: a number from 1 to 100000000 is wanted", word ? word : "nothing");
	return (unsigned)value;
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	raise_descriptor_limit();
	if (strcmp(what, "stop") == 0 || strcmp(what, "expire") == 0) {
		bool stops = what[0] == 's';
		unsigned count = number(argv[2]);
		loop_bench.open(argv[3], count, 1, 1);
		measure_timers(stops ? loop_bench.start_and_stop : loop_bench.expire, count,
			       stops ? DELAY_TO_STOP_MS : DELAY_TO_EXPIRE_MS);
	} else if (strcmp(what, "no-ops") == 0 && loop_bench.no_ops) {
		unsigned count = number(argv[2]);
		loop_bench.open(argv[3], 0, NO_OPS_IN_FLIGHT, 1);
		loop_bench.no_ops(count / 10);
		uint64_t from_ns = cpu_ns();
		loop_bench.no_ops(count);
		print_rate(count, cpu_ns() - from_ns);
	} else if (strcmp(what, "idle") == 0) {
		measure_idle(argv[3], number(argv[2]), MESSAGE_BYTES);
	} else if (strcmp(what, "echo") == 0 && argc >= 5) {
		serve(argv[5], (uint16_t)number(argv[2]), number(argv[3]), number(argv[4]));
	} else {
		errx(2,
		     "usage: %s stop|expire|no-ops COUNT [ENGINE] | idle CONNS [ENGINE] | "
		     "echo PORT CONNS BYTES [ENGINE]",
		     argv[0]);
	}
	return 0;
}
