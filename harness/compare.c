/* SPDX-License-Identifier: MIT */
/*
 * `iolab compare`: every engine on every workload, in rounds. Each round runs every configuration
 * once, in an order shuffled anew from a recorded seed, each run in a fresh process. What disturbs
 * the machine for a while then disturbs all engines alike, and ratios within a round survive it.
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "commands.h"
#include "compute.h"
#include "engines.h"
#include "json_path.h"
#include "measurement.h"
#include "random.h"
#include "result.h"
#include "run_options.h"
#include "summary.h"

#define LIST_MAX  64
#define WORDS_MAX 128
/* System calls per operation hardly vary, so the run that counts them is short. */
#define COUNTING_RUNTIME_S "0.05"

/* --until-ci: never fewer rounds to judge from, nor more; and the time without --time-limit. */
#define UNTIL_CI_ROUNDS_MIN 5
#define ROUNDS_MAX	    1000
#define UNTIL_CI_LIMIT_S    600

/* One line of a plan: a workload with fixed options, and the option that is swept. */
struct sweep {
	const char *workload;
	const char *options[6]; /* ended by NULL */
	const char *swept;
	const char *values;
};

/*
 * What `make bench` runs: the disk itself, the page cache, a busy server, a mostly idle one. Sized
 * so that all of it ends within three minutes on two CPUs.
 */
static const struct sweep standard_plan[] = {
	{ "file", { "--direct", "1", "--size", "128M" }, "--depth", "1,16,64" },
	{ "file", { "--direct", "0", "--size", "128M" }, "--depth", "1,16" },
	{ "echo", { NULL }, "--conns", "1,50,500" },
	{ "idle", { NULL }, "--conns", "1000" },
	{ NULL },
};

struct options {
	const char *engines, *workloads, *depths, *conns,
		*rates; /* comma-separated; NULL: the standard plan */
	const char *out;
	const char *baseline; /* NULL: blocking, whether it is there or not */
	unsigned rounds; /* with until_ci_pct: at least */
	double until_ci_pct; /* 0: as many rounds as `rounds` says */
	double time_limit_s; /* no round begins that would probably end later; 0: none */
	uint64_t seed;
	const char *runtime, *warmup; /* seconds, passed on */
	bool count_syscalls;
	double idle_s; /* 0: how busy the idle host is is not measured */
	char **run_words; /* after "--": passed on to every run */
	unsigned run_word_count;
};

/* One engine on one workload at one swept value: the words of its `iolab run`. */
struct configuration {
	const char *words[WORDS_MAX]; /* ended by NULL; words[0] is "iolab run" */
	unsigned word_count;
	char label[96]; /* for the progress bar */
	struct run_config config; /* what the words say; its file may be gone */
	double limit_s; /* a run that takes longer is hung */
	bool unsupported;
};

struct comparison_run {
	const struct options *options;
	struct configuration *configurations;
	unsigned count;
	struct random_stream random;
	char folder[PATH_MAX - 64];
	int runs_fd; /* runs.jsonl */
	bool show_progress;
	unsigned finished, planned; /* those left out as unsupported are finished, too */
	unsigned kept; /* lines in runs.jsonl */
	unsigned rounds_done, rounds_expected;
	double widest_pct; /* of the ratios' intervals after the last round; 0: not known yet */
	const char *ended_by;
	json_t *idle_baseline;
	uint64_t begun_ns;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
	(void)signal_number;
	interrupted = 1;
}

/* A mistake of a person: one line, as argp's own. */
__attribute__((format(printf, 1, 2))) static _Noreturn void wrong_use(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fputs("iolab compare: ", stderr);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(EXIT_USAGE);
}

/*
 * The words of "a,b,c". Returns how many were stored; they live as long as the program. The list
 * itself stays whole: it is a word of argv, which the results record.
 */
static unsigned split(const char *option, const char *list, const char *words[LIST_MAX])
{
	unsigned count = 0;
	for (char *rest = strdup(list), *word; (word = strsep(&rest, ",")) != NULL;) {
		if (!*word)
			wrong_use("--%s '%s': a word is missing; write it as a,b,c", option, list);
		if (count == LIST_MAX)
			wrong_use("--%s: more than %d words; compare fewer at a time", option,
				  LIST_MAX);
		words[count++] = word;
	}
	return count;
}

/*
 * What is compared when nobody says otherwise: every engine that moves data, and of its variants
 * those that its own file puts forward.
 */
