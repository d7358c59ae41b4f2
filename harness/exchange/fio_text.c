/* SPDX-License-Identifier: MIT */
#include "exchange/fio_text.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "printable_text.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* fio's result begins with it. */
static const char fio_key[] = "\"fio version\"";

/* No result is so large: a device or a pipe that never ends is. */
#define FILE_BYTES_MOST ((size_t)256 << 20)

/* Other programs wrap fio's result into a document of their own, and not deeper than this. */
#define WRAPPED_MOST 4

/* The bytes of a file, with a 0 behind them; NULL with `why`. */
static unsigned char *read_bytes(const char *path, size_t *length, time_t *written,
				 struct reason *why)
{
	FILE *file = fopen(path, "re");
	struct stat status;
	if (!file || fstat(fileno(file), &status) < 0) {
		reason_say_errno(why, errno, "%s", path);
		if (file)
			fclose(file);
		return NULL;
	}
	*written = status.st_mtime;
	size_t room = 1 << 16, n;
	unsigned char *bytes = malloc(room);
	*length = 0;
	while (bytes && (n = fread(bytes + *length, 1, room - 1 - *length, file)) > 0) {
		*length += n;
		if (*length < room - 1)
			continue;
		if (room >= FILE_BYTES_MOST) {
			reason_say(why, "%s: it has more than 256 MiB, as no result of fio has",
				   path);
			fclose(file);
			free(bytes);
			return NULL;
		}
		unsigned char *more = realloc(bytes, room *= 2);
		if (!more)
			free(bytes);
		bytes = more;
	}
	int error = !bytes ? ENOMEM : ferror(file) ? errno : 0;
	fclose(file);
	if (!error) {
		bytes[*length] = '\0';
		return bytes;
	}
	free(bytes);
	reason_say_errno(why, error, "%s", path);
	return NULL;
}

static unsigned utf16_unit(const unsigned char *bytes, bool big_endian)
{
	return big_endian ? bytes[0] << 8 | bytes[1] : bytes[1] << 8 | bytes[0];
}

/* The text in UTF-8 and its length, in memory to be freed; NULL when memory ran out. */
static char *from_utf16(const unsigned char *bytes, size_t length, bool big_endian,
			size_t *text_length)
{
	char *text = malloc(length / 2 * 3 + 1), *to = text; /* a unit becomes 3 bytes at most */
	for (size_t i = 0; text && i + 1 < length; i += 2) {
		uint32_t c = utf16_unit(bytes + i, big_endian);
		if (c >= 0xd800 && c < 0xdc00 && i + 3 < length) {
			uint32_t low = utf16_unit(bytes + i + 2, big_endian);
			if (low >= 0xdc00 && low < 0xe000) {
				c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
				i += 2;
			}
		}
		if (c >= 0xd800 && c < 0xe000)
			c = 0xfffd; /* half of a pair */
		if (c < 0x80) {
			*to++ = (char)c;
			continue;
		}
		unsigned tail = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
		*to++ = (char)((0xf00 >> tail & 0xf0) | c >> 6 * tail);
		while (tail-- > 0)
			*to++ = (char)(0x80 | (c >> 6 * tail & 0x3f));
	}
	if (text) {
		*to = '\0';
		*text_length = (size_t)(to - text);
	}
	return text;
}

/* What files begin with that no text of ours is. */
static const char *foreign_format(const unsigned char *bytes, size_t length)
{
	static const struct {
		const char *magic;
		size_t length;
		const char *name;
	} formats[] = {
		{ "\xff\xfe\0\0", 4, "UTF-32" },
		{ "\0\0\xfe\xff", 4, "UTF-32" },
		{ "\x1f\x8b", 2, "compressed (gzip)" },
		{ "\xfd"
		  "7zXZ",
		  5, "compressed (xz)" },
		{ "\x28\xb5\x2f\xfd", 4, "compressed (zstd)" },
		{ "BZh", 3, "compressed (bzip2)" },
		{ "PK\3\4", 4, "compressed (zip)" },
	};
	for (unsigned i = 0; i < LENGTH(formats); i++)
		if (length >= formats[i].length &&
		    memcmp(bytes, formats[i].magic, formats[i].length) == 0)
			return formats[i].name;
	return NULL;
}

/*
 * Bytes of 0 at the end are what a disk that was full or a cut copy leaves, and cut off. Elsewhere they
 * end the text before its end: the file is damaged, or another encoding begins in it.
 */
static bool is_whole(const char *text, size_t length)
{
	while (length > 0 && text[length - 1] == '\0')
		length--;
	return memchr(text, '\0', length) == NULL;
}

