/* SPDX-License-Identifier: MIT */
/* What must be true of any results folder, however it came about. */
#ifndef IOLAB_FOLDER_VERDICT_H
#define IOLAB_FOLDER_VERDICT_H

#include "reason.h"

enum folder_verdict {
	FOLDER_REFUSED, /* with a reason that names a file of the folder */
	FOLDER_ACCEPTED, /* its summary fits our schema, and could be printed and exported */
	FOLDER_WRONG, /* neither; `why` says what is wrong */
};

/* Reads `folder`, and shows to nobody what there is to show. `why` is set except for ACCEPTED. */
enum folder_verdict folder_verdict(const char *folder, struct reason *why);

#endif
