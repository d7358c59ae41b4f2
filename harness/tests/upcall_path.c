/* SPDX-License-Identifier: MIT */
/*
 * upcall_follow() and upcall_legs_json(): on recorded events, whose moments were read by eye, and on made
 * ones for each rule. Nothing is traced.
 */
#include "meters/upcall_path.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_path.h"
#include "summary/upcall_legs.h"
#include "tap.h"

#define RECORDED    "harness/tests/fixtures/upcall.json"
#define EVENTS_MAX  64
#define THREADS_MAX 8
#define BEGIN_NS    UINT64_C(1000000)

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* [ns, CPU, thread, tracepoint, three values] */
static struct kernel_event event_of(const json_t *list)
{
	struct kernel_event event = {
		.at_ns = BEGIN_NS + (uint64_t)json_integer_value(json_array_get(list, 0)),
		.cpu = (uint16_t)json_integer_value(json_array_get(list, 1)),
		.thread = (int32_t)json_integer_value(json_array_get(list, 2)),
		.kind = (uint8_t)kernel_event_kind_of(json_string_value(json_array_get(list, 3))),
	};
	for (unsigned v = 0; v < KERNEL_EVENT_VALUES; v++)
		event.values[v] = json_integer_value(json_array_get(list, 4 + v));
	return event;
}

static void check_recorded(struct tap *tap, const json_t *op)
{
	struct kernel_event events[EVENTS_MAX];
	int32_t threads[THREADS_MAX];
	const json_t *list = json_object_get(op, "events"), *own = json_object_get(op, "threads");
	const json_t *expected = json_object_get(op, "path");
	size_t count = json_array_size(list), wrong = 0;
	for (size_t i = 0; i < count && i < EVENTS_MAX; i++)
		events[i] = event_of(json_array_get(list, i));
	for (size_t i = 0; i < json_array_size(own) && i < THREADS_MAX; i++)
		threads[i] = (int32_t)json_integer_value(json_array_get(own, i));
	struct upcall_actors actors = { (int32_t)number_at(op, "loop"),
					(int32_t)number_at(op, "peer"), threads,
					json_array_size(own) };
	struct upcall_op times = { BEGIN_NS, BEGIN_NS + (uint64_t)number_at(op, "accepted_ns"),
				   BEGIN_NS + (uint64_t)number_at(op, "taken_ns") };
	struct upcall_path path = upcall_follow(events, count, &times, &actors);
	for (unsigned m = 0; m < UPCALL_MOMENTS; m++) {
		const json_t *at_ns = json_object_get(expected, upcall_moments[m].name);
		uint64_t right_ns = at_ns ? BEGIN_NS + (uint64_t)json_integer_value(at_ns) : 0;
		if (path.at_ns[m] != right_ns) {
			printf("# %s: %llu and not %llu\n", upcall_moments[m].name,
			       (unsigned long long)path.at_ns[m], (unsigned long long)right_ns);
			wrong++;
		}
	}
	tap_check(tap, wrong == 0 && count <= EVENTS_MAX, "recorded: %s", string_at(op, "name"));
}

/* The actors of what is made up here. */
enum { LOOP = 100, HELPER = 101, PEER = 200, OTHER = 300 };

static const int32_t own_threads[] = { LOOP, HELPER };

/* A case: events at 1, 2, 3 ... after the beginning, and where a moment is to be; 0: not seen. */
struct made_case {
	const char *what;
	int32_t peer;
	uint64_t accepted_ns; /* 0: after everything */
	struct kernel_event events[12]; /* ended by one without a thread */
	struct {
		enum upcall_moment moment;
		uint64_t at_ns;
	} expected[4]; /* ended by one of MOMENT_OFFERED */
};

#define EVENT(kind_, cpu_, thread_, ...)                                                           \
	{                                                                                          \
		.kind = (kind_), .cpu = (cpu_), .thread = (thread_), .values = { __VA_ARGS__ }     \
	}

