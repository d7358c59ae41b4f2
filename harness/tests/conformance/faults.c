/* SPDX-License-Identifier: MIT */
/* Calls by the program come here first. Each then is the library's, or fails as it would. */
#include "faults.h"

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__

bool faults_watch(void)
{
	return false;
}

#else

#include <aio.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <libaio.h>
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "allocations.h"

#define AS_ROW(call, its_class, ...)                                                               \
	{ .name = #call, .class = its_class, .errors = { __VA_ARGS__ } },
static const struct fault faults[] = { FAULTS(AS_ROW) };

static struct {
	bool watching;
	enum fault_id armed;
	int error; /* of the armed one; 0 where none is */
	unsigned nth;
	bool struck;
	unsigned calls[FAULT_COUNT];
	struct asked_for asked;
} state;

const struct fault *fault_at(unsigned id)
{
	return &faults[id];
}

static void begin(enum fault_id id, int error, unsigned nth)
{
	faults_end();
	for (unsigned i = 0; i < FAULT_COUNT; i++)
		__atomic_store_n(&state.calls[i], 0, __ATOMIC_RELAXED);
	state.asked = (struct asked_for) { 0 };
	state.armed = id;
	state.error = error;
	state.nth = nth;
	state.struck = false;
	__atomic_store_n(&state.watching, true, __ATOMIC_RELEASE);
}

bool faults_watch(void)
{
	begin(0, 0, 0);
	return true;
}

void faults_arm(enum fault_id id, int error, unsigned nth)
{
	begin(id, error, nth);
}

void faults_end(void)
{
	__atomic_store_n(&state.watching, false, __ATOMIC_RELEASE);
}

unsigned faults_calls(enum fault_id id)
{
	return __atomic_load_n(&state.calls[id], __ATOMIC_RELAXED);
}

bool faults_struck(void)
{
	return __atomic_load_n(&state.struck, __ATOMIC_RELAXED);
}

struct asked_for faults_asked_for(void)
{
	return state.asked;
}

static void note(enum fault_id id, uint64_t flags)
{
	uint64_t mixed = ((uint64_t)id << 48 ^ flags) * UINT64_C(0x9e3779b97f4a7c15);
	unsigned bit = (unsigned)(mixed >> 56);
	if (__atomic_load_n(&state.watching, __ATOMIC_ACQUIRE))
		__atomic_fetch_or(&state.asked.bits[bit / 64], UINT64_C(1) << bit % 64,
				  __ATOMIC_RELAXED);
}

int faults_strike(enum fault_id id)
{
	if (!__atomic_load_n(&state.watching, __ATOMIC_ACQUIRE))
		return 0;
	note(id, 0);
	unsigned count = __atomic_add_fetch(&state.calls[id], 1, __ATOMIC_RELAXED);
	if (state.error == 0 || state.armed != id || count != state.nth)
		return 0;
	__atomic_store_n(&state.struck, true, __ATOMIC_RELAXED);
	return state.error;
}

/* The library's function of that name. */
#define REAL(name)                                                                                 \
	static __typeof__(&name) real;                                                             \
	if (!real)                                                                                 \
	real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

/* Two ways to fail. */
#define AS_ERRNO(type) (errno = error, (type)-1)
#define AS_NEGATIVE    (-error)

#define CALL(type, name, parameters, arguments, failed)                                            \
	type name parameters                                                                       \
	{                                                                                          \
		REAL(name);                                                                        \
		int error = faults_strike(FAULT_##name);                                           \
		return error ? failed : real arguments;                                            \
	}

/* In all of a test: a wrong engine may start threads without end, and the machine must survive it. */
#define THREADS_MOST 8192

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
		   void *argument)
{
	REAL(pthread_create);
	static unsigned started;
	int error = faults_strike(FAULT_pthread_create);
	if (__atomic_add_fetch(&started, 1, __ATOMIC_RELAXED) > THREADS_MOST)
		error = EAGAIN;
	return error ? error : real(thread, attributes, start, argument);
}

CALL(int, epoll_create1, (int flags), (flags), AS_ERRNO(int))

int epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
	REAL(epoll_ctl);
	if (event)
		note(FAULT_epoll_ctl, event->events);
	int error = faults_strike(FAULT_epoll_ctl);
	return error ? AS_ERRNO(int) : real(epoll_fd, operation, fd, event);
}

CALL(int, eventfd, (unsigned count, int flags), (count, flags), AS_ERRNO(int))
CALL(int, epoll_wait, (int epoll_fd, struct epoll_event *events, int max, int timeout_ms),
     (epoll_fd, events, max, timeout_ms), AS_ERRNO(int))