static const char *standard_engines(void)
{
	static char list[2048];
	size_t used = 0;
	for (unsigned i = 0; i < engines_count(); i++) {
		const struct engine_ops *engine = engine_at(i);
		if (engine->traits & IO_MOVES_NO_BYTES)
			continue;
		used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? "," : "",
					 engine->name);
		for (const struct engine_option *o = engine->options; o && o->name; o++)
			if (o->compared && used < sizeof list)
				used += (size_t)snprintf(list + used, sizeof list - used, ",%s:%s",
							 engine->name, o->name);
	}
	return list;
}

static void add_word(struct configuration *c, const char *word)
{
	if (c->word_count + 1 >= WORDS_MAX)
		wrong_use("more than %d words after --; name each option once", WORDS_MAX / 2);
	c->words[c->word_count++] = word;
}

/* Whether the plan itself sets the option of that name, so that it must not come after "--". */
static bool planned(const struct sweep *sweep, const char *name)
{
	static const char *const own[] = { "engine", "workload", "json", "count-syscalls",
					   "round",  "position", "plan" };
	for (unsigned i = 0; i < sizeof own / sizeof *own; i++)
		if (strcmp(name, own[i]) == 0)
			return true;
	return strcmp(name, sweep->swept + 2) == 0 ||
	       (sweep->options[0] && strcmp(name, sweep->options[0] + 2) == 0);
}

/*
 * The options after "--" that mean something to this configuration, so that one list can serve
 * several workloads. `used` remembers which words meant something to anybody.
 */
static void add_run_words(struct configuration *c, const struct options *o,
			  const struct sweep *sweep, bool *used)
{
	struct run_options parsed;
	run_options_parse(&parsed, (int)c->word_count, (char **)c->words);
	for (unsigned i = 0, end; i < o->run_word_count; i = end) {
		/* A word that is an option, and its value. */
		for (end = i + 1; end < o->run_word_count && o->run_words[end][0] != '-';)
			end++;
		const char *name = run_option_name(o->run_words[i]);
		if (name && planned(sweep, name))
			wrong_use("--%s after -- would override the plan%s; use what compare has "
				  "for it, see iolab compare --help",
				  name, o->workloads ? "" : " (without --workloads, a fixed one)");
		if (name && run_option_unused(name, &parsed.config))
			continue;
		used[i] = true;
		for (unsigned word = i; word < end; word++)
			add_word(c, o->run_words[word]);
	}
}

static void add_configurations(struct comparison_run *run, const struct sweep *sweep,
			       const char *const *engines, unsigned engine_count, bool *used)
{
	const struct options *o = run->options;
	const char *values[LIST_MAX];
	bool depths = strcmp(sweep->swept, "--depth") == 0;
	unsigned value_count = split(depths ? "depths" : "conns", sweep->values, values);

	for (unsigned v = 0; v < value_count; v++) {
		for (unsigned e = 0; e < engine_count; e++) {
			run->configurations =
				realloc(run->configurations,
					(run->count + 1) * sizeof *run->configurations);
			struct configuration *c = &run->configurations[run->count++];
			memset(c, 0, sizeof *c);
			add_word(c, "iolab run");
			add_word(c, "--engine");
			add_word(c, engines[e]);
			add_word(c, "--workload");
			add_word(c, sweep->workload);
			for (unsigned i = 0; sweep->options[i]; i++)
				add_word(c, sweep->options[i]);
			add_word(c, sweep->swept);
			add_word(c, values[v]);
			add_word(c, "--runtime");
			add_word(c, o->runtime);
			add_word(c, "--warmup");
			add_word(c, o->warmup);
			add_run_words(c, o, sweep, used);
			snprintf(c->label, sizeof c->label, "%s %s %s %s", engines[e],
				 sweep->workload, sweep->swept + 2, values[v]);
		}
	}
}

/* Lists every configuration, in the order in which the table will show them. */
static void list_configurations(struct comparison_run *run, bool *used)
{
	const struct options *o = run->options;
	const char *engines[LIST_MAX], *names[LIST_MAX];
	unsigned engine_count = split("engines", o->engines, engines);
	if (!o->workloads) {
		for (const struct sweep *sweep = standard_plan; sweep->workload; sweep++) {
			struct sweep chosen = *sweep;
			bool depth = strcmp(sweep->swept, "--depth") == 0;
			if (depth && o->depths)
				chosen.values = o->depths;
			if (!depth && o->conns)
				chosen.values = o->conns;
			add_configurations(run, &chosen, engines, engine_count, used);
		}
		return;
	}
	unsigned workload_count = split("workloads", o->workloads, names);
	for (unsigned w = 0; w < workload_count; w++) {
		struct reason why;
		const struct workload_ops *workload = workload_find(names[w], &why);
		if (!workload)
			wrong_use("--workloads: %s", why.text);
		struct sweep sweep = { names[w], { NULL }, "--depth", "1,16,64" };
		if (workload->has_peer) {
			sweep.swept = "--conns";
			sweep.values = workload == &workload_idle ? "1000" : "1,50,500";
		}
		const char *chosen = workload->has_peer ? o->conns : o->depths;
		if (chosen)
			sweep.values = chosen;
		if (o->rates) {
			sweep.swept = "--rate";
			sweep.values = o->rates;
		}
		add_configurations(run, &sweep, engines, engine_count, used);
	}
}

