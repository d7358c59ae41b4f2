/* SPDX-License-Identifier: MIT */
/*
 * What the tests of an engine on streams are written with, beside lab_test.h: messages, two connections, a
 * peer that speaks while reap() waits, an engine that has nothing to do, and a socket that is full.
 */
#ifndef IOLAB_COURSE_STREAM_TEST_H
#define IOLAB_COURSE_STREAM_TEST_H

#include <pthread.h>
#include <stdatomic.h>

#include "clock.h"
#include "lab_test.h"

/* How long a test waits for what must not come, and for what must. */
#define A_MOMENT_NS (20 * NS_PER_MS)
#define PATIENCE_NS (2 * NS_PER_S)

/* Message `number`: no two begin alike. */
void write_message(int fd, unsigned number, unsigned len_bytes);
void expect_message(const struct subject *s, const struct io_op *op, unsigned number,
		    unsigned len_bytes);
/* Until `count` bytes (at most 64) can be read from socket `fd`, without reading them. */
void wait_for_bytes(int fd, size_t count);

/* Two connections: `a` is what the test is about, `b` the quiet one. */
struct two {
	int a[2], b[2];
};
struct two open_two(struct subject *s);
/* An end below 0 is closed already. */
void close_two(struct subject *s, const struct two *two);

#define CONNECTIONS_MANY 500u
/* For that many connections. Skips the test where the limit is lower. */
void raise_fd_limit(unsigned connections);

#define WORDS_MOST 64u

/*
 * A thread of the test's own that speaks to the engine's connections, a word to each, while reap()
 * waits. The test joins it.
 */
struct speaker {
	pthread_t thread;
	int64_t pause_ns; /* before each word */
	unsigned count;
	int fds[WORDS_MOST];
	atomic_bool enough; /* it shall not say what is left */
	uint64_t spoke_ns; /* when it said its last word */
	int64_t longest_ns; /* the longest time between two words */
};
void begin_speaking(struct speaker *speaker);

/*
 * The engine is one thread: in another one it could ask all descriptors in turn, or spin, and
 * allowed_calls looks at the thread of the loop only.
 */
void expect_one_thread(void);

/* Nothing happens for this long, and the engine should make next to no calls. */
#define IDLE_NS	       (30 * NS_PER_MS)
#define IDLE_CALLS_MAX 10
#define IDLE_CPU_NS    (20 * NS_PER_MS)

/*
 * One receive waits on a quiet connection, and the engine sleeps. `cause` says what may keep it awake:
 * "a connection that its peer has closed".
 */
void expect_idle(struct subject *s, unsigned slot, const int ends[2], unsigned fd_slot,
		 const char *cause);

/*
 * Two engines in two threads, which know nothing of each other. The first is held up before its next call
 * among `waits`, and once more before one among `receives`, while the other performs all that it has.
 */
void expect_engines_apart(struct subject *s, const char *waits, const char *receives);

/* A pair whose engine's end has a small send buffer. */
void make_narrow_pair(const struct subject *s, int ends[2]);
/*
 * Sends until a send is left waiting, as operation `slot`. Returns how many bytes went out; byte i
 * of the stream is pattern_byte(i).
 */
uint64_t send_until_full(struct subject *s, unsigned slot, const int ends[2], uint64_t sent);
/* Reads and checks what is there; `at` is the position in that stream. Returns the new one. */
uint64_t take_all(int fd, uint64_t at);
/*
 * The peer reads until the send in `slot` is over, and then the rest of what was sent. `taken`: the bytes
 * that it has read before. Returns how many were sent in all.
 */
uint64_t make_room(struct subject *s, unsigned slot, int peer_fd, uint64_t taken, uint64_t sent);

#endif
