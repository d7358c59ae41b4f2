/* SPDX-License-Identifier: MIT */
/*
 * A signal that comes while a run is being started is not lost: between fork(2) and execve(2) the
 * child has our handler, and execve(2) forgets what the handler noted.
 */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/json_path.h"
#include "plan/child_run.h"
#include "tap.h"

static int signal_of_child, signal_of_parent;

static void signal_both(void)
{
	if (signal_of_child)
		raise(signal_of_child);
	if (signal_of_parent)
		kill(getppid(), signal_of_parent);
}

static json_t *run_once(int of_child, int of_parent, struct reason *why)
{
	struct run_words words;
	signal_of_child = of_child;
	signal_of_parent = of_parent;
	run_words_begin(&words);
	return child_run(&words, 60, why);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "run") == 0) {
		puts("{\"status\": \"ok\"}"); /* as the run that child_run() starts */
		return 0;
	}
	struct tap tap = { 0 };
	struct reason why = { "" };
	interrupt_install(NULL);
	pthread_atfork(NULL, NULL, signal_both);

	json_t *answer = run_once(0, 0, &why);
	tap_check(&tap, status_is(answer, "ok"), "a run that nobody signals answers (%s)",
		  why.text);
	json_decref(answer);

	static const int both[] = { SIGINT, SIGTERM };
	for (unsigned i = 0; i < 2; i++) {
		answer = run_once(both[i], 0, &why);
		tap_check(&tap, !answer && strcmp(why.id, "killed") == 0,
			  "SIG%s before execve(2) ends the child (%s)", sigabbrev_np(both[i]),
			  answer ? "it ran" : why.text);
		json_decref(answer);
	}

	answer = run_once(SIGINT, SIGINT, &why);
	tap_check(&tap, !answer && strcmp(why.id, "interrupted") == 0,
		  "where both were signalled the end was asked for, and nothing failed (%s)",
		  answer ? "it ran" : why.text);
	json_decref(answer);
	return tap_end(&tap);
}
