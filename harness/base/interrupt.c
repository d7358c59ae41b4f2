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

int interrupt_reason(struct reason *why)
{
	reason_set(why, "interrupted", "interrupted");
	return -EINTR;
}
