/* SPDX-License-Identifier: MIT */
/*
 * Which thread of this process was on which CPU, and when: the kernel's own record of its context
 * switches, through perf_event_open(2). Threads that start later are followed too, those that the
 * kernel starts on our behalf (io-wq, SQPOLL) included.
 */
#ifndef IOLAB_ON_CPU_H
#define IOLAB_ON_CPU_H

#include <jansson.h>
#include <stdint.h>

#include "reason.h"

struct on_cpu;

/* Begins to record. Returns NULL with `why` where the kernel does not let us. */
struct on_cpu *on_cpu_open(struct reason *why);

/*
 * Ends the recording. Returns a list of threads that ran between the two times of CLOCK_MONOTONIC,
 * as docs/results.md has it under "threads"; the calling thread is the loop's. While they still
 * live, so that their names are known. Returns NULL with `why` where the record, which holds so
 * many switches of each CPU, does not reach back to `begin_ns`.
 */
json_t *on_cpu_json(struct on_cpu *record, uint64_t begin_ns, uint64_t end_ns, struct reason *why);

void on_cpu_close(struct on_cpu *record);

#endif
