/* SPDX-License-Identifier: MIT */
#include "program_memory.h"

#include <string.h>
#include <sys/uio.h>

#define PIECE_BYTES 16

bool read_program(pid_t tid, uint64_t address, void *into, size_t size)
{
	struct iovec local = { into, size }, remote = { (void *)(uintptr_t)address, size };
	return process_vm_readv(tid, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

/* A text may end right before a page that is not there, so no piece reaches over a boundary. */
bool read_program_text(pid_t tid, uint64_t address, char *text, size_t size)
{
	size_t piece;
	for (size_t at = 0; at + PIECE_BYTES <= size; at += piece) {
		piece = PIECE_BYTES - (address + at) % PIECE_BYTES;
		if (!read_program(tid, address + at, text + at, piece))
			return false;
		if (memchr(text + at, 0, piece))
			return true;
	}
	return false;
}