CALL(int, epoll_pwait2,
     (int epoll_fd, struct epoll_event *events, int max, const struct timespec *timeout,
      const sigset_t *mask),
     (epoll_fd, events, max, timeout, mask), AS_ERRNO(int))
CALL(int, ppoll,
     (struct pollfd * fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask),
     (fds, count, timeout, mask), AS_ERRNO(int))

CALL(int, poll, (struct pollfd * fds, nfds_t count, int timeout_ms), (fds, count, timeout_ms),
     AS_ERRNO(int))

/* Of all commands those that have signals sent. */
int fcntl(int fd, int command, ...)
{
	REAL(fcntl);
	va_list rest;
	va_start(rest, command);
	void *argument = va_arg(rest, void *);
	va_end(rest);
	bool arms = command == F_SETOWN_EX || command == F_SETSIG ||
		    (command == F_SETFL && ((intptr_t)argument & O_ASYNC));
	int error = arms ? faults_strike(FAULT_fcntl) : 0;
	return error ? AS_ERRNO(int) : real(fd, command, argument);
}

CALL(int, sigtimedwait, (const sigset_t *set, siginfo_t *info, const struct timespec *timeout),
     (set, info, timeout), AS_ERRNO(int))
CALL(int, signalfd, (int fd, const sigset_t *mask, int flags), (fd, mask, flags), AS_ERRNO(int))
CALL(int, memfd_create, (const char *name, unsigned flags), (name, flags), AS_ERRNO(int))
CALL(int, pipe2, (int ends[2], int flags), (ends, flags), AS_ERRNO(int))
CALL(int, socketpair, (int domain, int type, int protocol, int ends[2]),
     (domain, type, protocol, ends), AS_ERRNO(int))

/* proc(5) names what has no path. */
static bool is_signalfd(int fd)
{
	char path[40], link[40] = "";
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return readlink(path, link, sizeof link - 1) > 0 && strstr(link, "[signalfd]");
}

/* Signals are waited for, so their read performs no operation. */
ssize_t read(int fd, void *buf, size_t count)
{
	REAL(read);
	bool watching = __atomic_load_n(&state.watching, __ATOMIC_ACQUIRE);
	int error =
		watching ? faults_strike(is_signalfd(fd) ? FAULT_signalfd_read : FAULT_read) : 0;
	return error ? AS_ERRNO(ssize_t) : real(fd, buf, count);
}

CALL(ssize_t, pread, (int fd, void *buf, size_t count, off_t offset), (fd, buf, count, offset),
     AS_ERRNO(ssize_t))
CALL(ssize_t, write, (int fd, const void *buf, size_t count), (fd, buf, count), AS_ERRNO(ssize_t))
CALL(ssize_t, pwrite, (int fd, const void *buf, size_t count, off_t offset),
     (fd, buf, count, offset), AS_ERRNO(ssize_t))
CALL(int, fsync, (int fd), (fd), AS_ERRNO(int))
CALL(int, fdatasync, (int fd), (fd), AS_ERRNO(int))
/*
 * Not EAGAIN in place of a try that would have succeeded: the kernel does not say that, and who
 * waits for the next edge would wait for ever.
 */
static int strike_a_transfer(enum fault_id id, int flags)
{
	bool lie = (flags & MSG_DONTWAIT) && state.error == EAGAIN;
	return lie ? 0 : faults_strike(id);
}

static void (*before_recv)(int fd);

void faults_before_recv(void (*thief)(int fd))
{
	__atomic_store_n(&before_recv, thief, __ATOMIC_RELEASE);
}

ssize_t recv(int fd, void *buf, size_t count, int flags)
{
	REAL(recv);
	void (*thief)(int) = __atomic_exchange_n(&before_recv, NULL, __ATOMIC_ACQ_REL);
	if (thief)
		thief(fd);
	int error = strike_a_transfer(FAULT_recv, flags);
	return error ? AS_ERRNO(ssize_t) : real(fd, buf, count, flags);
}

ssize_t send(int fd, const void *buf, size_t count, int flags)
{
	REAL(send);
	int error = strike_a_transfer(FAULT_send, flags);
	return error ? AS_ERRNO(ssize_t) : real(fd, buf, count, flags);
}

CALL(int, accept4, (int fd, struct sockaddr *address, socklen_t *len_bytes, int flags),
     (fd, address, len_bytes, flags), AS_ERRNO(int))