static const struct made_case made_cases[] = {
	{ "a device whose interrupt completes the request itself: no softirq",
	  .events = { EVENT(EVENT_BLOCK_ISSUE, 0, LOOP, 8, 40), EVENT(EVENT_IRQ_ENTER, 1, OTHER, 7),
		      EVENT(EVENT_BLOCK_COMPLETE, 1, OTHER, 8, 40) },
	  .expected = { { MOMENT_INTERRUPT, 2 }, { MOMENT_SOFTIRQ, 0 }, { MOMENT_COMPLETED, 3 } } },
	{ "another one's request is not ours, before and after",
	  .events = { EVENT(EVENT_BLOCK_ISSUE, 0, OTHER, 8, 24),
		      EVENT(EVENT_BLOCK_ISSUE, 0, LOOP, 8, 40),
		      EVENT(EVENT_BLOCK_COMPLETE, 1, OTHER, 8, 24),
		      EVENT(EVENT_BLOCK_COMPLETE, 1, OTHER, 9, 40),
		      EVENT(EVENT_BLOCK_COMPLETE, 1, OTHER, 8, 40) },
	  .expected = { { MOMENT_ISSUED, 2 }, { MOMENT_COMPLETED, 5 }, { MOMENT_INTERRUPT, 0 } } },
	{ "a request that we queue and a worker of the kernel issues is ours",
	  .events = { EVENT(EVENT_BLOCK_INSERT, 0, HELPER, 8, 40),
		      EVENT(EVENT_BLOCK_ISSUE, 0, OTHER, 8, 16),
		      EVENT(EVENT_BLOCK_ISSUE, 0, OTHER, 8, 40),
		      EVENT(EVENT_BLOCK_COMPLETE, 1, OTHER, 8, 40) },
	  .expected = { { MOMENT_ISSUED, 3 }, { MOMENT_COMPLETED, 4 } } },
	{ "interrupt and softirq of another CPU led to nothing here",
	  .events = { EVENT(EVENT_BLOCK_ISSUE, 0, LOOP, 8, 40), EVENT(EVENT_IRQ_ENTER, 0, OTHER, 7),
		      EVENT(EVENT_SOFTIRQ_RAISE, 0, OTHER, 4),
		      EVENT(EVENT_SOFTIRQ_ENTER, 0, OTHER, 4),
		      EVENT(EVENT_BLOCK_COMPLETE, 1, OTHER, 8, 40) },
	  .expected = { { MOMENT_INTERRUPT, 0 }, { MOMENT_SOFTIRQ, 0 }, { MOMENT_COMPLETED, 5 } } },
	{ "a softirq that has ended, and one of another number, are not around the completion",
	  .events = { EVENT(EVENT_BLOCK_ISSUE, 0, LOOP, 8, 40),
		      EVENT(EVENT_SOFTIRQ_ENTER, 0, OTHER, 4),
		      EVENT(EVENT_SOFTIRQ_EXIT, 0, OTHER, 4),
		      EVENT(EVENT_SOFTIRQ_ENTER, 0, OTHER, 9),
		      EVENT(EVENT_BLOCK_COMPLETE, 0, OTHER, 8, 40) },
	  .expected = { { MOMENT_SOFTIRQ, 0 }, { MOMENT_COMPLETED, 5 } } },
	{ "a softirq that was not raised within an interrupt has none",
	  .events = { EVENT(EVENT_BLOCK_ISSUE, 0, LOOP, 8, 40), EVENT(EVENT_IRQ_ENTER, 1, OTHER, 7),
		      EVENT(EVENT_IRQ_EXIT, 1, OTHER, 7), EVENT(EVENT_SOFTIRQ_RAISE, 1, OTHER, 4),
		      EVENT(EVENT_SOFTIRQ_ENTER, 1, OTHER, 4),
		      EVENT(EVENT_BLOCK_COMPLETE, 1, OTHER, 8, 40) },
	  .expected = { { MOMENT_INTERRUPT, 0 }, { MOMENT_SOFTIRQ, 5 } } },
	{ "an interrupt within an interrupt: the outer one raised the softirq",
	  .events = { EVENT(EVENT_BLOCK_ISSUE, 0, LOOP, 8, 40), EVENT(EVENT_IRQ_ENTER, 1, OTHER, 7),
		      EVENT(EVENT_IRQ_ENTER, 1, OTHER, 9), EVENT(EVENT_IRQ_EXIT, 1, OTHER, 9),
		      EVENT(EVENT_SOFTIRQ_RAISE, 1, OTHER, 4), EVENT(EVENT_IRQ_EXIT, 1, OTHER, 7),
		      EVENT(EVENT_SOFTIRQ_ENTER, 1, OTHER, 4),
		      EVENT(EVENT_BLOCK_COMPLETE, 1, OTHER, 8, 40) },
	  .expected = { { MOMENT_INTERRUPT, 2 }, { MOMENT_SOFTIRQ, 7 } } },
	{ "an interrupt from before the request was issued is another one's",
	  .events = { EVENT(EVENT_IRQ_ENTER, 1, OTHER, 7), EVENT(EVENT_BLOCK_ISSUE, 0, LOOP, 8, 40),
		      EVENT(EVENT_BLOCK_COMPLETE, 1, OTHER, 8, 40) },
	  .expected = { { MOMENT_INTERRUPT, 0 }, { MOMENT_COMPLETED, 3 } } },
	{ "pushed aside is not asleep",
	  .events = { EVENT(EVENT_BLOCK_ISSUE, 0, LOOP, 8, 40),
		      EVENT(EVENT_SWITCH, 0, LOOP, LOOP, OTHER, 2),
		      EVENT(EVENT_SWITCH, 0, OTHER, OTHER, LOOP, 0),
		      EVENT(EVENT_SWITCH, 0, LOOP, LOOP, OTHER, 256),
		      EVENT(EVENT_BLOCK_COMPLETE, 1, OTHER, 8, 40),
		      EVENT(EVENT_WAKING, 1, OTHER, LOOP),
		      EVENT(EVENT_SWITCH, 0, OTHER, OTHER, LOOP, 0) },
	  .expected = { { MOMENT_SLEEPS, 2 }, { MOMENT_WOKEN, 6 }, { MOMENT_RUNS, 7 } } },
	{ "a wake-up before the completion brings no news, another thread's neither",
	  .events = { EVENT(EVENT_BLOCK_ISSUE, 0, LOOP, 8, 40), EVENT(EVENT_WAKING, 1, OTHER, LOOP),
		      EVENT(EVENT_SYSCALL_EXIT, 0, LOOP, 17, 0),
		      EVENT(EVENT_BLOCK_COMPLETE, 1, OTHER, 8, 40),
		      EVENT(EVENT_WAKING, 1, OTHER, OTHER),
		      EVENT(EVENT_SYSCALL_EXIT, 0, LOOP, 17, 0) },
	  .expected = { { MOMENT_WOKEN, 0 }, { MOMENT_RUNS, 0 }, { MOMENT_RETURNED, 6 } } },
	{ "a helper that was running all along, and was pushed aside, has not been handed anything",
	  .events = { EVENT(EVENT_SWITCH, 0, HELPER, HELPER, OTHER, 256),
		      EVENT(EVENT_SWITCH, 0, OTHER, OTHER, HELPER, 0),
		      EVENT(EVENT_BLOCK_ISSUE, 0, HELPER, 8, 40),
		      EVENT(EVENT_BLOCK_COMPLETE, 1, OTHER, 8, 40) },
	  .expected = { { MOMENT_HELPER_BEGINS, 0 }, { MOMENT_ISSUED, 3 } } },
	{ "without a request nothing is guessed",
	  .events = { EVENT(EVENT_SYSCALL_ENTER, 0, LOOP, 17), EVENT(EVENT_IRQ_ENTER, 0, LOOP, 7),
		      EVENT(EVENT_WAKING, 1, OTHER, LOOP), EVENT(EVENT_SYSCALL_EXIT, 0, LOOP, 17) },
	  .expected = { { MOMENT_CALLED, 1 },
			{ MOMENT_INTERRUPT, 0 },
			{ MOMENT_WOKEN, 0 },
			{ MOMENT_RETURNED, 0 } } },
	{ "submit() that returns when all is over left nothing to hold", .accepted_ns = 4,
	  .events = { EVENT(EVENT_BLOCK_ISSUE, 0, LOOP, 8, 40),
		      EVENT(EVENT_BLOCK_COMPLETE, 1, OTHER, 8, 40) },
	  .expected = { { MOMENT_ACCEPTED, 0 }, { MOMENT_COMPLETED, 2 } } },
	{ "a packet: the peer's, and the socket that it comes to on that CPU", PEER,
	  .events = { EVENT(EVENT_PACKET_QUEUE, 0, LOOP, 1), EVENT(EVENT_PACKET_QUEUE, 1, PEER, 2),
		      EVENT(EVENT_SOFTIRQ_RAISE, 1, PEER, 3),
		      EVENT(EVENT_SOFTIRQ_ENTER, 1, PEER, 3),
		      EVENT(EVENT_PACKET_RECEIVE, 0, LOOP, 1),
		      EVENT(EVENT_SOCKET_READY, 0, LOOP, 5),
		      EVENT(EVENT_PACKET_RECEIVE, 1, PEER, 2),
		      EVENT(EVENT_SOCKET_READY, 0, LOOP, 5),
		      EVENT(EVENT_SOCKET_READY, 1, PEER, 6) },
	  .expected = { { MOMENT_PACKET, 2 },
			{ MOMENT_SOFTIRQ, 4 },
			{ MOMENT_COMPLETED, 9 },
			{ MOMENT_INTERRUPT, 0 } } },
	{ "a packet that a network card brings: its interrupt", PEER,
	  .events = { EVENT(EVENT_PACKET_QUEUE, 0, PEER, 2), EVENT(EVENT_IRQ_ENTER, 1, OTHER, 30),
		      EVENT(EVENT_SOFTIRQ_RAISE, 1, OTHER, 3), EVENT(EVENT_IRQ_EXIT, 1, OTHER, 30),
		      EVENT(EVENT_SOFTIRQ_ENTER, 1, OTHER, 3),
		      EVENT(EVENT_PACKET_RECEIVE, 1, OTHER, 2),
		      EVENT(EVENT_SOCKET_READY, 1, OTHER, 6) },
	  .expected = { { MOMENT_INTERRUPT, 2 }, { MOMENT_COMPLETED, 7 } } },
};

