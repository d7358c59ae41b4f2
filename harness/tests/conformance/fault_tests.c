/* SPDX-License-Identifier: MIT */
/* Each call that an engine makes fails once, with each error of its manual page. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "allocations.h"
#include "clock.h"
#include "conformance.h"
#include "engines.h"
#include "faults.h"
#include "tests.h"

#define BLOCK 4096u
#define BATCH 3u
/* A call that is made again and again fails at the first of them, the second, and so on. */
#define NTH_MAX 4u

static void need_faults(void)
{
	if (!faults_watch || !faults_watch())
		test_skipped("calls are made to fail in the plain build");
	faults_end();
}

/* Errors after which a call may be made again, or be reported. */
static bool may_pass(int error)
{
	return error == EAGAIN || error == EBUSY || error == ECANCELED;
}

/* Opening */

static struct engine_config small_config(const struct subject *s)
{
	return (struct engine_config) { .depth = BATCH,
					.max_fds = BATCH,
					.arena = s->arena,
					.arena_len_bytes = s->arena_len_bytes,
					.cpu_count = 2,
					.options = s->options,
					.lent_count = s->lent_count,
					.lent_len_bytes = s->lent_len_bytes };
}

/* What an engine makes to lend buffers may fail, too. */
static void lend_where_it_can(struct subject *s)
{
	struct reason why;
	s->lent_count = 2;
	s->lent_len_bytes = BLOCK;
	struct engine_config config = small_config(s);
	if (!(ONE(s->flavour) & SOCKETS) || engine_lends(s->ops, &config, &why) < 0)
		s->lent_count = 0;
}

struct left {
	unsigned descriptors;
	long blocks;
};

static struct left what_is_left(void)
{
	struct left left = { 0 };
	for (int fd = 0; fd < 256; fd++)
		left.descriptors += fcntl(fd, F_GETFD) >= 0;
	left.blocks = allocations_so_far().live;
	return left;
}

static void expect_nothing_kept(struct left before, const char *where, const struct fault *fault,
				int error)
{
	struct left now = what_is_left();
	expect(now.descriptors == before.descriptors,
	       WHEN("%s fails when %s says %s") EXPECTED("no descriptor left open") SAW("%d more"),
	       where, fault->name, strerrorname_np(error),
	       (int)now.descriptors - (int)before.descriptors);
	expect(now.blocks == before.blocks,
	       WHEN("%s fails when %s says %s") EXPECTED("no memory kept") SAW("%ld blocks"), where,
	       fault->name, strerrorname_np(error), now.blocks - before.blocks);
}

/* What is asked with one call armed to fail. Returns what the engine answers. */
struct question {
	const char *name;
	int (*ask)(struct subject *s, struct reason *why);
	bool is_a_try; /* of which a library may hide the error */
};

static enum io_fd_kind fd_kind_of(const struct subject *s)
{
	return s->flavour == NO_FD	 ? IO_FD_NONE
	       : ONE(s->flavour) & FILES ? IO_FD_FILE
	       : s->flavour == PIPE	 ? IO_FD_PIPE
					 : IO_FD_SOCKET;
}

static int ask_supports(struct subject *s, struct reason *why)
{
	struct engine_config config = { .depth = 1,
					.cpu_count = 2,
					.options = s->options,
					.lent_count = s->lent_count,
					.lent_len_bytes = s->lent_len_bytes };
	enum io_kind kind = s->flavour == NO_FD	      ? IO_NOP
			    : ONE(s->flavour) & FILES ? IO_READ
						      : in_kind(s);
	return s->ops->supports(&config, kind, fd_kind_of(s), why);
}

static int ask_open(struct subject *s, struct reason *why)
{
	struct engine_config config = small_config(s);
	int rc = s->ops->open(&s->engine, &config, why);
	if (rc == 0)
		s->ops->close(s->engine);
	return rc;
}

/* attach() alone: the engine is open already. */
static int attached_fd;
static int ask_attach(struct subject *s, struct reason *why)
{
	int rc = s->ops->attach ? s->ops->attach(s->engine, 1, attached_fd, fd_kind_of(s), why) : 0;
	faults_end(); /* a detach() cannot report what it cannot undo */
	if (rc == 0 && s->ops->detach)
		s->ops->detach(s->engine, 1);
	return rc;
}

