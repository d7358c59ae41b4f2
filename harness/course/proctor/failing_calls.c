/* SPDX-License-Identifier: MIT */
#include "failing_calls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "lab_test.h"

#define PATIENCE_NS (2 * NS_PER_S)
#define BLOCK	    4096u
/* The C library keeps some of what is freed for the next times, and not for ever. */
#define GROWTHS_MAX 20

/*
 * What the manual pages list, without the mistakes of a caller (EFAULT, EINVAL). EBADF stands where
 * nothing else but EINTR can be met. EINTR says that the call had not begun; then it is made again,
 * and nobody sees that.
 */
static const struct failing {
	const char *call; /* its names */
	int errors[6]; /* ends with 0 */
	/* Elsewhere a read or a write can only be the engine's word to itself, by an eventfd. */
	bool of_streams;
} failing_calls[] = {
	{ "epoll_create1 epoll_create", { EMFILE, ENFILE, ENOMEM } },
	{ "epoll_ctl", { ENOMEM, ENOSPC } },
	{ "epoll_wait epoll_pwait epoll_pwait2", { EINTR, EBADF } },
	{ "eventfd2 eventfd", { EMFILE, ENFILE, ENODEV, ENOMEM } },
	{ "io_uring_setup", { EMFILE, ENFILE, ENOMEM, EPERM, ENOSYS } },
	{ "io_uring_register", { ENOMEM } },
	{ "io_uring_enter", { EINTR, EBADF } },
	{ "memfd_create", { EMFILE, ENFILE, ENOMEM } },
	{ "timerfd_create", { EMFILE, ENFILE, ENODEV, ENOMEM } },
	{ "pipe2", { EMFILE, ENFILE } },
	{ "socketpair", { EMFILE, ENFILE } },
	{ "signalfd4 signalfd", { EMFILE, ENFILE, ENODEV, ENOMEM } },
	{ "rt_sigtimedwait", { EINTR, EBADF } },
	{ "dup fcntl", { EMFILE } },
	{ "clone clone3", { EAGAIN } },
	{ "io_setup", { EAGAIN, ENOMEM } },
	{ "io_getevents io_pgetevents", { EINTR } },
	/* With a file only one that waits is told: who looks for what is there may look again. */
	{ "io_getevents io_pgetevents", { EBADF }, .of_streams = true },
	{ "poll ppoll", { EINTR, ENOMEM } },
	{ "pread64 preadv preadv2", { EIO, EINTR } },
	{ "pwrite64 pwritev pwritev2", { EIO, ENOSPC, EDQUOT, EFBIG, EINTR } },
	{ "read readv", { EIO, EINTR }, .of_streams = true },
	{ "write writev", { EIO, ENOSPC, EPIPE, EINTR }, .of_streams = true },
	{ "recvfrom recvmsg", { ECONNREFUSED, ENOMEM, ETIMEDOUT, EINTR } },
	{ "sendto sendmsg", { ECONNRESET, EPIPE, ENOBUFS, ENOMEM, EINTR } },
	{ "accept4 accept", { ECONNABORTED, EMFILE, ENOBUFS, EPERM, EINTR } },
	{ "connect", { ECONNREFUSED, ENETUNREACH, ETIMEDOUT, EINTR } },
	{ "fsync", { EIO, ENOSPC, EDQUOT, EINTR } },
	{ "fdatasync", { EIO, ENOSPC, EDQUOT, EINTR } },
	{ "close", { EIO, EINTR } },
};

#define FAILING_COUNT (sizeof failing_calls / sizeof *failing_calls)

/* One call that fails: number `nth` among the calls of its name, with `error`. */
struct call_fault {
	const struct failing *of;
	unsigned nth;
	int error;
};

/* What the engine is asked while one call fails: begins and ends with nothing open. */
typedef void scene(struct subject *s, const struct call_fault *fault);

/* A scene that plays without a fault tells here how often it made each call. */
static unsigned calls_there[FAILING_COUNT];

static void begin(const struct call_fault *fault)
{
	if (fault)
		fail_call(fault->of->call, fault->error, fault->nth);
	else
		calls_reset();
}

/* It made another call after the one that failed. That one may have done the work. */
static bool went_on;