static void check_made(struct tap *tap, const struct made_case *made)
{
	struct kernel_event events[LENGTH(made->events) + 2];
	struct upcall_actors actors = { LOOP, made->peer, own_threads, LENGTH(own_threads) };
	size_t count = 0;
	/* What comes before and after must not count. */
	events[count++] = (struct kernel_event)EVENT(EVENT_BLOCK_ISSUE, 0, LOOP, 8, 8);
	for (; count <= LENGTH(made->events) && made->events[count - 1].thread != 0; count++) {
		events[count] = made->events[count - 1];
		events[count].at_ns = BEGIN_NS + count;
	}
	struct upcall_op times = { BEGIN_NS, BEGIN_NS + (made->accepted_ns ?: 1),
				   BEGIN_NS + count };
	events[count] = (struct kernel_event)EVENT(EVENT_SYSCALL_EXIT, 0, LOOP, 17);
	events[count].at_ns = times.taken_ns + 1;
	struct upcall_path path = upcall_follow(events, count + 1, &times, &actors);
	bool right = path.at_ns[MOMENT_OFFERED] == times.offered_ns &&
		     path.at_ns[MOMENT_TAKEN] == times.taken_ns;
	for (unsigned i = 0; i < LENGTH(made->expected) && made->expected[i].moment; i++) {
		enum upcall_moment moment = made->expected[i].moment;
		uint64_t at_ns = made->expected[i].at_ns;
		if (path.at_ns[moment] == (at_ns ? BEGIN_NS + at_ns : 0))
			continue;
		printf("# %s: %lld and not %llu\n", upcall_moments[moment].name,
		       (long long)(path.at_ns[moment] - BEGIN_NS), (unsigned long long)at_ns);
		right = false;
	}
	tap_check(tap, right, "%s", made->what);
}

