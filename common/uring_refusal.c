/* SPDX-License-Identifier: MIT */
#include "uring_refusal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* The sysctl, or 0 where it is not known. */
static int disabled_by_sysctl(void)
{
	FILE *file = fopen("/proc/sys/kernel/io_uring_disabled", "re");
	int disabled = 0;
	if (file && fscanf(file, "%d", &disabled) != 1)
		disabled = 0;
	if (file)
		fclose(file);
	return disabled;
}

int uring_setup_refused(struct reason *why, int error)
{
	int disabled;
	switch (abs(error)) {
	case ENOSYS:
		return reason_errno(
			why, "no_io_uring", error,
			"io_uring_setup: this kernel has no io_uring, or seccomp hides it as "
			"containers do");
	case EPERM:
	case EACCES:
		disabled = disabled_by_sysctl();
		if (disabled)
			return reason_errno(
				why, "io_uring_disabled", error,
				"io_uring_setup: the sysctl kernel.io_uring_disabled is {sysctl}",
				reason_int("sysctl", disabled));
		return reason_errno(why, "refused_by_seccomp", error,
				    "{call} is refused, probably by seccomp as in a container",
				    reason_string("call", "io_uring_setup"));
	case ENOMEM:
		return reason_errno(why, "rings_exceed_memlock", error,
				    "io_uring_setup: the rings exceed RLIMIT_MEMLOCK; raise it "
				    "with ulimit -l, or lower the depth");
	default:
		return reason_errno(why, "io_uring_setup", error, "io_uring_setup");
	}
}
