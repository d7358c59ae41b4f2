/* SPDX-License-Identifier: MIT */
#include "exchange/fio_shape.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "printable_text.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

struct kind {
	const char *words;
	bool (*has)(const json_t *value);
};

struct key {
	const char *name;
	const struct kind *kind;
};

static bool is_number(const json_t *value)
{
	return json_is_number(value);
}

static bool is_text(const json_t *value)
{
	return json_is_string(value);
}

static bool is_object(const json_t *value)
{
	return json_is_object(value);
}

/* Other programs that write fio's JSON have numbers, true and false among its options. */
static bool is_option(const json_t *value)
{
	return !json_is_object(value) && !json_is_array(value);
}

static const struct kind number = { "a number", is_number }, text = { "a text", is_text },
			 object = { "an object", is_object },
			 option = { "the value of an option", is_option };

static const struct key document_keys[] = { { "timestamp", &number },
					    { "global options", &object } };

static const struct key job_keys[] = {
	{ "jobname", &text },	      { "desc", &text },	  { "error", &number },
	{ "elapsed", &number },	      { "job_start", &number },	  { "job_runtime", &number },
	{ "total_err", &number },     { "usr_cpu", &number },	  { "sys_cpu", &number },
	{ "ctx", &number },	      { "job options", &object }, { "read", &object },
	{ "write", &object },	      { "mixed", &object },	  { "sync", &object },
	{ "iodepth_level", &object }, { "steadystate", &object },
};

static const struct key direction_keys[] = {
	{ "io_bytes", &number },  { "io_kbytes", &number }, { "bw_bytes", &number },
	{ "bw", &number },	  { "iops", &number },	    { "runtime", &number },
	{ "total_ios", &number }, { "short_ios", &number }, { "slat_ns", &object },
	{ "clat_ns", &object },	  { "lat_ns", &object },    { "slat", &object },
	{ "clat", &object },	  { "lat", &object },
};

static const struct key latency_keys[] = { { "min", &number },	      { "max", &number },
					   { "mean", &number },	      { "N", &number },
					   { "percentile", &object }, { "bins", &object } };

/* `outer` is "" or the name of the object that holds the key. */
static int check_value(const json_t *value, const char *outer, const char *name,
		       const struct kind *kind, struct reason *why)
{
	char shown[60];
	if (!value || json_is_null(value) || kind->has(value))
		return 0;
	copy_printable(name, strlen(name), shown, sizeof shown);
	reason_say(why, "%s%s%s is not %s", outer, *outer ? "." : "", shown, kind->words);
	return -EINVAL;
}

static int check_keys(const json_t *of, const char *outer, const struct key *keys, size_t count,
		      struct reason *why)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = check_value(json_object_get(of, keys[i].name), outer, keys[i].name,
				 keys[i].kind, why);
	return rc;
}

static int check_values(const json_t *of, const char *outer, const struct kind *kind,
			struct reason *why)
{
	const char *name;
	json_t *value;
	json_object_foreach ((json_t *)of, name, value)
		if (check_value(value, outer, name, kind, why) < 0)
			return -EINVAL;
	return 0;
}

static int check_latency(const json_t *latency, const char *name, struct reason *why)
{
	int rc = check_keys(latency, name, latency_keys, LENGTH(latency_keys), why);
	if (rc == 0)
		rc = check_values(json_object_get(latency, "percentile"), name, &number, why);
	if (rc == 0)
		rc = check_values(json_object_get(latency, "bins"), name, &number, why);
	return rc;
}

static int check_direction(const json_t *direction, const char *name, struct reason *why)
{
	int rc = check_keys(direction, name, direction_keys, LENGTH(direction_keys), why);
	for (size_t i = 0; rc == 0 && i < LENGTH(direction_keys); i++)
		if (direction_keys[i].kind == &object)
			rc = check_latency(json_object_get(direction, direction_keys[i].name),
					   direction_keys[i].name, why);
	return rc;
}

int fio_shape_check(const json_t *document, const json_t *job, struct reason *why)
{
	static const char *const directions[] = { "read", "write", "mixed", "sync" };
	static const char options[] = "job options", of_all[] = "global options";
	int rc = check_keys(document, "", document_keys, LENGTH(document_keys), why);
	if (rc == 0 && !json_is_object(job)) {
		reason_say(why, "the job is not an object");
		rc = -EINVAL;
	}
	if (rc == 0)
		rc = check_keys(job, "", job_keys, LENGTH(job_keys), why);
	if (rc == 0)
		rc = check_values(json_object_get(document, of_all), of_all, &option, why);
	if (rc == 0)
		rc = check_values(json_object_get(job, options), options, &option, why);
	if (rc == 0)
		rc = check_values(json_object_get(job, "iodepth_level"), "iodepth_level", &number,
				  why);
	for (size_t i = 0; rc == 0 && i < LENGTH(directions); i++)
		rc = check_direction(json_object_get(job, directions[i]), directions[i], why);
	return rc;
}