/* Returns whether a call has failed by now, and no other one will. */
static bool end(const struct call_fault *fault)
{
	went_on = fault && calls_after_failure() > 0;
	if (fault)
		return call_failed();
	for (unsigned i = 0; i < FAILING_COUNT; i++)
		calls_there[i] = calls_made(failing_calls[i].call) +
				 calls_made_by_workers(failing_calls[i].call);
	return false;
}

static unsigned open_descriptors(void)
{
	unsigned count = 0;
	DIR *directory = opendir("/proc/self/fd");
	while (directory && readdir(directory))
		count++;
	if (directory)
		closedir(directory);
	return count;
}

static bool is_meant(const struct subject *s, unsigned i)
{
	return !failing_calls[i].of_streams || ONE(s->flavour) & STREAMS;
}

/* Plays the scene once for each call in it and each way in which that fails. */
static void play_with_each_fault(struct subject *s, scene *play)
{
	unsigned before = open_descriptors();
	unsigned there[FAILING_COUNT];
	play(s, NULL);
	memcpy(there, calls_there, sizeof there);
	for (unsigned i = 0; i < FAILING_COUNT; i++)
		for (const int *error = failing_calls[i].errors; *error && is_meant(s, i); error++)
			for (unsigned nth = 0; nth < there[i]; nth++) {
				struct call_fault fault = { &failing_calls[i], nth, *error };
				play(s, &fault);
				unsigned after = open_descriptors();
				expect(after == before,
				       WHEN("when %s fails with %s")
					       EXPECTED("as many descriptors open as before (%u)")
						       SAW("%u"),
				       failing_call(), errno_name(*error), before, after);
			}
	play(s, NULL);
}

/*
 * A program may have closed its standard input. Then the engine gets descriptor 0, which is as good as
 * any other.
 */
static void play_without_standard_input(struct subject *s, scene *play)
{
	int kept = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 32);
	expect(kept >= 0, "the test itself gets no descriptor");
	close(STDIN_FILENO);
	play_with_each_fault(s, play);
	expect(fcntl(STDIN_FILENO, F_GETFD) < 0,
	       EXPECTED("descriptor 0 to be closed") SAW("it open"));
	dup2(kept, STDIN_FILENO);
	close(kept);
}

static bool is_about(const struct call_fault *fault, const char *call)
{
	return strncmp(fault->of->call, call, strlen(call)) == 0;
}

/*
 * What open(), supports() or attach() returned. They may succeed when the engine found another way,
 * and so made further calls; and nothing depends on how close(2) ends.
 */
static void expect_told(const struct call_fault *fault, const char *function, int rc,
			const struct reason *why)
{
	bool may_succeed = is_about(fault, "close") || went_on;
	expect(rc == -fault->error || (rc == 0 && may_succeed),
	       WHEN("when %s fails with %s") EXPECTED("-%s from %s()") SAW("%s"), failing_call(),
	       errno_name(fault->error), errno_name(fault->error), function, answer(rc));
	expect(rc == 0 || why->text[0],
	       WHEN("when %s fails with %s") EXPECTED("%s() to say why") SAW("an empty reason"),
	       failing_call(), errno_name(fault->error), function);
}

static int open_once(struct subject *s, const struct call_fault *fault, bool *failed,
		     struct reason *why)
{
	static char arena[BLOCK] __attribute__((aligned(4096)));
	struct engine_config config = { .depth = 2,
					.max_fds = 2,
					.arena = arena,
					.arena_len_bytes = sizeof arena,
					.cpu_count = 2,
					.options = s->options };
	begin(fault);
	int rc = s->ops->open(&s->engine, &config, why);
	*failed = end(fault);
	if (rc == 0)
		s->ops->close(s->engine);
	return rc;
}

/* Memory that is kept where open() fails is kept each time. */
static void expect_no_memory_kept(struct subject *s, const struct call_fault *fault)
{
	size_t before, now = mallinfo2().uordblks;
	unsigned growths = 0;
	do {
		struct reason why = { "" };
		bool failed;
		before = now;
		open_once(s, fault, &failed, &why);
		now = mallinfo2().uordblks;
	} while (now > before && ++growths < GROWTHS_MAX);
	expect(now <= before,
	       WHEN("when %s fails with %s") EXPECTED("open() to keep no memory")
		       SAW("%zu bytes more, each time"),
	       failing_call(), errno_name(fault->error), now - before);
}

