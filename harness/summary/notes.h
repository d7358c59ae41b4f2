/* SPDX-License-Identifier: MIT */
/* What stands below the rows of the table: table.c prints the rows. */
#ifndef IOLAB_NOTES_H
#define IOLAB_NOTES_H

#include <jansson.h>
#include <stdio.h>

/*
 * Below a panel: stand-ins for the baseline, why a column is empty, engines that could not do it.
 * `panel` is one of `configurations`.
 */
void print_panel_notes(FILE *out, const json_t *configurations, const json_t *panel);

/* Each warning once, then where it was given. */
void print_all_warnings(FILE *out, const json_t *configurations);

/* What the columns are worth, and what disturbed the machine. */
void print_foot(FILE *out, const json_t *summary);

#endif
