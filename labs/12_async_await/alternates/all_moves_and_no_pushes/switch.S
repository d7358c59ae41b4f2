/* SPDX-License-Identifier: MIT */
/* An alternate: the registers are stored by moves, and the first function finds 0 for its return address. */
/*
 * coroutine_enter(coroutine): saves what a call keeps on the caller's stack, takes the coroutine's
 * stack, and jumps to where it goes on. The block in coroutine_suspend() undoes this, and its `ret`
 * is the return of the call that led here.
 *
 * The offsets are those of struct coroutine: 0 its stack pointer, 8 its frame pointer, 16 where it
 * goes on, 24 the stack pointer of whoever resumed it.
 *
 * There is no .note.gnu.property here, so a program with this file runs without shadow stacks: a
 * shadow stack would refuse the changes of stacks.
 */
#if defined(__x86_64__)

	.text
	.globl coroutine_enter
	.type coroutine_enter, @function
coroutine_enter:
	.cfi_startproc
	leaq -48(%rsp), %rax
	movq %r15, 0(%rax)
	movq %r14, 8(%rax)
	movq %r13, 16(%rax)
	movq %r12, 24(%rax)
	movq %rbx, 32(%rax)
	movq %rbp, 40(%rax)
	movq %rax, 24(%rdi)
	movq 16(%rdi), %rcx
	movq 8(%rdi), %rbp
	movq 0(%rdi), %rsp
	jmpq *%rcx
	.cfi_endproc
	.size coroutine_enter, . - coroutine_enter

/* Where a new coroutine begins. A return address of 0 ends a debugger's walk over the stack. */
	.globl coroutine_begin
	.type coroutine_begin, @function
coroutine_begin:
	.cfi_startproc
	.cfi_undefined rip
	xorl %ebp, %ebp
	andq $-16, %rsp
	pushq $0
	jmp coroutine_main
	.cfi_endproc
	.size coroutine_begin, . - coroutine_begin

#elif defined(__aarch64__)

	.text
	.globl coroutine_enter
	.type coroutine_enter, %function
coroutine_enter:
	.cfi_startproc
	stp x29, x30, [sp, #-160]!
	stp x19, x20, [sp, #16]
	stp x21, x22, [sp, #32]
	stp x23, x24, [sp, #48]
	stp x25, x26, [sp, #64]
	stp x27, x28, [sp, #80]
	stp d8, d9, [sp, #96]
	stp d10, d11, [sp, #112]
	stp d12, d13, [sp, #128]
	stp d14, d15, [sp, #144]
	mov x9, sp
	str x9, [x0, #24]
	ldr x10, [x0, #0]
	ldr x29, [x0, #8]
	ldr x16, [x0, #16]
	mov sp, x10
	br x16
	.cfi_endproc
	.size coroutine_enter, . - coroutine_enter

	.globl coroutine_begin
	.type coroutine_begin, %function
coroutine_begin:
	.cfi_startproc
	.cfi_undefined x30
	mov x29, xzr
	mov x30, xzr
	bl coroutine_main
	brk #1
	.cfi_endproc
	.size coroutine_begin, . - coroutine_begin

#endif

	.section .note.GNU-stack, "", %progbits
