/* SPDX-License-Identifier: MIT */
/* The program's own malloc(3) and pthread_mutex_init(3): the C library's, with counters around them. */
#include "allocations.h"

#include "faults.h"

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

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <semaphore.h>
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

static bool is_linkers(void *caller)
{
	uintptr_t from = (uintptr_t)caller;
	return from >= books.linker_begin && from < books.linker_end;
}

/* Must this allocation fail? Then errno is set. */
static bool refuses(void *caller)
{
	if (!books.counting || inside_aio || is_linkers(caller))
		return false;
	int error = faults_strike(FAULT_malloc);
	if (error)
		errno = error;
	return error;
}

static void *note_made(void *block, void *caller)
{
	if (!books.counting || !block || is_linkers(caller))
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
	void *caller = __builtin_return_address(0);
	return refuses(caller) ? NULL : note_made(__libc_malloc(size), caller);
}

void *calloc(size_t count, size_t size)
{
	void *caller = __builtin_return_address(0);
	return refuses(caller) ? NULL : note_made(__libc_calloc(count, size), caller);
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

/* Defines the call, which counts as `change` once it has succeeded. */
#define COUNTED(name, change, parameters, arguments)                                               \
	int name parameters                                                                        \
	{                                                                                          \
		static int(*real) parameters;                                                      \
		if (!real)                                                                         \
			*(void **)&real = dlsym(RTLD_NEXT, #name);                                 \
		int rc = real arguments;                                                           \
		if (rc == 0 && books.counting)                                                     \
			__atomic_add_fetch(&books.so_far.initialised, change, __ATOMIC_RELAXED);   \
		return rc;                                                                         \
	}

COUNTED(pthread_mutex_init, 1, (pthread_mutex_t * lock, const pthread_mutexattr_t *attributes),
	(lock, attributes))
COUNTED(pthread_mutex_destroy, -1, (pthread_mutex_t * lock), (lock))
COUNTED(pthread_cond_init, 1, (pthread_cond_t * cond, const pthread_condattr_t *attributes),
	(cond, attributes))
COUNTED(pthread_cond_destroy, -1, (pthread_cond_t * cond), (cond))
COUNTED(sem_init, 1, (sem_t * semaphore, int shared, unsigned value), (semaphore, shared, value))
COUNTED(sem_destroy, -1, (sem_t * semaphore), (semaphore))
COUNTED(pthread_attr_init, 1, (pthread_attr_t * attributes), (attributes))
COUNTED(pthread_attr_destroy, -1, (pthread_attr_t * attributes), (attributes))

void allocations_inside_aio(int change)
{
	inside_aio += (unsigned)change;
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
