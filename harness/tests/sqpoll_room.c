/* SPDX-License-Identifier: MIT */
/*
 * A signal that ends the wait for room in io_uring's submission ring must not make a free engine
 * refuse an operation: with nothing in flight it has to accept one.
 *
 * The two functions of liburing below are called in place of the library's. So the test decides
 * when the polling thread frees an entry, and how often a signal comes before that.
 */
#include <errno.h>
#include <liburing.h>

#include "engines.h"
#include "tap.h"

#define SIGNALS 3

static unsigned waits;
static int answer; /* of the wait, once the signals are over */

/* The polling thread is slow: it has not looked yet when this returns. */
int io_uring_submit(struct io_uring *ring)
{
	(void)ring;
	return 0;
}

/* Without an entry free it returns after a signal, and with one when the thread took the first. */
int __io_uring_sqring_wait(struct io_uring *ring)
{
	if (++waits <= SIGNALS)
		return 0;
	if (answer == 0)
		*ring->sq.khead += 1;
	return answer;
}

static void check(struct tap *tap, const struct engine_ops *ops, uint64_t options, int wait_answers,
		  int accepted, const char *what)
{
	struct engine_config config = {
		.depth = 1, .max_fds = 1, .cpu_count = 2, .options = options
	};
	struct io_op op[2] = { { .kind = IO_NOP }, { .kind = IO_NOP } };
	struct io_op *offered[2] = { &op[0], &op[1] };
	struct reason why = { "" };
	struct engine *engine;
	if (ops->open(&engine, &config, &why) < 0) {
		tap_skip(tap, what, why.text);
		return;
	}
	waits = 0;
	answer = wait_answers;
	int first = ops->submit(engine, &offered[0], 1);
	int second = ops->submit(engine, &offered[1], 1);
	tap_check(tap, first == 1 && second == accepted,
		  "%s: accepted %d and then %d, after %u waits", what, first, second, waits);
	ops->close(engine);
}

int main(void)
{
	struct tap tap = { 0 };
	const struct engine_ops *ops;
	struct reason why = { "" };
	uint64_t options;
	if (engine_spec_parse("io_uring:sqpoll", &ops, &options, &why) < 0) {
		tap_check(&tap, false, "%s", why.text);
		return tap_end(&tap);
	}
	check(&tap, ops, options, 0, 1, "signals end the wait for room three times");
	check(&tap, ops, options, -EOWNERDEAD, 0, "the polling thread is gone");
	return tap_end(&tap);
}
