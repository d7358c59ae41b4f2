/* SPDX-License-Identifier: MIT */
/* Where tracefs is mounted. */
#ifndef IOLAB_TRACEFS_MOUNT_H
#define IOLAB_TRACEFS_MOUNT_H

#include <stddef.h>

#include "reason.h"

/*
 * The folder of tracefs. Where none is mounted, mounts one in a mount namespace that this process
 * then has for itself and its children, which takes root; nothing of it stays. Returns 0, or -errno
 * with `why`.
 */
int tracefs_folder(char *folder, size_t size, struct reason *why);

#endif
