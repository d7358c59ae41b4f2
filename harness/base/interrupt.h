/* SPDX-License-Identifier: MIT */
/*
 * The wish to end early, which a signal expresses. docs/architecture.md, "Signals", says what each
 * command does with it.
 *
 * A Ctrl-C reaches a run several times: from the terminal, which signals the whole foreground group,
 * and from each parent that passes it on. So a signal never counts as a second wish, except a
 * second Ctrl-C: only the terminal's driver signals as the kernel.
 */
#ifndef IOLAB_INTERRUPT_H
#define IOLAB_INTERRUPT_H

#include <signal.h>
#include <stdbool.h>

#include "reason.h"

/* A signal handler can reach nothing but globals; only the functions below touch these. */
extern volatile sig_atomic_t interrupt_flag, interrupt_typed;

/*
 * From now on SIGINT and SIGTERM ask for the end, and interrupt a wait (no SA_RESTART). `also`
 * (NULL: nothing) then runs in the handler: it must be async-signal-safe. After a second Ctrl-C
 * the third ends the process.
 */
void interrupt_install(void (*also)(void));

/*
 * For a process that fork(2) made and that is to become another program: signals between
 * interrupt_hold(), which the parent calls before fork(2), and one of the others wait. Those that
 * came for the child end it in interrupt_release_to_exec(), since execve(2) takes the handler away
 * and the wish with it; the parent, and a child that stays this program, go on as they were.
 * `before` is the signal mask, kept by the caller.
 */
void interrupt_hold(sigset_t *before);
void interrupt_release(const sigset_t *before);
void interrupt_release_to_exec(const sigset_t *before);

/* Asks whatever takes long to end early and in good order. Async-signal-safe. */
void interrupt_request(void);

/* Says in `why` that a signal asked for the end, with the id "interrupted". Returns -EINTR. */
int interrupt_reason(struct reason *why);

/* Was the end asked for? */
static inline bool interrupt_requested(void)
{
	return interrupt_flag;
}

/* Was Ctrl-C typed twice? Then nothing is waited for. */
static inline bool interrupt_at_once(void)
{
	return interrupt_typed >= 2;
}

#endif
