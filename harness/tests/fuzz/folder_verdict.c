/* SPDX-License-Identifier: MIT */
#include "folder_verdict.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exchange/export.h"
#include "metrics/documents.h"
#include "summary/runs_file.h"
#include "summary/summary.h"

/* Everything that shows a summary to somebody. */
static void show(const char *folder, const json_t *summary)
{
	static FILE *nowhere;
	struct reason why;
	json_t *runs = runs_read(folder, &why);
	if (!nowhere)
		nowhere = fopen("/dev/null", "we");
	summary_print(nowhere, summary);
	summary_print_cpu(nowhere, summary);
	export_csv(nowhere, runs, summary);
	export_fio(nowhere, runs, summary);
	export_hyperfine(nowhere, runs, summary);
	json_decref(runs);
}

enum folder_verdict folder_verdict(const char *folder, struct reason *why)
{
	struct reason misfit;
	json_t *summary = summary_recompute(folder, NULL, (struct comparison) { 0 }, why);
	if (!summary && strstr(why->text, folder))
		return FOLDER_REFUSED;
	if (!summary) {
		reason_say(why, "refused without a reason that names the file");
		return FOLDER_WRONG;
	}
	/* As it will be read: a number may change its type on the way. */
	char *text = json_dumps(summary, JSON_COMPACT | JSON_REAL_PRECISION(9));
	json_t *written = text ? json_loads(text, 0, NULL) : NULL;
	bool fits = written && document_fits(SUMMARY_SCHEMA, written, &misfit);
	if (!written)
		reason_say(why, "its summary cannot be written as JSON, or not be read");
	else if (!fits)
		reason_say(why, "its summary breaks the schema: %s", misfit.text);
	show(folder, summary);
	json_decref(written);
	free(text);
	json_decref(summary);
	return fits ? FOLDER_ACCEPTED : FOLDER_WRONG;
}
