/* SPDX-License-Identifier: MIT */
/* Stacks for coroutines, and their beginning and end. The switch itself is in switch.S. */
#include "coroutine.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(start, end) 0
#define VALGRIND_STACK_DEREGISTER(id)	    ((void)(id))
#endif

#if COROUTINE_SANITIZED && defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#elif COROUTINE_SANITIZED
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

/* switch.S reads and writes these places. */
_Static_assert(offsetof(struct coroutine, stack_pointer) == 0, "see switch.S");
_Static_assert(offsetof(struct coroutine, frame_pointer) == 8, "see switch.S");
_Static_assert(offsetof(struct coroutine, goes_on_at) == 16, "see switch.S");
_Static_assert(offsetof(struct coroutine, resumer_stack_pointer) == 24, "see switch.S");

/*
 * Stacks lie whole pages apart. If they also began at the same place of a page, their tops would
 * share a few lines of the cache, which keeps about eight of them at once. So the tops are staggered,
 * in a page that each stack has for that.
 */
#define STAGGER_BYTES 256
#define STAGGERS      8

void coroutine_begin(void);
void coroutine_main(struct coroutine *self);

__thread struct coroutine *coroutine_current;

struct coroutine_pool {
	unsigned count;
	size_t page_bytes, stack_len_bytes; /* as promised */
	size_t place_bytes; /* of guard page, stack and stagger */
	char *memory; /* guard page, stack, guard page, stack, ... */
	size_t memory_len_bytes;
	struct coroutine *all, *free;
	struct coroutine_pool *next; /* all pools of this thread, for coroutine_name_overflows() */
};

static __thread struct coroutine_pool *pools;

void coroutine_pool_close(struct coroutine_pool *pool)
{
	for (struct coroutine_pool **at = &pools; *at; at = &(*at)->next)
		if (*at == pool) {
			*at = pool->next;
			break;
		}
	for (unsigned i = 0; pool->all && i < pool->count; i++) {
		if (pool->all[i].is_started)
			coroutine_drop(&pool->all[i]);
		VALGRIND_STACK_DEREGISTER(pool->all[i].valgrind_id);
	}
	if (pool->memory != MAP_FAILED)
		munmap(pool->memory, pool->memory_len_bytes);
	free(pool->all);
	free(pool);
}

