/* SPDX-License-Identifier: MIT */
/* What `iolab doctor` says of the test file: is there a place for it, room, and O_DIRECT? */
#ifndef IOLAB_EXAMINE_FILE_H
#define IOLAB_EXAMINE_FILE_H

#include "base/findings.h"

/*
 * Tries the test file at `path`, or at run's default where that is NULL. What is there already is
 * only read; else a file of its own is written beside it and deleted.
 */
void examine_file(struct findings *found, const char *path);

#endif
