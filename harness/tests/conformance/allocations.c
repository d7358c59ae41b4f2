/* SPDX-License-Identifier: MIT */
/* The program's own malloc(3): the C library's, with counters around it. */
#include "allocations.h"

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__ ||                                 \
	!defined __GLIBC__ && !defined __gnu_linux__

bool allocations_begin(void)
{
	return false;
}

struct allocations allocations_so_far(void)
{
	return (struct allocations) { 0 };
}

#else

#include <aio.h>
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

/* The C library's, under the names that it keeps for this. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *block);

/* Blocks that are counted as live: a set, with open addressing, under one lock. */
#define PLACES 65536u
#define GONE   ((void *)1)

static struct {
	bool counting;
	int lock;
	uintptr_t linker_begin, linker_end; /* where the dynamic linker's code lies */
	struct allocations so_far;
	void *live[PLACES];
} books;

static __thread unsigned inside_aio;

static void lock_books(void)
{
	while (__atomic_exchange_n(&books.lock, 1, __ATOMIC_ACQUIRE))
		;
}

static void unlock_books(void)
{
	__atomic_store_n(&books.lock, 0, __ATOMIC_RELEASE);
}

static unsigned place_of(const void *block)
{
	return (unsigned)(((uintptr_t)block >> 4) * 2654435761u % PLACES);
}

static void *note_made(void *block, void *caller)
{
	uintptr_t from = (uintptr_t)caller;
	if (!books.counting || !block || (from >= books.linker_begin && from < books.linker_end))
		return block;
	lock_books();
	if (inside_aio) {
		books.so_far.made_by_aio++;
	} else {
		unsigned at = place_of(block), tries = 0;
		while (books.live[at] && books.live[at] != GONE && tries++ < PLACES)
			at = (at + 1) % PLACES;
		if (tries < PLACES) {
			books.live[at] = block;
			books.so_far.live++;
		}
		books.so_far.made++;
	}
	unlock_books();
	return block;
}

static void note_freed(void *block)
{
	if (!books.counting || !block)
		return;
	lock_books();
	unsigned at = place_of(block);
	for (unsigned tries = 0; books.live[at] && tries < PLACES; tries++, at = (at + 1) % PLACES)
		if (books.live[at] == block) {
			books.live[at] = GONE;
			books.so_far.live--;
			break;
		}
	unlock_books();
}

void *malloc(size_t size)
{
	return note_made(__libc_malloc(size), __builtin_return_address(0));
}

void *calloc(size_t count, size_t size)
{
	return note_made(__libc_calloc(count, size), __builtin_return_address(0));
}

void *realloc(void *block, size_t size)
{
	note_freed(block);
	return note_made(__libc_realloc(block, size), __builtin_return_address(0));
}

void *memalign(size_t alignment, size_t size);
void *memalign(size_t alignment, size_t size)
{
	return note_made(__libc_memalign(alignment, size), __builtin_return_address(0));
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return note_made(__libc_memalign(alignment, size), __builtin_return_address(0));
}

int posix_memalign(void **block, size_t alignment, size_t size)
{
	void *made = note_made(__libc_memalign(alignment, size), __builtin_return_address(0));
	if (!made)
		return ENOMEM;
	*block = made;
	return 0;
}

void free(void *block)
{
	note_freed(block);
	__libc_free(block);
}

/* glibc's AIO: the same calls, with a mark for the time that they take. */

#define MARKED(call)                                                                               \
	inside_aio++;                                                                              \
	int rc = call;                                                                             \
	inside_aio--;                                                                              \
	return rc

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int aio_read(struct aiocb *cb)
{
	static __typeof__(&aio_read) real;
	if (!real)
		real = REAL(aio_read);
	MARKED(real(cb));
}

int aio_write(struct aiocb *cb)
{
	static __typeof__(&aio_write) real;
	if (!real)
		real = REAL(aio_write);
	MARKED(real(cb));
}

int aio_fsync(int operation, struct aiocb *cb)
{
	static __typeof__(&aio_fsync) real;
	if (!real)
		real = REAL(aio_fsync);
	MARKED(real(operation, cb));
}

int aio_cancel(int fd, struct aiocb *cb)
{
	static __typeof__(&aio_cancel) real;
	if (!real)
		real = REAL(aio_cancel);
	MARKED(real(fd, cb));
}

int aio_suspend(const struct aiocb *const list[], int count, const struct timespec *timeout)
{
	static __typeof__(&aio_suspend) real;
	if (!real)
		real = REAL(aio_suspend);
	MARKED(real(list, count, timeout));
}

static int find_linker(struct dl_phdr_info *object, size_t size, void *base)
{
	(void)size;
	if (object->dlpi_addr != *(uintptr_t *)base)
		return 0;
	for (unsigned i = 0; i < object->dlpi_phnum; i++) {
		uintptr_t end = object->dlpi_addr + object->dlpi_phdr[i].p_vaddr +
				object->dlpi_phdr[i].p_memsz;
		if (object->dlpi_phdr[i].p_type == PT_LOAD && end > books.linker_end)
			books.linker_end = end;
	}
	books.linker_begin = object->dlpi_addr;
	return 1;
}

bool allocations_begin(void)
{
	uintptr_t base = getauxval(AT_BASE);
	memset(books.live, 0, sizeof books.live);
	books.so_far = (struct allocations) { 0 };
	dl_iterate_phdr(find_linker, &base);
	books.counting = true;
	return true;
}

struct allocations allocations_so_far(void)
{
	lock_books();
	struct allocations now = books.so_far;
	unlock_books();
	return now;
}

#endif