CALL(int, connect, (int fd, const struct sockaddr *address, socklen_t len_bytes),
     (fd, address, len_bytes), AS_ERRNO(int))

/* glibc's AIO. What it allocates is not the engine's. */

#define AIO_CALL(name, parameters, arguments, error_of_call)                                       \
	int name parameters                                                                        \
	{                                                                                          \
		REAL(name);                                                                        \
		int error = error_of_call;                                                         \
		if (error)                                                                         \
			return AS_ERRNO(int);                                                      \
		allocations_inside_aio(1);                                                         \
		int rc = real arguments;                                                           \
		allocations_inside_aio(-1);                                                        \
		return rc;                                                                         \
	}

AIO_CALL(aio_read, (struct aiocb * cb), (cb), faults_strike(FAULT_aio_read))
AIO_CALL(aio_write, (struct aiocb * cb), (cb), faults_strike(FAULT_aio_write))
AIO_CALL(aio_fsync, (int operation, struct aiocb *cb), (operation, cb),
	 faults_strike(FAULT_aio_fsync))
AIO_CALL(aio_cancel, (int fd, struct aiocb *cb), (fd, cb), 0)
AIO_CALL(aio_suspend, (const struct aiocb *const list[], int count, const struct timespec *timeout),
	 (list, count, timeout), faults_strike(FAULT_aio_suspend))

/* Of a request that is over. */
int aio_error(const struct aiocb *cb)
{
	REAL(aio_error);
	int outcome = real(cb);
	int error = outcome == EINPROGRESS ? 0 : faults_strike(FAULT_aio_error);
	return error ? error : outcome;
}

/* libaio */

/* The ring at a context's address, as fs/aio.c lays it out. */
struct context_ring {
	unsigned id, size, head, tail, magic, features, incompatible_features, header_bytes;
	struct io_event events[];
};

static bool spoil_event(struct io_event *event)
{
	int error = faults_strike(FAULT_aio_completion);
	if (error)
		event->res = (unsigned long)-(long)error;
	return error;
}

static void spoil_events_in_ring(io_context_t context)
{
	struct context_ring *ring = (struct context_ring *)context;
	unsigned tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
	for (unsigned at = ring->head; at != tail; at = at + 1 == ring->size ? 0 : at + 1)
		if (spoil_event(&ring->events[at]))
			break;
}

int io_setup(int count, io_context_t *context)
{
	REAL(io_setup);
	int error = faults_strike(FAULT_io_setup);
	if (error)
		return AS_NEGATIVE;
	int rc = real(count, context);
	if (rc == 0 && faults_strike(FAULT_aio_ring_magic))
		((struct context_ring *)*context)->magic++;
	if (rc == 0 && faults_strike(FAULT_aio_ring_features))
		((struct context_ring *)*context)->incompatible_features++;
	return rc;
}

int io_submit(io_context_t context, long count, struct iocb *cbs[])
{
	REAL(io_submit);
	int error = faults_strike(FAULT_io_submit);
	if (error)
		return AS_NEGATIVE;
	int rc = real(context, count, cbs);
	if (rc > 0)
		spoil_events_in_ring(context);
	return rc;
}

int io_getevents(io_context_t context, long min, long max, struct io_event *events,
		 struct timespec *timeout)
{
	REAL(io_getevents);
	int error = faults_strike(FAULT_io_getevents);
	if (error)
		return AS_NEGATIVE;
	int rc = real(context, min, max, events, timeout);
	for (int i = 0; i < rc; i++)
		spoil_event(&events[i]);
	return rc;
}

/* liburing */

int io_uring_queue_init_params(unsigned entries, struct io_uring *ring,
			       struct io_uring_params *params)
{
	REAL(io_uring_queue_init_params);
	note(FAULT_io_uring_queue_init_params, params->flags);
	int error = faults_strike(FAULT_io_uring_queue_init_params);
	return error ? AS_NEGATIVE : real(entries, ring, params);
}

CALL(struct io_uring_probe *, io_uring_get_probe_ring, (struct io_uring * ring), (ring), NULL)
CALL(int, io_uring_register_files, (struct io_uring * ring, const int *fds, unsigned count),
     (ring, fds, count), AS_NEGATIVE)
CALL(int, io_uring_register_files_update,
     (struct io_uring * ring, unsigned first, const int *fds, unsigned count),
     (ring, first, fds, count), AS_NEGATIVE)
CALL(int, io_uring_register_buffers,
     (struct io_uring * ring, const struct iovec *buffers, unsigned count), (ring, buffers, count),
     AS_NEGATIVE)
