/* SPDX-License-Identifier: MIT */
/* The answering service: how many questions wait for their time at once. */
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "tap.h"
#include "workloads/timed_answers.h"

/* Asks three at once, of which the last is due first. Keeps the numbers in the order of the answers. */
static bool ask_three(unsigned waiting_max, uint64_t numbers[3])
{
	static const struct timed_question questions[3] = {
		{ .number = 1, .delay_ns = 30 * NS_PER_MS },
		{ .number = 2, .delay_ns = 60 * NS_PER_MS },
		{ .number = 3, .delay_ns = 0 },
	};
	struct timed_answers service;
	struct timed_answer answers[3];
	struct reason why = { "" };
	if (timed_answers_start(&service, waiting_max, &why) < 0)
		return false;
	bool is_right =
		send(service.ask_fd, questions, sizeof questions, 0) == sizeof questions &&
		recv(service.hear_fd, answers, sizeof answers, MSG_WAITALL) == sizeof answers;
	for (unsigned i = 0; is_right && i < 3; i++) {
		numbers[i] = answers[i].number;
		is_right = answers[i].value == timed_value(numbers[i]);
	}
	timed_answers_stop(&service);
	return is_right;
}

int main(void)
{
	struct tap tap = { 0 };
	uint64_t numbers[3] = { 0 };
	bool is_right = ask_three(3, numbers);
	tap_check(&tap, is_right && numbers[0] == 3,
		  "with room for all, what is due first is answered first: %d", (int)numbers[0]);
	/* The third stays in the socket until the first has been answered. */
	is_right = ask_three(2, numbers);
	tap_check(&tap, is_right && numbers[0] == 1,
		  "with room for two, a third waits in the socket: %d", (int)numbers[0]);
	return tap_end(&tap);
}
