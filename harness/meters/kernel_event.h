/* SPDX-License-Identifier: MIT */
/* What one tracepoint of the kernel told, freed of how it was read. */
#ifndef IOLAB_KERNEL_EVENT_H
#define IOLAB_KERNEL_EVENT_H

#include <stddef.h>
#include <stdint.h>

/* The tracepoints that are read. The comment says what `values` are. */
enum kernel_event_kind {
	EVENT_SYSCALL_ENTER, /* number */
	EVENT_SYSCALL_EXIT, /* number, result */
	EVENT_SWITCH, /* thread that leaves the CPU, thread that gets it, state of the first */
	EVENT_WAKING, /* thread */
	EVENT_IRQ_ENTER, /* number */
	EVENT_IRQ_EXIT, /* number */
	EVENT_SOFTIRQ_RAISE, /* number */
	EVENT_SOFTIRQ_ENTER, /* number */
	EVENT_SOFTIRQ_EXIT, /* number */
	EVENT_BLOCK_INSERT, /* device, sector */
	EVENT_BLOCK_ISSUE, /* device, sector */
	EVENT_BLOCK_COMPLETE, /* device, sector */
	EVENT_PACKET_QUEUE, /* address of the packet */
	EVENT_PACKET_RECEIVE, /* address of the packet */
	EVENT_SOCKET_READY, /* address of the socket */
	EVENT_URING_SUBMIT, /* address of the ring */
	EVENT_URING_COMPLETE, /* address of the ring */
	KERNEL_EVENT_KINDS,
};

#define KERNEL_EVENT_VALUES 3

struct kernel_event {
	uint64_t at_ns; /* CLOCK_MONOTONIC */
	int64_t values[KERNEL_EVENT_VALUES]; /* as above; 0 beyond those */
	int32_t thread; /* that was on the CPU; an interrupt comes to whoever is there */
	uint16_t cpu;
	uint8_t kind; /* enum kernel_event_kind */
};

/* Where the kernel has it: "sched", "sched_switch", and its fields in the order of `values`. */
struct kernel_tracepoint {
	const char *system, *name;
	const char *fields[KERNEL_EVENT_VALUES]; /* NULL beyond the last */
};

extern const struct kernel_tracepoint kernel_tracepoints[KERNEL_EVENT_KINDS];

/* The kind with this name, without its system; KERNEL_EVENT_KINDS when there is none. */
enum kernel_event_kind kernel_event_kind_of(const char *name);

#endif
