/* SPDX-License-Identifier: MIT */
#include "account.h"

#include <string.h>

#include "base/json_put.h"
#include "findings.h"

#define SHOWN_ENTRIES  24
#define LOOP_LINES_MAX 12 /* events in one turn of a loop: a reap, its calls, what came back */

/* An event, or how often what stands before it repeats. */
struct entry {
	enum { EVENT, SAME, ALIKE, ENDLESS } kind;
	unsigned times; /* of SAME and ALIKE: how many more there were */
	struct exam_event event; /* of an EVENT */
};

/* How often the `length` events at `at` stand there one after another; `same`: and not merely alike. */
static unsigned repeats(const struct entry *entries, unsigned at, unsigned count, unsigned length,
			bool *same)
{
	unsigned times = 1;
	*same = true;
	for (;; times++)
		for (unsigned i = 0; i < length; i++) {
			const struct event_key *first = &entries[at + i].event.key;
			unsigned other = at + times * length + i;
			if (other >= count || entries[other].event.key.alike != first->alike)
				return times;
			*same &= entries[other].event.key.same == first->same;
		}
}

/* The loop at `at` that folds most: its length, how often it goes round, whether its turns are the same. */
static void find_loop(const struct entry *entries, unsigned at, unsigned count, unsigned *length,
		      unsigned *times, bool *same)
{
	*length = *times = 1;
	*same = true;
	for (unsigned l = 1; l <= LOOP_LINES_MAX && at + 2 * l <= count; l++) {
		bool l_same;
		unsigned l_times = repeats(entries, at, count, l, &l_same);
		if (l_times >= (l_same ? 3 : 4) && l_times * l > *times * *length) {
			*length = l;
			*times = l_times;
			*same = l_same;
		}
	}
}

/*
 * A test that asks again and again would push the cause out of the account. So a loop is told once
 * where its turns are the same, and by its first and last turn where they are alike. Works in
 * place and returns how many entries are left. `more_than_kept`: a loop may go on unseen. `lost`
 * events are missing before entry number `gap`: where a loop goes on across it, they count as turns.
 */
static unsigned fold(struct entry *entries, unsigned count, bool more_than_kept, unsigned gap,
		     unsigned lost)
{
	unsigned kept = 0, length, times;
	bool same;
	for (unsigned at = 0; at < count;) {
		find_loop(entries, at, count, &length, &times, &same);
		unsigned unseen =
			times > 1 && at < gap && gap < at + length * times ? lost / length : 0;
		memmove(entries + kept, entries + at, length * sizeof *entries);
		kept += length;
		if (times > 1 && same)
			entries[kept++] = (struct entry) { .kind = more_than_kept ? ENDLESS : SAME,
							   .times = times + unseen - 1 };
		else if (times > 1)
			entries[kept++] =
				(struct entry) { .kind = ALIKE, .times = times + unseen - 2 };
		at += length * times;
		if (times > 1 && !same) {
			memmove(entries + kept, entries + at - length, length * sizeof *entries);
			kept += length;
		}
	}
	return kept;
}

/* Copies what is kept of the events from number `from` on. Returns how many those are. */
static unsigned copy_events(const struct exam_record *record, uint32_t from, uint32_t total,
			    struct entry *entries)
{
	unsigned count = 0;
	for (uint32_t i = from; i < total; i++, count++) {
		struct entry *entry = &entries[count];
		entry->kind = EVENT;
		entry->event = record->events[exam_event_slot(i)];
		entry->event.text[sizeof entry->event.text - 1] = '\0';
	}
	return count;
}

/*
 * All that happened, folded. Where more happened than was kept, a loop may be all that is missing:
 * then the story is whole once its two ends are joined at the same step of the loop.
 */
static unsigned tell(const struct exam_record *record, struct entry *entries, bool *whole)
{
	uint32_t total = record->event_count;
	*whole = true;
	if (total <= EXAM_EVENTS)
		return fold(entries, copy_events(record, 0, total, entries), false, 0, 0);
	uint32_t newest = total - (EXAM_EVENTS - EXAM_FIRST_EVENTS);
	unsigned best = 0, best_count = EXAM_EVENTS, count = 0;
	for (unsigned i = 0; i <= LOOP_LINES_MAX; i++) {
		unsigned skipped = i < LOOP_LINES_MAX ? i : best; /* the last time for good */
		count = copy_events(record, 0, EXAM_FIRST_EVENTS, entries);
		count += copy_events(record, newest + skipped, total, entries + count);
		count = fold(entries, count, true, EXAM_FIRST_EVENTS,
			     newest + skipped - EXAM_FIRST_EVENTS);
		if (count < best_count) {
			best_count = count;
			best = skipped;
		}
	}
	if (count < SHOWN_ENTRIES)
		return count;
	*whole = false;
	return fold(entries, copy_events(record, newest, total, entries), true, 0, 0);
}

static json_t *repetition(const struct entry *entry)
{
	static const char *const words[] = {
		[SAME] = "same", [ALIKE] = "alike", [ENDLESS] = "endless"
	};
	json_t *object = required(json_object());
	put_string(object, "repeats", words[entry->kind]);
	if (entry->kind != ENDLESS)
		put_int(object, "times", entry->times);
	return object;
}

json_t *account_of(const struct exam_record *record, bool *cut)
{
	static struct entry entries[EXAM_EVENTS];
	bool whole;
	unsigned count = tell(record, entries, &whole);
	unsigned shown = count < SHOWN_ENTRIES ? count : SHOWN_ENTRIES;
	json_t *account = required(json_array());
	for (struct entry *entry = entries + count - shown; entry < entries + count; entry++)
		if (json_array_append_new(
			    account, entry->kind == EVENT ? untrusted_text(entry->event.text,
									   sizeof entry->event.text)
							  : repetition(entry)) < 0)
			required(NULL);
	*cut = shown < count || !whole;
	return account;
}
