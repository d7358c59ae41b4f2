/* SPDX-License-Identifier: MIT */
#include "layer.h"

#include <errno.h>

static int64_t perform_all(const struct engine_ops *ops, struct engine *engine, unsigned count)
{
	int64_t well = 0;
	for (unsigned i = 0; i < count; i++) {
		struct io_op op = { .kind = IO_NOP, .fd = -1 };
		struct io_op *offered = &op, *done = NULL;
		//> 1 Submit the operation and wait for it.
		//+ (void)ops;
		//+ (void)engine;
		//+ (void)offered;
		//+ (void)done;
		if (ops->submit(engine, &offered, 1) != 1 ||
		    ops->reap(engine, &done, 1, 1, -1) != 1)
			return -EIO;
		//< 1
		//> 2 Count it, if it ended well.
		well += done->result >= 0;
		//< 2
	}
	return well;
}

int64_t perform_no_ops(const struct engine_ops *ops, uint64_t options, unsigned count)
{
	struct engine_config config = {
		.depth = 1, .max_fds = 1, .cpu_count = 1, .options = options
	};
	struct engine *engine;
	struct reason why;
	int rc = ops->open(&engine, &config, &why);
	if (rc < 0)
		return rc;
	int64_t well = perform_all(ops, engine, count);
	ops->close(engine);
	return well;
}
