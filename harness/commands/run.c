/* SPDX-License-Identifier: MIT */
/* `iolab run`: one workload, one engine, one measurement, in a process of its own. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/json_put.h"
#include "base/remark.h"
#include "clock.h"
#include "commands/commands.h"
#include "compute.h"
#include "meters/hardware_counters.h"
#include "meters/helper_threads.h"
#include "meters/meter.h"
#include "meters/on_cpu.h"
#include "meters/op_trace.h"
#include "metrics/metric.h"
#include "run/driver.h"
#include "run/result.h"
#include "run/run_options.h"
#include "workloads/workload.h"

/* For the handler: the process at the other end, or 0. */
static volatile sig_atomic_t peer_pid;

/*
 * Without its peer an engine that sits in a receive hears of the wish to end, too: the connection
 * ends. A second Ctrl-C waits for nothing.
 */
static void on_interrupt(void)
{
	if (interrupt_at_once())
		_exit(EXIT_INTERRUPTED);
	if (peer_pid > 0)
		kill(peer_pid, SIGKILL);
}

static int attach_descriptors(const struct run_config *config, struct workload *workload,
			      struct engine *engine, struct reason *why)
{
	if (!config->engine->attach)
		return 0;
	for (unsigned i = 0; i < workload->fd_count; i++) {
		if (workload->fds[i].fd < 0)
			continue;
		int rc = config->engine->attach(engine, i, workload->fds[i].fd,
						workload->fds[i].kind, why);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* What --trace-us asks for. */
struct recording {
	struct trace *trace; /* NULL: nothing is recorded */
	struct on_cpu *on_cpu; /* NULL where the kernel refuses it, and `why` says so */
	struct reason on_cpu_why;
};

/*
 * To be called before the engine opens. Without the record of context switches a trace is still
 * one. Returns 0 or -errno with `why`.
 */
static int start_recording(struct recording *r, unsigned trace_us, unsigned depth,
			   struct reason *why)
{
	if (trace_us == 0)
		return 0;
	r->trace = trace_open(depth);
	if (!r->trace)
		return reason_no_memory(why, "the trace");
	r->on_cpu = on_cpu_open(&r->on_cpu_why);
	return 0;
}

/* A piece of the trace from within the window; to be called before the engine's threads are gone. */
static void add_trace(struct recording *r, unsigned trace_us, const struct window *window,
		      json_t *result)
{
	struct trace_window piece;
	if (!trace_choose_window(r->trace, window->begin.wall_ns, window->end.wall_ns,
				 trace_us * NS_PER_US, &piece))
		remark_add(json_object_get(result, "warnings"), "no_typical_piece", NULL,
			   "the trace holds no typical piece of that length; use a smaller "
			   "--trace-us, or a longer --runtime");
	json_t *trace = trace_json(r->trace, &piece);
	trace_add_threads(
		trace,
		r->on_cpu ? on_cpu_json(r->on_cpu, piece.begin_ns, piece.end_ns, &r->on_cpu_why)
			  : NULL,
		&r->on_cpu_why);
	put_new(result, "trace", trace);
}

/*
 * From opening the engine to closing it. `observed` becomes what the metrics saw in between.
 * Returns 0 or -errno with the outcome's `why`.
 */
static int run_engine(const struct run_config *config, struct job *job, struct outcome *outcome,
		      json_t **observed)
{
	struct workload *workload = job->workload;
	struct engine_config engine_config = {
		.depth = workload->depth,
		.max_fds = workload->fd_count ? workload->fd_count : 1,
		.arena = workload->arena,
		.arena_len_bytes = workload->arena_len_bytes,
		.cpu_count = (unsigned)CPU_COUNT(&config->cpus),
		.options = config->engine_options,
	};
	struct engine *engine = NULL;
	helper_threads_leave_out_present();
	int rc = config->engine->open(&engine, &engine_config, &outcome->why);
	if (rc < 0)
		return rc;
	job->engine = engine;
	rc = attach_descriptors(config, workload, job->engine, &outcome->why);
	outcome->refused = rc == -EOPNOTSUPP;
	if (rc == 0)
		rc = driver_run(job, outcome);
	if (rc == 0)
		*observed = metrics_observe();
	return rc;
}

/* From an open workload to figures in `result`. Returns 0 or -errno with the outcome's `why`. */
static int measure(const struct run_config *config, struct workload *workload, json_t *result,
		   struct outcome *outcome)
{
	struct meter meter;
	struct hardware_counters hardware;
	struct recording recording = { 0 };
	struct job job = { .config = config, .workload = workload, .meter = &meter };
	json_t *observed = NULL;

	/* Before the engine opens: counters follow only threads that are started later. */
	meter_open(&meter, workload->peer, config->count_syscalls);
	if (config->count_hardware) {
		hardware_counters_open(&hardware, hardware_events);
		meter.hardware = &hardware;
	}
	int rc = start_recording(&recording, config->trace_us, workload->depth, &outcome->why);
	job.trace = recording.trace;
	if (rc == 0)
		rc = run_engine(config, &job, outcome, &observed);
	if (rc == 0 && job.trace)
		add_trace(&recording, config->trace_us, &outcome->window, result);
	/* An engine that kept operations may still write to their buffers: leave both alone. */
	if (job.engine && outcome->lost == 0)
		config->engine->close(job.engine);
	if (rc < 0)
		goto out;
	peer_pid = 0; /* check() awaits its end */
	if (workload->ops->check && (rc = workload->ops->check(workload)) < 0) {
		outcome->why = workload->failure;
		goto out;
	}
	result_set_metrics(result, workload, &meter, &outcome->window, observed);
out:
	json_decref(observed);
	on_cpu_close(recording.on_cpu);
	trace_close(recording.trace);
	if (meter.hardware)
		hardware_counters_close(&hardware);
	meter_close(&meter);
	return rc;
}

static int print_result(const struct run_options *options, const json_t *result)
{
	if (options->json) {
		json_dumpf(result, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
		putchar('\n');
	} else {
		result_print(result);
	}
	if (fflush(stdout) == 0)
		return 0;
	struct reason why;
	reason_say_errno(&why, errno, "writing the result");
	fprintf(stderr, "iolab: %s\n", why.text);
	return 1;
}

int command_run(int argc, char **argv)
{
	struct run_options options;
	struct reason why = { "" };
	if (run_options_parse(&options, argc, argv, &why) < 0) {
		fprintf(stderr, "iolab: %s\n", why.text);
		return EXIT_ERROR;
	}
	struct run_config *config = &options.config;
	struct outcome outcome = { .lost = 0 };

	interrupt_install(on_interrupt);
	signal(SIGPIPE, SIG_IGN);
	workload_settle_cpus(config);
	/*
	 * A schedule needs exact waits; by default the kernel may let them end 50 us late,
	 * PR_SET_TIMERSLACK(2const). Threads and the peer inherit it.
	 */
	if (config->rate_per_s)
		prctl(PR_SET_TIMERSLACK, 1UL);
	json_t *result = result_new(&options, argc, argv);

	struct workload *workload = NULL;
	enum result_status status = RESULT_ERROR;
	int rc = workload_supported(config, &why);
	if (rc < 0) {
		status = RESULT_UNSUPPORTED;
		goto out;
	}
	rc = config->workload->open(&workload, config, &why);
	if (rc < 0)
		goto out;
	peer_pid = workload->peer;
	/* After the workload's peer was forked: it has a CPU of its own. */
	if (sched_setaffinity(0, sizeof config->cpus, &config->cpus) < 0) {
		rc = reason_errno(&why, "cpus_refused", errno, "sched_setaffinity");
		goto out;
	}
	if (config->compute_us > 0 && config->compute_loops_per_us <= 0) {
		config->compute_loops_per_us = compute_calibrate();
		json_object_set_new(json_object_get(result, "config"), "compute_loops_per_us",
				    json_real(config->compute_loops_per_us));
	}
	rc = measure(config, workload, result, &outcome);
	why = outcome.why;
	if (rc == 0)
		status = RESULT_OK;
	else if (rc == -EINTR)
		interrupt_reason(&why);
	else if (outcome.refused)
		status = RESULT_UNSUPPORTED;
out:
	peer_pid = 0; /* it may be gone, and its number another's */
	result_set_status(result, status, status == RESULT_OK ? NULL : &why);
	int failed = print_result(&options, result);
	if (workload && outcome.lost == 0)
		workload->ops->close(workload);
	run_options_free(&options);
	json_decref(result);
	if (failed)
		return EXIT_ERROR;
	if (rc == -EINTR)
		return EXIT_INTERRUPTED;
	return status == RESULT_OK	      ? EXIT_OK
	       : status == RESULT_UNSUPPORTED ? EXIT_UNSUPPORTED
					      : EXIT_ERROR;
}