static void play_open(struct subject *s, const struct call_fault *fault)
{
	struct reason why = { "" };
	bool failed;
	int rc = open_once(s, fault, &failed, &why);
	if (failed)
		expect_told(fault, "open", rc, &why);
	else
		expect(rc == 0, EXPECTED("open() to succeed") SAW("%s: %s"), answer(rc), why.text);
	if (failed && rc < 0)
		expect_no_memory_kept(s, fault);
}

void open_tells_what_fails(struct subject *s)
{
	play_with_each_fault(s, play_open);
	play_without_standard_input(s, play_open);
}

/* What supports() is asked about next, and what it says when nothing fails. */
static enum io_kind asked_kind;
static enum io_fd_kind asked_fd_kind;
static int usual_answer;

static void play_supports(struct subject *s, const struct call_fault *fault)
{
	struct engine_config config = { .depth = 2, .cpu_count = 2, .options = s->options };
	struct reason why = { "" };
	begin(fault);
	int rc = s->ops->supports(&config, asked_kind, asked_fd_kind, &why);
	if (!end(fault))
		usual_answer = rc;
	else if (rc != usual_answer || (!is_about(fault, "close") && rc == 0))
		expect_told(fault, "supports", rc, &why);
}

void supports_tells_what_fails(struct subject *s)
{
	for (asked_kind = 0; asked_kind < IO_KIND_COUNT; asked_kind++)
		for (asked_fd_kind = 0; asked_fd_kind < IO_FD_KIND_COUNT; asked_fd_kind++) {
			play_with_each_fault(s, play_supports);
			int answer = usual_answer;
			play_without_standard_input(s, play_supports);
			expect(answer == usual_answer,
			       WHEN("without standard input")
				       EXPECTED("%d from supports() as before") SAW("%d"),
			       answer, usual_answer);
		}
}

