/* SPDX-License-Identifier: MIT */
#include "run/upcall_run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/json_put.h"
#include "base/remark.h"
#include "clock.h"
#include "meters/upcall_path.h"
#include "random.h"
#include "workloads/probe_target.h"

#define FILE_BYTES  (UINT64_C(4) << 20)
#define WARMUP_OPS  16u
#define BATCH_OPS   16u /* between two readings of the trace, so that its buffer suffices */
#define THREADS_MAX 512u

const struct upcall_target_kind upcall_targets[UPCALL_TARGETS] = {
	[UPCALL_FILE] = { "file", "a read of 4 KiB, O_DIRECT", IO_READ, IO_FD_FILE },
	[UPCALL_SOCKET] = { "socket", "a receive of one byte, which the peer sends after 1 ms",
			    IO_RECV, IO_FD_SOCKET },
};

/* The events in the time of one operation, kept to be shown. */
struct kept_op {
	struct upcall_op op;
	struct kernel_event *events;
	size_t count;
};

struct upcall_loop {
	const struct upcall_task *task;
	struct engine *engine;
	struct io_op op;
	int fd;
	struct answerer answerer;
	struct random_stream random;
	struct kernel_events events; /* of the batch */
	int32_t threads[THREADS_MAX]; /* of this process */
	size_t thread_count;
	struct upcall_path paths[UPCALL_OPS_MAX];
	struct kept_op kept[UPCALL_OPS_MAX];
	unsigned finished;
};

/* One operation, from submit() until reap() returned it. Returns 0, or -errno with `why`. */
static int do_op(struct upcall_loop *l, struct upcall_op *times, struct reason *why)
{
	const struct engine_ops *engine = l->task->engine;
	struct io_op *offered = &l->op, *done = NULL;
	int rc;
	if (l->task->target == UPCALL_FILE)
		l->op.offset = random_below(&l->random, FILE_BYTES / UPCALL_BLOCK_BYTES) *
			       UPCALL_BLOCK_BYTES;
	else if ((rc = answerer_ask(&l->answerer)) < 0)
		return reason_errno(why, "answerer_gone", rc, "asking the answering process");
	times->offered_ns = clock_ns();
	rc = engine->submit(l->engine, &offered, 1);
	times->accepted_ns = clock_ns();
	if (rc == 0)
		rc = -EAGAIN; /* with nothing in flight it must accept one */
	while (rc >= 0 && !done && !interrupt_requested())
		rc = engine->reap(l->engine, &done, 1, 1, -1);
	times->taken_ns = clock_ns();
	if (rc < 0)
		return reason_errno(why, "engine_failed", rc, "the engine's own call");
	if (!done)
		return interrupt_reason(why);
	rc = probe_error(done);
	return rc < 0 ? reason_errno(why, "result_is_error", rc, "the operation's result") : 0;
}

/* Adds the threads that live now to those that are known. */
static void note_threads(struct upcall_loop *l)
{
	DIR *tasks = opendir("/proc/self/task");
	for (struct dirent *entry; tasks && (entry = readdir(tasks));) {
		int32_t thread = atoi(entry->d_name); /* 0 for "." and ".." */
		size_t known = 0;
		while (known < l->thread_count && l->threads[known] != thread)
			known++;
		if (thread != 0 && known == l->thread_count && known < THREADS_MAX)
			l->threads[l->thread_count++] = thread;
	}
	if (tasks)
		closedir(tasks);
}

/* Returns 0 or -ENOMEM. */
static int keep_events(struct kept_op *kept, const struct upcall_op *times,
		       const struct kernel_event *events, size_t count)
{
	size_t begin = upcall_first_at(events, count, times->offered_ns);
	size_t end = upcall_first_at(events, count, times->taken_ns + 1);
	kept->op = *times;
	kept->count = end - begin;
	kept->events = malloc((kept->count + 1) * sizeof *events);
	if (!kept->events)
		return -ENOMEM;
	memcpy(kept->events, events + begin, kept->count * sizeof *events);
	return 0;
}

/* Some operations, and their ways. Returns 0, or -errno with `why`. */
static int run_batch(struct upcall_loop *l, unsigned count, struct reason *why)
{
	struct upcall_op times[BATCH_OPS];
	note_threads(l);
	int rc = kernel_trace_begin(l->task->trace, why);
	for (unsigned i = 0; rc == 0 && i < count; i++)
		rc = do_op(l, &times[i], why);
	if (rc == 0)
		rc = kernel_trace_end(l->task->trace, &l->events, why);
	if (rc < 0)
		return rc;
	note_threads(l);
	struct upcall_actors actors = { (int32_t)getpid(), (int32_t)l->answerer.pid, l->threads,
					l->thread_count };
	size_t kept = upcall_keep(l->events.all, l->events.count, &actors);
	for (unsigned i = 0; i < count; i++) {
		unsigned at = l->finished++;
		l->paths[at] = upcall_follow(l->events.all, kept, &times[i], &actors);
		if (keep_events(&l->kept[at], &times[i], l->events.all, kept) < 0)
			return reason_no_memory(why, "the kernel's events");
	}
	return 0;
}

/* The descriptor. Returns it, or -errno with `why`. */
static int open_upcall_target(struct upcall_loop *l, struct reason *why)
{
	if (l->task->target == UPCALL_FILE)
		return nameless_file(l->task->folder, FILE_BYTES, O_DIRECT, why);
	int rc = answerer_start(&l->answerer, ANSWER_BY_TCP, UPCALL_ANSWER_MS, why);
	return rc < 0 ? rc : l->answerer.fd;
}