static void make_plan(struct comparison_run *run)
{
	const struct options *o = run->options;
	bool *used = calloc(o->run_word_count + 1, sizeof *used);
	list_configurations(run, used);
	for (unsigned i = 0; i < o->run_word_count; i++)
		if (o->run_words[i][0] == '-' && !used[i])
			wrong_use("%s has no effect on any of these workloads; leave it out",
				  o->run_words[i]);
	free(used);
}

/* The same engine on the same work? The summary could not tell the two apart. */
static bool same_configuration(const struct run_config *a, const struct run_config *b)
{
	return a->engine == b->engine && a->engine_options == b->engine_options &&
	       a->workload == b->workload && a->direct == b->direct && a->depth == b->depth &&
	       a->conns == b->conns && a->rate_per_s == b->rate_per_s;
}

/*
 * Every configuration's options are parsed here too: a mistake ends the program now, with the line
 * that run would print, and not in the midst of the comparison. The amount of computing is
 * calibrated once, so that every run does the same.
 */
static void check_plan(struct comparison_run *run)
{
	static char loops[32];
	for (unsigned i = 0; i < run->count; i++) {
		struct configuration *c = &run->configurations[i];
		struct run_options parsed;
		run_options_parse(&parsed, (int)c->word_count, (char **)c->words);
		c->config = parsed.config;
		c->limit_s = run_limit_s(&parsed.config);
		for (unsigned j = 0; j < i; j++)
			if (same_configuration(&run->configurations[j].config, &c->config))
				wrong_use("'%s' is there twice; name each engine, workload, depth "
					  "and number of connections once",
					  c->label);
		if (parsed.config.compute_us <= 0 || parsed.config.compute_loops_per_us > 0)
			continue;
		if (!*loops)
			snprintf(loops, sizeof loops, "%.3f", compute_calibrate());
		add_word(c, "--compute-loops-per-us");
		add_word(c, loops);
	}
}

/* --baseline as it is written in the results. Ends the program when it is none of the engines. */
static const char *baseline_label(const struct comparison_run *run)
{
	static char label[240];
	const struct engine_ops *engine;
	uint64_t options;
	struct reason why;
	if (!run->options->baseline)
		return "blocking";
	if (engine_spec_parse(run->options->baseline, &engine, &options, &why) < 0)
		wrong_use("--baseline %s: %s", run->options->baseline, why.text);
	engine_label(engine, options, label, sizeof label);
	for (unsigned i = 0; i < run->count; i++) {
		const struct run_config *config = &run->configurations[i].config;
		if (config->engine == engine && config->engine_options == options)
			return label;
	}
	wrong_use("--baseline %s: add it to --engines, or choose one of them", label);
}

static int make_folder(struct comparison_run *run, struct reason *why)
{
	char stamp[32], path[PATH_MAX];
	time_t now = time(NULL);
	strftime(stamp, sizeof stamp, "%Y-%m-%dT%H%M%SZ", gmtime(&now));
	if (run->options->out) {
		snprintf(run->folder, sizeof run->folder, "%s", run->options->out);
	} else {
		if (mkdir("results", 0777) < 0 && errno != EEXIST)
			return reason_errno(why, errno,
					    "making the folder results; --out names another");
		snprintf(run->folder, sizeof run->folder, "results/%s", stamp);
	}
	if (mkdir(run->folder, 0777) < 0 && errno != EEXIST)
		return reason_errno(why, errno, "making the folder %s (see --out)", run->folder);
	snprintf(path, sizeof path, "%s/runs.jsonl", run->folder);
	/* O_EXCL: an older comparison is never written to. */
	run->runs_fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (run->runs_fd < 0 && errno == EEXIST)
		return reason_errno(why, errno, "%s: choose another --out, or delete it", path);
	if (run->runs_fd < 0)
		return reason_errno(why, errno, "%s (see --out)", path);
	if (!run->options->out) {
		unlink("results/.latest");
		if (symlink(stamp, "results/.latest") == 0)
			rename("results/.latest", "results/latest");
	}
	return 0;
}

