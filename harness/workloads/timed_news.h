/* SPDX-License-Identifier: MIT */
/*
 * A process of its own that sends the time of sending, by clock_ns(), to one socket after another, at
 * a steady beat. Whoever receives it knows how long the news has waited, whatever held it up.
 */
#ifndef IOLAB_TIMED_NEWS_H
#define IOLAB_TIMED_NEWS_H

#include <stdint.h>
#include <sys/types.h>

#include "reason.h"

#define TIMED_NEWS_SOCKETS_MAX 256u

struct timed_news {
	int sockets[TIMED_NEWS_SOCKETS_MAX]; /* to receive from: streams of uint64_t, blocking */
	unsigned count;
	pid_t pid; /* 0: none */
};

/*
 * One message goes out every `beat_ns`, from now on, to each of the `count` sockets in turn. Returns
 * 0, or -errno with `why`; then nothing is left. The process ends with this one, or when a socket has
 * no room for a message.
 */
int timed_news_start(struct timed_news *news, unsigned count, int64_t beat_ns, struct reason *why);

/* Ends the process, and closes the sockets. */
void timed_news_stop(struct timed_news *news);

#endif