/* Descriptor, operation and engine. Returns 0, or -errno with `why`. */
static int set_up_upcall(struct upcall_loop *l, struct reason *why)
{
	const struct upcall_task *task = l->task;
	const struct upcall_target_kind *target = &upcall_targets[task->target];
	cpu_set_t allowed;
	sched_getaffinity(0, sizeof allowed, &allowed);
	struct engine_config config = {
		.depth = 1,
		.max_fds = 1,
		.arena_len_bytes = UPCALL_BLOCK_BYTES,
		.cpu_count = (unsigned)CPU_COUNT(&allowed),
		.options = task->engine_options,
	};
	int rc = task->engine->supports(&config, target->kind, target->fd_kind, why);
	if (rc < 0)
		return rc;
	rc = l->fd = open_upcall_target(l, why);
	if (rc < 0)
		return rc;
	config.arena = mmap(NULL, config.arena_len_bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (config.arena == MAP_FAILED)
		return reason_no_memory(why, "buffers");
	l->op = (struct io_op) {
		.kind = (uint8_t)target->kind,
		.fd = l->fd,
		.buf = config.arena,
		.len_bytes = task->target == UPCALL_FILE ? UPCALL_BLOCK_BYTES : 1,
		.offset = IO_NO_OFFSET,
	};
	rc = task->engine->open(&l->engine, &config, why);
	if (rc == 0 && task->engine->attach)
		rc = task->engine->attach(l->engine, 0, l->fd, target->fd_kind, why);
	return rc;
}

/* The times of the moments, from the first; null for what was not seen. */
static json_t *path_json(const struct upcall_path *path)
{
	json_t *list = required(json_array());
	for (unsigned m = 0; m < UPCALL_MOMENTS; m++) {
		uint64_t at_ns = path->at_ns[m];
		if (at_ns)
			append_int(list, (int64_t)(at_ns - path->at_ns[MOMENT_OFFERED]));
		else
			json_array_append_new(list, json_null());
	}
	return list;
}

static json_t *paths_json(const struct upcall_loop *l)
{
	json_t *list = required(json_array());
	for (unsigned i = 0; i < l->finished; i++)
		json_array_append_new(list, path_json(&l->paths[i]));
	return list;
}

static int compare_lengths(const void *a, const void *b)
{
	const struct kept_op *const *x = a, *const *y = b;
	uint64_t x_ns = (*x)->op.taken_ns - (*x)->op.offered_ns;
	uint64_t y_ns = (*y)->op.taken_ns - (*y)->op.offered_ns;
	return (x_ns > y_ns) - (x_ns < y_ns);
}

static const struct kept_op *typical_op(const struct upcall_loop *l)
{
	static const struct kept_op *by_length[UPCALL_OPS_MAX];
	for (unsigned i = 0; i < l->finished; i++)
		by_length[i] = &l->kept[i];
	qsort(by_length, l->finished, sizeof by_length[0], compare_lengths);
	return by_length[l->finished / 2];
}

static json_t *event_json(const struct kernel_event *event, uint64_t begin_ns)
{
	json_t *list = required(json_array());
	append_int(list, (int64_t)(event->at_ns - begin_ns));
	append_int(list, event->cpu);
	append_int(list, event->thread);
	json_array_append_new(list, required(json_string(kernel_tracepoints[event->kind].name)));
	for (unsigned v = 0; v < KERNEL_EVENT_VALUES; v++)
		append_int(list, event->values[v]);
	return list;
}

/* The operation that took the median time, with its events. */
static json_t *typical_trace(const struct upcall_loop *l)
{
	const struct kept_op *typical = typical_op(l);
	uint64_t begin_ns = typical->op.offered_ns;
	json_t *trace = required(json_object());
	json_t *events = required(json_array()), *threads = required(json_array());
	for (size_t i = 0; i < typical->count; i++)
		json_array_append_new(events, event_json(&typical->events[i], begin_ns));
	for (size_t i = 0; i < l->thread_count; i++)
		append_int(threads, l->threads[i]);
	put_int(trace, "loop", getpid());
	put_new(trace, "peer", l->answerer.pid ? json_integer(l->answerer.pid) : NULL);
	put_new(trace, "threads", threads);
	put_int(trace, "accepted_ns", (int64_t)(typical->op.accepted_ns - begin_ns));
	put_int(trace, "taken_ns", (int64_t)(typical->op.taken_ns - begin_ns));
	put_new(trace, "path", path_json(&l->paths[typical - l->kept]));
	put_new(trace, "events", events);
	return trace;
}

static json_t *upcall_failure_json(const char *status, const struct reason *why)
{
	json_t *answer = required(json_object());
	put_string(answer, "status", status);
	put_new(answer, "reason", remark_of_reason(why));
	return answer;
}

json_t *upcall_run(const void *argument)
{
	static struct upcall_loop l;
	struct upcall_op unused;
	struct reason why = { "" };
	l.task = argument;
	l.random.state = l.task->seed;
	/* The default of 50 us would make the peer's answers that much later: prctl(2). */
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	int rc = set_up_upcall(&l, &why);
	if (rc < 0) {
		answerer_stop(&l.answerer);
		return upcall_failure_json("unsupported", &why);
	}
	for (unsigned i = 0; rc == 0 && i < WARMUP_OPS; i++)
		rc = do_op(&l, &unused, &why);
	while (rc == 0 && l.finished < l.task->ops) {
		unsigned left = l.task->ops - l.finished;
		rc = run_batch(&l, left < BATCH_OPS ? left : BATCH_OPS, &why);
	}
	/* Engine and memory end with this process. */
	json_t *answer = rc < 0 ? upcall_failure_json("error", &why) : required(json_object());
	if (rc == 0) {
		put_string(answer, "status", "ok");
		put_new(answer, "paths", paths_json(&l));
		put_new(answer, "trace", typical_trace(&l));
	}
	answerer_stop(&l.answerer);
	return answer;
}
