/* SPDX-License-Identifier: MIT */
/*
 * The way of one operation through the kernel, found among the events of its time: from the call that
 * asks for it to the call that brings it. A pure function of these events: nothing is read here.
 *
 * A moment that no event shows is not seen, and none is guessed. What the way looks like is nobody's
 * list: no interface is known here, so a way that goes through helper threads shows these.
 */
#ifndef IOLAB_UPCALL_PATH_H
#define IOLAB_UPCALL_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "meters/kernel_event.h"

enum upcall_moment {
	MOMENT_OFFERED, /* submit() is called */
	MOMENT_CALLED, /* the loop's thread makes its first system call */
	MOMENT_TAKEN_UP, /* io_uring takes the request from its ring */
	MOMENT_ACCEPTED, /* submit() has returned, and the operation is not over */
	MOMENT_SLEEPS, /* the loop's thread leaves the CPU to wait */
	MOMENT_HELPER_BEGINS, /* another thread of the process runs, before the next of these */
	MOMENT_ISSUED, /* the request goes to the device */
	MOMENT_PACKET, /* the peer's packet is queued */
	MOMENT_INTERRUPT, /* the device's */
	MOMENT_SOFTIRQ, /* the kernel does what the interrupt put off */
	MOMENT_COMPLETED, /* the request is complete, or the data is with the socket */
	MOMENT_HELPER_WOKEN, /* another thread of the process is woken first */
	MOMENT_HELPER_RUNS,
	MOMENT_POSTED, /* io_uring writes the completion into its ring */
	MOMENT_WOKEN, /* the loop's thread is woken */
	MOMENT_RUNS, /* it is on a CPU again */
	MOMENT_RETURNED, /* its system call returns */
	MOMENT_TAKEN, /* reap() has returned the operation */
	UPCALL_MOMENTS,
};

/* What is said of a moment. */
struct upcall_moment_kind {
	const char *name, *words;
	/* The tracepoint that shows it; KERNEL_EVENT_KINDS for one by the driver's clock. */
	enum kernel_event_kind event;
	/* Every way has it, by the course's account of an upcall: that it is absent is news. */
	bool expected_of_file, expected_of_socket;
};

extern const struct upcall_moment_kind upcall_moments[UPCALL_MOMENTS];

/* By the driver's clock, all of CLOCK_MONOTONIC. */
struct upcall_op {
	uint64_t offered_ns, accepted_ns, taken_ns;
};

/* Whose events count. */
struct upcall_actors {
	int32_t loop; /* the thread that makes the operation */
	int32_t peer; /* the process that sends; 0: none, since the operation is on a file */
	const int32_t *own; /* all threads of the loop's process, its own among them */
	size_t own_count;
};

struct upcall_path {
	uint64_t at_ns[UPCALL_MOMENTS]; /* 0: not seen */
};

/* Moves the events to the front that tell of the actors or of nobody's; returns how many. */
size_t upcall_keep(struct kernel_event *events, size_t count, const struct upcall_actors *actors);

/* The way of one operation. `events` are in the order of time, and may begin before it and end after. */
struct upcall_path upcall_follow(const struct kernel_event *events, size_t count,
				 const struct upcall_op *op, const struct upcall_actors *actors);

/* The position of the first event at or after this time. */
size_t upcall_first_at(const struct kernel_event *events, size_t count, uint64_t at_ns);

/*
 * The moment that was seen last before this one; UPCALL_MOMENTS when there is none. Of two at one
 * time the one that comes first in the list above was earlier.
 */
enum upcall_moment upcall_before(const struct upcall_path *path, enum upcall_moment moment);

#endif
