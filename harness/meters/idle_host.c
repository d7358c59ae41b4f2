/* SPDX-License-Identifier: MIT */
#include "meters/idle_host.h"

#include <math.h>
#include <time.h>

#include "base/interrupt.h"
#include "base/json_put.h"
#include "clock.h"
#include "meters/meter.h"

json_t *idle_host_json(double idle_s)
{
	struct meter meter;
	struct reading begin, end;
	if (idle_s <= 0)
		return json_null();
	meter_open(&meter, 0, false);
	meter_begin(&meter, &begin);
	struct timespec pause = timespec_of_ns((int64_t)(idle_s * NS_PER_S));
	nanosleep(&pause, NULL);
	meter_end(&meter, &end);
	struct usage usage = usage_between(&meter, &begin, &end);
	meter_close(&meter);
	if (interrupt_requested() || isnan(usage.host_busy_s))
		return json_null();
	json_t *baseline = required(json_object());
	put_real(baseline, "elapsed_s", usage.elapsed_s);
	put_real(baseline, "busy_pct", 100 * usage.host_busy_s / usage.elapsed_s);
	put_real(baseline, "error_pct", 100 * usage.host_error_s / usage.elapsed_s);
	put_new(baseline, "per_cpu_pct", per_cpu_json(&begin, &end));
	return baseline;
}