static double elapsed_s(const struct comparison_run *run)
{
	return (double)(clock_ns() - run->begun_ns) / NS_PER_S;
}

static void show_progress(const struct comparison_run *run, const char *label)
{
	if (!run->show_progress)
		return;
	double share = (double)run->finished / run->planned;
	int left_s = run->finished ? (int)(elapsed_s(run) / share * (1 - share) + 0.5) : 0;
	char bar[31];
	for (int i = 0; i < 30; i++)
		bar[i] = i < share * 30 ? '#' : '.';
	bar[30] = '\0';
	fprintf(stderr, "\r\033[K[%s] %u/%u", bar, run->finished, run->planned);
	if (run->finished)
		fprintf(stderr, ", %s%d:%02d left", run->options->until_ci_pct > 0 ? "about " : "",
			left_s / 60, left_s % 60);
	if (run->widest_pct > 0)
		fprintf(stderr, ", %u rounds, widest +-%.2g %% of +-%g %%", run->rounds_done,
			run->widest_pct, run->options->until_ci_pct);
	fprintf(stderr, "  %s", label);
}

static void clear_progress(const struct comparison_run *run)
{
	if (run->show_progress)
		fputs("\r\033[K", stderr);
}

/* Where in the comparison a run stands. */
struct place {
	unsigned round, position; /* in time */
	unsigned plan; /* in the table */
	bool counting; /* system calls, instead of being measured */
};

/* Replaces this process by the run. Only for the child. */
static void become_run(const struct configuration *c, const struct place *place, int out_fd)
{
	char round[16], position[16], plan[16];
	const char *argv[WORDS_MAX + 16];
	unsigned argc = 0;
	snprintf(round, sizeof round, "%u", place->round);
	snprintf(position, sizeof position, "%u", place->position);
	snprintf(plan, sizeof plan, "%u", place->plan);
	argv[argc++] = program_invocation_name;
	argv[argc++] = "run";
	for (unsigned i = 1; i < c->word_count; i++)
		argv[argc++] = c->words[i];
	argv[argc++] = "--json";
	argv[argc++] = "--round";
	argv[argc++] = round;
	argv[argc++] = "--position";
	argv[argc++] = position;
	argv[argc++] = "--plan";
	argv[argc++] = plan;
	if (place->counting) {
		argv[argc++] = "--count-syscalls";
		argv[argc++] = "--runtime";
		argv[argc++] = COUNTING_RUNTIME_S;
	}
	argv[argc] = NULL;
	dup2(out_fd, STDOUT_FILENO);
	execv("/proc/self/exe", (char **)argv);
	fprintf(stderr, "iolab: /proc/self/exe: %s\n", strerror(errno));
	_exit(EXIT_ERROR);
}

/*
 * Reads all that the run prints, until it closes its end, the deadline passes or we are interrupted
 * (the run then ends early by itself). Returns false after the deadline.
 */
static bool read_output(int fd, pid_t pid, uint64_t deadline_ns, char **text, size_t *length)
{
	size_t size = 0;
	bool told = false;
	*text = NULL;
	*length = 0;
	for (;;) {
		if (interrupted && !told) {
			kill(pid, SIGINT); /* the terminal tells it too, `kill` on us does not */
			told = true;
		}
		struct pollfd readable = { .fd = fd, .events = POLLIN };
		int ready = poll(&readable, 1, 200);
		if (clock_ns() > deadline_ns)
			return false;
		if (ready <= 0)
			continue;
		if (*length + 65536 > size) {
			size = *length + 131072;
			*text = realloc(*text, size);
		}
		ssize_t n = read(fd, *text + *length, 65536);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return true;
		*length += (size_t)n;
	}
}

/* A line for a run that left none. */
static char *line_for_failure(const struct configuration *c, const struct place *place,
			      const char *text)
{
	struct run_options options;
	struct reason why;
	run_options_parse(&options, (int)c->word_count, (char **)c->words);
	options.round = (int)place->round;
	options.position = (int)place->position;
	options.plan = (int)place->plan;
	reason_set(&why, "%s", text);
	json_t *result = result_new(&options, (int)c->word_count, (char **)c->words);
	result_set_status(result, RESULT_ERROR, &why);
	char *line = json_dumps(result, JSON_COMPACT | JSON_REAL_PRECISION(9));
	json_decref(result);
	return line;
}

