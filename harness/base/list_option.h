/* SPDX-License-Identifier: MIT */
/* An option whose value is a list: a,b,c. */
#ifndef IOLAB_LIST_OPTION_H
#define IOLAB_LIST_OPTION_H

/*
 * Splits a copy of `list`, which stays for as long as the program does: the list itself is a word
 * of argv, and is recorded as it was typed. Returns how many words were stored, at least 1. Ends
 * the program with one line, for `command` and its `--option`, when a word is empty or there are
 * more than `max`.
 */
unsigned split_list(const char *command, const char *option, const char *list, const char **words,
		    unsigned max);

#endif
