/* SPDX-License-Identifier: MIT */
/*
 * Lets one call of an engine fail: a system call by its wrapper in the C library, or a function of
 * glibc's AIO, libaio or liburing. What these do inside of themselves is not seen. io_uring's system
 * calls are seen where they are made by syscall(2). Completions fail
 * too: the result that the kernel stored is changed before the engine can read it. So is the ring of
 * libaio, which then has a layout that nobody knows.
 *
 * In a sanitizer's build, and in a program without faults.c, nothing fails.
 */
#ifndef IOLAB_CONFORMANCE_FAULTS_H
#define IOLAB_CONFORMANCE_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

enum fault_class {
	FAULT_OF_SETUP, /* makes or registers something */
	FAULT_OF_OPERATION, /* performs one operation */
	FAULT_OF_HAND_OVER, /* gives operations to the kernel, perhaps to wait then */
	FAULT_OF_WAIT,
};

/*
 * Errors are those that the call's manual page lists, where an engine cannot rule them out. Not EINVAL from
 * io_uring_queue_mmap(): newer versions of liburing call it themselves, and try again with fewer flags.
 */
#define FAULTS(X)                                                                                  \
	X(malloc, FAULT_OF_SETUP, ENOMEM)                                                          \
	X(pthread_create, FAULT_OF_SETUP, EAGAIN, EPERM)                                           \
	X(epoll_create1, FAULT_OF_SETUP, EMFILE, ENFILE, ENOMEM)                                   \
	X(epoll_ctl, FAULT_OF_SETUP, ENOMEM, ENOSPC, EPERM)                                        \
	X(eventfd, FAULT_OF_SETUP, EMFILE, ENFILE, ENODEV, ENOMEM)                                 \
	X(epoll_wait, FAULT_OF_WAIT, EBADF, EFAULT, EINTR, EINVAL)                                 \
	X(epoll_pwait2, FAULT_OF_WAIT, EBADF, EFAULT, EINTR, EINVAL)                               \
	X(ppoll, FAULT_OF_WAIT, EFAULT, EINTR, EINVAL, ENOMEM)                                     \
	X(poll, FAULT_OF_OPERATION, EFAULT, EINTR, EINVAL, ENOMEM)                                 \
	X(fcntl, FAULT_OF_SETUP, EINVAL, ENOMEM, EPERM)                                            \
	X(sigtimedwait, FAULT_OF_WAIT, EINTR, EINVAL)                                              \
	X(signalfd, FAULT_OF_SETUP, EMFILE, ENFILE, ENODEV, ENOMEM)                                \
	X(signalfd_read, FAULT_OF_WAIT, EAGAIN, EBADF, EFAULT, EINTR, EINVAL, EIO)                 \
	X(memfd_create, FAULT_OF_SETUP, EMFILE, ENFILE, ENOMEM)                                    \
	X(pipe2, FAULT_OF_SETUP, EMFILE, ENFILE)                                                   \
	X(socketpair, FAULT_OF_SETUP, EMFILE, ENFILE)                                              \
	X(read, FAULT_OF_OPERATION, EAGAIN, EBADF, EFAULT, EINTR, EINVAL, EIO, EISDIR)             \
	X(pread, FAULT_OF_OPERATION, EAGAIN, EBADF, EFAULT, EINTR, EINVAL, EIO, EISDIR, ENXIO,     \
	  EOVERFLOW, ESPIPE)                                                                       \
	X(write, FAULT_OF_OPERATION, EAGAIN, EBADF, EDQUOT, EFAULT, EFBIG, EINTR, EINVAL, EIO,     \
	  ENOSPC, EPERM, EPIPE)                                                                    \
	X(pwrite, FAULT_OF_OPERATION, EAGAIN, EBADF, EDQUOT, EFAULT, EFBIG, EINTR, EINVAL, EIO,    \
	  ENOSPC, EOVERFLOW, EPERM, ESPIPE)                                                        \
	X(fsync, FAULT_OF_OPERATION, EBADF, EDQUOT, EINTR, EINVAL, EIO, ENOSPC, EROFS)             \
	X(fdatasync, FAULT_OF_OPERATION, EBADF, EDQUOT, EINTR, EINVAL, EIO, ENOSPC, EROFS)         \
	X(recv, FAULT_OF_OPERATION, EAGAIN, EBADF, ECONNREFUSED, ECONNRESET, EFAULT, EINTR,        \
	  EINVAL, ENOMEM, ENOTCONN, ENOTSOCK, ETIMEDOUT)                                           \
	X(send, FAULT_OF_OPERATION, EACCES, EAGAIN, EBADF, ECONNRESET, EDESTADDRREQ, EFAULT,       \
	  EINTR, EINVAL, EISCONN, EMSGSIZE, ENOBUFS, ENOMEM, ENOTCONN, ENOTSOCK, EOPNOTSUPP,       \
	  EPIPE)                                                                                   \
	X(accept4, FAULT_OF_OPERATION, EBADF, ECONNABORTED, EFAULT, EINTR, EINVAL, EMFILE, ENFILE, \
	  ENOBUFS, ENOMEM, ENOTSOCK, EOPNOTSUPP, EPERM, EPROTO)                                    \
	X(connect, FAULT_OF_OPERATION, EACCES, EADDRNOTAVAIL, EAFNOSUPPORT, EBADF, ECONNREFUSED,   \
	  EFAULT, EINTR, ENETUNREACH, ENOTSOCK, EPERM, EPROTOTYPE, ETIMEDOUT)                      \
	X(aio_read, FAULT_OF_OPERATION, EAGAIN, EBADF, EINVAL, ENOSYS, EOVERFLOW)                  \
	X(aio_write, FAULT_OF_OPERATION, EAGAIN, EBADF, EFBIG, EINVAL, ENOSYS)                     \
	X(aio_fsync, FAULT_OF_OPERATION, EAGAIN, EBADF, EINVAL, ENOSYS)                            \
	X(aio_suspend, FAULT_OF_WAIT, EAGAIN, EINTR, ENOSYS)                                       \
	X(aio_error, FAULT_OF_OPERATION, EAGAIN, ECANCELED, EIO, ENOSPC, ETIMEDOUT)                \
	X(io_setup, FAULT_OF_SETUP, EAGAIN, EFAULT, EINVAL, ENOMEM, ENOSYS, EPERM)                 \
	X(aio_ring_magic, FAULT_OF_SETUP, EOPNOTSUPP)                                              \
	X(aio_ring_features, FAULT_OF_SETUP, EOPNOTSUPP)                                           \
	X(io_submit, FAULT_OF_HAND_OVER, EAGAIN, EBADF, EFAULT, EINTR, EINVAL, ENOSYS)             \
	X(io_getevents, FAULT_OF_WAIT, EFAULT, EINTR, EINVAL, ENOSYS)                              \
	X(aio_completion, FAULT_OF_OPERATION, EFAULT, EIO, ENOSPC)                                 \
	X(io_uring_queue_init_params, FAULT_OF_SETUP, EACCES, EFAULT, EINVAL, EMFILE, ENFILE,      \
	  ENOMEM, ENOSYS, EPERM)                                                                   \
	X(io_uring_get_probe_ring, FAULT_OF_SETUP, EOPNOTSUPP)                                     \
	X(io_uring_register_files, FAULT_OF_SETUP, EBADF, EBUSY, EFAULT, EINVAL, EMFILE, ENOMEM)   \
	X(io_uring_register_files_update, FAULT_OF_SETUP, EBADF, EFAULT, EINVAL, ENOMEM, ENXIO)    \
	X(io_uring_register_buffers, FAULT_OF_SETUP, EBUSY, EFAULT, EINVAL, ENOMEM, EOPNOTSUPP)    \
	X(io_uring_register_buf_ring, FAULT_OF_SETUP, EEXIST, EFAULT, EINVAL, ENOMEM)              \
	X(io_uring_register_ring_fd, FAULT_OF_SETUP, EBUSY, EFAULT, EINVAL, ENOMEM)                \
	X(io_uring_queue_mmap, FAULT_OF_SETUP, EAGAIN, ENOMEM, EPERM)                              \
	X(io_uring_enter2, FAULT_OF_HAND_OVER, EAGAIN, EBADF, EBADFD, EBUSY, EFAULT, EINTR,        \
	  EINVAL, ENXIO, EOPNOTSUPP)                                                               \
	X(io_uring_submit, FAULT_OF_HAND_OVER, EAGAIN, EBADF, EBADFD, EBUSY, EFAULT, EINTR,        \
	  EINVAL, ENXIO, EOPNOTSUPP)                                                               \
	X(io_uring_submit_and_get_events, FAULT_OF_HAND_OVER, EAGAIN, EBADF, EBADFD, EBUSY,        \
	  EFAULT, EINTR, EINVAL, ENXIO, EOPNOTSUPP)                                                \
	X(io_uring_submit_and_wait, FAULT_OF_HAND_OVER, EAGAIN, EBADF, EBADFD, EBUSY, EFAULT,      \
	  EINTR, EINVAL, ENXIO, EOPNOTSUPP)                                                        \
	X(io_uring_submit_and_wait_timeout, FAULT_OF_HAND_OVER, EAGAIN, EBADF, EBADFD, EBUSY,      \
	  EFAULT, EINTR, EINVAL, ENXIO, EOPNOTSUPP)                                                \
	X(io_uring_setup, FAULT_OF_SETUP, EFAULT, EINVAL, EMFILE, ENFILE, ENOMEM, ENOSYS, EPERM)   \
	X(io_uring_register, FAULT_OF_SETUP, EACCES, EBADF, EFAULT, EINVAL, ENOMEM, EOPNOTSUPP)    \
	X(io_uring_mmap, FAULT_OF_SETUP, EAGAIN, EINVAL, ENOMEM, EPERM)                            \
	X(io_uring_enter, FAULT_OF_HAND_OVER, EAGAIN, EBADF, EBADFD, EBUSY, EFAULT, EINTR, EINVAL, \
	  ENXIO, EOPNOTSUPP)                                                                       \
	X(uring_completion, FAULT_OF_OPERATION, EAGAIN, EBADF, EFAULT, EIO, ENOSPC, ETIMEDOUT)

