/* SPDX-License-Identifier: MIT */
/* Reading the memory of a program that is stopped. */
#ifndef IOLAB_COURSE_PROGRAM_MEMORY_H
#define IOLAB_COURSE_PROGRAM_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* All of `size` bytes, or false. */
bool read_program(pid_t tid, uint64_t address, void *into, size_t size);

/* A text that ends within `size` bytes, or false. */
bool read_program_text(pid_t tid, uint64_t address, char *text, size_t size);

#endif
