/* SPDX-License-Identifier: MIT */
#include "lab_test.h"

static void hands_back(struct subject *s)
{
	open_engine(s, 2, 1);
	perform(s, prepare(s, 0, IO_NOP, -1, 0, 0, 0));
	close_engine(s);
}

static void says_how_much(struct subject *s)
{
	open_engine(s, 2, 1);
	int64_t result = perform(s, prepare(s, 0, IO_READ, -1, 0, 0, 100));
	expect(result == 100, EXPECTED("100 bytes") SAW("%s"), answer(result));
	close_engine(s);
}

const struct lab_test lab_tests[] = {
	{ .name = "hands_back",
	  .exercise = 1,
	  .engine = "null",
	  .flavours = ONE(NO_FD),
	  .run = hands_back,
	  .limit_s = 1 },
	{ .name = "says_how_much",
	  .exercise = 2,
	  .engine = "null",
	  .flavours = ONE(NO_FD),
	  .run = says_how_much,
	  .limit_s = 1 },
	{ NULL },
};