#define FAULT_ID(name, class, ...) FAULT_##name,
enum fault_id { FAULTS(FAULT_ID) FAULT_COUNT };
#undef FAULT_ID

#define FAULT_ERRORS_MAX 20

struct fault {
	const char *name;
	enum fault_class class;
	int errors[FAULT_ERRORS_MAX]; /* ended by 0 */
};

/* `id` is below FAULT_COUNT. */
__attribute__((weak)) const struct fault *fault_at(unsigned id);

/* Begins to count calls; none fails. Returns false where no call can fail. */
__attribute__((weak)) bool faults_watch(void);
/* The `nth` call from now on (from 1) fails with `error`, and no other. */
__attribute__((weak)) void faults_arm(enum fault_id id, int error, unsigned nth);
/* No call is counted from now on, and none fails. */
__attribute__((weak)) void faults_end(void);

/* Calls since faults_watch() or faults_arm(). */
__attribute__((weak)) unsigned faults_calls(enum fault_id id);
__attribute__((weak)) bool faults_struck(void);

/*
 * What was asked for since faults_watch(), in any order and however often: which calls, with which
 * flags, opcodes and kinds of event. One bit for each, at a place that is as good as random.
 */
struct asked_for {
	uint64_t bits[4];
};
__attribute__((weak)) struct asked_for faults_asked_for(void);

/* Calls `thief` once with the descriptor, right before the next recv(2) of the engine. */
__attribute__((weak)) void faults_before_recv(void (*thief)(int fd));

/* For those who stand in place of a call: 0, or the error with which this call has to fail. */
__attribute__((weak)) int faults_strike(enum fault_id id);

#endif
