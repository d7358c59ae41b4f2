/* SPDX-License-Identifier: MIT */
#ifndef IOLAB_TINY_LAYER_H
#define IOLAB_TINY_LAYER_H

#include "io_engine.h"

/* Performs `count` no-ops, one after another. Returns how many ended well, or -errno. */
int64_t perform_no_ops(const struct engine_ops *ops, uint64_t options, unsigned count);

#endif
