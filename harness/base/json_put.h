/* SPDX-License-Identifier: MIT */
/*
 * Building JSON one field a line. Every function ends the program with one line on stderr when
 * memory runs out or a text is not UTF-8: there is no document without all of its fields.
 */
#ifndef IOLAB_JSON_PUT_H
#define IOLAB_JSON_PUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* The value itself, which must not be NULL; new references stay new. */
json_t *required(json_t *value);

/* Set `key` of `object`; an older value of that name is replaced. */
void put_int(json_t *object, const char *key, int64_t value);
void put_real(json_t *object, const char *key, double value); /* null unless finite */
void put_bool(json_t *object, const char *key, bool value);
void put_string(json_t *object, const char *key, const char *text); /* null for NULL */
void put_null(json_t *object, const char *key);

/* Appends to `array`. */
void append_int(json_t *array, int64_t value);

/* Takes over `value`, a new reference; null for NULL. */
void put_new(json_t *object, const char *key, json_t *value);

/* Shares `value`, a borrowed reference; null for NULL. */
void put_shared(json_t *object, const char *key, const json_t *value);

#endif
