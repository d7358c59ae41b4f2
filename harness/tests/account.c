/* SPDX-License-Identifier: MIT */
/* Events of a lab's test are folded by what they were, and not by the words that tell of them. */
#include "course/proctor/account.h"

#include <stdio.h>
#include <string.h>

#include "base/json_path.h"
#include "tap.h"

#define TURNS 8

static struct exam_record record;

/* An event of kind `kind` with one varying value. */
static void happened(unsigned kind, uint64_t varying, const char *text)
{
	struct exam_event *event = &record.events[exam_event_slot(record.event_count++)];
	*event = (struct exam_event) { 0 };
	key_fixed(&event->key, kind);
	key_varying(&event->key, varying);
	snprintf(event->text, sizeof event->text, "%s", text);
}

/* What stands in the account for repetitions: "same", "alike"; "" where nothing is folded. */
static const char *folded(unsigned *entries)
{
	static char word[16];
	bool cut;
	size_t i;
	json_t *entry, *account = account_of(&record, &cut);
	word[0] = '\0';
	*entries = (unsigned)json_array_size(account);
	json_array_foreach (account, i, entry)
		if (json_is_object(entry))
			snprintf(word, sizeof word, "%s", string_at(entry, "repeats"));
	json_decref(account);
	record.event_count = 0;
	return word;
}

int main(void)
{
	struct tap tap = { 0 };
	unsigned entries;
	const char *word;

	for (unsigned i = 0; i < TURNS; i++)
		happened(1, 5, "epoll_wait(3, 256) = 3: IN for 5, IN for 6, ...");
	word = folded(&entries);
	tap_check(&tap, strcmp(word, "same") == 0 && entries == 2, "one event over and over: %s",
		  word);

	for (unsigned i = 0; i < TURNS; i++)
		happened(1, i, "epoll_wait(3, 256) = 3: IN for 5, IN for 6, ...");
	word = folded(&entries);
	tap_check(&tap, strcmp(word, "alike") == 0,
		  "values that the text has no room for make events alike, and not the same: %s",
		  word);

	for (unsigned i = 0; i < TURNS; i++)
		happened(i, 5, "epoll_wait(3, 256) = 3: IN for 5, IN for 6, ...");
	word = folded(&entries);
	tap_check(&tap, !*word && entries == TURNS,
		  "events of another kind are told one by one, whatever their text");

	for (unsigned i = 0; i < TURNS; i++)
		happened(1, i,
			 i % 2 ? "epoll_wait(3, 256) = 1: IN for 0x7f3a10"
			       : "epoll_wait(3, 256) = 1: IN for 0x55e0b8");
	word = folded(&entries);
	tap_check(&tap, strcmp(word, "alike") == 0 && entries == 3,
		  "texts that differ in a pointer do not keep alike events apart: %s", word);
	return tap_end(&tap);
}