/* Runs one configuration. Returns its line, to be freed; NULL when interrupted. */
static char *run_once(struct configuration *c, const struct place *place)
{
	int ends[2];
	char *line;
	size_t length;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return line_for_failure(c, place, "pipe: no descriptor left");
	pid_t pid = fork();
	if (pid < 0) { /* never to be signalled: -1 is everybody */
		struct reason why;
		reason_errno(&why, errno, "fork (see ulimit -u and the pids cgroup)");
		close(ends[0]);
		close(ends[1]);
		return line_for_failure(c, place, why.text);
	}
	if (pid == 0)
		become_run(c, place, ends[1]);
	close(ends[1]);
	bool in_time = read_output(ends[0], pid, clock_ns() + (uint64_t)(c->limit_s * NS_PER_S),
				   &line, &length);
	close(ends[0]);
	if (!in_time)
		kill(pid, SIGKILL);
	int status = 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (interrupted) {
		free(line);
		return NULL;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_UNSUPPORTED)
		c->unsupported = true;
	if (in_time && length > 1 && line[length - 1] == '\n') {
		line[length - 1] = '\0';
		return line;
	}
	free(line);
	char text[100];
	if (!in_time)
		snprintf(text, sizeof text, "hung: killed after %.0f s", c->limit_s);
	else if (WIFSIGNALED(status))
		snprintf(text, sizeof text, "killed by SIG%s", sigabbrev_np(WTERMSIG(status)));
	else
		snprintf(text, sizeof text, "ended with status %d and no result",
			 WEXITSTATUS(status));
	return line_for_failure(c, place, text);
}

/* One write for one line, so that a killed comparison leaves whole lines. */
static int append_line(struct comparison_run *run, char *line, struct reason *why)
{
	size_t length = strlen(line);
	off_t before = lseek(run->runs_fd, 0, SEEK_END);
	line[length++] = '\n'; /* in place of the terminator */
	ssize_t n = write(run->runs_fd, line, length);
	if (n == (ssize_t)length)
		return 0;
	int error = n < 0 ? errno : ENOSPC;
	if (n > 0 && ftruncate(run->runs_fd, before) < 0)
		error = errno;
	return reason_errno(why, error, "writing %s/runs.jsonl; the runs before are safe",
			    run->folder);
}

static void shuffle(struct random_stream *random, unsigned *order, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		order[i] = i;
	for (unsigned i = count; i > 1; i--) {
		unsigned j = (unsigned)random_below(random, i);
		unsigned swapped = order[i - 1];
		order[i - 1] = order[j];
		order[j] = swapped;
	}
}

/* Runs every configuration once. Returns 0, -EINTR, or -errno with `why`. */
static int run_round(struct comparison_run *run, unsigned round, bool counting, struct reason *why)
{
	unsigned *order = malloc(run->count * sizeof *order);
	int rc = 0;
	shuffle(&run->random, order, run->count);
	for (unsigned i = 0; i < run->count && rc == 0; i++) {
		struct configuration *c = &run->configurations[order[i]];
		if (!c->unsupported) {
			show_progress(run, c->label);
			struct place place = { round, i, order[i], counting };
			char *line = run_once(c, &place);
			rc = line ? append_line(run, line, why) : -EINTR;
			run->kept += rc == 0;
			free(line);
		}
		run->finished++;
	}
	if (rc == 0 && fsync(run->runs_fd) < 0 && errno != EINVAL)
		rc = reason_errno(why, errno, "writing %s/runs.jsonl", run->folder);
	free(order);
	return rc;
}

/* How many more rounds fit into the time limit, as long as those before; at least 1 before the
 * first. */
static unsigned rounds_in_time(const struct comparison_run *run)
{
	if (run->options->time_limit_s <= 0)
		return ROUNDS_MAX;
	if (run->rounds_done == 0)
		return 1;
	double left_s = run->options->time_limit_s - elapsed_s(run);
	double rounds = left_s / (elapsed_s(run) / run->rounds_done);
	return rounds < 1 ? 0 : rounds < ROUNDS_MAX ? (unsigned)rounds : ROUNDS_MAX;
}

/* The shares of the progress bar follow the number of rounds that is expected now. */
static void expect_rounds(struct comparison_run *run, unsigned rounds)
{
	unsigned in_time = rounds_in_time(run);
	if (run->rounds_done > 0 && rounds > run->rounds_done + in_time)
		rounds = run->rounds_done + in_time;
	run->rounds_expected = rounds < ROUNDS_MAX ? rounds : ROUNDS_MAX;
	run->planned = run->count * (run->rounds_expected + (run->options->count_syscalls ? 1 : 0));
}