CALL(int, io_uring_register_buf_ring,
     (struct io_uring * ring, struct io_uring_buf_reg *registration, unsigned flags),
     (ring, registration, flags), AS_NEGATIVE)
CALL(int, io_uring_register_ring_fd, (struct io_uring * ring), (ring), AS_NEGATIVE)

static void note_submissions(const struct io_uring *ring)
{
	const struct io_uring_sq *sq = &ring->sq;
	for (unsigned at = sq->sqe_head; at != sq->sqe_tail; at++) {
		const struct io_uring_sqe *sqe = &sq->sqes[at & *sq->kring_mask];
		note(FAULT_io_uring_submit,
		     sqe->opcode | (uint64_t)sqe->flags << 8 | (uint64_t)sqe->ioprio << 16);
	}
}

/* Those with a result; a cancel's own completion has no data, and a notification no result. */
static bool has_result(const struct io_uring_cqe *cqe)
{
	return cqe->user_data != 0 && !(cqe->flags & IORING_CQE_F_NOTIF);
}

static void spoil_completions(struct io_uring *ring)
{
	unsigned head;
	struct io_uring_cqe *cqe;
	io_uring_for_each_cqe (ring, head, cqe) {
		int error = has_result(cqe) ? faults_strike(FAULT_uring_completion) : 0;
		if (error) {
			cqe->res = -error;
			break;
		}
	}
}

