/* SPDX-License-Identifier: MIT */
#include "allocation_count.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "allocations.h"
#include "tests.h"

/* Of struct allocations no more than `made` is kept here. */

unsigned long allocations_made(void)
{
	return allocations_so_far().made;
}

void counted_no_allocation_after_open(struct subject *s)
{
	no_allocation_after_open(s);
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

static void count_one(void)
{
	__atomic_fetch_add(&made, 1, __ATOMIC_RELAXED);
}

WEAK void *malloc(size_t size_bytes)
{
	count_one();
	return __libc_malloc(size_bytes);
}

WEAK void *calloc(size_t count, size_t size_bytes)
{
	count_one();
	return __libc_calloc(count, size_bytes);
}

WEAK void *realloc(void *block, size_t size_bytes)
{
	count_one();
	return __libc_realloc(block, size_bytes);
}

WEAK void *aligned_alloc(size_t alignment_bytes, size_t size_bytes)
{
	count_one();
	return __libc_memalign(alignment_bytes, size_bytes);
}

WEAK int posix_memalign(void **block, size_t alignment_bytes, size_t size_bytes)
{
	count_one();
	void *made_now = __libc_memalign(alignment_bytes, size_bytes);
	if (made_now)
		*block = made_now;
	return made_now ? 0 : ENOMEM;
}

#endif
