/* SPDX-License-Identifier: MIT */
/*
 * Coroutines: functions that stop in the middle and go on later. Two kinds, side by side.
 *
 * Stackful.    A coroutine has a stack of its own, so it may stop anywhere, in a function that it
 *              called too. coroutine_resume() lets it go on; coroutine_suspend() goes back to
 *              whoever resumed it.
 * Stackless.   A function that returns, and begins the next time where it had returned. What it
 *              must remember lies in a structure and not on a stack. This is what compilers make of
 *              `async` functions in Rust, C# and JavaScript.
 *
 * Threads.     A coroutine belongs to the thread that made its pool. Nothing here is for two.
 * Stacks.      They are allocated when the pool opens, each with a guard page below. A coroutine
 *              that overflows its stack meets that page; coroutine_name_overflows() has the program
 *              end with words that say which one did.
 * Registers.   A switch keeps what a function call keeps. The rounding modes of the floating-point
 *              unit are not switched.
 * The end.     When its body returns, a coroutine is done, and its stack is free for the next one.
 *              One that never goes on again is given up by coroutine_drop().
 *
 * Why a switch is cheap. A processor predicts where a `ret` leads: to the instruction after the
 * last `call`. So resume() is a call, and suspend() is an inlined block that ends in the `ret` of
 * that call. Where another call stands between the two, each return is mispredicted, which costs as
 * much as ten switches. Hence suspend() and all that is built on it must be inlined.
 */
#ifndef IOLAB_COROUTINE_H
#define IOLAB_COROUTINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reason.h"

/* Elsewhere coroutine_pool_open() says so, and stackless ones remain. */
#if defined(__x86_64__) || defined(__aarch64__)
#define COROUTINES_HAVE_STACKS 1
#else
#define COROUTINES_HAVE_STACKS 0
#endif

struct coroutine_pool;

typedef void coroutine_body(void *argument);

struct coroutine {
	/* What a switch needs shares a line of the cache. switch.S knows where these four lie. */
	_Alignas(64) void *stack_pointer; /* of the coroutine while it is suspended */
	void *frame_pointer;
	void *goes_on_at; /* the instruction */
	void *resumer_stack_pointer; /* while it runs */

	struct coroutine *resumer; /* the coroutine that resumed it, or NULL */
	bool is_started, is_done;
	unsigned number; /* in its pool */
	coroutine_body *body;
	void *argument;
	struct coroutine_pool *pool;
	struct coroutine *next; /* free ones */
	void *stack; /* the lowest byte */
	size_t stack_len_bytes;
	void *sanitizer_fiber, *sanitizer_stack, *resumer_sanitizer_stack;
	const void *resumer_stack;
	size_t resumer_stack_len_bytes;
	unsigned valgrind_id;
};

/*
 * Allocates `count` stacks of at least `stack_len_bytes` each, guard pages apart. Memory is used as
 * it is touched. Returns 0, or -errno with `why`: -EOPNOTSUPP on a processor that iolab has no switch
 * for.
 */
int coroutine_pool_open(struct coroutine_pool **pool, unsigned count, size_t stack_len_bytes,
			struct reason *why);
/* No coroutine of the pool is used afterwards, whether it was done or not. */
void coroutine_pool_close(struct coroutine_pool *pool);

/* Makes one that begins at its first resume. NULL when all stacks are taken. */
struct coroutine *coroutine_new(struct coroutine_pool *pool, coroutine_body *body, void *argument);

/*
 * Lets it go on until it suspends itself or is done. Returns true while it is not done. A coroutine
 * that is done is free: its pointer may not be used again. Not for one that runs already.
 */
bool coroutine_resume(struct coroutine *coroutine);

/* Gives one up that is suspended. What its body would have cleaned up is not cleaned up. */
void coroutine_drop(struct coroutine *coroutine);

/*
 * The way in, which coroutine_resume() calls, and nobody else. It keeps what a call keeps. Written in
 * assembler; its way out is in coroutine_suspend().
 */
void coroutine_enter(struct coroutine *coroutine);

/* The one that runs, or NULL outside of all. */
extern __thread struct coroutine *coroutine_current;

/*
 * A program that overflows a coroutine's stack in this thread then prints which one, and how large the
 * stack is, before it ends by SIGSEGV. Installs a handler, on a stack of its own. Returns 0 or -errno.
 */
int coroutine_name_overflows(void);

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COROUTINE_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define COROUTINE_SANITIZED 1
#endif
#endif
#ifndef COROUTINE_SANITIZED
#define COROUTINE_SANITIZED 0
#endif
/* A sanitizer is told of each change of stacks. */
void coroutine_tell_leaving(struct coroutine *coroutine, bool for_ever);
void coroutine_tell_entered(struct coroutine *coroutine);

