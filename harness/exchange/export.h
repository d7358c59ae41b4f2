/* SPDX-License-Identifier: MIT */
/* A results folder in the formats of other programs. */
#ifndef IOLAB_EXPORT_H
#define IOLAB_EXPORT_H

#include <jansson.h>
#include <stdio.h>

/* `runs` are those of runs.jsonl. Only CSV contains the runs that counted system calls. */

/* As fio's JSON, a job for each run. */
void export_fio(FILE *out, const json_t *runs, const json_t *summary);

/* As hyperfine's JSON, a result for each configuration: a time is what a million operations took. */
void export_hyperfine(FILE *out, const json_t *runs, const json_t *summary);

/* A header, then a line for each run (RFC 4180). */
void export_csv(FILE *out, const json_t *runs, const json_t *summary);

#endif
