/* SPDX-License-Identifier: MIT */
/* What the file workload alone needs of a configuration; also filled in from other programs' jobs. */
#ifndef IOLAB_FILE_H
#define IOLAB_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "workloads/data_file.h"
#include "workloads/workload.h"

enum file_pattern { RW_READ, RW_WRITE, RW_RANDREAD, RW_RANDWRITE, RW_RANDRW };

/* Of the file workload. */
struct workload_settings {
	const char *path; /* NULL: `default_path` */
	char default_path[256];
	uint64_t size_bytes;
	uint32_t bs_bytes;
	enum file_pattern rw;
	unsigned read_pct; /* share of reads in randrw */
	bool direct;
	enum cache_state cache;
	unsigned fsync_every; /* writes between two fsyncs; 0: none */
	unsigned fdatasync_every;
	bool fd_per_slot; /* open the file once for each operation in flight */
};

#endif
