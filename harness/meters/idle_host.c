/* SPDX-License-Identifier: MIT */
#include "meters/idle_host.h"

#include <time.h>

#include "base/interrupt.h"
#include "base/json_path.h"
#include "clock.h"
#include "meters/measurement.h"

json_t *idle_host_json(double idle_s)
{
	struct measurement before, after;
	struct reason unused;
	if (idle_s <= 0)
		return json_null();
	measurement_open(&before, &after, 0, false, &unused);
	measurement_begin(&before);
	struct timespec pause = timespec_of_ns((int64_t)(idle_s * NS_PER_S));
	nanosleep(&pause, NULL);
	measurement_end(&after);
	json_t *metrics = measurement_json(&before, &after, 0, &unused);
	json_t *baseline = json_null();
	if (!interrupt_requested() && json_is_number(at_path(metrics, "cpu.host_util_pct")))
		baseline = json_pack("{s:O, s:O, s:f, s:O}", "elapsed_s",
				     at_path(metrics, "elapsed_s"), "busy_pct",
				     at_path(metrics, "cpu.host_util_pct"), "error_pct",
				     100 * number_at(metrics, "cpu.host_error_s") /
					     number_at(metrics, "elapsed_s"),
				     "per_cpu_pct", at_path(metrics, "cpu.per_cpu_pct"));
	json_decref(metrics);
	measurement_close(&before, &after);
	return baseline;
}