/* Are the intervals as narrow as was asked? The judgement is the summary's own. */
static bool precise_enough(struct comparison_run *run)
{
	const struct options *o = run->options;
	struct reason why = { "" };
	json_t *command = json_array();
	struct comparison comparison = { .command = command,
					 .baseline = o->baseline,
					 .ended_by = "" };
	json_t *summary = summary_compute(run->folder, &comparison, &why);
	struct precision p = summary_precision(summary, o->until_ci_pct);
	json_decref(summary);
	json_decref(command);
	run->widest_pct = p.widest_pct;
	unsigned needed = p.unreached ? p.rounds_needed : run->rounds_done;
	if (p.unreached && needed <= run->rounds_done)
		needed = run->rounds_done + 1;
	expect_rounds(run, needed > o->rounds ? needed : o->rounds);
	return p.unreached == 0;
}

/* Whether another round is due; otherwise `ended_by` says why not. */
static bool another_round(struct comparison_run *run)
{
	const struct options *o = run->options;
	bool until_ci = o->until_ci_pct > 0;
	unsigned most = until_ci ? ROUNDS_MAX : o->rounds;
	run->ended_by = "rounds";
	if (run->rounds_done >= most)
		return false;
	if (!until_ci)
		expect_rounds(run, o->rounds);
	if (until_ci && run->rounds_done >= 1) {
		bool enough = precise_enough(run);
		run->ended_by = "precision";
		if (enough && run->rounds_done >= o->rounds)
			return false;
	}
	run->ended_by = "time";
	return rounds_in_time(run) > 0;
}

/*
 * How busy the host is while we do nothing: what CPU time of the whole system is to be held
 * against. null when not asked for, or interrupted.
 */
static json_t *measure_idle(double idle_s)
{
	struct measurement before, after;
	struct reason unused;
	if (idle_s <= 0)
		return json_null();
	measurement_open(&before, &after, 0, false, &unused);
	measurement_take(&before);
	struct timespec pause = timespec_of_ns((int64_t)(idle_s * NS_PER_S));
	nanosleep(&pause, NULL);
	measurement_take(&after);
	json_t *metrics = measurement_json(&before, &after, 0, &unused);
	json_t *baseline = json_null();
	if (!interrupted && json_is_number(at_path(metrics, "cpu.host_util_pct")))
		baseline = json_pack("{s:O, s:O, s:f, s:O}", "elapsed_s",
				     at_path(metrics, "elapsed_s"), "busy_pct",
				     at_path(metrics, "cpu.host_util_pct"), "error_pct",
				     100 * number_at(metrics, "cpu.host_error_s") /
					     number_at(metrics, "elapsed_s"),
				     "per_cpu_pct", at_path(metrics, "cpu.per_cpu_pct"));
	json_decref(metrics);
	measurement_close(&before, &after);
	return baseline;
}

static int run_all(struct comparison_run *run, struct reason *why)
{
	int rc = 0;
	for (; rc == 0 && another_round(run); run->rounds_done++)
		rc = run_round(run, run->rounds_done, false, why);
	/* Apart from the measured rounds: the tracepoint slows every system call down. */
	if (rc == 0 && run->options->count_syscalls)
		rc = run_round(run, run->rounds_done, true, why);
	clear_progress(run);
	if (rc != 0)
		run->ended_by = "signal";
	return rc;
}

/* What the statuses of all configurations come to: one that is ok is enough. */
static int status_of(const json_t *summary)
{
	bool unsupported = true;
	size_t i;
	json_t *c;
	json_array_foreach(json_object_get(summary, "configurations"), i, c)
	{
		if (status_is(c, "ok"))
			return EXIT_OK;
		unsupported = unsupported && status_is(c, "unsupported");
	}
	fflush(stdout); /* the table first */
	fputs("iolab: no run ended ok; the reasons are in the table\n", stderr);
	return unsupported ? EXIT_UNSUPPORTED : EXIT_ERROR;
}

