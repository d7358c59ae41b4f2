/* SPDX-License-Identifier: MIT */
/* TODO: one test for each idea; its name says what must hold. They assert the mechanism. */
#include "lab_test.h"

static void hands_back_what_it_accepts(struct subject *s)
{
	open_engine(s, 4, 1);
	int64_t result = perform(s, prepare(s, 0, IO_NOP, -1, 0, 0, 0));
	expect(result == 0, EXPECTED("result 0") SAW("%s"), answer(result));
	close_engine(s);
}

const struct lab_test lab_tests[] = {
	{ .name = "hands_back_what_it_accepts",
	  .exercise = 1,
	  .engine = "NEWLAB",
	  .flavours = ONE(NO_FD),
	  .run = hands_back_what_it_accepts },
	{ NULL },
};