static void play_attach(struct subject *s, const struct call_fault *fault)
{
	int ends[2];
	struct reason why = { "" };
	make_reading_pair(s, ends);
	open_engine(s, 1, 1);
	begin(fault);
	int rc = s->ops->attach(s->engine, 0, ends[0],
				s->flavour == PIPE ? IO_FD_PIPE : IO_FD_SOCKET, &why);
	if (end(fault))
		expect_told(fault, "attach", rc, &why);
	else
		expect(rc == 0, EXPECTED("attach() to succeed") SAW("%s: %s"), answer(rc),
		       why.text);
	if (rc < 0)
		attach(s, 0, ends[0]);
	expect(write(ends[1], "again", 5) == 5, "the test's own write failed");
	int64_t n = perform(s, prepare_receive(s, 0, ends[0], 0));
	expect(n == 5, EXPECTED("the 5 bytes that are there") SAW("%s"), answer(n));
	detach(s, 0);
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

void attach_tells_what_fails(struct subject *s)
{
	if (!s->ops->attach)
		test_skipped("this engine has no attach()");
	play_with_each_fault(s, play_attach);
}

/* What happens while an operation waits: to the peer's end of a stream. */
typedef void event(struct subject *s, int peer_fd);

/*
 * Reaps, and notes by `in_flight` what came back. The result does not tell: a worker writes it before
 * reap() hands the operation out.
 */
static int reap_some(struct subject *s, unsigned min, int64_t timeout_ns)
{
	struct io_op *done[4];
	int n = s->ops->reap(s->engine, done, min, 4, timeout_ns);
	for (int i = 0; i < n; i++)
		done[i]->in_flight = 0;
	return n;
}

/* The function that returned an error in place of the operation's result; NULL: none did. */
static const char *broken_function;

/*
 * Submits and reaps until the operation is over, and lets `meanwhile` happen in between. Returns its
 * result, or what submit() or reap() failed with; then the operation has been taken back.
 */
static int64_t perform_or_break(struct subject *s, struct io_op *op, event *meanwhile, int peer_fd)
{
	uint64_t deadline_ns = clock_ns() + (uint64_t)PATIENCE_NS;
	bool blocks = s->ops->traits & IO_BLOCKS_IN_SUBMIT;
	if (blocks && meanwhile)
		meanwhile(s, peer_fd);
	int rc = s->ops->submit(s->engine, &op, 1);
	broken_function = rc < 0 ? "submit" : NULL;
	op->in_flight = rc == 1;
	if (rc == 1)
		rc = reap_some(s, 0, 0);
	if (!blocks && meanwhile)
		meanwhile(s, peer_fd);
	while (rc >= 0 && op->in_flight) {
		expect(!time_is_up(deadline_ns), "the operation never came back");
		rc = reap_some(s, 1, 100 * NS_PER_MS);
	}
	if (rc >= 0)
		return op->result;
	if (!broken_function)
		broken_function = "reap";
	s->ops->cancel(s->engine);
	while (op->in_flight && clock_ns() < deadline_ns && reap_some(s, 1, NS_PER_MS) >= 0)
		;
	return rc;
}

/*
 * What an operation came to, or the engine. EINTR passes unseen, since the call is made again.
 * Returns whether the operation itself failed as it should.
 */
static bool expect_result(const struct call_fault *fault, const struct io_op *op, int64_t result,
			  int64_t expected)
{
	if (!fault || fault->error == EINTR || is_about(fault, "close")) {
		expect(result == expected,
		       WHEN("when %s fails%s%s") EXPECTED("%lld from the %s") SAW("%s%s%s%s"),
		       fault ? failing_call() : "nothing", fault ? " with " : "",
		       fault ? errno_name(fault->error) : "", (long long)expected,
		       kind_name(op->kind), answer(result), broken_function ? " from " : "",
		       broken_function ? broken_function : "", broken_function ? "()" : "");
		return false;
	}
	expect(result == -fault->error,
	       WHEN("when %s fails with %s") EXPECTED("-%s for the %s") SAW("%s"), failing_call(),
	       errno_name(fault->error), errno_name(fault->error), kind_name(op->kind),
	       answer(result));
	return op->result == result;
}

static void write_five(struct subject *s, int peer_fd)
{
	(void)s;
	expect(write(peer_fd, "bytes", 5) == 5, "the test's own write failed");
}

static void open_stream(struct subject *s, int ends[2])
{
	open_engine(s, 2, 1);
	attach(s, 0, ends[0]);
}

static void close_stream(struct subject *s, int ends[2])
{
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

static void play_receive(struct subject *s, const struct call_fault *fault)
{
	int ends[2];
	make_reading_pair(s, ends);
	open_stream(s, ends);
	struct io_op *op = prepare_receive(s, 0, ends[0], 0);
	begin(fault);
	int64_t result = perform_or_break(s, op, write_five, ends[1]);
	bool failed = end(fault) && expect_result(fault, op, result, 5);
	if (failed) { /* and the engine goes on */
		int64_t n = perform(s, prepare_receive(s, 1, ends[0], 0));
		expect(n == 5, WHEN("after a receive that failed") EXPECTED("5 bytes") SAW("%s"),
		       answer(n));
	}
	close_stream(s, ends);
}

/* After a send that failed the engine goes on. */
static void send_again(struct subject *s, int fd)
{
	int64_t n = perform(s, prepare_send(s, 1, fd, 0, 7));
	expect(n == 7, WHEN("after a send that failed") EXPECTED("7 bytes") SAW("%s"), answer(n));
}

static void play_send(struct subject *s, const struct call_fault *fault)
{
	int ends[2];
	make_writing_pair(s, ends);
	open_stream(s, ends);
	struct io_op *op = prepare_send(s, 0, ends[0], 0, 7);
	begin(fault);
	int64_t result = perform_or_break(s, op, NULL, -1);
	if (end(fault) && expect_result(fault, op, result, 7))
		send_again(s, ends[0]);
	close_stream(s, ends);
}

/* Reads until nothing comes for a moment: what was sent, and what the test had put there. */
static void read_all(struct subject *s, int peer_fd)
{
	(void)s;
	struct pollfd peer = { .fd = peer_fd, .events = POLLIN };
	char bytes[65536];
	while (poll(&peer, 1, 5) > 0 && read(peer_fd, bytes, sizeof bytes) > 0)
		;
}

static void make_full_pair(struct subject *s, int ends[2])
{
	int small = 4096;
	make_writing_pair(s, ends);
	if (s->flavour != PIPE)
		setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	fill(s, ends[0]);
}

/* A send that finds no room, and has to wait until its peer has read. */
static void play_send_that_waits(struct subject *s, const struct call_fault *fault)
{
	int ends[2];
	make_full_pair(s, ends);
	open_stream(s, ends);
	struct io_op *op = prepare_send(s, 0, ends[0], 0, 7);
	begin(fault);
	int64_t result = perform_or_break(s, op, read_all, ends[1]);
	if (end(fault) && expect_result(fault, op, result, 7))
		send_again(s, ends[0]);
	close_stream(s, ends);
}

/* One direction waits for room, and bytes come for the other. */
static void play_both_directions(struct subject *s, const struct call_fault *fault)
{
	int ends[2];
	make_full_pair(s, ends);
	open_stream(s, ends);
	start(s, prepare_send(s, 0, ends[0], 0, 7));
	struct io_op *op = prepare_receive(s, 1, ends[0], 0);
	wait_until_others_sleep(); /* a worker is inside of the send, whose call is not the one to fail */
	begin(fault);
	int64_t result = perform_or_break(s, op, write_five, ends[1]);
	bool failed = end(fault);
	if (failed && s->op[0].result == -fault->error) /* one event is about both */
		expect(result == 5 || result == -fault->error,
		       WHEN("when %s fails with %s") EXPECTED("5 or -%s for the receive") SAW("%s"),
		       failing_call(), errno_name(fault->error), errno_name(fault->error),
		       answer(result));
	else if (failed || !fault)
		expect_result(fault, op, result, 5);
	s->ops->cancel(s->engine);
	while (s->op[0].in_flight && reap_some(s, 1, -1) >= 0)
		;
	s->inflight = 0;
	close_stream(s, ends);
}

/* Bytes that nobody asks for lie on one connection, while another one's receive waits. */
static void play_unwanted_bytes(struct subject *s, const struct call_fault *fault)
{
	int unwanted[2], ends[2];
	make_reading_pair(s, unwanted);
	make_reading_pair(s, ends);
	open_engine(s, 2, 2);
	attach(s, 0, unwanted[0]);
	attach(s, 1, ends[0]);
	write_five(s, unwanted[1]);
	struct io_op *op = prepare_receive(s, 0, ends[0], 1);
	begin(fault);
	int64_t result = perform_or_break(s, op, write_five, ends[1]);
	if (end(fault) || !fault)
		expect_result(fault, op, result, 5);
	close(unwanted[1]);
	close_stream(s, ends);
	close(unwanted[0]);
}

/* Nothing comes. So what fails is the wait itself, and an engine that looks again would hide it. */
static void play_wait_for_nothing(struct subject *s, const struct call_fault *fault)
{
	int ends[2];
	make_reading_pair(s, ends);
	open_stream(s, ends);
	struct io_op *op = prepare_receive(s, 0, ends[0], 0);
	begin(fault);
	int rc = s->ops->submit(s->engine, &op, 1);
	op->in_flight = rc == 1;
	if (rc == 1)
		rc = reap_some(s, 1, NS_PER_MS);
	bool failed = end(fault) && fault->error != EINTR && !is_about(fault, "close");
	if (failed && rc == 0) /* a thread of the engine may still be on its way with the news */
		rc = reap_some(s, 1, NS_PER_S);
	int64_t told = rc < 0 || op->in_flight ? rc : op->result;
	int64_t expected = failed ? -fault->error : 0;
	expect(told == expected,
	       WHEN("when %s fails%s%s, and nothing comes") EXPECTED("%s") SAW("%s"),
	       fault ? failing_call() : "nothing", fault ? " with " : "",
	       fault ? errno_name(fault->error) : "", answer(expected), answer(told));
	s->ops->cancel(s->engine);
	while (op->in_flight && reap_some(s, 1, -1) >= 0)
		;
	close_stream(s, ends);
}

void stream_tells_what_fails(struct subject *s)
{
	play_with_each_fault(s, play_receive);
	play_with_each_fault(s, play_send);
	play_with_each_fault(s, play_unwanted_bytes);
	if (s->ops->traits & IO_BLOCKS_IN_SUBMIT)
		return;
	play_with_each_fault(s, play_wait_for_nothing);
	play_with_each_fault(s, play_send_that_waits);
	if (s->flavour != PIPE)
		play_with_each_fault(s, play_both_directions);
}

static int tcp_socket(const struct subject *s)
{
	int mode = s->ops->traits & IO_TRIES_CONNECTIONS ? SOCK_NONBLOCK : 0;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | mode, 0);
	expect(fd >= 0, "the test's own socket failed: %s", strerror(errno));
	return fd;
}

int tcp_listener(const struct subject *s, struct sockaddr_in *at)
{
	socklen_t len_bytes = sizeof *at;
	int fd = tcp_socket(s);
	*at = (struct sockaddr_in) { .sin_family = AF_INET };
	at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	expect(bind(fd, (struct sockaddr *)at, sizeof *at) == 0 && listen(fd, 8) == 0 &&
		       getsockname(fd, (struct sockaddr *)at, &len_bytes) == 0,
	       "the test's own listener failed: %s", strerror(errno));
	return fd;
}

int tcp_client(const struct sockaddr_in *at)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	expect(fd >= 0 && connect(fd, (const struct sockaddr *)at, sizeof *at) == 0,
	       "the test's own connect failed: %s", strerror(errno));
	return fd;
}