#define URING_CALL(name, parameters, arguments)                                                    \
	int name parameters                                                                        \
	{                                                                                          \
		REAL(name);                                                                        \
		note_submissions(ring);                                                            \
		int error = faults_strike(FAULT_##name);                                           \
		if (error)                                                                         \
			return AS_NEGATIVE;                                                        \
		int rc = real arguments;                                                           \
		spoil_completions(ring);                                                           \
		return rc;                                                                         \
	}

URING_CALL(io_uring_submit, (struct io_uring * ring), (ring))
URING_CALL(io_uring_submit_and_get_events, (struct io_uring * ring), (ring))
URING_CALL(io_uring_submit_and_wait, (struct io_uring * ring, unsigned count), (ring, count))
URING_CALL(io_uring_submit_and_wait_timeout,
	   (struct io_uring * ring, struct io_uring_cqe **cqe, unsigned count,
	    struct __kernel_timespec *timeout, sigset_t *mask),
	   (ring, cqe, count, timeout, mask))

/* Its steps, for what it has no function for */

CALL(int, io_uring_queue_mmap, (int fd, struct io_uring_params *params, struct io_uring *ring),
     (fd, params, ring), AS_NEGATIVE)

/* Who calls them has no struct io_uring. */
int io_uring_setup(unsigned entries, struct io_uring_params *params)
{
	REAL(io_uring_setup);
	note(FAULT_io_uring_setup, params->flags);
	int error = faults_strike(FAULT_io_uring_setup);
	return error ? AS_NEGATIVE : real(entries, params);
}

int io_uring_register(unsigned fd, unsigned opcode, const void *argument, unsigned count)
{
	REAL(io_uring_register);
	note(FAULT_io_uring_register, opcode);
	int error = faults_strike(FAULT_io_uring_register);
	return error ? AS_NEGATIVE : real(fd, opcode, argument, count);
}

/* Under another name here, since the type of `argument` has changed with the library's versions. */
int strike_enter2(unsigned fd, unsigned to_submit, unsigned min, unsigned flags, void *argument,
		  size_t argument_len_bytes) __asm__("io_uring_enter2");

int strike_enter2(unsigned fd, unsigned to_submit, unsigned min, unsigned flags, void *argument,
		  size_t argument_len_bytes)
{
	REAL(io_uring_enter2);
	note(FAULT_io_uring_enter2, flags);
	int error = faults_strike(FAULT_io_uring_enter2);
	return error ? AS_NEGATIVE : real(fd, to_submit, min, flags, argument, argument_len_bytes);
}

/* io_uring without a library: by syscall(2) and mmap(2) */

#define RINGS_MOST 256

/* [descriptor]: what the kernel said of the ring. */
static struct io_uring_params of_ring[RINGS_MOST];

static bool is_ring(int fd)
{
	return fd >= 0 && fd < RINGS_MOST && of_ring[fd].cq_entries > 0;
}

static void *real_mmap(void *address, size_t len_bytes, int protection, int flags, int fd,
		       off_t offset)
{
	REAL(mmap);
	return real(address, len_bytes, protection, flags, fd, offset);
}

/* Of a ring alone: all others are made, as the program's own memory is. */
void *mmap(void *address, size_t len_bytes, int protection, int flags, int fd, off_t offset)
{
	int error = is_ring(fd) ? faults_strike(FAULT_io_uring_mmap) : 0;
	return error ? AS_ERRNO(void *)
		     : real_mmap(address, len_bytes, protection, flags, fd, offset);
}

/* What the kernel and the engine share, for as long as it is looked at. NULL when that fails. */
static void *look_at(int fd, size_t len_bytes, off_t offset)
{
	void *memory = real_mmap(NULL, len_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
	return memory == MAP_FAILED ? NULL : memory;
}

static uint32_t word_at(void *memory, uint32_t offset_bytes)
{
	return __atomic_load_n((uint32_t *)((char *)memory + offset_bytes), __ATOMIC_ACQUIRE);
}

static void note_entries_of(int fd)
{
	const struct io_uring_params *params = &of_ring[fd];
	size_t ring_bytes = params->sq_off.array + params->sq_entries * sizeof(uint32_t);
	size_t sqes_bytes = params->sq_entries * sizeof(struct io_uring_sqe);
	void *ring = look_at(fd, ring_bytes, IORING_OFF_SQ_RING);
	struct io_uring_sqe *sqes = look_at(fd, sqes_bytes, IORING_OFF_SQES);
	uint32_t head = ring ? word_at(ring, params->sq_off.head) : 0;
	uint32_t tail = ring ? word_at(ring, params->sq_off.tail) : 0;
	for (; ring && sqes && head != tail; head++) {
		uint32_t place = head & (params->sq_entries - 1);
		uint32_t index = word_at(ring, params->sq_off.array + 4 * place);
		const struct io_uring_sqe *sqe = &sqes[index & (params->sq_entries - 1)];
		note(FAULT_io_uring_enter,
		     sqe->opcode | (uint64_t)sqe->flags << 8 | (uint64_t)sqe->ioprio << 16);
	}
	if (ring)
		munmap(ring, ring_bytes);
	if (sqes)
		munmap(sqes, sqes_bytes);
}

static void spoil_completions_of(int fd)
{
	const struct io_uring_params *params = &of_ring[fd];
	size_t bytes = params->cq_off.cqes + params->cq_entries * sizeof(struct io_uring_cqe);
	void *ring = look_at(fd, bytes, IORING_OFF_CQ_RING);
	if (!ring)
		return;
	struct io_uring_cqe *cqes = (void *)((char *)ring + params->cq_off.cqes);
	uint32_t tail = word_at(ring, params->cq_off.tail);
	for (uint32_t head = word_at(ring, params->cq_off.head); head != tail; head++) {
		struct io_uring_cqe *cqe = &cqes[head & (params->cq_entries - 1)];
		int error = has_result(cqe) ? faults_strike(FAULT_uring_completion) : 0;
		if (error) {
			cqe->res = -error;
			break;
		}
	}
	munmap(ring, bytes);
}

static int strike_uring_call(long number, const long *arguments)
{
	int fd = (int)arguments[0];
	switch (number) {
	case SYS_io_uring_setup:
		note(FAULT_io_uring_setup, ((const struct io_uring_params *)arguments[1])->flags);
		return faults_strike(FAULT_io_uring_setup);
	case SYS_io_uring_register:
		note(FAULT_io_uring_register, (uint64_t)arguments[1]);
		return faults_strike(FAULT_io_uring_register);
	case SYS_io_uring_enter:
		if (is_ring(fd) && __atomic_load_n(&state.watching, __ATOMIC_ACQUIRE))
			note_entries_of(fd);
		return faults_strike(FAULT_io_uring_enter);
	default:
		return 0;
	}
}

long syscall(long number, ...)
{
	REAL(syscall);
	long a[6];
	va_list list;
	va_start(list, number);
	for (unsigned i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	int error = strike_uring_call(number, a);
	if (error)
		return AS_ERRNO(long);
	long rc = real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	int saved = errno;
	if (number == SYS_io_uring_setup && rc >= 0 && rc < RINGS_MOST)
		of_ring[rc] = *(const struct io_uring_params *)a[1];
	if (number == SYS_io_uring_enter && is_ring((int)a[0]) &&
	    __atomic_load_n(&state.watching, __ATOMIC_ACQUIRE))
		spoil_completions_of((int)a[0]);
	errno = saved;
	return rc;
}

#endif
