/* SPDX-License-Identifier: MIT */
/*
 * The client of iolab's echo and accept workloads, against anybody's echo server: so that a server from
 * elsewhere meets exactly the load that iolab's engines meet. `make bench-peers` runs it.
 *
 *     server_load stay|visit|stay-unchecked PORT SERVER_PID CLIENTS MESSAGE_BYTES WARM_UP_S SECONDS CLIENT_CPU
 *
 * With `stay` a client keeps its connection, with `visit` it connects for each message (accept_peer.h).
 * Fails when an echo is wrong; `stay-unchecked` takes the server's word for it. Prints messages per
 * second, the round trip's median, the CPU time of the server (all its threads) and of the client, as
 * JSON.
 */
#include <err.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "workloads/accept_peer.h"
#include "workloads/echo_peer.h"

/* The CPU time of another process, kernel workers on its behalf included, to the nanosecond. */
static double cpu_s_of(pid_t pid)
{
	clockid_t clock;
	struct timespec time;
	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) < 0)
		errx(1, "process %d: no CPU clock; is the server still there?", (int)pid);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void let_pass(double seconds)
{
	struct timespec left = timespec_of_ns((int64_t)(seconds * NS_PER_S));
	while (nanosleep(&left, &left) < 0)
		;
}

static void start_client(struct peer_process *peer, char **words)
{
	const char *what = words[1];
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons((uint16_t)atoi(words[2])),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	unsigned clients = (unsigned)atoi(words[4]);
	uint32_t msg_size_bytes = (uint32_t)atoi(words[5]);
	cpu_set_t cpus;
	CPU_ZERO(&cpus);
	CPU_SET(atoi(words[8]), &cpus);

	struct reason why;
	int rc;
	if (strcmp(what, "visit") == 0) {
		struct accept_load load = { .clients = clients,
					    .msg_size_bytes = msg_size_bytes,
					    .seed = 1,
					    .no_farewell = true };
		rc = accept_peer_start(peer, &load, (struct sockaddr *)&address, sizeof address,
				       &cpus, &why);
	} else {
		struct echo_load load = { .conns = clients,
					  .active = clients,
					  .msg_size_bytes = msg_size_bytes,
					  .seed = 1,
					  .trust_echo = strcmp(what, "stay-unchecked") == 0 };
		rc = echo_peer_start(peer, &load, (struct sockaddr *)&address, sizeof address,
				     &cpus, &why);
	}
	if (rc < 0)
		errx(1, "%s", why.text);
}

static bool is_a_load(const char *what)
{
	return strcmp(what, "stay") == 0 || strcmp(what, "visit") == 0 ||
	       strcmp(what, "stay-unchecked") == 0;
}

int main(int argc, char **argv)
{
	if (argc != 9 || !is_a_load(argv[1]))
		errx(2, "usage: server_load stay|visit|stay-unchecked PORT SERVER_PID CLIENTS "
			"MESSAGE_BYTES WARM_UP_S SECONDS CLIENT_CPU");
	pid_t server = (pid_t)atoi(argv[3]);
	struct peer_process peer;
	struct reason why;
	start_client(&peer, argv);
	peer_go(&peer);
	let_pass(strtod(argv[6], NULL));
	double server_s = cpu_s_of(server), client_s = cpu_s_of(peer.pid);
	uint64_t from_ns = clock_ns();
	peer_set_phase(&peer, PEER_WINDOW);
	let_pass(strtod(argv[7], NULL));
	peer_set_phase(&peer, PEER_DONE);
	double elapsed_s = (double)(clock_ns() - from_ns) / NS_PER_S;
	server_s = cpu_s_of(server) - server_s;
	client_s = cpu_s_of(peer.pid) - client_s;
	if (peer_check(&peer, &why) < 0)
		errx(1, "%s", why.text);
	peer_set_phase(&peer, PEER_STOP);
	if (peer_finish(&peer, &why) < 0)
		errx(1, "%s", why.text);
	const struct histogram *round_trips = &peer.shared->round_trips;
	double messages = (double)round_trips->count;
	if (messages < 1)
		errx(1, "no message came back");
	printf("{\"ops_per_s\": %.1f, \"cpu_us_per_op\": %.4f, \"peer_util_pct\": %.1f, "
	       "\"p50_ns\": %llu}\n",
	       messages / elapsed_s, server_s / messages * 1e6, 100 * client_s / elapsed_s,
	       (unsigned long long)histogram_quantile_ns(round_trips, 0.5));
	peer_close(&peer);
	return 0;
}