/* The summary of whatever was done, even when the comparison was cut short. */
static int conclude(struct comparison_run *run, int argc, char **argv, int rc, struct reason *why)
{
	json_t *command = json_pack("[s, s]", program_invocation_name, "compare");
	for (int i = 1; i < argc; i++)
		json_array_append_new(command, json_string(argv[i]));
	struct comparison comparison = {
		.command = command,
		/* Rounds that the time or the precision made superfluous were never promised. */
		.rounds_planned = rc == 0 ? run->rounds_done : run->rounds_expected,
		.seed = run->options->seed,
		.interrupted = rc != 0,
		.baseline = run->options->baseline,
		.wanted_ci_pct = run->options->until_ci_pct,
		.time_limit_s = run->options->time_limit_s,
		.ended_by = run->ended_by,
		.idle_baseline = run->idle_baseline,
	};
	struct reason summary_why = { "" };
	if (rc == -EINTR && run->kept == 0) {
		printf("Interrupted before the first run was done: there is nothing in %s.\n",
		       run->folder);
		json_decref(command);
		return EXIT_INTERRUPTED;
	}
	json_t *summary = summary_compute(run->folder, &comparison, &summary_why);
	int written = summary ? summary_write(run->folder, summary, &summary_why) : -EIO;
	if (summary)
		summary_print(stdout, summary);
	if (rc == -EINTR)
		printf("\nInterrupted: what was done is kept, %u runs (planned: %u).\n", run->kept,
		       run->planned);
	else if (rc < 0)
		fprintf(stderr, "iolab: %s\n", why->text);
	if (written < 0)
		fprintf(stderr, "iolab: no summary: %s\n", summary_why.text);
	else
		printf("\nResults: %s   Figures and report: make report RESULTS=%s\n", run->folder,
		       run->folder);
	int status = rc == -EINTR	     ? EXIT_INTERRUPTED
		     : rc < 0 || written < 0 ? EXIT_ERROR
					     : status_of(summary);
	json_decref(summary);
	json_decref(command);
	return status;
}

enum option_key {
	OPT_ROUNDS = 0x100,
	OPT_SEED,
	OPT_RUNTIME,
	OPT_WARMUP,
	OPT_OUT,
	OPT_BASELINE,
	OPT_DEPTHS,
	OPT_CONNS,
	OPT_RATES,
	OPT_UNTIL_CI,
	OPT_TIME_LIMIT,
	OPT_IDLE,
	OPT_NO_COUNT
};

static const struct argp_option argp_options[] = {
	{ "engines", 'e', "LIST", 0,
	  "engines and variants, separated by commas (default: those of the labs)", 0 },
	{ "workloads", 'w', "LIST", 0,
	  "file, echo, idle, nop (default: a plan over the first three)", 0 },
	{ "depths", OPT_DEPTHS, "LIST", 0,
	  "operations in flight, for file and nop (default: 1,16,64)", 0 },
	{ "conns", OPT_CONNS, "LIST", 0,
	  "connections, for echo and idle (default: 1,50,500; idle 1000)", 0 },
	{ "rates", OPT_RATES, "LIST", 0,
	  "open loop: operations offered a second, in place of depths and connections", 0 },
	{ "rounds", OPT_ROUNDS, "N", 0, "how often everything is run (default: 5)", 0 },
	{ "until-ci", OPT_UNTIL_CI, "PERCENT", 0,
	  "run rounds (--rounds at least) until every ratio is known to +-PERCENT", 0 },
	{ "time-limit", OPT_TIME_LIMIT, "S", 0,
	  "begin no round that would end later (default: none; with --until-ci 600)", 0 },
	{ "runtime", OPT_RUNTIME, "S", 0, "seconds measured in one run (default: 0.2)", 0 },
	{ "warmup", OPT_WARMUP, "S", 0, "seconds before that (default: 0.05)", 0 },
	{ "idle", OPT_IDLE, "S", 0,
	  "seconds of doing nothing first, to see how busy the host is anyhow (default: 1)", 0 },
	{ "seed", OPT_SEED, "N", 0, "of the order of runs (default: from the clock; recorded)", 0 },
	{ "out", OPT_OUT, "FOLDER", 0, "results folder (default: results/<UTC time>)", 0 },
	{ "baseline", OPT_BASELINE, "ENGINE", 0, "what ratios are taken to (default: blocking)",
	  0 },
	{ "no-count-syscalls", OPT_NO_COUNT, NULL, 0,
	  "leave out the last round, which counts system calls", 0 },
	{ 0 },
};

/* A number above 0 that `unit` may follow. Ends the program otherwise. */
static double parse_positive(struct argp_state *state, const char *option, const char *text,
			     char unit)
{
	char *end;
	double value = strtod(text, &end);
	bool has_unit = *end == unit && end[1] == '\0';
	if (end == text || (*end && !has_unit) || !(value > 0 && value < 1e6))
		argp_error(state, "--%s %s: must be a number above 0 (%c may follow)", option, text,
			   unit);
	return value;
}

