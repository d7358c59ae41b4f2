/* SPDX-License-Identifier: MIT */
/* The threads of this process beside the one that began it, by whom they work for. */
#ifndef IOLAB_HELPER_THREADS_H
#define IOLAB_HELPER_THREADS_H

struct helper_threads {
	unsigned user; /* of the program or a library */
	unsigned io_wq; /* the kernel's workers for io_uring, "iou-wrk-..." */
	unsigned sqpoll; /* its polling thread, "iou-sqp-..." */
};

/*
 * Leaves out of what is counted from now on the threads that are there now. To be called before an
 * engine is opened: a ring that only asked what works here may still be ending, and is not the
 * engine's.
 */
void helper_threads_leave_out_present(void);

/*
 * Those that are there now, from /proc/self/task. An io-wq worker stays for five seconds after its
 * last work, a polling thread for as long as its ring. Reads a small file for each thread.
 */
struct helper_threads helper_threads_now(void);

#endif
