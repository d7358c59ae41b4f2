/* SPDX-License-Identifier: MIT */
#include "base/interrupt.h"

#include <errno.h>
#include <stddef.h>

volatile sig_atomic_t interrupt_flag, interrupt_typed;

static void (*also_done)(void);

void interrupt_request(void)
{
	interrupt_flag = 1;
}

static void on_signal(int signal_number, siginfo_t *info, void *context)
{
	(void)context;
	interrupt_request();
	if (info->si_code == SI_KERNEL)
		interrupt_typed++;
	if (interrupt_at_once())
		signal(signal_number, SIG_DFL);
	if (also_done)
		also_done();
}

void interrupt_install(void (*also)(void))
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	also_done = also;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

void interrupt_hold(sigset_t *before)
{
	sigset_t both;
	sigemptyset(&both);
	sigaddset(&both, SIGINT);
	sigaddset(&both, SIGTERM);
	sigprocmask(SIG_BLOCK, &both, before);
}

void interrupt_release(const sigset_t *before)
{
	sigprocmask(SIG_SETMASK, before, NULL);
}

void interrupt_release_to_exec(const sigset_t *before)
{
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	interrupt_release(before);
}

int interrupt_reason(struct reason *why)
{
	reason_set(why, "interrupted", "interrupted");
	return -EINTR;
}