static void check_keeping(struct tap *tap)
{
	struct upcall_actors actors = { LOOP, PEER, own_threads, LENGTH(own_threads) };
	struct kernel_event events[] = {
		EVENT(EVENT_SYSCALL_ENTER, 0, OTHER, 1),
		EVENT(EVENT_SYSCALL_EXIT, 0, PEER, 1, 1),
		EVENT(EVENT_SWITCH, 0, OTHER, OTHER, 0, 1),
		EVENT(EVENT_SWITCH, 0, OTHER, OTHER, HELPER, 1),
		EVENT(EVENT_WAKING, 0, LOOP, OTHER),
		EVENT(EVENT_WAKING, 0, OTHER, LOOP),
		EVENT(EVENT_IRQ_ENTER, 0, OTHER, 7),
	};
	size_t kept = upcall_keep(events, LENGTH(events), &actors);
	tap_check(tap,
		  kept == 4 && events[0].thread == PEER && events[1].values[1] == HELPER &&
			  events[2].values[0] == LOOP && events[3].kind == EVENT_IRQ_ENTER,
		  "kept is what tells of the actors, and what tells of nobody");
}

/* The entry of this moment in upcall_legs_json(), and where it stands. */
static const json_t *leg(const json_t *legs, const char *name, size_t *position)
{
	for (size_t i = 0; i < json_array_size(legs); i++) {
		*position = i;
		if (strcmp(string_at(json_array_get(legs, i), "name"), name) == 0)
			return json_array_get(legs, i);
	}
	return NULL;
}

