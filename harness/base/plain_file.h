/* SPDX-License-Identifier: MIT */
/* Reading a file of a results folder. A pipe or a device at its place might never end. */
#ifndef IOLAB_PLAIN_FILE_H
#define IOLAB_PLAIN_FILE_H

#include <stdio.h>

#include "reason.h"

/*
 * Opens it to be read; waits for nobody. Returns 0 with `*file`, to be closed, or -errno with `why`:
 * -EINVAL when it is no plain file.
 */
int plain_file_open(const char *path, FILE **file, struct reason *why);

#endif
