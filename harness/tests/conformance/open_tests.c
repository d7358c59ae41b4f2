/* SPDX-License-Identifier: MIT */
/* What an engine says before the run: supports() and open(). */
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "conformance.h"
#include "tests.h"

/* malloc() keeps freed pieces by their size, in steps of 16 up to about this. */
#define SMALL_BYTES	 1040
#define STACK_BYTES	 (256 * 1024)
#define LEAST_STEP_BYTES 16

/* Memory that the test holds, so that nobody else gets it. */
struct held {
	struct held *next;
};

static struct held *hold(struct held *all, size_t bytes)
{
	struct held *piece;
	while ((piece = malloc(bytes))) {
		piece->next = all;
		all = piece;
	}
	return all;
}

/*
 * RLIMIT_AS bounds the stack as well, so it grows now. Inlined, the room would lie above the frames
 * that need it: clang did that.
 */
__attribute__((noinline)) static void grow_the_stack(void)
{
	volatile char room[STACK_BYTES];
	for (size_t i = 0; i < sizeof room; i += 1024)
		room[i] = 0;
}

/* An emulator of user programs accepts the limit and does not keep to it. */
static bool has_a_memory_limit(void)
{
	struct rlimit before;
	getrlimit(RLIMIT_AS, &before);
	struct rlimit none = { 0, before.rlim_max };
	setrlimit(RLIMIT_AS, &none);
	void *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	setrlimit(RLIMIT_AS, &before);
	if (page != MAP_FAILED)
		munmap(page, 4096);
	return page == MAP_FAILED;
}

/* From now on every malloc() fails. */
static struct held *take_all_memory(struct rlimit *before)
{
	struct held *all = NULL;
	grow_the_stack();
	getrlimit(RLIMIT_AS, before);
	struct rlimit none = { 0, before->rlim_max };
	setrlimit(RLIMIT_AS, &none);
	for (size_t bytes = 1024 * 1024; bytes > SMALL_BYTES; bytes /= 2)
		all = hold(all, bytes);
	for (size_t bytes = SMALL_BYTES; bytes >= LEAST_STEP_BYTES; bytes -= LEAST_STEP_BYTES)
		all = hold(all, bytes);
	return all;
}

static void give_back(struct held *all, const struct rlimit *before)
{
	setrlimit(RLIMIT_AS, before);
	while (all) {
		struct held *next = all->next;
		free(all);
		all = next;
	}
}

/* Which of the first descriptors are open: one bit for each. */
static uint64_t open_descriptors(void)
{
	uint64_t open = 0;
	for (int fd = 0; fd < 64; fd++)
		open |= (uint64_t)(fcntl(fd, F_GETFD) >= 0) << fd;
	return open;
}

/* Gives back at least so much of what is held, the smallest pieces first. */
static struct held *release(struct held *all, size_t bytes)
{
	for (size_t released = 0; all && released < bytes;) {
		struct held *next = all->next;
		released += malloc_usable_size(all);
		free(all);
		all = next;
	}
	return all;
}

/* What an open() came to where memory was short. */
struct attempt {
	size_t released_bytes;
	int rc;
	struct engine *engine;
	struct reason why;
	uint64_t descriptors; /* open afterwards; of an engine that opened, after its close() */
};

static bool try_to_open(struct subject *s, const struct engine_config *config,
			struct attempt *attempt)
{
	attempt->why = (struct reason) { "" };
	attempt->engine = NULL;
	attempt->rc = s->ops->open(&attempt->engine, config, &attempt->why);
	if (attempt->rc == 0 && attempt->engine)
		s->ops->close(attempt->engine);
	attempt->descriptors = open_descriptors();
	return attempt->rc < 0 && attempt->why.text[0];
}

/*
 * First there is no memory at all, and then a little, twice as much each time: so the first piece that an
 * engine asks for is refused, and later one that it asks for when it has others.
 */
static struct attempt open_while_memory_is_short(struct subject *s,
						 const struct engine_config *config)
{
	enum { LEAST_BYTES = 512, MOST_BYTES = 1024 * 1024 };
	struct rlimit before;
	struct attempt attempt = { .released_bytes = 0 };
	uint64_t descriptors = open_descriptors();
	struct held *all = take_all_memory(&before);
	while (try_to_open(s, config, &attempt) && attempt.descriptors == descriptors &&
	       attempt.released_bytes < MOST_BYTES) {
		size_t more = attempt.released_bytes ? attempt.released_bytes : LEAST_BYTES;
		all = release(all, more);
		attempt.released_bytes += more;
	}
	give_back(all, &before);
	return attempt;
}