/* The file's text in UTF-8, in memory to be freed; NULL with `why`. */
static char *read_text(const char *path, time_t *written, struct reason *why)
{
	size_t length;
	unsigned char *bytes = read_bytes(path, &length, written, why);
	if (!bytes)
		return NULL;
	const char *foreign = foreign_format(bytes, length);
	if (foreign) {
		reason_say(why, "%s: it is %s; UTF-8 and UTF-16 are read", path, foreign);
		free(bytes);
		return NULL;
	}
	char *text = NULL;
	bool whole;
	bool little = length >= 2 && (bytes[0] == 0xff ? bytes[1] == 0xfe : bytes[0] && !bytes[1]);
	bool big = length >= 2 && (bytes[0] == 0xfe ? bytes[1] == 0xff : !bytes[0] && bytes[1]);
	if (little || big) {
		bool marked = bytes[0] >= 0xfe || bytes[1] >= 0xfe;
		size_t text_length = 0;
		text = from_utf16(bytes + 2 * marked, length - 2 * marked, big, &text_length);
		whole = text && is_whole(text, text_length) &&
			!memmem(bytes, length, fio_key, strlen(fio_key));
	} else {
		text = strdup((char *)bytes);
		whole = is_whole((char *)bytes, length);
	}
	free(bytes);
	if (text && whole)
		return text;
	if (text)
		reason_say(why, "%s: it is damaged (bytes of 0), or of two encodings", path);
	else
		reason_say_errno(why, ENOMEM, "%s", path);
	free(text);
	return NULL;
}

/* Behind blanks and marks of the encoding. */
static const char *skip_blanks(const char *text)
{
	for (;;) {
		text += strspn(text, " \t\r\n\f\v");
		if (strncmp(text, "\xef\xbb\xbf", 3) != 0)
			return text;
		text += 3;
	}
}

/* Does a result of fio begin here? */
static bool is_fio_begin(const char *text)
{
	return *text == '{' && strncmp(skip_blanks(text + 1), fio_key, strlen(fio_key)) == 0;
}

/* The next line that has fio's key; both are the end of the text when there is none. */
struct key_line {
	const char *begin, *key;
};

static struct key_line next_key_line(const char *text)
{
	const char *key = strstr(text, fio_key), *end = text + strlen(text);
	const char *begin = key;
	if (!key)
		return (struct key_line) { end, end };
	while (begin > text && begin[-1] != '\n' && begin[-1] != '\r')
		begin--;
	return (struct key_line) { begin, key };
}

/*
 * The next `{` or `[` with nothing but blanks before it in its line, or `{` before fio's key in its line;
 * NULL when there is none. `line` is looked up anew only behind its key, so that each byte is looked at
 * once.
 */
static const char *next_opening(const char *text, struct key_line *line)
{
	bool line_begins = true;
	if (text > line->key)
		*line = next_key_line(text);
	for (const char *at = text; *at; at++) {
		if (line_begins)
			at = skip_blanks(at);
		if (*at == '[' && line_begins)
			return at;
		if (*at == '{' && (line_begins || is_fio_begin(at)))
			return at;
		/* Sorted, fio's key is not the first. */
		if (*at == '{' && at > line->begin && at < line->key && *skip_blanks(at + 1) == '"')
			return at;
		if (!*at)
			return NULL;
		line_begins = *at == '\n' || *at == '\r';
	}
	return NULL;
}

static bool is_fio(const json_t *document)
{
	return json_is_string(json_object_get(document, "fio version")) &&
	       json_is_array(json_object_get(document, "jobs"));
}

/* Counts fio's results in a document and its parts; `first` is the first of them. */
static unsigned results_in(json_t *document, unsigned depth, json_t **first)
{
	unsigned count = 0;
	size_t i;
	const char *key;
	json_t *part;
	if (is_fio(document)) {
		if (!*first)
			*first = document;
		return 1;
	}
	if (depth == WRAPPED_MOST)
		return 0;
	json_array_foreach (document, i, part)
		count += results_in(part, depth + 1, first);
	json_object_foreach (document, key, part)
		count += results_in(part, depth + 1, first);
	return count;
}

/* "fio: terminating on signal 2", or "fio: pid=7, got signal=9" of a job: the number; 0 without such a line. */
static int signal_in(const char *text)
{
	static const char *const words[] = { "terminating on signal ", ", got signal=" };
	for (unsigned i = 0; i < LENGTH(words); i++) {
		const char *at = strstr(text, words[i]);
		long number = at ? strtol(at + strlen(words[i]), NULL, 10) : 0;
		if (number > 0 && number < 128)
			return (int)number;
	}
	return 0;
}

/* There is no JSON: quotes what fio says of the cause, or how the text begins. */
static void quote(const char *path, const char *text, struct reason *why)
{
	static const char *const marks[] = { "fio: ", "error", "" };
	const char *line = NULL;
	char quoted[200];
	size_t length = 0;
	for (unsigned i = 0; !line && i < LENGTH(marks); i++) {
		for (const char *at = text; !line && *at; at += length + (at[length] == '\n')) {
			length = strcspn(at, "\r\n");
			char *copy = strndup(at, length);
			if (copy && *skip_blanks(copy) && strstr(copy, marks[i]))
				line = at;
			free(copy);
			length = strcspn(at, "\n");
		}
	}
	if (!line) {
		reason_say(why,
			   "%s: it is empty, there is no JSON in it; fio writes it with "
			   "--output-format=json",
			   path);
		return;
	}
	line = skip_blanks(line);
	copy_printable(line, strcspn(line, "\r\n"), quoted, sizeof quoted);
	reason_say(why,
		   "%s: there is no JSON in it (fio writes it with --output-format=json), but: %s",
		   path, quoted);
}

