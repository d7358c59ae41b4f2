/* SPDX-License-Identifier: MIT */
#include "lab_test.h"

const struct lab_test lab_tests[] = {
	{ .name = "reads_the_right_blocks",
	  .exercise = 1,
	  .engine = "sample",
	  .flavours = FILES,
	  .run = file_read_right_data,
	  .limit_s = 4 },
	{ .name = "receives_what_is_there",
	  .exercise = 2,
	  .engine = "sample",
	  .flavours = ONE(TCP),
	  .run = stream_receives_what_is_there,
	  .limit_s = 4 },
	{ .name = "sends_the_right_data",
	  .exercise = 2,
	  .engine = "sample",
	  .flavours = ONE(TCP),
	  .run = stream_sends_right_data,
	  .limit_s = 4 },
	{ NULL },
};
