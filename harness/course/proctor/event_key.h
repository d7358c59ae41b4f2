/* SPDX-License-Identifier: MIT */
/*
 * What an event of a test was, for a program: by its kind and its values, and not by the words that tell
 * of it. A text may be cut off, and leave out what it has no room for.
 */
#ifndef IOLAB_COURSE_EVENT_KEY_H
#define IOLAB_COURSE_EVENT_KEY_H

#include <stdint.h>

/*
 * Two events are the same when `same` is. They are alike when `alike` is: then they differ only in
 * values that vary from one turn of a loop to the next, such as a descriptor.
 */
struct event_key {
	uint64_t alike, same;
};

static inline uint64_t key_mix(uint64_t key, uint64_t value)
{
	key = (key ^ value) * UINT64_C(0xff51afd7ed558ccd);
	return (key ^ key >> 32) + UINT64_C(0x9e3779b97f4a7c15);
}

/* A value that makes it another kind of event: which call, its flags, its result. */
static inline void key_fixed(struct event_key *key, uint64_t value)
{
	key->alike = key_mix(key->alike, value);
	key->same = key_mix(key->same, value);
}

/* A value that may vary. */
static inline void key_varying(struct event_key *key, uint64_t value)
{
	key->alike = key_mix(key->alike, 1);
	key->same = key_mix(key->same, value);
}

/* The words of a test, which are all that is known of what it notes. */
static inline struct event_key key_of_note(const char *words)
{
	struct event_key key = { 0, 0 };
	for (; *words; words++)
		key_fixed(&key, (unsigned char)*words);
	return key;
}

#endif
