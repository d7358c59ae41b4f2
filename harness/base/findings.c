/* SPDX-License-Identifier: MIT */
#include "base/findings.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json_path.h"
#include "base/json_put.h"
#include "base/remark.h"

json_t *with_int(const char *name, int64_t value)
{
	json_t *values = required(json_object());
	put_int(values, name, value);
	return values;
}

json_t *with_text(const char *name, const char *text)
{
	json_t *values = required(json_object());
	put_string(values, name, text);
	return values;
}

void put_limit(json_t *values, const char *name, rlim_t limit)
{
	if (limit == RLIM_INFINITY)
		put_string(values, name, "unlimited");
	else
		put_int(values, name, (int64_t)limit);
}

void add_finding_on(struct findings *found, json_t *topic, enum health health,
		    const struct said *cure, json_t *cause)
{
	static const char *const names[] = { "ok", "limited", "missing" };
	json_t *finding = required(json_object());
	put_new(finding, "topic", topic);
	put_string(finding, "status", names[health]);
	put_new(finding, "cause", cause);
	put_new(finding, "cure", cure ? remark_new(cure->id, NULL, cure->text) : NULL);
	json_array_append_new(found->list, finding);
}

void add_finding(struct findings *found, const struct said *topic, enum health health,
		 const struct said *cure, json_t *cause)
{
	add_finding_on(found, remark_new(topic->id, NULL, topic->text), health, cure, cause);
}

static void print_finding(const json_t *finding)
{
	const json_t *remark = json_object_get(finding, "cure");
	char *topic = remark_text(json_object_get(finding, "topic"));
	char *cause = remark_text(json_object_get(finding, "cause"));
	printf("%-8s %-31s %s\n", string_at(finding, "status"), topic, cause);
	free(topic);
	free(cause);
	if (!json_is_object(remark))
		return;
	char *cure = remark_text(remark);
	printf("%-8s %-31s cure: %s\n", "", "", cure);
	free(cure);
}

void print_findings(const struct findings *found)
{
	size_t i;
	json_t *finding;
	json_array_foreach (found->list, i, finding)
		print_finding(finding);
	printf("\n%s\n", found->can_compare
				 ? "The comparison can run here."
				 : "The comparison cannot run here; see `missing` above.");
}
