/* SPDX-License-Identifier: MIT */
/* A results folder in the formats of other programs. */
#ifndef IOLAB_EXPORT_H
#define IOLAB_EXPORT_H

#include <jansson.h>
#include <stdio.h>

/* `runs` are those of runs.jsonl. A run that counted system calls is measured by no format but CSV. */

/* One job of fio's a run. */
void export_fio(FILE *out, const json_t *runs, const json_t *summary);

/* One result of hyperfine's a configuration; a time is what a million operations took. */
void export_hyperfine(FILE *out, const json_t *runs, const json_t *summary);

/* One line a run (RFC 4180), a header first. */
void export_csv(FILE *out, const json_t *runs, const json_t *summary);

#endif
