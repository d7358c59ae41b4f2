/* SPDX-License-Identifier: MIT */
/*
 * A run of iolab.run.v1, whose warnings, reasons and panel are sentences. All of the C program that
 * knows of this version is here; plots/readings/first_version.py reads old summaries and documents.
 */
#ifndef IOLAB_FIRST_RUN_H
#define IOLAB_FIRST_RUN_H

#include <jansson.h>

#define FIRST_RUN_SCHEMA "iolab.run.v1"

/*
 * Makes a run of today of it, in place. What is damaged stays as it is: whether the outcome has the
 * shape of a run is for the caller to check.
 */
void first_run_upgrade(json_t *run);

#endif
