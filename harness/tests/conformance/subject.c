/* SPDX-License-Identifier: MIT */
/* Opening, driving and watching the engine under test: every call checks the contract. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "conformance.h"
#include "random.h"

uint64_t operation_patience_ns = 5 * (uint64_t)NS_PER_S;

/* The second number of the file. A signal handler may ask, so only what signal-safety(7) lists is called. */
static uint64_t waited_by(const char *schedstat)
{
	char words[64];
	uint64_t waited_ns = 0;
	int error = errno;
	int fd = open(schedstat, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, words, sizeof words - 1);
	if (fd >= 0)
		close(fd);
	errno = error;
	words[n > 0 ? n : 0] = '\0';
	const char *digit = strchr(words, ' ');
	while (digit && *++digit >= '0' && *digit <= '9')
		waited_ns = 10 * waited_ns + (uint64_t)(*digit - '0');
	return waited_ns;
}

/* It is asked when the time has come, and not before: it makes calls, and tests would see them. */
static bool is_over(uint64_t deadline_ns, const char *schedstat)
{
	uint64_t now_ns = clock_ns();
	return now_ns >= deadline_ns && now_ns >= deadline_ns + waited_by(schedstat);
}

bool time_is_up(uint64_t deadline_ns)
{
	return is_over(deadline_ns, "/proc/thread-self/schedstat");
}

bool time_is_up_for(pid_t pid, uint64_t deadline_ns)
{
	char path[40];
	snprintf(path, sizeof path, "/proc/%d/schedstat", pid);
	return is_over(deadline_ns, path);
}

long pages_mapped(void)
{
	long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");
	expect(file && fscanf(file, "%ld", &pages) == 1, "/proc/self/statm does not say a number");
	fclose(file);
	return pages;
}

#define FAILED	1
#define SKIPPED 77

/* Not every program has them. */
#pragma weak failure_begins
#pragma weak report_failure
#pragma weak report_skip

const char *const flavour_names[FLAVOUR_COUNT] = { "buffered", "direct", "tcp",
						   "unix",     "pipe",	 "nop" };

/* Ends the text where its next part begins, which is returned; NULL when there is none. */
static char *cut_off_part(char *text)
{
	char *divider = strchr(text, *EXPECTED(""));
	if (!divider)
		return NULL;
	*divider = '\0';
	return divider + 1;
}

void test_failed(const char *file, int line, const char *format, ...)
{
	char filled[900];
	va_list args;
	if (failure_begins)
		failure_begins();
	va_start(args, format);
	vsnprintf(filled, sizeof filled, format, args);
	va_end(args);
	char *expected = cut_off_part(filled), *seen = expected ? cut_off_part(expected) : NULL;
	struct test_failure failure = { strrchr(file, '/') ? strrchr(file, '/') + 1 : file, line,
					expected ? filled : "", expected ? expected : "",
					expected ? (seen ? seen : "") : filled };
	if (!report_failure || !report_failure(&failure))
		printf("%s%s%s%s%s%s (%s:%d)\n", failure.when, *failure.when ? ": " : "",
		       expected ? "expected " : "", failure.expected, expected ? ", saw " : "",
		       failure.seen, failure.file, line);
	fflush(stdout);
	_exit(FAILED);
}

void test_skipped(const char *format, ...)
{
	char why[400];
	va_list args;
	va_start(args, format);
	vsnprintf(why, sizeof why, format, args);
	va_end(args);
	if (!report_skip || !report_skip(why))
		puts(why);
	fflush(stdout);
	_exit(SKIPPED);
}

void not_for(const struct subject *s, unsigned traits, const char *reason)
{
	if (traits_of(s) & traits)
		test_skipped("%s", reason);
}

const char *kind_name(unsigned kind)
{
	static const char *const kinds[IO_KIND_COUNT] = {
		"NOP", "READ", "WRITE", "FSYNC", "FDATASYNC", "RECV", "SEND", "ACCEPT", "CONNECT",
	};
	static char unnamed[24];
	if (kind < IO_KIND_COUNT)
		return kinds[kind];
	snprintf(unnamed, sizeof unnamed, "kind %u", kind);
	return unnamed;
}

const char *answer_text(int64_t number, char *text)
{
	if (number == NO_RESULT) {
		snprintf(text, ANSWER_SIZE, "nothing");
		return text;
	}
	bool named = number < 0 && number > -4096;
	snprintf(text, ANSWER_SIZE, named ? "%lld (-%s)" : "%lld", (long long)number,
		 named ? errno_name((int)number) : "");
	return text;
}

