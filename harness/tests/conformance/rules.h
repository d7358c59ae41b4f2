/* SPDX-License-Identifier: MIT */
/* Which test asserts which sentence of common/io_engine.h. docs/contract-tests.md is made of it. */
#ifndef IOLAB_CONFORMANCE_RULES_H
#define IOLAB_CONFORMANCE_RULES_H

/* One sentence. Exactly one of the last three is set. */
struct rule {
	const char *begins; /* its first words, enough to tell it from every other */
	const char *tests; /* names of conformance tests, with a space between */
	const char *elsewhere; /* the test that asserts it, where it is not a rule for engines */
	const char *untestable; /* "because ..." */
};

extern const struct rule rules[]; /* ended by a NULL begins */

#endif
