/* SPDX-License-Identifier: MIT */
/* How intervals are made: an identifier for programs, words for people. */
#ifndef IOLAB_INTERVAL_METHOD_H
#define IOLAB_INTERVAL_METHOD_H

/* Of medians, of ratios of rounds to the baseline's, of the ratios that `iolab diff` makes. */
#define LEVEL_METHOD "order_statistics"
#define RATIO_METHOD "paired_t_of_logarithms"
#define DIFF_METHOD  "welch_t_of_logarithms"

/* A literal; what is no identifier (an old folder has words there) comes back as it is. */
const char *interval_method_words(const char *id);

#endif
