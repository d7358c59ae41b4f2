/* SPDX-License-Identifier: MIT */
/* The values of fio's options, as fio reads them (fio(1), "Parameter types"). */
#ifndef IOLAB_FIO_OPTIONS_H
#define IOLAB_FIO_OPTIONS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "reason.h"

/*
 * Global options and the job's own, which go before; all values are strings. Of options that set the
 * same thing, such as rw and readwrite, the last one is there. A new reference. Empty when the file does
 * not say them: fio before 2.3 writes none.
 */
json_t *fio_options_of(const json_t *document, const json_t *job);

/* The value of an option under either of its names (`alias` may be NULL); NULL: it is not given. */
const char *fio_option(const json_t *options, const char *name, const char *alias);

/* Whether a yes-or-no option is on: fio writes "1", or nothing where its name alone was given. */
bool fio_option_is_on(const json_t *options, const char *name);

/*
 * A count: `usual` when it is not given, and 0 when it is given as 0. Returns 0, or -EINVAL with a
 * `why` that names the option.
 */
int fio_option_count(const json_t *options, const char *name, unsigned usual, unsigned *count,
		     struct reason *why);

/*
 * A number of up to 64 bits, such as a seed: 0 when it is not given. Returns 0, or -EINVAL with a `why`
 * that names the option.
 */
int fio_option_large(const json_t *options, const char *name, uint64_t *number, struct reason *why);

/* "128k" in bytes; 0 for what is not a size in bytes. */
uint64_t fio_option_bytes(const json_t *options, const char *text);

/* The seconds of "500ms"; 0 when it is not given, and for what is not a time. */
double fio_option_seconds(const json_t *options, const char *name, const char *alias);

/* 0, or -EINVAL with a `why` that names the option, when it is given and is not a time. */
int fio_option_check_time(const json_t *options, const char *name, const char *alias,
			  struct reason *why);

/* The sizes of the blocks that a job reads and writes. */
struct fio_blocks {
	uint32_t bytes; /* 0: not all of one size */
	const char *words; /* the option that says which, where they are not of one size */
};

/*
 * The sizes of a job that reads or writes or both, in order or at random. Returns 0, or -EINVAL with
 * a `why`. The words are borrowed from the options.
 */
int fio_option_blocks(const json_t *options, bool reads, bool writes, bool random,
		      struct fio_blocks *blocks, struct reason *why);

/* Is the name one of the words of a list, which may be patterns of the shell's? */
bool fio_is_listed(const char *name, const char *words);

#endif