static void open_on(struct subject *s, int fd, enum io_fd_kind fd_kind)
{
	struct reason why = { "" };
	open_engine(s, 1, 1);
	int rc = s->ops->attach ? s->ops->attach(s->engine, 0, fd, fd_kind, &why) : 0;
	expect(rc == 0, EXPECTED("attach() to succeed") SAW("%s: %s"), answer(rc), why.text);
}

static int64_t perform_accept(struct subject *s, int listener)
{
	struct io_op *op = prepare(s, 0, IO_ACCEPT, listener, 0, 0, 0);
	op->buf = NULL;
	return perform_or_break(s, op, NULL, -1);
}

/* The client waits already. After an accept that failed it is the next one's. */
static void play_accept(struct subject *s, const struct call_fault *fault)
{
	struct sockaddr_in at;
	int listener = tcp_listener(s, &at);
	int client = tcp_client(&at);
	open_on(s, listener, IO_FD_LISTENER);
	begin(fault);
	int64_t result = perform_accept(s, listener);
	bool failed = end(fault);
	if (failed || !fault)
		failed = expect_result(fault, &s->op[0], result < 0 ? result : 0, 0) && result < 0;
	if (failed)
		result = perform_accept(s, listener);
	expect(!failed || result >= 0,
	       WHEN("after an accept that failed") EXPECTED("its client") SAW("%s"),
	       answer(result));
	if (result >= 0)
		close((int)result);
	s->inflight = 0;
	detach(s, 0);
	close_engine(s);
	close(client);
	close(listener);
}

