/* SPDX-License-Identifier: MIT */
/* The wish to end early, which Ctrl-C or a parent expresses by a signal. */
#ifndef IOLAB_INTERRUPT_H
#define IOLAB_INTERRUPT_H

#include <signal.h>
#include <stdbool.h>

/* A signal handler can reach nothing but a global; only the functions below touch it. */
extern volatile sig_atomic_t interrupt_flag;

/* Asks whatever takes long to end early and in good order. Async-signal-safe. */
void interrupt_request(void);

/* Was the end asked for? */
static inline bool interrupt_requested(void)
{
	return interrupt_flag;
}

#endif