int coroutine_pool_open(struct coroutine_pool **opened, unsigned count, size_t stack_len_bytes,
			struct reason *why)
{
	if (!COROUTINES_HAVE_STACKS)
		return reason_errno(why, "no_switch_of_stacks", EOPNOTSUPP,
				    "a switch of stacks is written for {processors}",
				    reason_string("processors", "x86-64 and AArch64"));
	struct coroutine_pool *pool = calloc(1, sizeof *pool);
	if (!pool)
		return reason_no_memory(why, "coroutines");
	pool->count = count;
	pool->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	pool->stack_len_bytes =
		(stack_len_bytes + pool->page_bytes - 1) / pool->page_bytes * pool->page_bytes;
	pool->place_bytes = pool->page_bytes + pool->stack_len_bytes + pool->page_bytes;
	pool->memory_len_bytes = count * pool->place_bytes;
	pool->memory = mmap(NULL, pool->memory_len_bytes, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	pool->all = aligned_alloc(_Alignof(struct coroutine), count * sizeof *pool->all);
	if (pool->all)
		memset(pool->all, 0, count * sizeof *pool->all);
	bool enough = pool->memory != MAP_FAILED && pool->all &&
		      pool->stack_len_bytes >= stack_len_bytes; /* else it came round */
	for (unsigned i = count; enough && i-- > 0;) {
		struct coroutine *c = &pool->all[i];
		c->stack = pool->memory + i * pool->place_bytes + pool->page_bytes;
		c->stack_len_bytes =
			pool->stack_len_bytes + pool->page_bytes - i % STAGGERS * STAGGER_BYTES;
		c->pool = pool;
		c->number = i;
		c->next = pool->free;
		pool->free = c;
		enough = mprotect(c->stack, c->stack_len_bytes, PROT_READ | PROT_WRITE) == 0;
		c->valgrind_id =
			VALGRIND_STACK_REGISTER(c->stack, (char *)c->stack + c->stack_len_bytes);
	}
	if (!enough) {
		coroutine_pool_close(pool);
		return reason_no_memory(why, "coroutines' stacks");
	}
	pool->next = pools;
	pools = pool;
	*opened = pool;
	return 0;
}

struct coroutine *coroutine_new(struct coroutine_pool *pool, coroutine_body *body, void *argument)
{
	struct coroutine *c = pool->free;
	if (!c)
		return NULL;
	pool->free = c->next;
	c->body = body;
	c->argument = argument;
	c->is_started = true;
	c->is_done = false;
	//> 6 Where its first resume leads, and on which stack. A stack grows downwards.
	c->stack_pointer = (char *)c->stack + c->stack_len_bytes;
	c->frame_pointer = NULL;
	c->goes_on_at = (void *)coroutine_begin;
	//< 6
	c->sanitizer_stack = NULL;
#if COROUTINE_SANITIZED && defined(__SANITIZE_THREAD__)
	c->sanitizer_fiber = __tsan_create_fiber(0);
#endif
	return c;
}

/* The stack is free for the next one. */
static void give_back(struct coroutine *c)
{
#if COROUTINE_SANITIZED && defined(__SANITIZE_THREAD__)
	__tsan_destroy_fiber(c->sanitizer_fiber);
#elif COROUTINE_SANITIZED
	__asan_unpoison_memory_region(c->stack, c->stack_len_bytes);
#endif
	c->is_started = false;
	c->next = c->pool->free;
	c->pool->free = c;
}

#if COROUTINE_SANITIZED && defined(__SANITIZE_THREAD__)
static __thread void *thread_fiber;

/*
 * The sanitizer notes where each function begins and ends, for each fiber. These two begin on one
 * and end on another, so they are not to be noted.
 */
#if defined(__clang__)
#define UNNOTED __attribute__((disable_sanitizer_instrumentation))
#else
#define UNNOTED __attribute__((no_sanitize("thread")))
#endif

static UNNOTED void tell_entering(struct coroutine *c)
{
	if (!c->resumer)
		thread_fiber = __tsan_get_current_fiber();
	__tsan_switch_to_fiber(c->sanitizer_fiber, 0);
}

static void tell_back(struct coroutine *c)
{
	(void)c;
}

UNNOTED void coroutine_tell_leaving(struct coroutine *self, bool for_ever)
{
	(void)for_ever;
	__tsan_switch_to_fiber(self->resumer ? self->resumer->sanitizer_fiber : thread_fiber, 0);
}

void coroutine_tell_entered(struct coroutine *self)
{
	(void)self;
}
#elif COROUTINE_SANITIZED
static void tell_entering(struct coroutine *c)
{
	__sanitizer_start_switch_fiber(&c->resumer_sanitizer_stack, c->stack, c->stack_len_bytes);
}

static void tell_back(struct coroutine *c)
{
	__sanitizer_finish_switch_fiber(c->resumer_sanitizer_stack, NULL, NULL);
}

/* NULL on the last way out: its fake stack is freed. */
void coroutine_tell_leaving(struct coroutine *self, bool for_ever)
{
	__sanitizer_start_switch_fiber(for_ever ? NULL : &self->sanitizer_stack,
				       self->resumer_stack, self->resumer_stack_len_bytes);
}

void coroutine_tell_entered(struct coroutine *self)
{
	__sanitizer_finish_switch_fiber(self->sanitizer_stack, &self->resumer_stack,
					&self->resumer_stack_len_bytes);
}
#else
static void tell_entering(struct coroutine *c)
{
	(void)c;
}

static void tell_back(struct coroutine *c)
{
	(void)c;
}

void coroutine_tell_leaving(struct coroutine *self, bool for_ever)
{
	(void)self;
	(void)for_ever;
}

void coroutine_tell_entered(struct coroutine *self)
{
	(void)self;
}
#endif

#if !COROUTINES_HAVE_STACKS
void coroutine_enter(struct coroutine *self)
{
	(void)self;
	abort(); /* no pool opens */
}
#endif

void coroutine_main(struct coroutine *self)
{
	if (COROUTINE_SANITIZED)
		coroutine_tell_entered(self);
	self->body(self->argument);
	self->is_done = true;
	coroutine_suspend(self); /* for ever */
}

bool coroutine_resume(struct coroutine *c)
{
	assert(c->is_started && c != coroutine_current);
	//> 6 It runs from now on, and remembers who resumed it: NULL outside of all coroutines.
	c->resumer = coroutine_current;
	coroutine_current = c;
	//< 6
	if (COROUTINE_SANITIZED)
		tell_entering(c);
	coroutine_enter(c);
	if (COROUTINE_SANITIZED)
		tell_back(c);
	//> 6 Whoever resumed it runs again. One that is done gives its stack back.
	//+ return true;
	coroutine_current = c->resumer;
	if (!c->is_done)
		return true;
	give_back(c);
	return false;
	//< 6
}

void coroutine_drop(struct coroutine *c)
{
	assert(c->is_started && c != coroutine_current);
	give_back(c);
}

/* Only what may be called in a signal handler. */
static void write_number(size_t number)
{
	char digits[24];
	unsigned at = sizeof digits;
	do
		digits[--at] = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	(void)!write(STDERR_FILENO, digits + at, sizeof digits - at);
}

static void write_words(const char *words)
{
	(void)!write(STDERR_FILENO, words, strlen(words));
}

static void on_fault(int signal_number, siginfo_t *info, void *context)
{
	(void)context;
	for (struct coroutine_pool *pool = pools; pool; pool = pool->next) {
		size_t at = (size_t)((char *)info->si_addr - pool->memory);
		if (at >= pool->memory_len_bytes || at % pool->place_bytes >= pool->page_bytes)
			continue;
		write_words("coroutine ");
		write_number(at / pool->place_bytes);
		write_words(" has overflowed its stack of ");
		write_number(pool->stack_len_bytes);
		write_words(" bytes\n");
	}
	signal(signal_number, SIG_DFL); /* the instruction is tried again, and ends the program */
}

int coroutine_name_overflows(void)
{
	static char handler_stack[64 * 1024];
	stack_t alternate = { .ss_sp = handler_stack, .ss_size = sizeof handler_stack };
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	if (sigaltstack(&alternate, NULL) < 0 || sigaction(SIGSEGV, &action, NULL) < 0)
		return -errno;
	return 0;
}
