/* SPDX-License-Identifier: MIT */
/*
 * What `make fuzz` feeds with random bytes. Each target is a file with one function, whose
 * name is libFuzzer's. replay.c calls the same function with the files of a folder, so `make check`
 * needs no libFuzzer.
 */
#ifndef IOLAB_FUZZ_H
#define IOLAB_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Returns 0. What it finds ends the program: a sanitizer's report, or a broken must(). */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* Ends the program with `what` on stderr when it does not hold. */
void must(int holds, const char *what);

/* Writes a file, whole. Where the disk is full no finding is possible: that ends the program, too. */
void write_bytes(const char *path, const void *bytes, size_t length);

#define FOLDER_BYTES 64

/* An empty folder of its own, below TMPDIR; and its end, with runs.jsonl and summary.json in it. */
void make_folder(char folder[FOLDER_BYTES]);
void remove_folder(const char *folder);

#endif
