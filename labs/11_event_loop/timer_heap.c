/* SPDX-License-Identifier: MIT */
/*
 * A heap with four children a node. It is half as high as one with two, and the children of a node
 * lie side by side, so a step down costs one or two cache lines. The times stand in the heap
 * itself: no comparison follows a pointer.
 */
#include <errno.h>
#include <stdlib.h>

#include "loop.h"

#define CHILDREN       4
#define CAPACITY_LEAST 64

static void put(struct timer_heap *heap, uint32_t place, struct heap_entry entry)
{
	heap->entries[place] = entry;
	entry.timer->place = place;
}

/* Moves up what is later than `entry`, and puts it into the hole. */
static void sift_up(struct timer_heap *heap, uint32_t place, struct heap_entry entry)
{
	//> 2 While the parent is later, it moves down into the hole, and the hole moves up.
	while (place > 1) {
		uint32_t parent = (place - 2) / CHILDREN + 1;
		if (!is_before(&entry, &heap->entries[parent]))
			break;
		put(heap, place, heap->entries[parent]);
		place = parent;
	}
	//< 2
	put(heap, place, entry);
}

static void sift_down(struct timer_heap *heap, uint32_t place, struct heap_entry entry)
{
	//> 2 While a child is sooner, the soonest child moves up into the hole, and the hole moves
	//> down. The children of a place p are those from (p - 1) * CHILDREN + 2 on; the last ones
	//> may be missing.
	for (;;) {
		uint64_t first = (uint64_t)(place - 1) * CHILDREN + 2;
		if (first > heap->count)
			break;
		uint32_t soonest = (uint32_t)first;
		for (uint32_t i = 1; i < CHILDREN && first + i <= heap->count; i++)
			if (is_before(&heap->entries[first + i], &heap->entries[soonest]))
				soonest = (uint32_t)first + i;
		if (!is_before(&heap->entries[soonest], &entry))
			break;
		put(heap, place, heap->entries[soonest]);
		place = soonest;
	}
	//< 2
	put(heap, place, entry);
}

int timer_heap_add(struct timer_heap *heap, struct loop_timer *timer)
{
	if (heap->count + 1 >= heap->capacity) {
		uint32_t capacity = heap->capacity ? heap->capacity * 2 : CAPACITY_LEAST;
		struct heap_entry *entries = reallocarray(heap->entries, capacity, sizeof *entries);
		if (!entries || capacity < heap->capacity)
			return -ENOMEM;
		heap->entries = entries;
		heap->capacity = capacity;
	}
	struct heap_entry entry = { timer->due_ns, heap->starts++, timer };
	sift_up(heap, ++heap->count, entry);
	return 0;
}

void timer_heap_remove(struct timer_heap *heap, struct loop_timer *timer)
{
	uint32_t place = timer->place;
	struct heap_entry last = heap->entries[heap->count--];
	timer->place = 0;
	if (place > heap->count)
		return; /* it was the last itself */
	//> 2 The last entry fills the hole. It may have to move up from there, or down.
	//+ sift_down(heap, place, last);
	if (place > 1 && is_before(&last, &heap->entries[(place - 2) / CHILDREN + 1]))
		sift_up(heap, place, last);
	else
		sift_down(heap, place, last);
	//< 2
}