/* A list or number is checked here as far as run_options_parse() will not see it. */
static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	unsigned long long number;
	char *end;
	switch (key) {
	case 'e':
		o->engines = arg;
		break;
	case 'w':
		o->workloads = arg;
		break;
	case OPT_DEPTHS:
		o->depths = arg;
		break;
	case OPT_CONNS:
		o->conns = arg;
		break;
	case OPT_RATES:
		o->rates = arg;
		break;
	case OPT_ROUNDS:
		number = strtoull(arg, &end, 10);
		if (*end || number < 1 || number > ROUNDS_MAX)
			argp_error(state, "--rounds %s: must lie between 1 and %d", arg,
				   ROUNDS_MAX);
		o->rounds = (unsigned)number;
		break;
	case OPT_UNTIL_CI:
		o->until_ci_pct = parse_positive(state, "until-ci", arg, '%');
		break;
	case OPT_TIME_LIMIT:
		o->time_limit_s = parse_positive(state, "time-limit", arg, 's');
		break;
	case ARGP_KEY_END:
		if (o->rates && !o->workloads)
			argp_error(state, "--rates: name the --workloads that are to be offered so "
					  "much");
		if (o->until_ci_pct <= 0)
			break;
		if (o->rounds < UNTIL_CI_ROUNDS_MIN)
			argp_error(state, "--until-ci needs at least --rounds %d to judge from",
				   UNTIL_CI_ROUNDS_MIN);
		if (o->time_limit_s <= 0)
			o->time_limit_s = UNTIL_CI_LIMIT_S;
		break;
	case OPT_RUNTIME:
		o->runtime = arg;
		break;
	case OPT_WARMUP:
		o->warmup = arg;
		break;
	case OPT_IDLE:
		o->idle_s = strtod(arg, &end);
		if (end == arg || *end || !(o->idle_s >= 0 && o->idle_s <= 60))
			argp_error(state, "--idle %s: must lie between 0 and 60", arg);
		break;
	case OPT_SEED:
		o->seed = strtoull(arg, &end, 10);
		if (*end || !*arg || *arg == '-' || o->seed > INT64_MAX)
			argp_error(state, "--seed %s: must be a whole number below 2^63", arg);
		break;
	case OPT_OUT:
		o->out = arg;
		break;
	case OPT_BASELINE:
		o->baseline = arg;
		break;
	case OPT_NO_COUNT:
		o->count_syscalls = false;
		break;
	case ARGP_KEY_ARGS:
		o->run_words = state->argv + state->next;
		o->run_word_count = (unsigned)(state->argc - state->next);
		if (strncmp(o->run_words[0], "--", 2) != 0)
			argp_error(state,
				   "'%s' is not an option; options for the runs come after --",
				   o->run_words[0]);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

int command_compare(int argc, char **argv)
{
	static const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.args_doc = "[-- RUN-OPTION...]",
		.doc = "Compares engines on identical workloads: rounds in random order, a fresh "
		       "process a "
		       "run, a table with ratios, and a results folder."
		       "\vOptions after -- go to every `iolab run`, for example: iolab compare -w "
		       "file -- "
		       "--rw randwrite --bs 8k",
	};
	struct options options = {
		.engines = standard_engines(),
		.rounds = 5,
		.seed = clock_ns() % 1000000,
		.runtime = "0.2",
		.warmup = "0.05",
		.count_syscalls = true,
		.idle_s = 1,
	};
	struct reason why = { "" };
	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &options);

	struct comparison_run run = {
		.options = &options,
		.random.state = options.seed,
		.runs_fd = -1,
		.show_progress = isatty(STDOUT_FILENO) && isatty(STDERR_FILENO),
	};
	make_plan(&run);
	check_plan(&run);
	options.baseline = baseline_label(&run);
	expect_rounds(&run, options.rounds);
	struct sigaction action = { .sa_handler = on_interrupt };
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);

	int status = EXIT_ERROR;
	if (make_folder(&run, &why) < 0) {
		fprintf(stderr, "iolab: %s\n", why.text);
	} else {
		run.idle_baseline = measure_idle(options.idle_s);
		run.begun_ns = clock_ns();
		int rc = interrupted ? -EINTR : run_all(&run, &why);
		status = conclude(&run, argc, argv, rc, &why);
	}
	if (run.runs_fd >= 0)
		close(run.runs_fd);
	json_decref(run.idle_baseline);
	free(run.configurations);
	return status;
}
