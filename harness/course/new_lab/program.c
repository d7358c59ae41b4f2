/* SPDX-License-Identifier: MIT */
/*
 * TODO: the interface alone, in a small program that does something useful.
 *
 *     cc -O2 -Wall -Wextra -o build/NEWLAB_alone labs/LAB/program.c
 *     build/NEWLAB_alone
 */
#include <stdio.h>

int main(void)
{
	puts("TODO: show the mechanism");
	return 0;
}