void open_without_memory(struct subject *s)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	test_skipped("a sanitizer ends the program where memory is short");
#endif
	if (!has_a_memory_limit())
		test_skipped("RLIMIT_AS limits nothing here");
	struct engine_config config = { .depth = 64,
					.max_fds = 1000,
					.arena = aligned_alloc(4096, 4096),
					.arena_len_bytes = 4096,
					.cpu_count = (unsigned)sysconf(_SC_NPROCESSORS_ONLN),
					.options = s->options };
	expect(config.arena, "the test itself gets no memory");
	uint64_t descriptors = open_descriptors();
	struct attempt last = open_while_memory_is_short(s, &config);
	size_t there = last.released_bytes;
	expect(last.rc <= 0,
	       WHEN("with %zu bytes of memory") EXPECTED("0 or -errno from open()") SAW("%s"),
	       there, answer(last.rc));
	expect(last.rc == 0 || last.why.text[0],
	       WHEN("with %zu bytes of memory") EXPECTED("open() to say why it fails")
		       SAW("an empty reason"),
	       there);
	expect(last.rc < 0 || last.engine,
	       WHEN("with %zu bytes of memory") EXPECTED("an engine or -errno from open()")
		       SAW("0 and no engine"),
	       there);
	expect(last.descriptors == descriptors,
	       WHEN("with %zu bytes of memory")
		       EXPECTED("open() and close() to leave descriptors as they were")
			       SAW("0x%llx open instead of 0x%llx"),
	       there, (unsigned long long)last.descriptors, (unsigned long long)descriptors);
	free(config.arena);
	open_engine(s, 8, 1);
	close_engine(s);
}

static int ask(const struct subject *s, enum io_kind kind, enum io_fd_kind fd_kind,
	       struct reason *why)
{
	struct engine_config config = { .depth = 1, .cpu_count = 1, .options = s->options };
	*why = (struct reason) { "" };
	return s->ops->supports(&config, kind, fd_kind, why);
}

static void ask_everything(struct subject *s, int answers[IO_KIND_COUNT][IO_FD_KIND_COUNT])
{
	uint64_t before = open_descriptors();
	static const char *const fd_kinds[IO_FD_KIND_COUNT] = {
		"no descriptor", "a file", "a socket", "a pipe", "a listener",
	};
	for (unsigned kind = 0; kind < IO_KIND_COUNT; kind++)
		for (unsigned fd_kind = 0; fd_kind < IO_FD_KIND_COUNT; fd_kind++) {
			struct reason why;
			int rc = answers[kind][fd_kind] = ask(s, kind, fd_kind, &why);
			expect(rc <= 0,
			       EXPECTED("0 or -errno from supports() for %s on %s") SAW("%s"),
			       kind_name(kind), fd_kinds[fd_kind], answer(rc));
			expect(rc < 0 || !why.text[0],
			       EXPECTED("no reason from supports(), which agrees to %s on %s")
				       SAW("\"%s\""),
			       kind_name(kind), fd_kinds[fd_kind], why.text);
			expect(rc == 0 || why.text[0],
			       EXPECTED("supports() to say why it refuses %s on %s")
				       SAW("an empty reason"),
			       kind_name(kind), fd_kinds[fd_kind]);
			expect(rc == 0 || why.id[0],
			       EXPECTED("supports() to name the reason why it refuses %s on %s")
				       SAW("no identifier"),
			       kind_name(kind), fd_kinds[fd_kind]);
		}
	uint64_t after = open_descriptors();
	expect(after == before,
	       EXPECTED("supports() to leave descriptors as they were")
		       SAW("0x%llx open instead of 0x%llx"),
	       (unsigned long long)after, (unsigned long long)before);
}

void supports_or_says_why(struct subject *s)
{
	int answers[IO_KIND_COUNT][IO_FD_KIND_COUNT],
		without_input[IO_KIND_COUNT][IO_FD_KIND_COUNT];
	ask_everything(s, answers);
	/* A program may have closed its standard input: then the engine gets descriptor 0. */
	close(STDIN_FILENO);
	ask_everything(s, without_input);
	expect(memcmp(answers, without_input, sizeof answers) == 0,
	       WHEN("descriptor 0 is free") EXPECTED("the answers of supports() to stay")
		       SAW("others"));
}
