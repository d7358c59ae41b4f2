/* SPDX-License-Identifier: MIT */
#include "lab_test.h"

int64_t perform_no_ops(const struct engine_ops *ops, uint64_t options, unsigned count);

/* The engine below, behind a function that counts. */
static struct engine_ops counting;
static const struct engine_ops *below;
static unsigned submitted;

static int count_submits(struct engine *engine, struct io_op *const *ops, unsigned count)
{
	submitted += count;
	return below->submit(engine, ops, count);
}

static int64_t perform_counted(struct subject *s, unsigned count)
{
	struct reason why = { "" };
	struct engine_config config = { .depth = 1, .cpu_count = 1, .options = s->options };
	if (s->ops->supports(&config, IO_NOP, IO_FD_NONE, &why) < 0)
		test_skipped("%s", why.text);
	below = s->ops;
	counting = *s->ops;
	counting.submit = count_submits;
	return perform_no_ops(&counting, s->options, count);
}

static void performs(struct subject *s)
{
	perform_counted(s, 3);
	expect(submitted == 3, EXPECTED("3 operations") SAW("%u"), submitted);
}

static void counts(struct subject *s)
{
	int64_t well = perform_counted(s, 5);
	expect(well == 5, EXPECTED("5 that ended well") SAW("%s"), answer(well));
}

#define EACH .over = "null blocking io_uring", .limit_s = 2

const struct lab_test lab_tests[] = {
	{ .name = "performs", .exercise = 1, .run = performs, EACH },
	{ .name = "counts", .exercise = 2, .run = counts, EACH },
	{ NULL },
};
