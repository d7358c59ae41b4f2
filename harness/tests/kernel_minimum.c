/* SPDX-License-Identifier: MIT */
/* Which releases are below the minimum? Numbers are compared, not letters. */
#include "meters/kernel_minimum.h"

#include "tap.h"

int main(void)
{
	struct tap tap = { 0 };
	static const char *const below[] = { "5.14.21-generic", "5.4.0", "5.10.0-35-amd64",
					     "4.19.0-6-amd64", "2.6.78-fc" };
	static const char *const enough[] = { "5.15.0",		"5.15", "5.100.1",
					      "6.1.0-56-amd64", "10.0", "unknown" };
	for (unsigned i = 0; i < sizeof below / sizeof *below; i++)
		tap_check(&tap, kernel_below_minimum(below[i]), "%s is below", below[i]);
	for (unsigned i = 0; i < sizeof enough / sizeof *enough; i++)
		tap_check(&tap, !kernel_below_minimum(enough[i]), "%s is not", enough[i]);
	return tap_end(&tap);
}
