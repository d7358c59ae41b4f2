/* SPDX-License-Identifier: MIT */
/*
 * A trace in the Trace Event Format, which Perfetto (ui.perfetto.dev) and chrome://tracing open. An
 * engine is a process there; each row of its spans is a thread, and spans of a row do not overlap.
 */
#ifndef IOLAB_CHROME_TRACE_H
#define IOLAB_CHROME_TRACE_H

#include <jansson.h>

/* Of a document of `iolab timeline`. A new reference. */
json_t *chrome_trace_of_timeline(const json_t *document);

/* Of the traced records of `iolab operator`: a process for each row of its table. A new reference. */
json_t *chrome_trace_of_operator(const json_t *document);

/* Of the typical operations of `iolab upcall`: a process for each row of its table. A new reference. */
json_t *chrome_trace_of_upcall(const json_t *document);

#endif
