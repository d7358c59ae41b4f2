/* SPDX-License-Identifier: MIT */
#include "lab_test.h"

const struct lab_test lab_tests[] = {
	{ .name = "reads_the_right_blocks",
	  .exercise = 1,
	  .engine = "blocking",
	  .flavours = FILES,
	  .run = file_read_right_data,
	  .allowed_calls = "pread64 pwrite64 fsync fdatasync" },
	{ .name = "survives_signals",
	  .exercise = 3,
	  .engine = "blocking",
	  .flavours = ONE(TCP),
	  .run = stream_survives_signals },
	{ NULL },
};