/* Returns whether the call failed, that is whether there is a next one to try. */
static bool answer_is_right(struct subject *s, const struct question *q, unsigned id, int error,
			    unsigned nth)
{
	const struct fault *fault = fault_at(id);
	struct reason why = { "" };
	struct left before = what_is_left();
	faults_arm(id, error, nth);
	int rc = q->ask(s, &why);
	faults_end();
	if (!faults_struck())
		return false;
	expect(rc <= 0, WHEN("%s") EXPECTED("0 or -errno") SAW("%d"), q->name, rc);
	expect(rc == 0 || why.text[0], WHEN("%s when %s says %s") EXPECTED("a reason") SAW("none"),
	       q->name, fault->name, strerrorname_np(error));
	bool exact = fault->class == FAULT_OF_SETUP && !(q->is_a_try && id == FAULT_malloc);
	if (exact)
		expect(rc == -error, WHEN("%s when call %u of %s says %s") EXPECTED("%d") SAW("%d"),
		       q->name, nth, fault->name, strerrorname_np(error), -error, rc);
	if (!exact && fault->class == FAULT_OF_SETUP)
		expect(rc < 0, WHEN("%s when call %u of %s says %s") EXPECTED("an error") SAW("0"),
		       q->name, nth, fault->name, strerrorname_np(error));
	if (fault->class != FAULT_OF_SETUP)
		expect(rc == 0 || rc == -error,
		       WHEN("%s when %s says %s") EXPECTED("%d or 0") SAW("%d"), q->name,
		       fault->name, strerrorname_np(error), -error, rc);
	expect_nothing_kept(before, q->name, fault, error);
	return true;
}

static unsigned ask_with_faults(struct subject *s, const struct question *q)
{
	unsigned tried = 0, calls[FAULT_COUNT];
	struct reason why = { "" };
	/* What a library does once is done then. */
	expect(q->ask(s, &why) == 0 && !why.text[0],
	       WHEN("%s") EXPECTED("0 when nothing fails, and no reason") SAW("\"%s\""), q->name,
	       why.text);
	faults_watch();
	int rc = q->ask(s, &why);
	faults_end();
	expect(rc == 0, WHEN("%s") EXPECTED("0 when nothing fails") SAW("%d"), q->name, rc);
	for (unsigned id = 0; id < FAULT_COUNT; id++)
		calls[id] = faults_calls(id);
	for (unsigned id = 0; id < FAULT_COUNT; id++)
		for (const int *error = fault_at(id)->errors; calls[id] > 0 && *error; error++)
			for (unsigned nth = 1; nth <= calls[id] && nth <= NTH_MAX; nth++)
				tried += answer_is_right(s, q, id, *error, nth);
	rc = q->ask(s, &why);
	expect(rc == 0, WHEN("%s") EXPECTED("0 once nothing fails any more") SAW("%d"), q->name,
	       rc);
	return tried;
}

