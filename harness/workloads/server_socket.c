/* SPDX-License-Identifier: MIT */
#include "workloads/server_socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/remark.h"
#include "meters/meter.h"

const char *const transport_names[] = { "tcp", "unix", NULL };

int listen_anywhere(enum transport transport, struct sockaddr_storage *address,
		    socklen_t *address_len, struct reason *why)
{
	memset(address, 0, sizeof *address);
	if (transport == TRANSPORT_TCP) {
		struct sockaddr_in *in = (struct sockaddr_in *)address;
		in->sin_family = AF_INET;
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		*address_len = sizeof *in;
	} else {
		/* Only the family: the kernel picks an abstract name, unix(7) "autobind". */
		address->ss_family = AF_UNIX;
		*address_len = sizeof(sa_family_t);
	}
	int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return reason_errno(why, "socket_not_made", errno, "socket");
	if (bind(fd, (struct sockaddr *)address, *address_len) < 0 || listen(fd, SOMAXCONN) < 0) {
		int rc = reason_errno(why, "not_listening", errno, "listening for the peer");
		close(fd);
		return rc;
	}
	*address_len = sizeof *address;
	getsockname(fd, (struct sockaddr *)address, address_len);
	return fd;
}

cpu_set_t choose_peer_cpu(const cpu_set_t *server_cpus, bool *shared)
{
	cpu_set_t allowed, chosen;
	sched_getaffinity(0, sizeof allowed, &allowed);
	CPU_ZERO(&chosen);
	for (int cpu = CPU_SETSIZE; cpu-- > 0;) {
		if (!CPU_ISSET(cpu, &allowed) || CPU_ISSET(cpu, server_cpus))
			continue;
		CPU_SET(cpu, &chosen);
		return chosen;
	}
	*shared = true;
	return allowed;
}

void peer_remarks(bool shares_cpu, const json_t *metrics, json_t *warnings)
{
	const json_t *cpu = json_object_get(metrics, "cpu");
	double peer_pct = json_number_value(json_object_get(cpu, "peer_util_pct"));
	if (shares_cpu)
		remark_add(warnings, "peer_shares_cpu", NULL,
			   "server and peer had to share their CPUs; they slow each other down");
	/* The peer sleeps whenever it waits for the server: near 100 % means that it never had to. */
	if (peer_pct >= PEER_BUSY_PCT)
		remark_add(warnings, "peer_at_limit", NULL,
			   "the peer was at its limit: compare CPU per operation, not rates");
}
