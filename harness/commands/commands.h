/* SPDX-License-Identifier: MIT */
/* The subcommands of iolab. Each takes its own argv (argv[0] is "iolab NAME") and returns an exit
 * status. */
#ifndef IOLAB_COMMANDS_H
#define IOLAB_COMMANDS_H

#include "base/exit_status.h"

int command_list(int argc, char **argv); /* engines and workloads */
int command_doctor(int argc, char **argv); /* what this machine can measure */
int command_run(int argc, char **argv); /* one run */
int command_compare(int argc, char **argv); /* many runs, a table, a results folder */
int command_summary(int argc, char **argv); /* the table of an existing results folder */
int command_diff(int argc, char **argv); /* two results folders */
int command_import(int argc, char **argv); /* fio's results into a results folder */
int command_export(int argc, char **argv); /* a results folder for other programs */
int command_timeline(int argc, char **argv); /* a trace of every operation, engine by engine */
int command_matrix(int argc, char **argv); /* interface by kind of descriptor, tried */
int command_overlap(int argc, char **argv); /* computing and I/O at the same time */
int command_responsiveness(int argc, char **argv); /* a timer's lateness beside I/O */
int command_operator(int argc, char **argv); /* an asynchronous operator against capacity */
int command_upcall(int argc, char **argv); /* one operation, seen from inside the kernel */
int command_styles(int argc, char **argv); /* one job, in five styles of programming */

#endif