static int try_open(struct subject *s, unsigned depth, unsigned max_fds, size_t arena_len_bytes,
		    struct reason *why)
{
	why->text[0] = '\0';
	s->depth = depth;
	s->max_fds = max_fds;
	s->inflight = 0;
	s->arena_len_bytes = arena_len_bytes;
	s->arena = mmap(NULL, arena_len_bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (s->arena == MAP_FAILED)
		return reason_no_memory(why, "buffers");
	s->op = aligned_alloc(64, depth * sizeof *s->op);
	expect(s->op, "no memory for %u operations", depth);
	memset(s->op, 0, depth * sizeof *s->op);
	struct engine_config config = {
		.depth = depth,
		.max_fds = max_fds,
		.arena = s->arena,
		.arena_len_bytes = arena_len_bytes,
		.cpu_count = (unsigned)sysconf(_SC_NPROCESSORS_ONLN),
		.options = s->options,
		.lent_count = s->lent_count,
		.lent_len_bytes = s->lent_len_bytes,
	};
	return s->ops->open(&s->engine, &config, why);
}

void open_engine(struct subject *s, unsigned depth, unsigned max_fds)
{
	struct reason why;
	int rc = try_open(s, depth, max_fds, (size_t)depth * BUFFER_BYTES, &why);
	expect(rc == 0, EXPECTED("open() to succeed") SAW("%s: %s"), answer(rc), why.text);
	expect(!why.text[0], EXPECTED("no reason from open(), which succeeds") SAW("\"%s\""),
	       why.text);
}

void open_engine_with_arena(struct subject *s, unsigned depth, size_t arena_len_bytes)
{
	struct reason why;
	int rc = try_open(s, depth, 1, arena_len_bytes, &why);
	expect(rc == 0 || why.text[0], "open() failed with %s and gave no reason", answer(rc));
	if (rc < 0)
		test_skipped("%s", why.text);
}

void open_engine_with_slots(struct subject *s, unsigned depth, unsigned max_fds)
{
	struct reason why;
	int rc = try_open(s, depth, max_fds, (size_t)depth * BUFFER_BYTES, &why);
	expect(rc == 0 || why.text[0], "open() failed with %s and gave no reason", answer(rc));
	if (rc < 0)
		test_skipped("%s", why.text);
}

void close_engine(struct subject *s)
{
	expect(s->inflight == 0,
	       EXPECTED("every operation back before close()") SAW("%u in flight"), s->inflight);
	s->ops->close(s->engine);
	munmap(s->arena, s->arena_len_bytes);
	free(s->op);
	/* What is still pointed to is not lost to LeakSanitizer. */
	s->engine = NULL;
	s->arena = NULL;
	s->op = NULL;
}

static enum io_fd_kind fd_kind_of(enum flavour flavour)
{
	static const enum io_fd_kind kinds[FLAVOUR_COUNT] = {
		[BUFFERED] = IO_FD_FILE, [DIRECT] = IO_FD_FILE, [TCP] = IO_FD_SOCKET,
		[UNIX] = IO_FD_SOCKET,	 [PIPE] = IO_FD_PIPE,	[NO_FD] = IO_FD_NONE,
	};
	return kinds[flavour];
}

int try_attach(struct subject *s, unsigned fd_slot, int fd, struct reason *why)
{
	if (!s->ops->attach)
		return 0;
	int rc = s->ops->attach(s->engine, fd_slot, fd, fd_kind_of(s->flavour), why);
	expect(rc <= 0, EXPECTED("0 or -errno from attach()") SAW("%s"), answer(rc));
	expect(rc == 0 || why->text[0], "attach() failed with %s and gave no reason", answer(rc));
	expect(rc < 0 || !why->text[0],
	       EXPECTED("no reason from attach(), which succeeds") SAW("\"%s\""), why->text);
	return rc;
}

void attach(struct subject *s, unsigned fd_slot, int fd)
{
	struct reason why = { "" };
	int rc = try_attach(s, fd_slot, fd, &why);
	if (rc == -EOPNOTSUPP &&
	    s->options) /* an option of use with other descriptors of the kind */
		test_skipped("%s", why.text);
	expect(rc == 0, EXPECTED("attach() to succeed") SAW("%s"), answer(rc));
}

void detach(struct subject *s, unsigned fd_slot)
{
	if (s->ops->detach)
		s->ops->detach(s->engine, fd_slot);
}

void cancel_one(struct subject *s, struct io_op *op)
{
	expect(s->ops->cancel_one,
	       EXPECTED("cancel_one() in engine_ops, since this %s waits in the engine")
		       SAW("NULL, which is right only where nothing waits after submit()"),
	       kind_name(op->kind));
	s->ops->cancel_one(s->engine, op);
}

char *buffer_of(const struct subject *s, unsigned slot)
{
	return s->arena + (size_t)slot * BUFFER_BYTES;
}

struct io_op *prepare(struct subject *s, unsigned slot, enum io_kind kind, int fd, unsigned fd_slot,
		      uint64_t offset, uint32_t len_bytes)
{
	struct io_op *op = &s->op[slot];
	expect(!op->in_flight, EXPECTED("operation %u back by now") SAW("it still in flight"),
	       slot);
	*op = (struct io_op) {
		.kind = (uint8_t)kind,
		.fd = fd,
		.fd_slot = fd_slot,
		.buf = kind == IO_NOP || kind == IO_FSYNC || kind == IO_FDATASYNC
			       ? NULL
			       : buffer_of(s, slot),
		.offset = offset,
		.len_bytes = len_bytes,
		.slot = slot,
		.result = NO_RESULT, /* so that a result that was never set shows */
	};
	return op;
}

unsigned reap(struct subject *s, struct io_op **done, unsigned min, unsigned max,
	      int64_t timeout_ns)
{
	int n = s->ops->reap(s->engine, done, min, max, timeout_ns);
	expect(n >= 0, EXPECTED("a count from reap()") SAW("%s"), answer(n));
	expect((unsigned)n <= max, EXPECTED("at most %u from reap()") SAW("%s"), max, answer(n));
	for (int i = 0; i < n; i++) {
		struct io_op *op = done[i];
		expect(op >= s->op && op < s->op + s->depth,
		       "reap() returned a pointer that is no operation of ours");
		expect(op->in_flight,
		       "operation %u came back although it was not in flight (twice?)", op->slot);
		expect(op->result != NO_RESULT, "operation %u came back without a result",
		       op->slot);
		expect(op->result != -EINTR, "operation %u failed with EINTR", op->slot);
		expect(op->result <= op->len_bytes || op->kind == IO_ACCEPT ||
			       s->ops->traits & IO_MOVES_NO_BYTES,
		       "operation %u of %u bytes moved %s", op->slot, op->len_bytes,
		       answer(op->result));
		op->in_flight = 0;
		s->inflight--;
	}
	return (unsigned)n;
}

void start_all(struct subject *s, struct io_op *const *ops, unsigned count)
{
	uint64_t deadline_ns = clock_ns() + operation_patience_ns;
	struct io_op *done[16];
	while (count > 0) {
		int accepted = s->ops->submit(s->engine, ops, count);
		expect(accepted >= 0 && (unsigned)accepted <= count,
		       EXPECTED("0 to %u from submit()") SAW("%s"), count, answer(accepted));
		for (int i = 0; i < accepted; i++)
			ops[i]->in_flight = 1;
		s->inflight += (unsigned)accepted;
		ops += accepted;
		count -= (unsigned)accepted;
		if (count == 0)
			break;
		expect(s->inflight > 0, "submit() accepts nothing although nothing is in flight");
		expect(accepted > 0 || !time_is_up(deadline_ns),
		       "submit() accepts nothing for ever");
		reap(s, done, 1, 16, NS_PER_MS);
	}
}

void start(struct subject *s, struct io_op *op)
{
	start_all(s, &op, 1);
}

void await(struct subject *s, struct io_op *op)
{
	uint64_t deadline_ns = clock_ns() + operation_patience_ns;
	struct io_op *done[64];
	while (op->in_flight) {
		reap(s, done, 1, 64, 100 * NS_PER_MS);
		expect(!time_is_up(deadline_ns), "operation %u (%s) never came back", op->slot,
		       kind_name(op->kind));
	}
}

void await_all(struct subject *s)
{
	uint64_t deadline_ns = clock_ns() + operation_patience_ns;
	struct io_op *done[64];
	while (s->inflight > 0) {
		if (reap(s, done, 1, 64, 100 * NS_PER_MS) > 0)
			deadline_ns = clock_ns() + operation_patience_ns; /* slow, and not lost */
		expect(!time_is_up(deadline_ns), "%u operations never came back", s->inflight);
	}
}

/* Voluntary switches: how often a thread of this process went to sleep. */
static long sleeps_so_far(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_nvcsw;
}

void expect_asleep(struct subject *s, int64_t quiet_ns)
{
	enum {
		WAKE_UPS_MAX = 20,
		ALONE = 3
	}; /* of /proc/self/task: two dots and the caller's thread */
	struct io_op *done[1];
	long wake_ups = LONG_MAX;
	/* A helper that a busy machine holds up comes late to its sleep. Who has none has no such excuse. */
	unsigned tries = holdings_now().threads > ALONE ? 5 : 1;
	for (unsigned n = 0; n < tries && wake_ups > WAKE_UPS_MAX; n++) {
		long before = sleeps_so_far();
		expect(reap(s, done, 1, 1, quiet_ns) == 0,
		       "a receive completed with nothing there");
		wake_ups = sleeps_so_far() - before;
	}
	expect(wake_ups <= WAKE_UPS_MAX,
	       WHEN("nothing happened for %lld ms, %u times")
		       EXPECTED("at most %d wake-ups in one of them") SAW("%ld"),
	       (long long)(quiet_ns / NS_PER_MS), tries, WAKE_UPS_MAX, wake_ups);
}

int64_t perform(struct subject *s, struct io_op *op)
{
	start(s, op);
	await(s, op);
	return op->result;
}

static uint64_t pattern_number;

void choose_pattern(uint64_t number)
{
	pattern_number = number;
}

char pattern_byte(uint64_t position)
{
	return (char)mix64(position ^ pattern_number);
}

int make_file(struct subject *s, uint64_t size_bytes, int flags)
{
	char path[256];
	snprintf(path, sizeof path, "%s/file", s->folder);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	expect(fd >= 0, "cannot make %s: %s", path, strerror(errno));
	char *bytes = malloc(size_bytes);
	for (uint64_t i = 0; i < size_bytes; i++)
		bytes[i] = pattern_byte(i);
	ssize_t n = write(fd, bytes, size_bytes);
	free(bytes);
	expect(n == (ssize_t)size_bytes && fsync(fd) == 0, "cannot write %s", path);
	close(fd);
	fd = open(path, flags | O_CLOEXEC | (s->flavour == DIRECT ? O_DIRECT : 0));
	if (fd < 0 && errno == EINVAL && s->flavour == DIRECT)
		test_skipped("the file system of %s refuses O_DIRECT", s->folder);
	expect(fd >= 0, "cannot open %s: %s", path, strerror(errno));
	return fd;
}

/*
 * All of 127.0.0.0/8 is loopback. Each connection has an address of its own there: the ports of a
 * single one run out, since each stays in TIME_WAIT for a minute.
 */
static in_addr_t any_loopback_address(void)
{
	static uint32_t count;
	uint64_t host = mix64((uint64_t)getpid() << 32 | count++) % 0xfffffd + 1;
	return htonl(127u << 24 | (uint32_t)host);
}

static void make_tcp_pair(int ends[2])
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = any_loopback_address() };
	socklen_t length = sizeof address;
	int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool fine = listener >= 0 && bind(listener, (struct sockaddr *)&address, length) == 0 &&
		    listen(listener, 1) == 0 &&
		    getsockname(listener, (struct sockaddr *)&address, &length) == 0;
	ends[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fine = fine && ends[1] >= 0 &&
	       connect(ends[1], (struct sockaddr *)&address, sizeof address) == 0;
	ends[0] = fine ? accept4(listener, NULL, NULL, SOCK_CLOEXEC) : -1;
	expect(ends[0] >= 0, "cannot make a TCP connection: %s", strerror(errno));
	for (int i = 0; i < 2; i++)
		setsockopt(ends[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	close(listener);
}

void make_pair(const struct subject *s, int ends[2])
{
	if (s->flavour == TCP)
		make_tcp_pair(ends);
	else
		expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0,
		       "socketpair: %s", strerror(errno));
}

void make_reading_pair(const struct subject *s, int ends[2])
{
	if (s->flavour == PIPE)
		expect(pipe2(ends, O_CLOEXEC) == 0, "pipe: %s", strerror(errno));
	else
		make_pair(s, ends);
}

void make_writing_pair(const struct subject *s, int ends[2])
{
	make_reading_pair(s, ends);
	if (s->flavour != PIPE)
		return;
	int read_end = ends[0];
	ends[0] = ends[1];
	ends[1] = read_end;
}

enum io_kind in_kind(const struct subject *s)
{
	return s->flavour == PIPE ? IO_READ : IO_RECV;
}

enum io_kind out_kind(const struct subject *s)
{
	return s->flavour == PIPE ? IO_WRITE : IO_SEND;
}

void fill(const struct subject *s, int fd)
{
	static const char bytes[4096];
	int flags = fcntl(fd, F_GETFL);
	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	/* TCP moves on into the peer's buffer, for a while. Less than a page may still fit. */
	for (unsigned quiet = 0; quiet < 3;) {
		ssize_t n = write(fd, bytes, sizeof bytes);
		if (n < 0)
			n = s->flavour == PIPE ? -1 : write(fd, bytes, 1);
		expect(n > 0 || errno == EAGAIN, "the test's own write failed: %s",
		       strerror(errno));
		quiet = n > 0 ? 0 : quiet + 1;
		if (quiet > 0 && s->flavour == TCP)
			usleep(1000);
	}
	fcntl(fd, F_SETFL, flags);
}

struct io_op *start_send_that_waits(struct subject *s, int fd)
{
	enum { TRIES = 200 };
	struct io_op *done[1], *op;
	unsigned tries = 0;
	do { /* the kernel may find room nevertheless */
		expect(tries++ < TRIES,
		       WHEN("there is no room") EXPECTED("a send that waits")
			       SAW("%d that did not"),
		       TRIES);
		fill(s, fd);
		op = prepare_send(s, 0, fd, 0, 1000);
		start(s, op);
	} while (reap(s, done, 1, 1, 2 * NS_PER_MS) > 0);
	return op;
}

size_t read_what_is_there(int fd)
{
	char bytes[4096];
	size_t count = 0;
	ssize_t n;
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	while (poll(&ready, 1, 0) > 0 && (n = read(fd, bytes, sizeof bytes)) > 0)
		count += (size_t)n;
	return count;
}

void read_what_is_on_its_way(int sender, int receiver)
{
	int queued_bytes = 0;
	uint64_t deadline_ns = clock_ns() + operation_patience_ns;
	struct pollfd ready = { .fd = receiver, .events = POLLIN };
	do {
		read_what_is_there(receiver);
		if (ioctl(sender, SIOCOUTQ, &queued_bytes) < 0 || queued_bytes == 0)
			break; /* a pipe has no such queue */
		poll(&ready, 1, 10);
	} while (!time_is_up(deadline_ns));
	read_what_is_there(receiver);
}

static void do_nothing(int signal_number)
{
	(void)signal_number;
}

timer_t signal_every(int64_t interval_ns)
{
	struct sigaction action = { .sa_handler = do_nothing };
	sigaction(SIGUSR1, &action, NULL);
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1 };
	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	struct itimerspec often = { timespec_of_ns(interval_ns), timespec_of_ns(interval_ns) };
	timer_t timer;
	expect(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0, "timer_create");
	timer_settime(timer, 0, &often, NULL);
	return timer;
}

/* A pipe's READ and WRITE name no position. The offset of a RECV or SEND may be anything. */
static uint64_t stream_offset(const struct subject *s)
{
	return s->flavour == PIPE ? IO_NO_OFFSET : 4711;
}

struct io_op *prepare_receive(struct subject *s, unsigned slot, int fd, unsigned fd_slot)
{
	return prepare(s, slot, in_kind(s), fd, fd_slot, stream_offset(s), BUFFER_BYTES);
}

struct io_op *prepare_send(struct subject *s, unsigned slot, int fd, unsigned fd_slot,
			   uint32_t len_bytes)
{
	return prepare(s, slot, out_kind(s), fd, fd_slot, stream_offset(s), len_bytes);
}

unsigned traits_of(const struct subject *s)
{
	unsigned traits = s->ops->traits;
	const struct engine_option *options = s->ops->options;
	for (unsigned i = 0; options && options[i].name; i++)
		if (s->options >> i & 1)
			traits |= options[i].traits;
	return traits;
}