/* What is wrong with a piece that is JSON, or was meant to be. */
static void describe_piece(const char *path, const char *text, const char *at,
			   const json_t *document, const json_error_t *error, struct reason *why)
{
	if (document) {
		reason_say(
			why,
			json_object_get(document, "client_stats")
				? "%s: from fio's client and server, which is not read"
				: "%s: JSON, but not fio's: it has no \"fio version\" and \"jobs\"",
			path);
		return;
	}
	int line = error->line;
	char cause[JSON_ERROR_TEXT_LENGTH];
	for (const char *c = text; c < at; c++)
		line += *c == '\n';
	copy_printable(error->text, strlen(error->text), cause, sizeof cause);
	reason_say(why, "%s: broken JSON, in line %d: %s", path, line, cause);
}

/*
 * Versions of fio write nan and inf, which JSON has not: a copy, to be freed, with null instead and of
 * the same length, because the blank or the sign before the word is used as well. NULL when there is
 * none of them.
 */
static char *without_nan(const char *text)
{
	char *copy = strdup(text);
	bool found = false, quoted = false;
	for (char *at = copy; copy && *at; at++) {
		if (quoted && *at == '\\' && at[1])
			at++;
		else if (*at == '"')
			quoted = !quoted;
		else if (!quoted && (*at == ' ' || *at == '-') &&
			 (strncasecmp(at + 1, "nan", 3) == 0 ||
			  strncasecmp(at + 1, "inf", 3) == 0)) {
			memcpy(at, "null", 4);
			found = true;
		}
	}
	if (found)
		return copy;
	free(copy);
	return NULL;
}

/*
 * Parses what begins at `at` and moves `at` behind it; NULL with `error`. Some versions of fio write
 * a negative number as 2^64 less it, which is no integer for JSON's reader.
 */
static json_t *parse(const char **at, const char *end, json_error_t *error)
{
	size_t length = (size_t)(end - *at);
	json_t *document = json_loadb(*at, length, JSON_DISABLE_EOF_CHECK, error);
	char *mended = NULL;
	if (!document && json_error_code(error) == json_error_invalid_syntax && is_fio_begin(*at))
		mended = without_nan(*at);
	if (mended)
		document = json_loadb(mended, length, JSON_DISABLE_EOF_CHECK, error);
	if (!document && json_error_code(error) == json_error_numeric_overflow)
		document = json_loadb(mended ? mended : *at, length,
				      JSON_DISABLE_EOF_CHECK | JSON_DECODE_INT_AS_REAL, error);
	free(mended);
	/* What stopped the reader may be the beginning of the next document. */
	size_t read = error->position > 0 ? (size_t)error->position : 1;
	*at += document || read == 1 ? read : read - 1;
	return document;
}

/*
 * The one result of fio in the text; NULL with `why`. Several are refused: whether they are rounds
 * or states of one run, nobody can tell.
 */
static json_t *find_result(const char *path, const char *text, struct reason *why)
{
	json_t *result = NULL;
	json_error_t error;
	unsigned count = 0, broken_results = 0;
	bool broken = false;
	const char *end = text + strlen(text);
	why->text[0] = '\0';
	struct key_line line = next_key_line(text);
	for (const char *at = text; broken_results < 2 && (at = next_opening(at, &line));) {
		const char *begin = at;
		json_t *document = parse(&at, end, &error), *first = NULL;
		unsigned more = results_in(document, 0, &first);
		/* The first that was broken says most. */
		if (more == 0 && !broken && (!why->text[0] || !document))
			describe_piece(path, text, begin, document, &error, why);
		broken |= !document;
		broken_results += !document && is_fio_begin(begin);
		if (more > 0 && count == 0)
			result = json_incref(first);
		count += more;
		json_decref(document);
	}
	if (count == 0 && !why->text[0])
		quote(path, text, why);
	if (count > 1)
		reason_say(why,
			   "%s: more than one result of fio (%u); put each in a file of its own "
			   "(of --status-interval, the last)",
			   path, count);
	else if (count == 1 && broken_results > 0)
		reason_say(
			why,
			"%s: a result of fio, and a part of another one: put the whole one in a file "
			"of its own",
			path);
	else if (count == 1 && json_array_size(json_object_get(result, "jobs")) == 0)
		reason_say(why, "%s: fio ran no job", path);
	else if (count == 1)
		return result;
	json_decref(result);
	return NULL;
}

int fio_text_read(const char *path, struct fio_text *found, struct reason *why)
{
	*found = (struct fio_text) { 0 };
	char *text = read_text(path, &found->written, why);
	if (!text)
		return -EINVAL;
	found->document = find_result(path, text, why);
	found->signal = signal_in(text);
	free(text);
	return found->document ? 0 : -EINVAL;
}
