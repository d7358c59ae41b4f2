/* SPDX-License-Identifier: MIT */
#include "allocation_count.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "allocations.h"
#include "tests.h"

/* Of struct allocations no more than `made` is kept here. The C library keeps some of what it has for a thread. */

unsigned long allocations_made(void)
{
	return allocations_so_far().made;
}

void counted_no_allocation_after_open(struct subject *s)
{
	no_allocation_after_open(s);
}

/* The number of the allocation that fails, counted from the next one; 0: none does. */
static unsigned fails_at;

/* Blocks that were given out, and not freed yet. */
static long live;

/* Opens the engine, with memory for `few` allocations at most. Returns whether that was too little. */
static bool open_with_few_allocations(struct subject *s, unsigned few)
{
	static char arena[4096] __attribute__((aligned(4096)));
	const struct engine_config config = { .depth = 8,
					      .max_fds = 8,
					      .arena = arena,
					      .arena_len_bytes = sizeof arena,
					      .cpu_count = 1,
					      .options = s->options };
	struct reason why = { "" };
	struct engine *engine = NULL;
	long before = __atomic_load_n(&live, __ATOMIC_RELAXED);
	fails_at = few + 1;
	int rc = s->ops->open(&engine, &config, &why);
	bool was_too_little = fails_at == 0;
	fails_at = 0;
	if (rc == 0)
		s->ops->close(engine);
	expect(rc == 0 || (was_too_little && why.text[0]),
	       WHEN("with memory for %u allocations") EXPECTED("an engine or a reason")
		       SAW("%s and \"%s\""),
	       few, answer(rc), why.text);
	long kept = __atomic_load_n(&live, __ATOMIC_RELAXED) - before;
	expect(kept == 0,
	       WHEN("with memory for %u allocations, open() has returned %s, and what was open is closed")
		       EXPECTED("no memory kept") SAW("%ld blocks"),
	       few, answer(rc), kept);
	return was_too_little;
}

void open_keeps_nothing_where_memory_is_short(struct subject *s)
{
	if (!allocations_begin())
		test_skipped("allocations are counted in the plain build");
	open_engine(s, 8, 8); /* what a library does once is done then */
	close_engine(s);
	for (unsigned few = 0; open_with_few_allocations(s, few); few++)
		;
}

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__ || !defined __GLIBC__

bool allocations_begin(void)
{
	return false;
}

struct allocations allocations_so_far(void)
{
	return (struct allocations) { 0 };
}

#else

/* The C library's, under the names that it keeps for this. */
void *__libc_malloc(size_t size_bytes);
void *__libc_calloc(size_t count, size_t size_bytes);
void __libc_free(void *block);
void *__libc_realloc(void *block, size_t size_bytes);
void *__libc_memalign(size_t alignment_bytes, size_t size_bytes);

/* A tests.c may have functions of its own by these names. */
#define WEAK __attribute__((weak))

static unsigned long made;

bool allocations_begin(void)
{
	return true;
}

struct allocations allocations_so_far(void)
{
	return (struct allocations) { .made = __atomic_load_n(&made, __ATOMIC_RELAXED) };
}

/* Returns false where this one fails. */
static bool count_one(void)
{
	__atomic_fetch_add(&made, 1, __ATOMIC_RELAXED);
	if (__atomic_load_n(&fails_at, __ATOMIC_RELAXED) == 0 ||
	    __atomic_sub_fetch(&fails_at, 1, __ATOMIC_RELAXED) > 0)
		return true;
	errno = ENOMEM;
	return false;
}

static void *count_as_live(void *block)
{
	__atomic_fetch_add(&live, block != NULL, __ATOMIC_RELAXED);
	return block;
}

WEAK void *malloc(size_t size_bytes)
{
	return count_one() ? count_as_live(__libc_malloc(size_bytes)) : NULL;
}

WEAK void *calloc(size_t count, size_t size_bytes)
{
	return count_one() ? count_as_live(__libc_calloc(count, size_bytes)) : NULL;
}

WEAK void free(void *block)
{
	__atomic_fetch_sub(&live, block != NULL, __ATOMIC_RELAXED);
	__libc_free(block);
}

WEAK void *realloc(void *block, size_t size_bytes)
{
	if (!count_one())
		return NULL;
	void *made_now = __libc_realloc(block, size_bytes);
	bool was_freed = block && size_bytes == 0 && !made_now;
	__atomic_fetch_add(&live, (!block && made_now) - was_freed, __ATOMIC_RELAXED);
	return made_now;
}

WEAK void *aligned_alloc(size_t alignment_bytes, size_t size_bytes)
{
	return count_one() ? count_as_live(__libc_memalign(alignment_bytes, size_bytes)) : NULL;
}

WEAK int posix_memalign(void **block, size_t alignment_bytes, size_t size_bytes)
{
	void *made_now = aligned_alloc(alignment_bytes, size_bytes);
	if (made_now)
		*block = made_now;
	return made_now ? 0 : ENOMEM;
}

#endif
