/* SPDX-License-Identifier: MIT */
/* No heap: an array in the order of the calls. A start costs a search and a move, a call next to nothing. */
#include <errno.h>
#include <stdlib.h>

#include "loop.h"

static void put(struct timer_heap *heap, uint32_t place, struct heap_entry entry)
{
	heap->entries[place] = entry;
	entry.timer->place = place;
}

int timer_heap_add(struct timer_heap *heap, struct loop_timer *timer)
{
	if (heap->count + 1 >= heap->capacity) {
		uint32_t capacity = heap->capacity ? heap->capacity * 2 : 64;
		struct heap_entry *entries = reallocarray(heap->entries, capacity, sizeof *entries);
		if (!entries)
			return -ENOMEM;
		heap->entries = entries;
		heap->capacity = capacity;
	}
	struct heap_entry entry = { timer->due_ns, heap->starts++, timer };
	uint32_t place = ++heap->count;
	for (; place > 1 && is_before(&entry, &heap->entries[place - 1]); place--)
		put(heap, place, heap->entries[place - 1]);
	put(heap, place, entry);
	return 0;
}

void timer_heap_remove(struct timer_heap *heap, struct loop_timer *timer)
{
	for (uint32_t place = timer->place; place < heap->count; place++)
		put(heap, place, heap->entries[place + 1]);
	timer->place = 0;
	heap->count--;
}
