/* SPDX-License-Identifier: MIT */
/*
 * uring_echo: sends every client its own bytes back, by io_uring with what a server asks it for: one
 * accept for all clients, one receive for each, and buffers that the kernel chooses.
 *
 *     cc -O2 -Wall -Wextra -o build/uring_echo labs/10_uring_tuned/program.c -luring
 *     build/uring_echo PORT CLIENTS [BUFFERS] [LETTERS]    until CLIENTS have left
 *
 * Letters: s asks anew for each client and each receive, w lets the kernel finish work when it likes,
 * z sends without a copy, c computes after each batch.
 */
#include <err.h>
#include <errno.h>
#include <liburing.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CLIENTS_MAX = 1000, BUFFERS_MAX = 1024, BUFFER_BYTES = 4096 };
enum kind { ACCEPT, RECEIVE, SEND };
static struct client {
	bool here, armed, ended;
	unsigned held, first, last; /* buffers whose bytes are still to go back, in their order */
} clients[CLIENTS_MAX]; /* by descriptor */
static unsigned next[BUFFERS_MAX], length_bytes[BUFFERS_MAX];
static char bytes[BUFFERS_MAX][BUFFER_BYTES];
static char offers[BUFFERS_MAX * sizeof(struct io_uring_buf)] __attribute__((aligned(4096)));
static struct io_uring_buf_ring *const offered = (void *)offers; /* the kernel takes from here */
static unsigned buffer_count = 64, at_hand, to_leave; /* at hand: with nothing of a client's in */
static struct io_uring ring;
static const char *letters = "";
static bool accepts, full; /* the accept is armed; it ended, since no descriptor was left */
static unsigned long receives, calls, without_buffer, meanwhile;

static void ask(enum kind kind, int fd, unsigned buffer)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring); /* not NULL: there are enough */
	if (kind == ACCEPT)
		io_uring_prep_accept(sqe, fd, NULL, NULL, SOCK_CLOEXEC);
	else if (kind == RECEIVE)
		io_uring_prep_recv(sqe, fd, NULL, 0, 0), sqe->flags |= IOSQE_BUFFER_SELECT;
	else
		io_uring_prep_send(sqe, fd, bytes[buffer], length_bytes[buffer], MSG_WAITALL);
	if (kind == SEND && strchr(letters, 'z'))
		sqe->opcode = IORING_OP_SEND_ZC;
	if (kind != SEND && !strchr(letters, 's'))
		sqe->ioprio |= kind == ACCEPT ? IORING_ACCEPT_MULTISHOT : IORING_RECV_MULTISHOT;
	io_uring_sqe_set_data64(sqe, (uint64_t)kind << 32 | (unsigned)fd);
}

static void offer(unsigned buffer)
{
	io_uring_buf_ring_add(offered, bytes[buffer], BUFFER_BYTES, (unsigned short)buffer,
			      io_uring_buf_ring_mask(buffer_count), 0);
	io_uring_buf_ring_advance(offered, 1);
	at_hand++;
}

/* Asks for another receive when the last one has ended. Takes leave of who has left. */
static void go_on(struct client *c, int fd)
{
	bool may_arm = c->here && !c->armed && !c->ended && at_hand > 0;
	if (may_arm && (c->held == 0 || !strchr(letters, 's')))
		c->armed = true, receives++, ask(RECEIVE, fd, 0);
	if (c->ended && c->held == 0)
		*c = (struct client) { 0 }, to_leave--, full = false, close(fd);
}

static void received(struct client *c, int fd, const struct io_uring_cqe *cqe)
{
	unsigned buffer = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
	c->armed = cqe->flags & IORING_CQE_F_MORE; /* without it, the request has ended */
	c->ended = cqe->res <= 0 && cqe->res != -ENOBUFS;
	without_buffer += cqe->res == -ENOBUFS; /* the bytes wait in the socket */
	if (cqe->res <= 0)
		return;
	length_bytes[buffer] = (unsigned)cqe->res;
	at_hand--;
	if (c->held++ == 0)
		ask(SEND, fd, c->first = buffer);
	else
		next[c->last] = buffer;
	c->last = buffer;
}

static void take(const struct io_uring_cqe *cqe)
{
	enum kind kind = cqe->user_data >> 32;
	int fd = (int)(uint32_t)cqe->user_data;
	struct client *c = &clients[fd];
	bool is_last = !(cqe->flags & IORING_CQE_F_MORE);
	if (kind == RECEIVE)
		received(c, fd, cqe);
	if (kind == ACCEPT)
		accepts = !is_last, full = cqe->res == -EMFILE;
	if (kind == ACCEPT && cqe->res >= CLIENTS_MAX)
		close(cqe->res);
	else if (kind == ACCEPT && cqe->res >= 0)
		clients[cqe->res].here = true;
	if (kind == SEND && is_last) { /* not before: the kernel may still read the buffer */
		offer(c->first);
		c->first = next[c->first];
		if (--c->held > 0)
			ask(SEND, fd, c->first);
	}
}

int main(int argc, char **argv)
{
	if (argc < 3 || (argc > 3 && (buffer_count = (unsigned)atoi(argv[3])) > BUFFERS_MAX))
		errx(2, "usage: uring_echo PORT CLIENTS [BUFFERS] [LETTERS]");
	letters = argc > 4 ? argv[4] : "";
	in_port_t port = htons((in_port_t)atoi(argv[1]));
	struct sockaddr_in at = { AF_INET, port, { htonl(INADDR_LOOPBACK) }, "" };
	int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(listener, (void *)&at, sizeof at) < 0 || listen(listener, SOMAXCONN) < 0)
		err(1, "listening");
	unsigned only_when_asked = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
	struct io_uring_params params = { .flags = strchr(letters, 'w') ? 0 : only_when_asked };
	struct io_uring_buf_reg group = { (uintptr_t)offered, buffer_count, .bgid = 0 };
	int rc = io_uring_queue_init_params(4 * CLIENTS_MAX, &ring, &params);
	if (rc < 0 || (rc = io_uring_register_buf_ring(&ring, &group, 0)) < 0)
		errx(1, "io_uring: %s", strerror(-rc));
	for (unsigned i = 0; i < buffer_count; i++)
		offer(i);
	for (to_leave = (unsigned)atoi(argv[2]); to_leave > 0; calls++) {
		unsigned head, seen = 0;
		struct io_uring_cqe *cqe;
		if (!accepts && !full)
			accepts = true, ask(ACCEPT, listener, 0);
		if ((rc = io_uring_submit_and_wait(&ring, 1)) < 0 && rc != -EINTR)
			errx(1, "io_uring_enter: %s", strerror(-rc));
		io_uring_for_each_cqe (&ring, head, cqe)
			take(cqe), seen++;
		io_uring_cq_advance(&ring, seen);
		for (int fd = 0; fd < CLIENTS_MAX; fd++)
			go_on(&clients[fd], fd);
		for (volatile long i = strchr(letters, 'c') ? 100000000 : 0; i > 0; i--)
			; /* computes, and makes no system call */
		meanwhile += io_uring_cq_ready(&ring);
	}
	printf("%u requests (%lu receives), %lu calls, %u completions (%lu unasked), no buffer: %lu\n",
	       *ring.sq.ktail, receives, calls, *ring.cq.khead, meanwhile, without_buffer);
	return shutdown(listener, SHUT_RDWR); /* our ring may hold it longer than we live */
}
