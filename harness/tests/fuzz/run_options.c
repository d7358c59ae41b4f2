/* SPDX-License-Identifier: MIT */
/* The words of `iolab run`, one a line. Nothing is run. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "run/run_options.h"

#define WORDS_MOST 64

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	char program[] = "iolab run", *text = malloc(length + 1);
	char *argv[WORDS_MOST + 2] = { program };
	int argc = 1;
	struct run_options options;
	struct reason why = { "" };
	must(text != NULL, "there is memory");
	memcpy(text, bytes, length);
	text[length] = '\0';
	for (char *at = text; at && *at && argc <= WORDS_MOST;)
		argv[argc++] = strsep(&at, "\n");
	int rc = run_options_read(&options, argc, argv, &why);
	must(rc == 0 || why.text[0], "words that are refused have a reason");
	if (rc == 0) {
		must(run_limit_s(&options.config) > 0, "a run may take some time");
		run_options_free(&options);
	}
	free(text);
	return 0;
}
