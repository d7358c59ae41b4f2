/* SPDX-License-Identifier: MIT */
/*
 * Reading the kernel's tracepoints, through libtracefs and libtraceevent. The trace is an instance of
 * its own in tracefs, "iolab-PID", so that nobody else's tracing is disturbed. Where no tracefs is
 * mounted, root gets one that only this process and its children see, and that ends with them.
 */
#ifndef IOLAB_KERNEL_TRACE_H
#define IOLAB_KERNEL_TRACE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/findings.h"
#include "meters/kernel_event.h"
#include "reason.h"

struct kernel_trace;

struct kernel_events {
	struct kernel_event *all; /* in the order of time */
	size_t count, capacity;
};

/*
 * Makes the instance, and removes those of processes that were killed. Returns 0, or -errno with
 * `why`: -ENOSYS when this program was built without the libraries.
 */
int kernel_trace_open(struct kernel_trace **trace, struct reason *why);

/* What helps where that was refused; NULL where nothing is known to help. */
const struct said *kernel_trace_cure(const struct reason *why);

/* Has the kernel this tracepoint? */
bool kernel_trace_has(const struct kernel_trace *trace, enum kernel_event_kind kind);

/*
 * Begins with an empty buffer. It holds so many events of each CPU: who traces for long reads often.
 * Works in a child that was forked after kernel_trace_open(), too. Returns 0, or -errno with `why`.
 */
int kernel_trace_begin(struct kernel_trace *trace, struct reason *why);

/*
 * Ends what began and puts its events in place of those in `events`, whose memory grows and is the
 * caller's to free. Returns 0; or -errno with `why`: -EOVERFLOW when the kernel had to drop some.
 */
int kernel_trace_end(struct kernel_trace *trace, struct kernel_events *events, struct reason *why);

/* Removes the instance, if there is one. For the process that opened it, when none of its children traces. */
void kernel_trace_close(struct kernel_trace *trace);

#endif