void failing_calls_of_opening(struct subject *s)
{
	static const struct question supports = { "supports()", ask_supports, .is_a_try = true },
				     opens = { "open()", ask_open },
				     attaches = { "attach()", ask_attach };
	int ends[2] = { -1, -1 };
	need_faults();
	allocations_begin();
	lend_where_it_can(s);
	open_engine(s, BATCH, BATCH); /* its arena serves the others, too */
	struct engine *engine = s->engine;
	unsigned tried = ask_with_faults(s, &supports);
	tried += ask_with_faults(s, &opens);
	s->engine = engine;
	if (s->flavour != NO_FD && s->ops->attach) {
		if (ONE(s->flavour) & FILES)
			ends[0] = make_file(s, BLOCK, O_RDWR);
		else
			make_reading_pair(s, ends);
		attached_fd = ends[0];
		tried += ask_with_faults(s, &attaches);
	}
	close_engine(s);
	for (unsigned i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
	if (tried == 0)
		test_skipped("it makes no call there that could fail");
}

/* Operations */

/* A batch of operations of one kind, of which one call fails. */
struct scene {
	struct subject *s;
	enum io_kind kind;
	bool waits; /* started with nothing there: it comes later */
	int ends[BATCH][2]; /* of files: [0] of each is the same */
	int64_t expected; /* each operation's result */
	int call_error; /* of submit() or reap(), the first; 0 */
	char fault[80]; /* for the words of a failure */
};

static bool on_file(const struct scene *scene)
{
	return ONE(scene->s->flavour) & FILES;
}

/* The test's own, past the calls that are counted. */
static void speak(const struct scene *scene)
{
	for (unsigned i = 0; i < BATCH; i++)
		expect(syscall(SYS_write, scene->ends[i][1], "abc", 3) == 3,
		       "the test's own write failed: %s", strerror(errno));
}

static void set_the_scene(struct scene *scene)
{
	struct subject *s = scene->s;
	int fd = on_file(scene) ? make_file(s, BATCH * BLOCK, O_RDWR) : -1;
	open_engine(s, BATCH, BATCH);
	for (unsigned i = 0; i < BATCH; i++) {
		if (on_file(scene))
			scene->ends[i][0] = fd;
		else if (io_kind_is_input(scene->kind))
			make_reading_pair(s, scene->ends[i]);
		else
			make_writing_pair(s, scene->ends[i]);
		if (i == 0 || !on_file(scene))
			attach(s, i, scene->ends[i][0]);
	}
	for (unsigned i = 0; i < BATCH; i++) {
		uint64_t offset = on_file(scene) ? (uint64_t)BLOCK * i : IO_NO_OFFSET;
		uint32_t count = on_file(scene) ? BLOCK : io_kind_is_input(scene->kind) ? 100 : 3;
		bool is_sync = scene->kind == IO_FSYNC || scene->kind == IO_FDATASYNC;
		prepare(s, i, scene->kind, scene->ends[i][0], on_file(scene) ? 0 : i, offset,
			is_sync ? 0 : count);
		memset(buffer_of(s, i), 0x33, BUFFER_BYTES);
		scene->expected = is_sync ? 0 : on_file(scene) ? BLOCK : 3;
	}
	if (!on_file(scene) && io_kind_is_input(scene->kind) && !scene->waits)
		speak(scene);
	scene->call_error = 0;
}

static void end_the_scene(struct scene *scene)
{
	struct subject *s = scene->s;
	close_engine(s);
	for (unsigned i = 0; i < (on_file(scene) ? 1 : BATCH); i++) {
		close(scene->ends[i][0]);
		if (!on_file(scene))
			close(scene->ends[i][1]);
	}
}

/* Notes an error of submit() or reap(), which ends a run: here it goes on, to see what is lost. */
static unsigned noted(struct scene *scene, int rc)
{
	if (rc < 0 && scene->call_error == 0)
		scene->call_error = rc;
	return rc < 0 ? 0 : (unsigned)rc;
}

static void take_back(struct scene *scene, unsigned min, int64_t timeout_ns)
{
	struct subject *s = scene->s;
	struct io_op *done[BATCH];
	unsigned n = noted(scene, s->ops->reap(s->engine, done, min, BATCH, timeout_ns));
	for (unsigned i = 0; i < n; i++) {
		expect(done[i]->in_flight, "operation %u came back twice", done[i]->slot);
		done[i]->in_flight = 0;
		s->inflight--;
	}
}

/* Offers all until all are accepted, and waits until all are back. */
static void play_the_scene(struct scene *scene)
{
	struct subject *s = scene->s;
	struct io_op *ops[BATCH] = { &s->op[0], &s->op[1], &s->op[2] };
	uint64_t deadline_ns = clock_ns() + 3 * (uint64_t)NS_PER_S;
	for (unsigned accepted = 0; accepted < BATCH;) {
		int rc = s->ops->submit(s->engine, ops + accepted, BATCH - accepted);
		expect(rc != 0 || s->inflight > 0,
		       WHEN("%s, with nothing in flight") EXPECTED("an operation accepted")
			       SAW("none"),
		       scene->fault);
		unsigned n = noted(scene, rc);
		for (unsigned i = 0; i < n; i++)
			ops[accepted + i]->in_flight = 1;
		accepted += n;
		s->inflight += n;
		if (accepted < BATCH)
			take_back(scene, 0, 0);
		expect(clock_ns() < deadline_ns, "%s: submit() accepts nothing for ever",
		       scene->fault);
	}
	if (scene->waits) {
		take_back(scene, 1, NS_PER_MS);
		speak(scene);
	}
	while (s->inflight > 0) {
		unsigned before = s->inflight;
		take_back(scene, s->inflight, 100 * NS_PER_MS);
		if (scene->call_error && s->inflight == before)
			break; /* the run would have ended: what reap() took is lost with it */
		expect(clock_ns() < deadline_ns, "%s: %u operations never came back", scene->fault,
		       s->inflight);
	}
	s->inflight = 0;
}

/*
 * A failed reap() ended the scene with operations in flight, and close() must not find any: glibc's
 * AIO threads would write into requests that are freed. What reap() lost never comes.
 */
static void bring_home(struct scene *scene)
{
	struct subject *s = scene->s;
	for (unsigned i = 0; i < BATCH; i++)
		s->inflight += s->op[i].in_flight;
	if (s->inflight > 0)
		s->ops->cancel(s->engine);
	for (unsigned before = 0; s->inflight > 0 && s->inflight != before;) {
		before = s->inflight;
		take_back(scene, 1, 200 * NS_PER_MS);
	}
	s->inflight = 0;
}

/* How many results are the error; each of the others must be the right one. */
static unsigned count_errors(const struct scene *scene, const struct fault *fault, int error)
{
	unsigned count = 0;
	for (unsigned i = 0; i < BATCH; i++) {
		const struct io_op *op = &scene->s->op[i];
		int64_t result = op->in_flight ? scene->expected : op->result;
		expect(result == scene->expected || (error && result == -error),
		       WHEN("%s fails with %s") EXPECTED("%lld or %d from operation %u") SAW("%s"),
		       fault->name, strerrorname_np(error), (long long)scene->expected, -error, i,
		       answer(result));
		count += result != scene->expected;
	}
	return count;
}

static void expect_right_end(const struct scene *scene, unsigned id, int error)
{
	const struct fault *fault = fault_at(id);
	unsigned errors = count_errors(scene, fault, error);
	const char *name = strerrorname_np(error);
	expect(scene->call_error == 0 || scene->call_error == -error,
	       WHEN("%s fails with %s") EXPECTED("0 or %d from submit() and reap()") SAW("%d"),
	       fault->name, name, -error, scene->call_error);
	if (error == EINTR) {
		expect(errors == 0 && scene->call_error == 0,
		       WHEN("%s fails with EINTR") EXPECTED("it to be made again") SAW("an error"),
		       fault->name);
		return;
	}
	if (may_pass(error))
		return;
	if (fault->class == FAULT_OF_OPERATION)
		expect(errors == 1 && scene->call_error == 0,
		       WHEN("%s fails with %s") EXPECTED("it as one operation's result")
			       SAW("%u and %d of a call"),
		       fault->name, name, errors, scene->call_error);
	if (fault->class == FAULT_OF_WAIT)
		expect(scene->call_error == -error && errors == 0,
		       WHEN("%s fails with %s") EXPECTED("%d from reap()") SAW("%d"), fault->name,
		       name, -error, scene->call_error);
	expect(errors + (scene->call_error != 0) == 1,
	       WHEN("%s fails with %s") EXPECTED("it to be told once") SAW("%u results and %d"),
	       fault->name, name, errors, scene->call_error);
}

/* Returns whether the call was made, so that it failed. */
static bool fails_rightly(struct scene *scene, unsigned id, int error, unsigned nth)
{
	set_the_scene(scene);
	snprintf(scene->fault, sizeof scene->fault, "call %u of %s fails with %s", nth,
		 fault_at(id)->name, strerrorname_np(error));
	faults_arm(id, error, nth);
	play_the_scene(scene);
	faults_end();
	bool struck = faults_struck();
	if (struck)
		expect_right_end(scene, id, error);
	else
		expect(count_errors(scene, fault_at(id), 0) == 0, EXPECTED("no error") SAW("one"));
	bring_home(scene);
	end_the_scene(scene);
	return struck;
}

static unsigned play_with_faults(struct subject *s, enum io_kind kind, bool waits)
{
	struct scene scene = { .s = s, .kind = kind, .waits = waits, .fault = "nothing fails" };
	unsigned calls[FAULT_COUNT], tried = 0;
	set_the_scene(&scene);
	faults_watch();
	play_the_scene(&scene);
	faults_end();
	expect(count_errors(&scene, fault_at(0), 0) == 0, EXPECTED("no error") SAW("one"));
	end_the_scene(&scene);
	for (unsigned id = 0; id < FAULT_COUNT; id++)
		calls[id] = fault_at(id)->class == FAULT_OF_SETUP ? 0 : faults_calls(id);
	for (unsigned id = 0; id < FAULT_COUNT; id++)
		for (const int *error = fault_at(id)->errors; calls[id] > 0 && *error; error++)
			for (unsigned nth = 1; nth <= calls[id] && nth <= BATCH; nth++)
				tried += fails_rightly(&scene, id, *error, nth);
	return tried;
}

static void skip_if_none(unsigned tried)
{
	if (tried == 0)
		test_skipped("it makes no call that could fail here");
}

void file_failing_calls(struct subject *s)
{
	need_faults();
	unsigned tried = play_with_faults(s, IO_READ, false);
	tried += play_with_faults(s, IO_WRITE, false);
	tried += play_with_faults(s, IO_FSYNC, false);
	tried += play_with_faults(s, IO_FDATASYNC, false);
	skip_if_none(tried);
}

void stream_failing_calls(struct subject *s)
{
	need_faults();
	unsigned tried = play_with_faults(s, in_kind(s), false);
	if (!(s->ops->traits & IO_BLOCKS_IN_SUBMIT))
		tried += play_with_faults(s, in_kind(s), true);
	tried += play_with_faults(s, out_kind(s), false);
	skip_if_none(tried);
}

/* A receive waits, and for the next operation the kernel has no room yet. */
static bool finds_no_room(struct subject *s, enum fault_id id, bool cancels)
{
	int ends[2][2];
	struct io_op *done[1], *waiting, *next;
	open_engine(s, 2, 2);
	for (unsigned i = 0; i < 2; i++) {
		make_reading_pair(s, ends[i]);
		attach(s, i, ends[i][0]);
	}
	start(s, waiting = prepare_receive(s, 0, ends[0][0], 0));
	expect(reap(s, done, 1, 1, NS_PER_MS) == 0, "a receive completed with nothing there");
	faults_arm(id, EAGAIN, 1);
	start(s, next = prepare_receive(s, 1, ends[1][0], 1));
	if (cancels)
		s->ops->cancel(s->engine);
	else
		expect(write(ends[1][1], "abc", 3) == 3, "the test's own write failed");
	await(s, next);
	faults_end();
	/* 0: the engine had to shut the socket down, which the contract allows. */
	bool ended = next->result == 0 && recv(ends[1][0], &(char) { 0 }, 1, MSG_DONTWAIT) == 0;
	if (cancels)
		expect(next->result == -ECANCELED || ended,
		       WHEN("no room, then cancel") EXPECTED("-ECANCELED") SAW("%s"),
		       answer(next->result));
	else
		expect(next->result == 3 && waiting->in_flight && write(ends[0][1], "abc", 3) == 3,
		       WHEN("no room while a receive waits") EXPECTED("3 bytes of the next one")
			       SAW("%s"),
		       answer(next->result));
	await_all(s);
	expect(cancels || waiting->result == 3,
	       EXPECTED("3 bytes of the one that waited") SAW("%s"), answer(waiting->result));
	close_engine(s);
	for (unsigned i = 0; i < 2; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
	return faults_struck();
}

/* "No room now" is back-pressure, or the engine hands over later: never the operation's result. */
void stream_no_room_is_no_result(struct subject *s)
{
	static const enum fault_id ids[] = { FAULT_aio_read, FAULT_io_submit, FAULT_io_uring_submit,
					     FAULT_io_uring_enter };
	unsigned tried = 0;
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	need_faults();
	for (unsigned i = 0; i < sizeof ids / sizeof *ids; i++) {
		tried += finds_no_room(s, ids[i], false);
		tried += finds_no_room(s, ids[i], true);
	}
	skip_if_none(tried);
}

static bool stolen;

#define FALSE_ALARM_WAIT_NS (20 * NS_PER_MS)

static void steal(int fd)
{
	char bytes[6];
	if (syscall(SYS_recvfrom, fd, bytes, sizeof bytes, MSG_DONTWAIT, NULL, NULL) > 0)
		__atomic_store_n(&stolen, true, __ATOMIC_RELEASE);
}

/* Bytes are there, and somebody else is faster: "ready" was a false alarm, and the wait goes on. */
void socket_false_alarm_is_no_result(struct subject *s)
{
	int ends[2];
	struct io_op *done[1];
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	need_faults();
	make_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	struct io_op *op = prepare_receive(s, 0, ends[0], 0);
	for (unsigned i = 0; i < 3; i++) {
		start(s, op);
		expect(reap(s, done, 1, 1, NS_PER_MS) == 0,
		       "a receive completed with nothing there");
		stolen = false;
		faults_before_recv(steal);
		expect(write(ends[1], "stolen", 6) == 6, "the test's own write failed");
		/* An engine that does not call recv(2) gets the bytes, sooner or later. */
		uint64_t began_ns = clock_ns();
		unsigned n = reap(s, done, 1, 1, FALSE_ALARM_WAIT_NS);
		uint64_t waited_ns = clock_ns() - began_ns;
		/* A thread of the engine's may call it late on a busy machine. */
		while (n == 0 && !__atomic_load_n(&stolen, __ATOMIC_ACQUIRE) &&
		       clock_ns() - began_ns < 10 * (uint64_t)NS_PER_S)
			n = reap(s, done, 1, 1, NS_PER_MS);
		if (n == 0) {
			expect(waited_ns >= FALSE_ALARM_WAIT_NS,
			       WHEN("after a false alarm") EXPECTED("a wait of %d ms")
				       SAW("%.1f ms"),
			       (int)(FALSE_ALARM_WAIT_NS / NS_PER_MS),
			       (double)waited_ns / NS_PER_MS);
			expect(write(ends[1], "second", 6) == 6, "the test's own write failed");
			await(s, op);
		}
		faults_before_recv(NULL);
		expect(op->result == 6 || (!stolen && op->result == 12),
		       WHEN("after a false alarm") EXPECTED("6 bytes") SAW("%s"),
		       answer(op->result));
		prepare_receive(s, 0, ends[0], 0);
	}
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}

/* When the thief came, as clock_ns() counts. */
static uint64_t stolen_ns;

static void steal_and_look(int fd)
{
	steal(fd);
	__atomic_store_n(&stolen_ns, clock_ns(), __ATOMIC_RELEASE);
}

struct late_word {
	int fd;
	int64_t after_ns;
};

static void *say_it(void *argument)
{
	const struct late_word *word = argument;
	const struct timespec silence = timespec_of_ns(word->after_ns);
	nanosleep(&silence, NULL);
	expect(write(word->fd, "stolen", 6) == 6, "the test's own write failed");
	return NULL;
}

enum answer_to_an_alarm { NO_ALARM, NO_NEW_LIMIT, A_NEW_LIMIT };

/* A receive waits with a time limit, and meets a false alarm when three quarters of it have passed. */
static enum answer_to_an_alarm alarm_late(struct subject *s, const int ends[2], int64_t limit_ns)
{
	pthread_t thread;
	struct io_op *done[1], *op = prepare_receive(s, 0, ends[0], 0);
	struct late_word word = { ends[1], limit_ns / 4 * 3 };
	stolen = false;
	start(s, op);
	faults_before_recv(steal_and_look);
	expect(pthread_create(&thread, NULL, say_it, &word) == 0, "no thread");
	unsigned n = reap(s, done, 1, 1, limit_ns);
	uint64_t back_ns = clock_ns();
	bool alarmed = n == 0 && __atomic_load_n(&stolen, __ATOMIC_ACQUIRE);
	pthread_join(thread, NULL);
	faults_before_recv(NULL);
	if (op->in_flight)
		expect(write(ends[1], "second", 6) == 6, "the test's own write failed");
	await(s, op);
	if (n > 0)
		return NO_NEW_LIMIT; /* it makes no recv(2) at that moment, and has the bytes */
	if (!alarmed)
		return NO_ALARM;
	return back_ns < stolen_ns + (uint64_t)limit_ns ? NO_NEW_LIMIT : A_NEW_LIMIT;
}

/*
 * The time limit is for the whole wait. A busy machine may be late: then a longer limit tells, in which
 * it would have to be late once more, and by more.
 */
void socket_false_alarm_begins_no_new_limit(struct subject *s)
{
	const int64_t limits_ms[] = { 120, 480, 1920 };
	enum answer_to_an_alarm answer = NO_ALARM;
	int ends[2];
	not_for(s, IO_BLOCKS_IN_SUBMIT, CANNOT_WAIT);
	need_faults();
	make_pair(s, ends);
	open_engine(s, 1, 1);
	attach(s, 0, ends[0]);
	for (unsigned i = 0; i < 3 && answer != NO_NEW_LIMIT; i++)
		answer = alarm_late(s, ends, limits_ms[i] * NS_PER_MS);
	expect(answer != A_NEW_LIMIT,
	       WHEN("a false alarm came in the wait") EXPECTED("the rest of its time to be waited")
		       SAW("the time limit begin anew"));
	close_engine(s);
	close(ends[0]);
	close(ends[1]);
}
