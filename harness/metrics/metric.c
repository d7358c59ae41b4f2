/* SPDX-License-Identifier: MIT */
#include "metrics/metric.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json_path.h"
#include "base/json_put.h"

const struct metric *metric_find(const char *name)
{
	for_each_metric (m)
		if (strcmp(m->name, name) == 0)
			return m;
	return NULL;
}

double metric_value(const struct metric *m, const json_t *metrics, const json_t *idle)
{
	if (!json_is_object(metrics))
		return NAN;
	const json_t *found = m->derive ? NULL : at_path(metrics, m->name);
	double value = m->derive	       ? m->derive(metrics, idle)
		       : json_is_number(found) ? json_number_value(found)
					       : NAN;
	return isfinite(value) ? value : NAN;
}

/* Sets `key` of `object` to the value in the row's type; null for NAN. */
static void put_value(json_t *object, const char *key, const struct metric *m, double value)
{
	if (m->whole && isfinite(value))
		put_int(object, key, (int64_t)value);
	else
		put_real(object, key, value);
}

/* Walks "cpu.user_s" down, making objects on the way. */
static void put_at(json_t *object, const char *path, const struct metric *m, double value)
{
	char key[64];
	size_t length = strcspn(path, ".");
	assert(length < sizeof key);
	snprintf(key, sizeof key, "%.*s", (int)length, path);
	if (!path[length]) {
		put_value(object, key, m, value);
		return;
	}
	if (!json_is_object(json_object_get(object, key)))
		put_new(object, key, required(json_object()));
	put_at(json_object_get(object, key), path + length + 1, m, value);
}

void metric_put(json_t *metrics, const char *name, double value)
{
	const struct metric *m = metric_find(name);
	assert(m);
	put_at(metrics, name, m, value);
}

json_t *metrics_of_run(const struct measured *measured, const json_t *observed)
{
	json_t *object = required(json_object());
	for_each_metric (m) {
		if (m->measure)
			put_at(object, m->name, m, m->measure(measured));
		if (m->observe)
			put_at(object, m->name, m, metric_value(m, observed, NULL));
	}
	return object;
}

json_t *metrics_unknown(void)
{
	json_t *object = required(json_object());
	for_each_metric (m)
		if (m->measure || m->observe)
			put_at(object, m->name, m, NAN);
	return object;
}

json_t *metrics_observe(void)
{
	json_t *object = required(json_object());
	for_each_metric (m)
		if (m->observe)
			put_at(object, m->name, m, m->observe());
	return object;
}

static const char *better_words(enum better better)
{
	static const char *const words[] = { "neither", "lower", "higher" };
	return words[better];
}

json_t *metrics_described(void)
{
	json_t *list = required(json_array());
	for_each_metric (m) {
		json_t *row = required(json_object());
		put_string(row, "name", m->name);
		put_string(row, "words", m->words);
		put_string(row, "unit", m->unit);
		put_string(row, "better", better_words(m->better));
		put_string(row, "meaning", m->meaning);
		put_string(row, "type", m->whole ? "integer" : "number");
		put_bool(row, "below_zero", m->below_zero);
		put_bool(row, "always", m->always);
		put_bool(row, "in_run", m->measure || m->observe);
		put_bool(row, "in_summary", m->in_summary);
		put_bool(row, "ratio", m->ratio);
		put_string(row, "error", m->error);
		put_string(row, "csv", m->csv);
		json_array_append_new(list, row);
	}
	return list;
}

json_t *metrics_in_summary(void)
{
	json_t *rows = required(json_object());
	for_each_metric (m) {
		if (!m->in_summary)
			continue;
		json_t *row = required(json_object());
		put_string(row, "words", m->words);
		put_string(row, "unit", m->unit);
		put_string(row, "better", better_words(m->better));
		put_string(row, "error", m->error);
		put_new(rows, m->name, row);
	}
	return rows;
}

/* Three significant digits and one of `units`, each `step` times the one before it. */
static void format_scaled(double value, const char *const *units, unsigned last, char text[16])
{
	unsigned unit = 0;
	while (value >= 999.5 && unit < last) {
		value /= 1000;
		unit++;
	}
	int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
	snprintf(text, 16, "%.*f%s", decimals, value, units[unit]);
}

/* With one call for hundreds of operations there is little, and it is not nothing. */
static void format_small(double value, char text[16])
{
	if (value > 0 && value < 0.001)
		snprintf(text, 16, "<0.001");
	else
		snprintf(text, 16, value > 0 && value < 0.1 ? "%.2g" : "%.2f", value);
}

const char *metric_format(const struct metric *m, double value, char text[16])
{
	static const char *const counts[] = { "", "k", "M", "G", "T" };
	static const char *const times[] = { " ns", " us", " ms", " s" };
	switch (m->shown_as) {
	case SHOWN_TIME:
		format_scaled(value, times, 3, text);
		break;
	case SHOWN_SCALED:
		format_scaled(value, counts, 4, text);
		break;
	case SHOWN_WHOLE:
		snprintf(text, 16, "%.0f", value);
		break;
	case SHOWN_SMALL:
		format_small(value, text);
		break;
	}
	return text;
}
