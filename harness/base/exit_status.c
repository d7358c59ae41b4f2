/* SPDX-License-Identifier: MIT */
#include "base/exit_status.h"

#include "base/json_path.h"

enum exit_status exit_status_of(const json_t *entries)
{
	size_t i, unsupported = 0;
	json_t *entry;
	json_array_foreach (entries, i, entry) {
		if (status_is(entry, "ok"))
			return EXIT_OK;
		unsupported += status_is(entry, "unsupported");
	}
	return unsupported > 0 && unsupported == json_array_size(entries) ? EXIT_UNSUPPORTED
									  : EXIT_ERROR;
}