/* Those that a compiler has only where it may count on AVX-512 (-march=native). */
#if defined(__AVX512F__)
#define COROUTINE_WIDE_REGISTERS                                                                   \
	"xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25",  \
		"xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k1", "k2", "k3", "k4",      \
		"k5", "k6", "k7",
#else
#define COROUTINE_WIDE_REGISTERS
#endif

/* Back to the resumer, until the next resume. Only in a coroutine. `self` is coroutine_current. */
static inline __attribute__((always_inline)) void coroutine_suspend(struct coroutine *self)
{
	if (COROUTINE_SANITIZED)
		coroutine_tell_leaving(self, self->is_done);
#if defined(__x86_64__)
	/* The offsets are those of struct coroutine. What follows `ret` runs at the next resume. */
	__asm__ volatile("leaq 1f(%%rip), %%rax\n\t"
			 "movq %%rsp, 0(%%rdi)\n\t"
			 "movq %%rbp, 8(%%rdi)\n\t"
			 "movq %%rax, 16(%%rdi)\n\t"
			 "movq 24(%%rdi), %%rsp\n\t"
			 "popq %%r15\n\t"
			 "popq %%r14\n\t"
			 "popq %%r13\n\t"
			 "popq %%r12\n\t"
			 "popq %%rbx\n\t"
			 "popq %%rbp\n\t"
			 "ret\n"
			 "1:"
			 : "+D"(self)
			 :
			 : "rax", "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "r12",
			   "r13", "r14", "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
			   "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
			   "xmm14", "xmm15", COROUTINE_WIDE_REGISTERS "st", "st(1)", "st(2)",
			   "st(3)", "st(4)", "st(5)", "st(6)", "st(7)", "memory", "cc");
#elif defined(__aarch64__)
	register struct coroutine *x0 __asm__("x0") = self;
	__asm__ volatile("adr x9, 1f\n\t"
			 "mov x10, sp\n\t"
			 "stp x10, x29, [x0, #0]\n\t"
			 "str x9, [x0, #16]\n\t"
			 "ldr x10, [x0, #24]\n\t"
			 "mov sp, x10\n\t"
			 "ldp d8, d9, [sp, #96]\n\t"
			 "ldp d10, d11, [sp, #112]\n\t"
			 "ldp d12, d13, [sp, #128]\n\t"
			 "ldp d14, d15, [sp, #144]\n\t"
			 "ldp x19, x20, [sp, #16]\n\t"
			 "ldp x21, x22, [sp, #32]\n\t"
			 "ldp x23, x24, [sp, #48]\n\t"
			 "ldp x25, x26, [sp, #64]\n\t"
			 "ldp x27, x28, [sp, #80]\n\t"
			 "ldp x29, x30, [sp], #160\n\t"
			 "ret\n"
			 "1:"
			 : "+r"(x0)
			 :
			 : "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11",
			   "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21",
			   "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x30", "v0", "v1", "v2",
			   "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13",
			   "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23",
			   "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31", "memory", "cc");
	self = x0;
#endif
	if (COROUTINE_SANITIZED)
		coroutine_tell_entered(self);
}

/*
 * Stackless. The body is a function that keeps all of its state in a structure, with a member
 * `struct stackless at` in it, zero in the beginning:
 *
 *     static bool copy(struct copy_state *s)      // returns true when it is done
 *     {
 *             STACKLESS_BEGIN(&s->at);
 *             while (...) {
 *                     start_reading(s);
 *                     STACKLESS_SUSPEND(&s->at);  // returns false; goes on here the next time
 *                     ...
 *             }
 *             STACKLESS_END(&s->at);
 *     }
 *
 * Variables of the function are lost at each suspension. No switch may enclose a suspension.
 */
struct stackless {
	unsigned line; /* where it goes on; 0: at the beginning */
};

#define STACKLESS_DONE UINT32_MAX

#define STACKLESS_BEGIN(at)                                                                        \
	switch ((at)->line) {                                                                      \
	case STACKLESS_DONE:                                                                       \
		return true;                                                                       \
	case 0:

#define STACKLESS_SUSPEND(at)                                                                      \
	do {                                                                                       \
		(at)->line = __LINE__;                                                             \
		return false;                                                                      \
	case __LINE__:;                                                                            \
	} while (0)

#define STACKLESS_END(at)                                                                          \
	}                                                                                          \
	(at)->line = STACKLESS_DONE;                                                               \
	return true

#endif
