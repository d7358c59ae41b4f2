/* SPDX-License-Identifier: MIT */
/*
 * beside COMMAND...   runs shell commands side by side; prints their output, one whole line at a time
 * beside -n COUNT     measures COUNT switches to a coroutine and back
 *
 * One thread. Each command is looked after by straight code on a stack of its own: a coroutine.
 * -DHOW=noinline puts a function of its own between the coroutine and its way out.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#ifndef HOW
#define HOW always_inline
#endif
enum { STACK_BYTES = 65536, JOBS_MAX = 64 };

struct fiber {
	void *sp, *fp, *pc, *resumer_sp; /* the switch knows where these lie */
	void (*body)(struct fiber *self);
	int is_done, fd; /* that it waits for */
	const char *command;
};

/* Goes on where the coroutine was left; returns when it suspends itself. */
void enter(struct fiber *c);

/* clang-format off */
#ifdef __x86_64__
__asm__(".text\nenter: push %rbp\n push %rbx\n push %r12\n push %r13\n push %r14\n push %r15\n"
	"mov %rsp, 24(%rdi)\n mov 0(%rdi), %rsp\n mov 8(%rdi), %rbp\n jmp *16(%rdi)\n"
	".macro go_back\n lea 1f(%rip), %rax\n mov %rsp, 0(%rdi)\n mov %rbp, 8(%rdi)\n"
	"mov %rax, 16(%rdi)\n mov 24(%rdi), %rsp\n pop %r15\n pop %r14\n pop %r13\n"
	"pop %r12\n pop %rbx\n pop %rbp\n ret\n 1:\n .endm\n");
#define NOT_KEPT "rax", "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", \
	"xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", \
	"xmm12", "xmm13", "xmm14", "xmm15"
enum { PUSHED = 8 }; /* bytes on the stack when a function begins: its return address */
#define SELF "rdi"
#elif defined(__aarch64__)
#define EACH(DO) DO " x19, x20, [sp, #16]\n" DO " x21, x22, [sp, #32]\n" DO " x23, x24, [sp, #48]\n" \
	DO " x25, x26, [sp, #64]\n" DO " x27, x28, [sp, #80]\n" DO " d8, d9, [sp, #96]\n" \
	DO " d10, d11, [sp, #112]\n" DO " d12, d13, [sp, #128]\n" DO " d14, d15, [sp, #144]\n"
__asm__(".text\nenter: stp x29, x30, [sp, #-160]!\n" EACH("stp") "mov x9, sp\n str x9, [x0, #24]\n"
	"ldp x10, x29, [x0]\n ldr x16, [x0, #16]\n mov sp, x10\n br x16\n"
	".macro go_back\n adr x9, 1f\n mov x10, sp\n stp x10, x29, [x0]\n str x9, [x0, #16]\n"
	"ldr x10, [x0, #24]\n mov sp, x10\n" EACH("ldp") "ldp x29, x30, [sp], #160\n ret\n 1:\n .endm\n");
#define NOT_KEPT "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", \
	"x15", "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x30", \
	"v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", \
	"v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31"
enum { PUSHED = 0 };
#define SELF "x0"
#endif
/* clang-format on */

/* Back to whoever resumed it. The `ret` in go_back answers the call of enter(). */
static __attribute__((HOW)) inline void suspend(struct fiber *c)
{
	register struct fiber *self __asm__(SELF) = c;
	__asm__ volatile("go_back" : "+r"(self) : : NOT_KEPT, "memory", "cc");
}

static struct fiber jobs[JOBS_MAX];

/* Where a new one begins: enter() has left its argument in the register of the first one. */
static void begin(struct fiber *self)
{
	self->body(self);
	self->is_done = 1;
	suspend(self);
}

static void make(struct fiber *c, void (*body)(struct fiber *self))
{
	char *stack =
		mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	c->sp = stack + STACK_BYTES - PUSHED;
	c->pc = (void *)begin;
	c->body = body;
}

/* The straight code of one command: its variables live on its own stack. */
static void look_after(struct fiber *self)
{
	char line[4096];
	size_t length = 0, lines = 0;
	FILE *pipe = popen(self->command, "re");
	self->fd = fileno(pipe);
	for (;;) {
		suspend(self); /* until there is something to read */
		ssize_t n = read(self->fd, line + length, sizeof line - length);
		if (n <= 0)
			break;
		length += (size_t)n;
		for (char *end; (end = memchr(line, '\n', length)) || length == sizeof line;
		     lines++) {
			size_t taken = end ? (size_t)(end - line) + 1 : length;
			printf("%s: %.*s\n", self->command, (int)(taken - !!end), line);
			memmove(line, line + taken, length -= taken);
		}
	}
	printf("%s: %zu lines, status %d\n", self->command, lines, WEXITSTATUS(pclose(pipe)));
}

static void do_nothing(struct fiber *self)
{
	for (;;)
		suspend(self);
}

static void measure(long count)
{
	make(&jobs[0], do_nothing);
	clock_t began = clock();
	for (long i = 0; i < count; i++)
		enter(&jobs[0]);
	printf("%.1f ns there and back\n", (double)(clock() - began) * 1000 / (double)count);
}

int main(int argc, char **argv)
{
	struct pollfd waits[JOBS_MAX];
	int count = argc - 1;
	if (argc == 3 && strcmp(argv[1], "-n") == 0)
		return measure(atol(argv[2])), 0;
	if (count < 1 || count > JOBS_MAX)
		return 2;
	for (int i = 0; i < count; i++) {
		make(&jobs[i], look_after);
		jobs[i].command = argv[i + 1];
		enter(&jobs[i]);
	}
	for (int alive = count; alive > 0;) {
		for (int i = 0; i < count; i++)
			waits[i] = (struct pollfd) { jobs[i].is_done ? -1 : jobs[i].fd, POLLIN, 0 };
		poll(waits, (nfds_t)count, -1);
		for (int i = 0; i < count; i++)
			if (waits[i].revents) {
				enter(&jobs[i]);
				alive -= jobs[i].is_done;
			}
	}
	return 0;
}
