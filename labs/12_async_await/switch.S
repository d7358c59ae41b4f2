/* SPDX-License-Identifier: MIT */
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
	//> 6 %rdi is the coroutine. Save what coroutine_suspend() will pop, in the opposite order, and
	//> where that lies. Then take the coroutine's stack and frame pointer, and jump: a jump and no
	//> call, since the ret of coroutine_suspend() answers the call that led here.
	//+ ret
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, 24(%rdi)
	movq 0(%rdi), %rsp
	movq 8(%rdi), %rbp
	jmpq *16(%rdi)
	//< 6
	.cfi_endproc
	.size coroutine_enter, . - coroutine_enter

/* Where a new coroutine begins. A return address of 0 ends a debugger's walk over the stack. */
	.globl coroutine_begin
	.type coroutine_begin, @function
coroutine_begin:
	.cfi_startproc
	.cfi_undefined rip
	//> 6 %rdi is the coroutine still, which is the argument of coroutine_main(). A function of C
	//> expects a stack pointer that was a multiple of 16 before the call. This call never returns.
	//+ ud2
	xorl %ebp, %ebp
	call coroutine_main
	ud2
	//< 6
	.cfi_endproc
	.size coroutine_begin, . - coroutine_begin

#elif defined(__aarch64__)

	.text
	.globl coroutine_enter
	.type coroutine_enter, %function
coroutine_enter:
	.cfi_startproc
	//> 6 x0 is the coroutine. Save what coroutine_suspend() will load, at the same places, and where
	//> that lies. Then take the coroutine's stack and frame pointer, and branch: br and not blr,
	//> since the ret of coroutine_suspend() answers the bl that led here.
	//+ ret
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
	ldp x10, x29, [x0, #0]
	ldr x16, [x0, #16]
	mov sp, x10
	br x16
	//< 6
	.cfi_endproc
	.size coroutine_enter, . - coroutine_enter

	.globl coroutine_begin
	.type coroutine_begin, %function
coroutine_begin:
	.cfi_startproc
	.cfi_undefined x30
	//> 6 x0 is the coroutine still, which is the argument of coroutine_main(). That never returns.
	//+ brk #1
	mov x29, xzr
	mov x30, xzr
	bl coroutine_main
	brk #1
	//< 6
	.cfi_endproc
	.size coroutine_begin, . - coroutine_begin

#endif

	.section .note.GNU-stack, "", %progbits