/* An operation: offered at 0, issued, complete, taken; -1: not seen. */
static void add_path(json_t *paths, int issued, int completed, int taken)
{
	json_t *path = json_array();
	for (unsigned m = 0; m < UPCALL_MOMENTS; m++) {
		int at_ns = m == MOMENT_OFFERED	    ? 0
			    : m == MOMENT_ISSUED    ? issued
			    : m == MOMENT_COMPLETED ? completed
			    : m == MOMENT_TAKEN	    ? taken
						    : -1;
		json_array_append_new(path, at_ns < 0 ? json_null() : json_integer(at_ns));
	}
	json_array_append_new(paths, path);
}

static void check_legs(struct tap *tap)
{
	json_t *rounds[3] = { json_array(), NULL, json_array() };
	add_path(rounds[0], 10, 110, 120);
	add_path(rounds[0], 20, 220, 230);
	add_path(rounds[2], 30, 330, 340);
	add_path(rounds[2], -1, -1, 50);
	struct upcall_ways ways = { rounds, 3, true };
	json_t *legs = upcall_legs_json(&ways);
	size_t issued_at, completed_at, taken_at, interrupt_at;
	const json_t *issued = leg(legs, "issued", &issued_at);
	const json_t *completed = leg(legs, "completed", &completed_at);
	const json_t *taken = leg(legs, "taken", &taken_at);
	const json_t *interrupt = leg(legs, "interrupt", &interrupt_at);
	tap_check(tap, upcall_ops(&ways) == 4, "a round that failed has no operations");
	tap_check(tap,
		  issued_at < completed_at && completed_at < taken_at && taken_at < interrupt_at,
		  "in the order in which they come; then those that nobody saw");
	tap_check(tap,
		  number_at(completed, "leg_ns.median") == 200 &&
			  number_at(completed, "at_ns.median") == 220 &&
			  number_at(completed, "leg_ns.p10") == 120 &&
			  number_at(completed, "leg_ns.p90") == 280 &&
			  number_at(completed, "seen") == 3,
		  "a leg: median and spread of the operations that have it");
	tap_check(tap,
		  number_at(completed, "leg_by_round.median") == 225 &&
			  number_at(completed, "leg_by_round.count") == 2,
		  "the median of each round, which has a range of its own");
	tap_check(tap, fabs(number_at(taken, "leg_ns.p90") - 38) < 0.1,
		  "where a moment is missing the leg begins at the one before it");
	tap_check(tap,
		  number_at(issued, "step") == 3 && number_at(interrupt, "seen") == 0 &&
			  json_is_null(json_object_get(interrupt, "at_ns")),
		  "expected and not seen: it is there, without a time");
	json_decref(legs);
	json_decref(rounds[0]);
	json_decref(rounds[2]);
}

int main(void)
{
	struct tap tap = { 0 };
	size_t i;
	json_t *op, *recorded = json_load_file(RECORDED, 0, NULL);
	tap_check(&tap, recorded != NULL, "there is %s", RECORDED);
	json_array_foreach (recorded, i, op)
		check_recorded(&tap, op);
	json_decref(recorded);
	for (i = 0; i < LENGTH(made_cases); i++)
		check_made(&tap, &made_cases[i]);
	check_keeping(&tap);
	check_legs(&tap);
	return tap_end(&tap);
}
