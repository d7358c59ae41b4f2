/* SPDX-License-Identifier: MIT */
/* What an engine says before the run: supports() and open(). */
#include <fcntl.h>
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

void open_without_memory(struct subject *s)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	test_skipped("a sanitizer ends the program where memory is short");
#endif
	if (!has_a_memory_limit())
		test_skipped("RLIMIT_AS limits nothing here");
	struct reason why = { "" };
	struct engine *engine = NULL;
	struct engine_config config = { .depth = 8,
					.max_fds = 1,
					.arena = aligned_alloc(4096, 4096),
					.arena_len_bytes = 4096,
					.cpu_count = (unsigned)sysconf(_SC_NPROCESSORS_ONLN),
					.options = s->options };
	expect(config.arena, "the test itself gets no memory");
	struct rlimit before;
	struct held *all = take_all_memory(&before);
	int rc = s->ops->open(&engine, &config, &why);
	give_back(all, &before);
	expect(rc <= 0, WHEN("without memory") EXPECTED("0 or -errno from open()") SAW("%s"),
	       answer(rc));
	if (rc < 0)
		expect(why.text[0], WHEN("without memory") EXPECTED("open() to say why it fails")
					    SAW("an empty reason"));
	if (rc == 0) {
		expect(engine, WHEN("without memory") EXPECTED("an engine or -errno from open()")
				       SAW("0 and no engine"));
		s->ops->close(engine);
	}
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

/* Which of the first descriptors are open: one bit for each. */
static uint64_t open_descriptors(void)
{
	uint64_t open = 0;
	for (int fd = 0; fd < 64; fd++)
		open |= (uint64_t)(fcntl(fd, F_GETFD) >= 0) << fd;
	return open;
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