static void play_connect(struct subject *s, const struct call_fault *fault)
{
	struct sockaddr_in at;
	int listener = tcp_listener(s, &at), fd = tcp_socket(s);
	open_on(s, fd, IO_FD_SOCKET);
	memcpy(buffer_of(s, 0), &at, sizeof at);
	struct io_op *op = prepare(s, 0, IO_CONNECT, fd, 0, 0, sizeof at);
	begin(fault);
	int64_t result = perform_or_break(s, op, NULL, -1);
	if (end(fault) || !fault)
		expect_result(fault, op, result, 0);
	s->inflight = 0;
	detach(s, 0);
	close_engine(s);
	close(fd);
	close(listener);
}

void connections_tell_what_fails(struct subject *s)
{
	play_with_each_fault(s, play_accept);
	play_with_each_fault(s, play_connect);
}

static enum io_kind file_kind; /* of the operation that is played next */

static void play_file(struct subject *s, const struct call_fault *fault)
{
	int fd = make_file(s, 2 * BLOCK, O_RDWR);
	bool syncs = file_kind == IO_FSYNC || file_kind == IO_FDATASYNC;
	unsigned len_bytes = syncs ? 0 : BLOCK;
	open_engine(s, 2, 1);
	if (s->ops->attach)
		attach(s, 0, fd);
	struct io_op *op = prepare(s, 0, file_kind, fd, 0, 0, len_bytes);
	begin(fault);
	int64_t result = perform_or_break(s, op, NULL, -1);
	bool failed = end(fault) && expect_result(fault, op, result, len_bytes);
	if (failed) {
		int64_t n = perform(s, prepare(s, 1, file_kind, fd, 0, BLOCK, len_bytes));
		expect(n == len_bytes,
		       WHEN("after a %s that failed") EXPECTED("%u bytes") SAW("%lld"),
		       kind_name(file_kind), len_bytes, (long long)n);
	}
	close_engine(s);
	close(fd);
}

void file_tells_what_fails(struct subject *s)
{
	static const enum io_kind kinds[] = { IO_READ, IO_WRITE, IO_FSYNC, IO_FDATASYNC };
	for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		file_kind = kinds[i];
		play_with_each_fault(s, play_file);
	}
}
