/* SPDX-License-Identifier: MIT */
/*
 * Lab 08: who must order what between a program and the kernel, at the two rings of io_uring.
 *
 * In most of these tests the kernel is a mock: it answers the three system calls and mmap(2), and lays the
 * rings out as no kernel does. It starts the indices shortly before they wrap, and overwrites at once what
 * was given back. Where the order matters the mock is a thread, and ThreadSanitizer sees both sides.
 */
#include "lab_test.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "allocation_count.h"
#include "clock.h"
#include "failing_calls.h"
#include "rings.h"

#if defined __SANITIZE_THREAD__
#define THREAD_SANITIZER 1
#else
#define THREAD_SANITIZER 0
#endif

extern const struct ring_steps *const __start_ring_steps[] __attribute__((weak));
extern const struct ring_steps *const __stop_ring_steps[] __attribute__((weak));

static const struct ring_steps *steps_of_the_engine(void)
{
	expect(__stop_ring_steps - __start_ring_steps == 1,
	       EXPECTED("one RING_STEPS() in engine.c") SAW("%td"),
	       __stop_ring_steps - __start_ring_steps);
	return __start_ring_steps[0];
}

/* The mock kernel. */

#define PAGE_BYTES   4096u
#define RING_PAGES   16
#define SQ_ENTRIES   8u
#define CQ_ENTRIES   16u
#define CALLS_MOST   64u
#define OPCODES_MOST 256u
#define SHORTLY	     (UINT32_MAX - 2) /* before the indices wrap */
#define POISON	     0xa5
#define POISON_RES   INT32_C(0x5a5a5a5a)
#define POISON_DATA  UINT64_C(0xa5a5a5a5a5a5a5a5)

#define DUE_MOST 4u

/* One io_uring_enter(2). */
struct entered {
	unsigned to_submit, min_complete, flags;
	uint32_t tail; /* of the submission ring, at that moment */
	bool has_limit;
	struct __kernel_timespec limit;
};

static struct mock {
	struct io_uring_params params; /* as it answered */
	int fd;
	bool single; /* IORING_FEAT_SINGLE_MMAP: both rings in one piece of memory */
	char *sq_ring, *cq_ring, *sqes;
	size_t sq_mapped_bytes, cq_mapped_bytes, sqes_mapped_bytes; /* 0: not mapped */
	unsigned maps, map_that_fails; /* from 1; 0: none */
	unsigned unmaps; /* of what it had mapped */
	int refuses; /* setup, with this errno; 0: it does not */
	uint32_t refused_flags; /* of setup, with EPERM */
	uint32_t features;
	int last_opcode; /* of its list */
	int opcode_gone; /* a gap in the list; -1: none */
	unsigned lists; /* that it made */
	struct entered calls[CALLS_MOST];
	unsigned call_count;
	unsigned takes; /* entries at most, in one enter */
	struct io_uring_sqe taken[CALLS_MOST];
	unsigned taken_count;
	unsigned interrupts; /* waits for room that a signal ends */
	/* Completions that come in this order, as many in a call as it waits for. */
	struct io_uring_cqe due[DUE_MOST];
	unsigned due_count, due_came;
	int after_due; /* the answer of enter from then on, where it is below 0 */
	int answer; /* of enter, where it is below 0 */
	bool answers_once; /* that, and then as if nothing had been */
	uint32_t first; /* the value with which all indices begin */
	volatile sig_atomic_t heads_written;
	bool serves_engines; /* which do not choose their kernel, as tests of the steps do */
} mock;

/* A number that stood in the mock's memory, in a buffer that lasts as long as the block around it. */
#define as_number(word) number_text((word), (char[24]) { "" })
static const char *number_text(uint64_t word, char text[24])
{
	if (word == POISON_DATA || word == (uint32_t)POISON_DATA)
		return "what was there before";
	snprintf(text, 24, "%llu", (unsigned long long)word);
	return text;
}

static uint32_t *sq_word(uint32_t offset_bytes)
{
	return (uint32_t *)(mock.sq_ring + offset_bytes);
}

static uint32_t *cq_word(uint32_t offset_bytes)
{
	return (uint32_t *)(mock.cq_ring + offset_bytes);
}

static struct io_uring_cqe *cqe_at(uint32_t index)
{
	struct io_uring_cqe *cqes = (void *)(mock.cq_ring + mock.params.cq_off.cqes);
	return &cqes[index & (mock.params.cq_entries - 1)];
}

static uint32_t sq_tail_now(void)
{
	return __atomic_load_n(sq_word(mock.params.sq_off.tail), __ATOMIC_ACQUIRE);
}

/* The fields stand where no kernel puts them. What the program writes has a page of its own. */
static void lay_out(struct io_uring_params *params)
{
	uint32_t cq_from = mock.single ? 8 * PAGE_BYTES : 0;
	params->sq_off = (struct io_sqring_offsets) {
		.head = 0x30,
		.ring_mask = 0x44,
		.ring_entries = 0x4c,
		.flags = 0x58,
		.dropped = 0x60,
		.tail = PAGE_BYTES + 0x24,
		.array = 2 * PAGE_BYTES + 0x70,
	};
	params->cq_off = (struct io_cqring_offsets) {
		.tail = cq_from + 0x18,
		.ring_mask = cq_from + 0x28,
		.ring_entries = cq_from + 0x3c,
		.overflow = cq_from + 0x54,
		.flags = cq_from + 0x5c,
		.head = cq_from + PAGE_BYTES + 0x38,
		.cqes = cq_from + 2 * PAGE_BYTES + 0x90,
	};
}

static char *new_pages(void)
{
	void *pages = mmap(NULL, RING_PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	expect(pages != MAP_FAILED, "the test has no memory");
	memset(pages, POISON, RING_PAGES * PAGE_BYTES);
	return pages;
}

static int mock_setup(unsigned entries, struct io_uring_params *params)
{
	if (mock.refuses)
		return -mock.refuses;
	if (params->flags & mock.refused_flags)
		return -EPERM;
	bool is_right =
		mock.serves_engines ? entries > 0 && entries <= SQ_ENTRIES : entries == SQ_ENTRIES;
	expect(is_right, "the mock kernel is asked for %u entries", entries);
	params->sq_entries = SQ_ENTRIES;
	params->cq_entries = CQ_ENTRIES;
	params->features = mock.features | (mock.single ? IORING_FEAT_SINGLE_MMAP : 0);
	lay_out(params);
	mock.params = *params;
	mock.sq_ring = new_pages();
	mock.cq_ring = mock.single ? mock.sq_ring : new_pages();
	mock.sqes = new_pages();
	*sq_word(params->sq_off.head) = *sq_word(params->sq_off.tail) = mock.first;
	*cq_word(params->cq_off.head) = *cq_word(params->cq_off.tail) = mock.first;
	*sq_word(params->sq_off.ring_mask) = SQ_ENTRIES - 1;
	*sq_word(params->sq_off.ring_entries) = SQ_ENTRIES;
	*sq_word(params->sq_off.flags) = 0;
	*cq_word(params->cq_off.ring_mask) = CQ_ENTRIES - 1;
	*cq_word(params->cq_off.ring_entries) = CQ_ENTRIES;
	*cq_word(params->cq_off.overflow) = 0;
	mock.fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	return mock.fd;
}

static int mock_map(void **memory, int fd, size_t len_bytes, uint64_t offset)
{
	expect(fd == mock.fd, EXPECTED("a mapping of the ring's descriptor") SAW("of %d"), fd);
	if (++mock.maps == mock.map_that_fails)
		return -ENOMEM;
	switch (offset) {
	case IORING_OFF_SQ_RING:
		*memory = mock.sq_ring;
		mock.sq_mapped_bytes = len_bytes;
		return 0;
	case IORING_OFF_CQ_RING:
		*memory = mock.cq_ring;
		mock.cq_mapped_bytes = len_bytes;
		return 0;
	case IORING_OFF_SQES:
		*memory = mock.sqes;
		mock.sqes_mapped_bytes = len_bytes;
		return 0;
	default:
		return -EINVAL;
	}
}

/*
 * What the kernel does with one entry: it reads the SQE, and gives the place back. Here it is overwritten
 * right before that.
 */
static struct io_uring_sqe take_entry(void)
{
	uint32_t *head = sq_word(mock.params.sq_off.head);
	const uint32_t *array = sq_word(mock.params.sq_off.array);
	uint32_t number = __atomic_load_n(&array[*head & (SQ_ENTRIES - 1)], __ATOMIC_RELAXED);
	expect(number < SQ_ENTRIES,
	       EXPECTED("the number of an SQE in the submission ring") SAW("%s"),
	       as_number(number));
	struct io_uring_sqe *place = (struct io_uring_sqe *)mock.sqes + number, sqe = *place;
	memset(place, POISON, sizeof *place);
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	if (mock.taken_count < CALLS_MOST)
		mock.taken[mock.taken_count++] = sqe;
	return sqe;
}

static unsigned room_for_completions(void)
{
	uint32_t head = __atomic_load_n(cq_word(mock.params.cq_off.head), __ATOMIC_ACQUIRE);
	return CQ_ENTRIES - (*cq_word(mock.params.cq_off.tail) - head);
}

static void complete(uint64_t user_data, int32_t res, uint32_t flags)
{
	uint32_t *tail = cq_word(mock.params.cq_off.tail);
	struct io_uring_cqe *cqe = cqe_at(*tail);
	cqe->user_data = user_data;
	cqe->res = res;
	cqe->flags = flags;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
}

static int mock_enter(int fd, unsigned to_submit, unsigned min_complete, unsigned flags,
		      const void *argument, size_t argument_len_bytes)
{
	struct entered call = { to_submit, min_complete, flags, .tail = sq_tail_now() };
	expect(fd == mock.fd, EXPECTED("io_uring_enter of the ring's descriptor") SAW("%d"), fd);
	if (flags & IORING_ENTER_EXT_ARG) {
		const struct io_uring_getevents_arg *given = argument;
		expect(given && argument_len_bytes == sizeof *given,
		       EXPECTED("a struct io_uring_getevents_arg of %zu bytes") SAW("%zu bytes"),
		       sizeof *given, argument_len_bytes);
		call.has_limit = given->ts != 0;
		if (call.has_limit)
			call.limit = *(const struct __kernel_timespec *)(uintptr_t)given->ts;
	}
	if (mock.call_count < CALLS_MOST)
		mock.calls[mock.call_count] = call;
	mock.call_count++;
	if (mock.due_count > 0 && mock.due_came == mock.due_count && mock.after_due < 0)
		return mock.after_due;
	int answer = mock.answer;
	if (mock.answers_once)
		mock.answer = 0;
	if (answer < 0)
		return answer;
	if ((flags & IORING_ENTER_SQ_WAIT) && mock.interrupts > 0)
		mock.interrupts--;
	else if (flags & IORING_ENTER_SQ_WAIT)
		take_entry();
	unsigned count = to_submit < mock.takes ? to_submit : mock.takes;
	for (unsigned i = 0; i < count; i++)
		take_entry();
	for (unsigned i = 0; i < min_complete && mock.due_came < mock.due_count; i++) {
		const struct io_uring_cqe *due = &mock.due[mock.due_came++];
		complete(due->user_data, due->res, due->flags);
	}
	return (int)count;
}

/* Only IORING_REGISTER_PROBE. */
static int mock_enroll(int fd, unsigned opcode, void *argument, unsigned count)
{
	struct io_uring_probe *list = argument;
	if (fd != mock.fd || opcode != IORING_REGISTER_PROBE || count > OPCODES_MOST)
		return -EINVAL;
	for (unsigned i = 0; i < sizeof *list + count * sizeof *list->ops; i++)
		if (((char *)argument)[i])
			return -EINVAL; /* as the kernel says */
	mock.lists++;
	list->last_op = (uint8_t)mock.last_opcode;
	for (unsigned i = 0; i < count && i <= (unsigned)mock.last_opcode; i++, list->ops_len++) {
		list->ops[i].op = (uint8_t)i;
		list->ops[i].flags = (int)i == mock.opcode_gone ? 0 : IO_URING_OP_SUPPORTED;
	}
	return 0;
}

static const struct ring_calls mock_calls = { mock_setup, mock_enter, mock_enroll, mock_map };

/* Opens rings in the mock kernel. `flags` are IORING_SETUP_... */
static const struct ring_steps *open_mock(struct rings *r, unsigned flags)
{
	const struct ring_steps *steps = steps_of_the_engine();
	struct io_uring_params params = { .flags = flags | IORING_SETUP_CQSIZE,
					  .cq_entries = CQ_ENTRIES };
	int rc = steps->open(r, &mock_calls, SQ_ENTRIES, &params);
	expect(rc == 0, EXPECTED("0 from open()") SAW("%s"), answer(rc));
	return steps;
}

static void begin_mock(void)
{
	mock = (struct mock) { .takes = SQ_ENTRIES,
			       .first = SHORTLY,
			       .features = IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG,
			       .last_opcode = IORING_OP_LAST - 1,
			       .opcode_gone = -1 };
}

static struct io_uring_sqe *fill_one(const struct ring_steps *steps, struct rings *r,
				     uint64_t user_data)
{
	struct io_uring_sqe *sqe = steps->next_sqe(r);
	expect(sqe, EXPECTED("a free SQE") SAW("NULL"));
	sqe->opcode = IORING_OP_NOP;
	sqe->user_data = user_data;
	sqe->off = ~user_data;
	return sqe;
}

static void fill_some(const struct ring_steps *steps, struct rings *r, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		fill_one(steps, r, i + 1);
}

/* The engine on the mock kernel. It has no other way to these calls than the C library's functions. */

/* The library's function of that name. */
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static long as_from_libc(int rc)
{
	if (rc >= 0)
		return rc;
	errno = -rc;
	return -1;
}

/* A sanitizer's own library calls it before the sanitizer has begun. */
#define NOT_SANITIZED __attribute__((no_sanitize("address"), no_sanitize("thread")))

/* Of the mock's rings, where it serves the engine. All else is none of the tests' business. */
NOT_SANITIZED void *mmap(void *address, size_t len_bytes, int protection, int flags, int fd,
			 off_t offset)
{
	void *memory;
	if (!mock.serves_engines || (flags & MAP_ANONYMOUS) || fd != mock.fd)
		return REAL(mmap)(address, len_bytes, protection, flags, fd, offset);
	return as_from_libc(mock_map(&memory, fd, len_bytes, (uint64_t)offset)) < 0 ? MAP_FAILED
										    : memory;
}

static NOT_SANITIZED bool is_of_the_mock(const char *start)
{
	const char *const pieces[] = { mock.sq_ring, mock.cq_ring, mock.sqes };
	for (unsigned i = 0; i < sizeof pieces / sizeof *pieces; i++)
		if (pieces[i] && start >= pieces[i] && start < pieces[i] + RING_PAGES * PAGE_BYTES)
			return true;
	return false;
}

NOT_SANITIZED int munmap(void *start, size_t len_bytes)
{
	mock.unmaps += is_of_the_mock(start);
	return REAL(munmap)(start, len_bytes);
}

/* Looks at six arguments, however many there are. */
NOT_SANITIZED long syscall(long number, ...)
{
	long a[6];
	va_list list;
	va_start(list, number);
	for (unsigned i = 0; i < sizeof a / sizeof *a; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (mock.serves_engines && number == __NR_io_uring_setup)
		return as_from_libc(mock_setup((unsigned)a[0], (void *)a[1]));
	if (mock.serves_engines && number == __NR_io_uring_enter)
		return as_from_libc(mock_enter((int)a[0], (unsigned)a[1], (unsigned)a[2],
					       (unsigned)a[3], (void *)a[4], (size_t)a[5]));
	if (mock.serves_engines && number == __NR_io_uring_register)
		return as_from_libc(
			mock_enroll((int)a[0], (unsigned)a[1], (void *)a[2], (unsigned)a[3]));
	return REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static void serve_engines(void)
{
	begin_mock();
	mock.serves_engines = true;
}

static void open_on_the_mock(struct subject *s)
{
	serve_engines();
	open_engine(s, SQ_ENTRIES, 1);
}

static int ask(const struct subject *s, enum io_kind kind, struct reason *why)
{
	struct engine_config config = { .depth = SQ_ENTRIES,
					.cpu_count = 2,
					.options = s->options };
	enum io_fd_kind fd_kind = kind == IO_NOP		 ? IO_FD_NONE
				  : kind == IO_ACCEPT		 ? IO_FD_LISTENER
				  : io_kind_is_for_sockets(kind) ? IO_FD_SOCKET
								 : IO_FD_FILE;
	*why = (struct reason) { "" };
	return s->ops->supports(&config, kind, fd_kind, why);
}

static void expect_refused(int rc, const struct reason *why, int error, const char *id)
{
	expect(rc == -error && strcmp(why->id, id) == 0 && why->text[0],
	       EXPECTED("%d and the reason \"%s\", in words") SAW("%s and \"%s\": %s"), -error, id,
	       answer(rc), why->id, why->text);
}

/* Exercise 1. */

static void expect_field(const char *name, const void *seen, const void *right)
{
	expect(seen, EXPECTED("%s at its offset") SAW("NULL"), name);
	expect(seen == right, EXPECTED("%s at its offset") SAW("%td bytes beside it"), name,
	       (const char *)seen - (const char *)right);
}

static void expect_rings(const struct rings *r)
{
	const struct io_uring_params *p = &mock.params;
	size_t sq_least = p->sq_off.array + SQ_ENTRIES * sizeof(uint32_t);
	size_t cq_least = p->cq_off.cqes + CQ_ENTRIES * sizeof(struct io_uring_cqe);
	size_t cq_mapped = mock.single && mock.sq_mapped_bytes > mock.cq_mapped_bytes
				   ? mock.sq_mapped_bytes
				   : mock.cq_mapped_bytes;
	expect(mock.sq_mapped_bytes >= sq_least,
	       EXPECTED("the submission ring mapped: %zu bytes") SAW("%zu"), sq_least,
	       mock.sq_mapped_bytes);
	expect(cq_mapped >= cq_least, EXPECTED("the completion ring mapped: %zu bytes") SAW("%zu"),
	       cq_least, cq_mapped);
	expect(mock.sqes_mapped_bytes >= SQ_ENTRIES * sizeof(struct io_uring_sqe),
	       EXPECTED("the SQEs mapped: %zu bytes") SAW("%zu"),
	       SQ_ENTRIES * sizeof(struct io_uring_sqe), mock.sqes_mapped_bytes);
	expect_field("sqes", r->sqes, mock.sqes);
	expect_field("sq_head", r->sq_head, sq_word(p->sq_off.head));
	expect_field("sq_tail", r->sq_tail, sq_word(p->sq_off.tail));
	expect_field("sq_flags", r->sq_flags, sq_word(p->sq_off.flags));
	expect_field("cqes", r->cqes, cq_word(p->cq_off.cqes));
	expect_field("cq_head", r->cq_head, cq_word(p->cq_off.head));
	expect_field("cq_tail", r->cq_tail, cq_word(p->cq_off.tail));
	expect(r->sq_entries == SQ_ENTRIES, EXPECTED("sq_entries %u") SAW("%s"), SQ_ENTRIES,
	       as_number(r->sq_entries));
	expect(r->sq_mask == SQ_ENTRIES - 1, EXPECTED("sq_mask %u") SAW("%s"), SQ_ENTRIES - 1,
	       as_number(r->sq_mask));
	expect(r->cq_mask == CQ_ENTRIES - 1, EXPECTED("cq_mask %u") SAW("%s"), CQ_ENTRIES - 1,
	       as_number(r->cq_mask));
}

static void finds_the_rings(struct subject *s)
{
	(void)s;
	struct rings r;
	begin_mock();
	const struct ring_steps *steps = open_mock(&r, 0);
	expect_rings(&r);
	steps->close(&r);
}

/* Both rings are one piece of memory, as in every kernel since Linux 5.4. */
static void finds_the_rings_in_one_piece(struct subject *s)
{
	(void)s;
	struct rings r;
	begin_mock();
	mock.single = true;
	const struct ring_steps *steps = open_mock(&r, 0);
	expect_rings(&r);
	steps->close(&r);
}

static void begins_where_the_indices_stand(struct subject *s)
{
	(void)s;
	struct rings r;
	begin_mock();
	const struct ring_steps *steps = open_mock(&r, 0);
	expect(r.sq_filled == mock.first,
	       EXPECTED("sq_filled where the shared tail stands, %u") SAW("%s"), mock.first,
	       as_number(r.sq_filled));
	expect(r.cq_taken == mock.first,
	       EXPECTED("cq_taken where the shared head stands, %u") SAW("%s"), mock.first,
	       as_number(r.cq_taken));
	steps->close(&r);
}

static void names_every_sqe(struct subject *s)
{
	(void)s;
	struct rings r;
	bool named[SQ_ENTRIES] = { false };
	begin_mock();
	const struct ring_steps *steps = open_mock(&r, 0);
	const uint32_t *array = sq_word(mock.params.sq_off.array);
	for (unsigned i = 0; i < SQ_ENTRIES; i++) {
		expect(array[i] < SQ_ENTRIES && !named[array[i]],
		       EXPECTED("each SQE named once in the submission ring") SAW("%s at place %u"),
		       as_number(array[i]), i);
		named[array[i]] = true;
	}
	uint32_t behind;
	memset(&behind, POISON, sizeof behind);
	expect(array[SQ_ENTRIES] == behind,
	       EXPECTED("nothing written behind the last place") SAW("%u"), array[SQ_ENTRIES]);
	steps->close(&r);
}

static void a_kernel_that_refuses_is_believed(struct subject *s)
{
	(void)s;
	static const int errors[] = { EPERM, ENOSYS, ENOMEM };
	const struct ring_steps *steps = steps_of_the_engine();
	for (unsigned i = 0; i < sizeof errors / sizeof *errors; i++) {
		struct rings r;
		struct io_uring_params params = { 0 };
		begin_mock();
		mock.refuses = errors[i];
		int rc = steps->open(&r, &mock_calls, SQ_ENTRIES, &params);
		expect(rc == -errors[i], WHEN("io_uring_setup is refused") EXPECTED("%d") SAW("%s"),
		       -errors[i], answer(rc));
		expect(mock.maps == 0,
		       WHEN("io_uring_setup is refused") EXPECTED("no mapping") SAW("%u"),
		       mock.maps);
	}
}

/* More than the kernel's rings hold. The engine hands over in several batches. */
static void opens_for_more_than_a_ring_holds(struct subject *s)
{
	struct engine_config config = { .depth = 40000, .max_fds = 1, .cpu_count = 2 };
	struct engine *engine;
	struct reason why = { "" };
	int rc = s->ops->open(&engine, &config, &why);
	if (rc == -ENOMEM)
		test_skipped("%s", why.text);
	expect(rc == 0, WHEN("a depth of 40,000") EXPECTED("0 from open()") SAW("%s: %s"),
	       answer(rc), why.text);
	s->ops->close(engine);
}

/* 0 is a descriptor like any other, where a program has closed its standard input. */
static void descriptor_0_is_one(struct subject *s)
{
	(void)s;
	struct rings r;
	begin_mock();
	close(0);
	const struct ring_steps *steps = open_mock(&r, 0);
	expect(mock.fd == 0, "the test's own descriptor is %d", mock.fd);
	expect_rings(&r);
	steps->close(&r);
	expect(fcntl(0, F_GETFD) < 0, EXPECTED("descriptor 0 closed again") SAW("it open"));
}

static void a_mapping_that_fails_leaves_nothing(struct subject *s)
{
	(void)s;
	const struct ring_steps *steps = steps_of_the_engine();
	unsigned nth = 1;
	for (;; nth++) {
		struct rings r;
		struct io_uring_params params = { .flags = IORING_SETUP_CQSIZE,
						  .cq_entries = CQ_ENTRIES };
		begin_mock();
		mock.map_that_fails = nth;
		int rc = steps->open(&r, &mock_calls, SQ_ENTRIES, &params);
		if (mock.maps < nth) {
			steps->close(&r);
			break; /* there was no nth mapping */
		}
		expect(rc == -ENOMEM, WHEN("mapping %u fails") EXPECTED("%d from open()") SAW("%s"),
		       nth, -ENOMEM, answer(rc));
		expect(fcntl(mock.fd, F_GETFD) < 0,
		       WHEN("mapping %u fails") EXPECTED("the descriptor closed") SAW("it open"),
		       nth);
		unsigned char in_memory;
		expect(nth == 1 || mincore(mock.sq_ring, 1, &in_memory) < 0,
		       WHEN("mapping %u fails") EXPECTED("the first unmapped") SAW("it mapped"),
		       nth);
	}
	expect(nth > 2, EXPECTED("at least two mappings") SAW("%u"), nth - 1);
}

/* Without a limit of time in the call the engine would keep none. */
/*
 * Once for each time that it was mapped, and in the real kernel also where two are one: in between another thread may
 * have been given the place.
 */
static void unmaps_what_it_mapped_once(struct subject *s)
{
	(void)s;
	for (unsigned single = 0; single < 2; single++) {
		struct rings r;
		begin_mock();
		mock.single = single;
		const struct ring_steps *steps = open_mock(&r, 0);
		steps->close(&r);
		expect(mock.unmaps == mock.maps,
		       WHEN("the rings are %s") EXPECTED("%u pieces of memory given back")
			       SAW("%u"),
		       single ? "one piece of memory" : "two", mock.maps, mock.unmaps);
	}
}

static void a_kernel_without_limits_is_refused(struct subject *s)
{
	struct engine_config config = {
		.depth = SQ_ENTRIES, .max_fds = 1, .cpu_count = 2, .options = s->options
	};
	struct reason why;
	struct engine *engine;
	struct holdings before = holdings_now();
	serve_engines();
	mock.features = IORING_FEAT_NODROP;
	int rc = ask(s, IO_NOP, &why);
	expect_refused(rc, &why, EOPNOTSUPP, "kernel_too_old");
	why = (struct reason) { "" };
	rc = s->ops->open(&engine, &config, &why);
	expect_refused(rc, &why, EOPNOTSUPP, "kernel_too_old");
	expect_nothing_left_since(&before);
}

/* The first last_opcode with which the engine says yes. */
static int opcode_asked_for(const struct subject *s, enum io_kind kind)
{
	struct reason why;
	for (mock.last_opcode = 0; mock.last_opcode < (int)OPCODES_MOST; mock.last_opcode++) {
		int rc = ask(s, kind, &why);
		if (rc == 0)
			break;
		expect_refused(rc, &why, EOPNOTSUPP, "no_opcode");
	}
	expect(mock.last_opcode < (int)OPCODES_MOST,
	       WHEN("the kernel has all opcodes") EXPECTED("0 from supports() for %s")
		       SAW("a refusal"),
	       kind_name(kind));
	expect(mock.last_opcode > IORING_OP_NOP || kind == IO_NOP,
	       WHEN("the kernel has nothing but no-ops") EXPECTED("%s refused") SAW("0"),
	       kind_name(kind));
	return mock.last_opcode;
}

/* The kernel has a list. It may end before an operation, or have a gap there. */
static void asks_what_the_kernel_has(struct subject *s)
{
	struct reason why;
	serve_engines();
	int rc = ask(s, IO_NOP, &why);
	expect(rc == 0, EXPECTED("0 from supports()") SAW("%s: %s"), answer(rc), why.text);
	if (mock.lists == 0)
		test_skipped("this engine does not ask for the kernel's list of operations");
	for (enum io_kind kind = 0; kind < IO_KIND_COUNT; kind++) {
		int opcode = opcode_asked_for(s, kind);
		mock.last_opcode = OPCODES_MOST - 1;
		mock.opcode_gone = opcode;
		rc = ask(s, kind, &why);
		expect_refused(rc, &why, EOPNOTSUPP, "no_opcode");
		mock.opcode_gone = opcode + 1;
		rc = ask(s, kind, &why);
		expect(rc == 0,
		       WHEN("the opcode after that of %s is missing") EXPECTED("0") SAW("%s"),
		       kind_name(kind), why.text);
		mock.opcode_gone = -1;
	}
}

/* Exercise 2. */

static void tells_nothing_before_it_publishes(struct subject *s)
{
	(void)s;
	struct rings r;
	begin_mock();
	const struct ring_steps *steps = open_mock(&r, 0);
	fill_some(steps, &r, 3);
	expect(sq_tail_now() == mock.first,
	       WHEN("SQEs are being filled in") EXPECTED("the shared tail unchanged")
		       SAW("%u further"),
	       sq_tail_now() - mock.first);
	steps->publish(&r);
	expect(sq_tail_now() - mock.first == 3,
	       WHEN("after publish()") EXPECTED("the shared tail 3 further") SAW("%u"),
	       sq_tail_now() - mock.first);
	for (unsigned i = 0; i < 3; i++) {
		struct io_uring_sqe sqe = take_entry();
		expect(sqe.user_data == i + 1 && sqe.off == ~(uint64_t)(i + 1),
		       EXPECTED("entry %u as it was filled in") SAW("user_data: %s"), i,
		       as_number(sqe.user_data));
	}
	steps->close(&r);
}

static void an_entry_begins_clean(struct subject *s)
{
	(void)s;
	struct rings r;
	static const struct io_uring_sqe clean;
	begin_mock();
	const struct ring_steps *steps = open_mock(&r, 0);
	for (unsigned i = 0; i < 2 * SQ_ENTRIES; i++) {
		struct io_uring_sqe *sqe = steps->next_sqe(&r);
		expect(sqe && memcmp(sqe, &clean, sizeof clean) == 0,
		       EXPECTED("SQE %u all zero") SAW("what an older entry left there"), i);
		steps->publish(&r);
		take_entry();
	}
	steps->close(&r);
}

/* Full is when the kernel has read nothing of a whole ring. The indices wrap meanwhile. */
static void stops_when_the_ring_is_full(struct subject *s)
{
	(void)s;
	struct rings r;
	begin_mock();
	const struct ring_steps *steps = open_mock(&r, 0);
	for (unsigned round = 0; round < 3; round++) {
		fill_some(steps, &r, SQ_ENTRIES);
		expect(!steps->next_sqe(&r),
		       WHEN("round %u, %u entries unread") EXPECTED("NULL")
			       SAW("an SQE that the kernel has not read"),
		       round, SQ_ENTRIES);
		steps->publish(&r);
		expect(!steps->next_sqe(&r),
		       WHEN("round %u, published and unread") EXPECTED("NULL") SAW("an SQE"),
		       round);
		for (unsigned i = 0; i < SQ_ENTRIES; i++) {
			struct io_uring_sqe sqe = take_entry();
			expect(sqe.user_data == i + 1,
			       WHEN("round %u") EXPECTED("entry %u next") SAW("user_data: %s"),
			       round, i + 1, as_number(sqe.user_data));
		}
	}
	steps->close(&r);
}

static void a_place_that_was_read_is_free(struct subject *s)
{
	(void)s;
	struct rings r;
	begin_mock();
	const struct ring_steps *steps = open_mock(&r, 0);
	fill_some(steps, &r, SQ_ENTRIES);
	steps->publish(&r);
	for (unsigned i = 0; i < 4 * SQ_ENTRIES; i++) {
		take_entry();
		fill_one(steps, &r, i);
		expect(!steps->next_sqe(&r),
		       EXPECTED("one free SQE for each that was read") SAW("two after %u"), i);
		steps->publish(&r);
	}
	steps->close(&r);
}

/*
 * The other side in a thread of its own. Nothing but the rings' words orders the two threads, so that
 * ThreadSanitizer sees what these leave open.
 */
struct other_side {
	pthread_t thread;
	unsigned count;
	uint64_t wrong; /* entries that were not as they had been written */
	bool enough;
};

/* On a busy machine the two threads take turns, and each turn is a ring. */
#define MESSAGES	  1500u
#define EXCHANGE_LIMIT_NS (20 * NS_PER_S)

static void *read_entries(void *argument)
{
	struct other_side *other = argument;
	for (uint64_t i = 1; i <= other->count;) {
		if (sq_tail_now() == *sq_word(mock.params.sq_off.head)) {
			if (__atomic_load_n(&other->enough, __ATOMIC_RELAXED))
				break;
			sched_yield();
			continue;
		}
		struct io_uring_sqe sqe = take_entry();
		other->wrong += sqe.user_data != i || sqe.off != ~i;
		i++;
	}
	return NULL;
}

static void kernel_reads_whole_entries(struct subject *s)
{
	(void)s;
	struct rings r;
	struct other_side kernel = { .count = MESSAGES };
	begin_mock();
	const struct ring_steps *steps = open_mock(&r, IORING_SETUP_SQPOLL);
	expect(pthread_create(&kernel.thread, NULL, read_entries, &kernel) == 0,
	       "the test has no thread");
	uint64_t deadline_ns = clock_ns() + EXCHANGE_LIMIT_NS, i = 1;
	while (i <= MESSAGES && clock_ns() < deadline_ns) {
		struct io_uring_sqe *sqe = steps->next_sqe(&r);
		if (!sqe) {
			sched_yield();
			continue;
		}
		sqe->user_data = i;
		sqe->off = ~i++;
		steps->publish(&r);
	}
	__atomic_store_n(&kernel.enough, i <= MESSAGES, __ATOMIC_RELAXED);
	pthread_join(kernel.thread, NULL);
	expect(i > MESSAGES, EXPECTED("%u entries in 20 s") SAW("%llu"), MESSAGES,
	       (unsigned long long)i - 1);
	expect(kernel.wrong == 0,
	       EXPECTED("each entry whole when the tail shows it") SAW("%llu that were not"),
	       (unsigned long long)kernel.wrong);
	steps->close(&r);
}

/* Exercise 3. */

static void expect_taken(const struct io_uring_cqe *taken, uint64_t user_data)
{
	int32_t res = (int32_t)(user_data * 3);
	uint32_t flags = (uint32_t)user_data << 16;
	expect(taken->user_data == user_data && taken->res == res && taken->flags == flags,
	       WHEN("a completion is taken") EXPECTED("user_data %#llx, res %d and flags %#x")
		       SAW("%#llx, %d and %#x"),
	       (unsigned long long)user_data, res, flags, (unsigned long long)taken->user_data,
	       taken->res, taken->flags);
}

static void complete_number(uint64_t number)
{
	complete(number, (int32_t)(number * 3), (uint32_t)number << 16);
}

static uint32_t cq_head_now(void)
{
	return __atomic_load_n(cq_word(mock.params.cq_off.head), __ATOMIC_ACQUIRE);
}

static void takes_what_is_there(struct subject *s)
{
	(void)s;
	struct rings r;
	struct io_uring_cqe taken[CQ_ENTRIES];
	begin_mock();
	const struct ring_steps *steps = open_mock(&r, 0);
	unsigned count = steps->take(&r, taken, CQ_ENTRIES);
	expect(count == 0, EXPECTED("0 of an empty ring") SAW("%u"), count);
	/* So that the places wrap in the middle, and the indices too. */
	for (uint64_t number = 1; number < 60; number += 5) {
		for (unsigned i = 0; i < 5; i++)
			complete_number(number + i);
		count = steps->take(&r, taken, CQ_ENTRIES);
		expect(count == 5, EXPECTED("5 completions") SAW("%u"), count);
		for (unsigned i = 0; i < 5; i++)
			expect_taken(&taken[i], number + i);
		expect(room_for_completions() == CQ_ENTRIES,
		       EXPECTED("all places given back") SAW("%u of %u"), room_for_completions(),
		       CQ_ENTRIES);
	}
	steps->close(&r);
}

static void takes_no_more_than_asked(struct subject *s)
{
	(void)s;
	struct rings r;
	struct io_uring_cqe taken[CQ_ENTRIES + 1];
	begin_mock();
	const struct ring_steps *steps = open_mock(&r, 0);
	for (unsigned i = 0; i < CQ_ENTRIES; i++)
		complete_number(i + 1);
	memset(taken, POISON, sizeof taken);
	unsigned count = steps->take(&r, taken, 3);
	expect(count == 3, WHEN("16 are there, 3 are asked for") EXPECTED("3") SAW("%u"), count);
	expect(taken[3].user_data == POISON_DATA, EXPECTED("3 copied") SAW("more"));
	expect(cq_head_now() - mock.first == 3,
	       EXPECTED("3 places given back, and no other") SAW("%u"), cq_head_now() - mock.first);
	count = steps->take(&r, taken, 0);
	expect(count == 0 && cq_head_now() - mock.first == 3, EXPECTED("0 of 0") SAW("%u"), count);
	count = steps->take(&r, taken, CQ_ENTRIES);
	expect(count == CQ_ENTRIES - 3, EXPECTED("the other 13") SAW("%u"), count);
	for (unsigned i = 0; i < count; i++)
		expect_taken(&taken[i], i + 4);
	steps->close(&r);
}

/*
 * The kernel writes into a place as soon as the head gives it back. Here the page with the head cannot be
 * written; the program's write to it arrives in this handler, which is the kernel then.
 */
static void use_the_place_again(int signal_number, siginfo_t *info, void *context)
{
	(void)context;
	char *page = mock.cq_ring + (mock.params.cq_off.head & ~(PAGE_BYTES - 1));
	if ((char *)info->si_addr < page || (char *)info->si_addr >= page + PAGE_BYTES) {
		signal(signal_number, SIG_DFL);
		return; /* a crash after all */
	}
	mprotect(page, PAGE_BYTES, PROT_READ | PROT_WRITE);
	mock.heads_written++;
	for (uint32_t i = 0; i < CQ_ENTRIES; i++) {
		cqe_at(i)->user_data = POISON_DATA;
		cqe_at(i)->res = POISON_RES;
		cqe_at(i)->flags = 0;
	}
}

static void reads_before_it_gives_back(struct subject *s)
{
	(void)s;
	struct rings r;
	struct io_uring_cqe taken[CQ_ENTRIES];
	struct sigaction action = { .sa_sigaction = use_the_place_again, .sa_flags = SA_SIGINFO };
	if (THREAD_SANITIZER)
		test_skipped(
			"a fault inside of ThreadSanitizer's own code is none of the program's");
	begin_mock();
	const struct ring_steps *steps = open_mock(&r, 0);
	sigaction(SIGSEGV, &action, NULL);
	for (uint64_t number = 1; number <= 40; number++) {
		char *page = mock.cq_ring + (mock.params.cq_off.head & ~(PAGE_BYTES - 1));
		complete_number(number);
		mock.heads_written = 0;
		mprotect(page, PAGE_BYTES, PROT_READ);
		unsigned count = steps->take(&r, taken, CQ_ENTRIES);
		mprotect(page, PAGE_BYTES, PROT_READ | PROT_WRITE);
		expect(count == 1, EXPECTED("1 completion") SAW("%u"), count);
		expect(mock.heads_written == 1, EXPECTED("the shared head written") SAW("it not"));
		expect(taken[0].user_data != POISON_DATA && taken[0].res != POISON_RES,
		       EXPECTED("the completion read before its place was given back")
			       SAW("what the kernel wrote there afterwards"));
		expect_taken(&taken[0], number);
	}
	signal(SIGSEGV, SIG_DFL);
	steps->close(&r);
}

static void *write_completions(void *argument)
{
	struct other_side *other = argument;
	for (uint64_t i = 1; i <= other->count;) {
		if (room_for_completions() == 0) {
			if (__atomic_load_n(&other->enough, __ATOMIC_RELAXED))
				break;
			sched_yield();
			continue;
		}
		complete_number(i++);
	}
	return NULL;
}

static void sees_whole_completions(struct subject *s)
{
	(void)s;
	struct rings r;
	struct io_uring_cqe taken[CQ_ENTRIES];
	struct other_side kernel = { .count = MESSAGES };
	begin_mock();
	const struct ring_steps *steps = open_mock(&r, 0);
	expect(pthread_create(&kernel.thread, NULL, write_completions, &kernel) == 0,
	       "the test has no thread");
	uint64_t deadline_ns = clock_ns() + EXCHANGE_LIMIT_NS, got = 0, wrong = 0;
	while (got < MESSAGES && clock_ns() < deadline_ns) {
		unsigned count = steps->take(&r, taken, 5);
		for (unsigned i = 0; i < count; i++) {
			got++;
			wrong += taken[i].user_data != got || taken[i].res != (int32_t)(got * 3);
		}
		if (count == 0)
			sched_yield();
	}
	__atomic_store_n(&kernel.enough, true, __ATOMIC_RELAXED);
	pthread_join(kernel.thread, NULL);
	expect(got == MESSAGES, EXPECTED("%u completions in 20 s") SAW("%llu"), MESSAGES,
	       (unsigned long long)got);
	expect(wrong == 0,
	       EXPECTED("each completion whole when the tail shows it") SAW("%llu that were not"),
	       (unsigned long long)wrong);
	steps->close(&r);
}

/* Exercise 4. */

static const struct entered *the_only_call(void)
{
	expect(mock.call_count == 1, EXPECTED("one io_uring_enter") SAW("%u"), mock.call_count);
	return &mock.calls[0];
}

static void expect_getevents(const struct entered *call)
{
	expect(call->flags & IORING_ENTER_GETEVENTS,
	       EXPECTED("IORING_ENTER_GETEVENTS, without which nothing waits") SAW("flags %#x"),
	       call->flags);
}

static void hands_over_and_waits_in_one_call(struct subject *s)
{
	(void)s;
	struct rings r;
	begin_mock();
	const struct ring_steps *steps = open_mock(&r, 0);
	fill_some(steps, &r, 3);
	int rc = steps->enter(&r, 2, -1);
	const struct entered *call = the_only_call();
	expect(rc == 3, EXPECTED("what the kernel answered, 3") SAW("%s"), answer(rc));
	expect(call->tail - mock.first == 3,
	       EXPECTED("3 entries published before the call") SAW("%u"), call->tail - mock.first);
	expect(call->to_submit == 3 && call->min_complete == 2,
	       EXPECTED("3 entries handed over and 2 completions waited for") SAW("%u and %u"),
	       call->to_submit, call->min_complete);
	expect_getevents(call);
	expect(!call->has_limit, EXPECTED("no limit of time") SAW("one"));
	steps->close(&r);
}

static void makes_no_call_for_nothing(struct subject *s)
{
	(void)s;
	struct rings r;
	begin_mock();
	const struct ring_steps *steps = open_mock(&r, 0);
	int rc = steps->enter(&r, 0, -1);
	expect(rc == 0 && mock.call_count == 0,
	       WHEN("nothing to hand over, and nothing to wait for") EXPECTED("no call") SAW("%u"),
	       mock.call_count);
	rc = steps->enter(&r, 2, 0);
	expect(rc == 0 && mock.call_count == 0,
	       WHEN("nothing to hand over, and no time to wait") EXPECTED("no call") SAW("%u"),
	       mock.call_count);
	steps->close(&r);
}

static void hands_over_without_a_wait(struct subject *s)
{
	(void)s;
	struct rings r;
	for (unsigned min = 0; min < 2; min++) {
		begin_mock();
		const struct ring_steps *steps = open_mock(&r, 0);
		fill_some(steps, &r, 2);
		steps->enter(&r, min, 0);
		const struct entered *call = the_only_call();
		expect(call->to_submit == 2 && call->min_complete == 0,
		       WHEN("%u completions, 0 ns to wait")
			       EXPECTED("2 entries handed over and no wait") SAW("%u and %u"),
		       min, call->to_submit, call->min_complete);
		steps->close(&r);
	}
}

static void the_limit_of_time_is_in_the_call(struct subject *s)
{
	(void)s;
	struct rings r;
	begin_mock();
	const struct ring_steps *steps = open_mock(&r, 0);
	fill_some(steps, &r, 1);
	steps->enter(&r, 1, NS_PER_S + 500 * NS_PER_MS + 7);
	const struct entered *call = the_only_call();
	expect(call->has_limit, EXPECTED("a limit of time in the call") SAW("none"));
	expect(call->limit.tv_sec == 1 && call->limit.tv_nsec == 500000007,
	       EXPECTED("a limit of 1 s and 500000007 ns") SAW("%lld s and %lld ns"),
	       (long long)call->limit.tv_sec, (long long)call->limit.tv_nsec);
	expect(call->to_submit == 1 && call->min_complete == 1,
	       EXPECTED("1 entry handed over and 1 completion waited for") SAW("%u and %u"),
	       call->to_submit, call->min_complete);
	expect_getevents(call);
	steps->close(&r);
}

static void offers_again_what_was_left(struct subject *s)
{
	(void)s;
	struct rings r;
	begin_mock();
	mock.takes = 1;
	const struct ring_steps *steps = open_mock(&r, 0);
	fill_some(steps, &r, 3);
	for (unsigned left = 3; left > 0; left--) {
		mock.call_count = 0;
		int rc = steps->enter(&r, 0, 0);
		const struct entered *call = the_only_call();
		expect(call->to_submit == left, EXPECTED("%u entries offered") SAW("%u"), left,
		       call->to_submit);
		expect(rc == 1, EXPECTED("what the kernel answered, 1") SAW("%s"), answer(rc));
	}
	mock.call_count = 0;
	steps->enter(&r, 0, 0);
	expect(mock.call_count == 0, EXPECTED("no call once all were taken") SAW("another"));
	steps->close(&r);
}

/* One call for one enter(), with and without a limit of time: not even EINTR is a reason for another. */
static void tells_what_the_kernel_says(struct subject *s)
{
	static const int errors[] = { EINTR, ETIME, EBUSY, EAGAIN, EBADF };
	static const struct {
		unsigned min;
		int64_t timeout_ns;
		const char *words;
	} waits[] = {
		{ 1, NS_PER_MS, "a wait of 1 ms" },
		{ 1, -1, "a wait without a limit" },
		{ 0, 0, "no wait" },
	};
	(void)s;
	for (unsigned i = 0; i < sizeof errors / sizeof *errors; i++)
		for (unsigned w = 0; w < sizeof waits / sizeof *waits; w++) {
			struct rings r;
			begin_mock();
			mock.answer = -errors[i];
			mock.answers_once = true;
			const struct ring_steps *steps = open_mock(&r, 0);
			fill_some(steps, &r, 1);
			int rc = steps->enter(&r, waits[w].min, waits[w].timeout_ns);
			expect(rc == -errors[i], WHEN("%s") EXPECTED("%s") SAW("%s"),
			       waits[w].words, answer(-errors[i]), answer(rc));
			the_only_call();
			steps->close(&r);
		}
}

/* The engine, in the real kernel. */
static void one_call_for_a_batch(struct subject *s)
{
	enum { BATCH = 32 };
	struct io_op *ops[BATCH], *done[BATCH];
	open_engine(s, BATCH, 1);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < BATCH; i++)
			ops[i] = prepare(s, i, IO_NOP, -1, 0, 0, 0);
		calls_reset();
		start_all(s, ops, BATCH);
		unsigned n = reap(s, done, BATCH, BATCH, -1);
		unsigned calls = calls_made(NULL);
		expect(n == BATCH, EXPECTED("32 no-ops back") SAW("%u"), n);
		expect(calls == 1 && calls_made("io_uring_enter") == 1,
		       EXPECTED("one io_uring_enter for 32 operations") SAW("%u calls"), calls);
	}
	close_engine(s);
}

static void reaps_without_a_call_what_is_there(struct subject *s)
{
	struct io_op *ops[8], *done[8];
	open_engine(s, 8, 1);
	for (unsigned i = 0; i < 8; i++)
		ops[i] = prepare(s, i, IO_NOP, -1, 0, 0, 0);
	start_all(s, ops, 8);
	unsigned n = reap(s, done, 1, 1, -1);
	calls_reset();
	while (n < 8)
		n += reap(s, done, 1, 1, -1);
	unsigned calls = calls_made(NULL);
	expect(calls == 0,
	       WHEN("8 completions in the ring, taken one by one")
		       EXPECTED("no call after the first") SAW("%u"),
	       calls);
	close_engine(s);
}

/* Exercise 5. What the real kernel does too seldom. */

/* One reap() that does not wait, and then the polling thread, if there is one. Returns how many are back. */
static unsigned look(struct subject *s)
{
	struct io_op *done[SQ_ENTRIES];
	unsigned n = reap(s, done, s->inflight, SQ_ENTRIES, 0);
	bool is_polled = mock.params.flags & IORING_SETUP_SQPOLL;
	while (is_polled && mock.answer == 0 && sq_tail_now() != *sq_word(mock.params.sq_off.head))
		take_entry();
	return n;
}

static struct io_op *prepare_pipe_read(struct subject *s, unsigned slot)
{
	return prepare(s, slot, IO_READ, 0, 0, IO_NO_OFFSET, 64);
}

/* The kernel takes it. Returns its user_data. */
static uint64_t begin_pipe_read(struct subject *s, unsigned slot)
{
	unsigned before = mock.taken_count;
	start(s, prepare_pipe_read(s, slot));
	unsigned n = look(s);
	expect(n == 0 && mock.taken_count == before + 1,
	       EXPECTED("one entry for one operation") SAW("%u"), mock.taken_count - before);
	return mock.taken[before].user_data;
}

/* A kernel that is short of memory takes no entry, nor does a thread that has no CPU. */
static void stop_taking(void)
{
	mock.answer = -EAGAIN;
}

static void take_again(void)
{
	mock.answer = 0;
}

/* The number, from `from` on, of the entry that the call back in entry `i` looks for; or `i`. */
static unsigned looked_for(unsigned from, unsigned i)
{
	for (unsigned k = from; k < i; k++)
		if (mock.taken[k].opcode != IORING_OP_ASYNC_CANCEL &&
		    mock.taken[k].user_data == mock.taken[i].addr)
			return k;
	return i;
}

/*
 * The kernel ends what it has taken, from entry `from` on. A read ends with one byte, or with ECANCELED when
 * it is called back. Returns how many reads were.
 */
static unsigned end_what_was_taken(unsigned from)
{
	unsigned called_back = 0;
	bool is_over[CALLS_MOST] = { false };
	for (unsigned i = from; i < mock.taken_count; i++) {
		if (mock.taken[i].opcode != IORING_OP_ASYNC_CANCEL)
			continue;
		unsigned found = looked_for(from, i);
		bool is_there = found != i && !is_over[found];
		if (is_there)
			complete(mock.taken[found].user_data, -ECANCELED, 0);
		complete(mock.taken[i].user_data, is_there ? 0 : -ENOENT, 0);
		is_over[i] = is_over[found] = true;
		called_back += is_there;
	}
	for (unsigned i = from; i < mock.taken_count; i++)
		if (!is_over[i])
			complete(mock.taken[i].user_data, 1, 0);
	return called_back;
}

/* Nothing is in flight, and the ring is full of requests that the kernel has not read. */
static void accepts_with_a_full_ring(struct subject *s)
{
	uint64_t names[SQ_ENTRIES];
	open_on_the_mock(s);
	for (unsigned i = 0; i < SQ_ENTRIES; i++)
		names[i] = begin_pipe_read(s, i);
	for (unsigned i = 0; i < SQ_ENTRIES; i++) {
		cancel_one(s, &s->op[i]); /* too late */
		complete(names[i], 1, 0);
	}
	stop_taking();
	unsigned n = look(s), from = mock.taken_count;
	expect(n == SQ_ENTRIES, EXPECTED("8 reads that are over") SAW("%u"), n);
	take_again();
	mock.interrupts = 1;
	struct io_op *ops[] = { prepare_pipe_read(s, 0), prepare_pipe_read(s, 1) };
	start_all(s, ops, 2); /* at least one must be accepted at once */
	look(s);
	end_what_was_taken(from);
	n = look(s);
	expect(n == 2 && ops[0]->result == 1 && ops[1]->result == 1,
	       EXPECTED("the two reads that were accepted") SAW("%u"), n);
	close_engine(s);
}

/* Linux 6.1 cuts off a read of a pipe when a signal comes: an EINTR by another name. */
static void a_read_that_is_cut_off_begins_anew(struct subject *s)
{
	open_on_the_mock(s);
	uint64_t name = begin_pipe_read(s, 1);
	for (unsigned round = 1; round <= 3; round++) {
		complete(name, -ECANCELED, 0);
		look(s);
		look(s);
		expect(s->op[1].in_flight, WHEN("cut off, and nobody called it back")
						   EXPECTED("a read that goes on") SAW("it over"));
		expect(mock.taken_count == round + 1,
		       EXPECTED("it handed over again, %u times") SAW("%u"), round,
		       mock.taken_count - 1);
		const struct io_uring_sqe *first = &mock.taken[0], *again = &mock.taken[round];
		expect(memcmp(first, again, sizeof *first) == 0,
		       EXPECTED("the same entry again") SAW("another one"));
		name = again->user_data;
	}
	complete(name, 5, 0);
	unsigned n = look(s);
	expect(n == 1 && s->op[1].result == 5, EXPECTED("5 bytes") SAW("%s"),
	       answer(s->op[1].result));
	close_engine(s);
}

/* Of a file or a socket it is an error like any other, which nobody may hide. */
static void what_is_cut_off_elsewhere_is_told(struct subject *s)
{
	open_on_the_mock(s);
	struct io_op *ops[] = { prepare(s, 0, IO_READ, 0, 0, 4096, 64),
				prepare(s, 1, IO_RECV, 0, 0, IO_NO_OFFSET, 64) };
	start_all(s, ops, 2);
	look(s);
	expect(mock.taken_count == 2, EXPECTED("two entries") SAW("%u"), mock.taken_count);
	for (unsigned i = 0; i < 2; i++)
		complete(mock.taken[i].user_data, -ECANCELED, 0);
	unsigned n = look(s);
	expect(n == 2 && ops[0]->result == -ECANCELED && ops[1]->result == -ECANCELED,
	       EXPECTED("two operations that failed with ECANCELED") SAW("%u back"), n);
	close_engine(s);
}

static void one_that_was_called_back_is_over(struct subject *s)
{
	open_on_the_mock(s);
	begin_pipe_read(s, 1);
	cancel_one(s, &s->op[1]);
	look(s);
	unsigned called_back = end_what_was_taken(0), n = look(s);
	expect(called_back == 1 && n == 1 && s->op[1].result == -ECANCELED,
	       EXPECTED("a read of a pipe called back, with -ECANCELED") SAW("%s"),
	       answer(s->op[1].result));
	expect(mock.taken_count == 2, EXPECTED("no other entry") SAW("%u"), mock.taken_count - 2);
	close_engine(s);
}

/* The ring is full, and the kernel takes nothing. So there is no room to call anything back, until there is. */
static void calls_all_back_when_there_is_room(struct subject *s)
{
	open_on_the_mock(s);
	stop_taking();
	for (unsigned i = 0; i < SQ_ENTRIES; i++)
		start(s, prepare_pipe_read(s, i));
	look(s);
	s->ops->cancel(s->engine);
	look(s);
	expect(s->inflight == SQ_ENTRIES && mock.taken_count == 0,
	       EXPECTED("nothing back from a kernel that takes nothing") SAW("%u in flight"),
	       s->inflight);
	take_again();
	for (unsigned i = 0; i < SQ_ENTRIES; i++)
		look(s);
	unsigned called_back = end_what_was_taken(0);
	expect(called_back == SQ_ENTRIES && mock.taken_count == 2 * SQ_ENTRIES,
	       EXPECTED("each of 8 called back once") SAW("%u of them, by %u entries"), called_back,
	       mock.taken_count - SQ_ENTRIES);
	unsigned n = look(s);
	expect(n == SQ_ENTRIES, EXPECTED("8 back") SAW("%u"), n);
	for (unsigned i = 0; i < SQ_ENTRIES; i++)
		expect(s->op[i].result == -ECANCELED, EXPECTED("-ECANCELED") SAW("%s"),
		       answer(s->op[i].result));
	close_engine(s);
}

/* "Not now" is no error. The entry is still in the ring, and goes over with the next call. */
static void not_now_is_no_error(struct subject *s)
{
	static const int errors[] = { EAGAIN, EBUSY, EINTR, ETIME };
	open_engine(s, 1, 1);
	for (unsigned i = 0; i < sizeof errors / sizeof *errors; i++) {
		struct io_op *done[1], *op = prepare(s, 0, IO_NOP, -1, 0, 0, 0);
		start(s, op);
		fail_call("io_uring_enter", errors[i], 0);
		unsigned n = reap(s, done, 1, 1, NS_PER_S);
		expect(call_failed(), EXPECTED("a call that hands over") SAW("none"));
		expect(n == 0, WHEN("the kernel says %s") EXPECTED("nothing yet") SAW("%u back"),
		       answer(-errors[i]), n);
		await(s, op);
	}
	close_engine(s);
}

/* Two operations are waited for, and the answer to a call back comes before them. */
static void waits_for_more_than_an_answer(struct subject *s)
{
	struct io_op *done[2];
	open_on_the_mock(s);
	uint64_t first = begin_pipe_read(s, 0), second = begin_pipe_read(s, 1);
	cancel_one(s, &s->op[0]);
	mock.call_count = 0;
	reap(s, done, 0, 2, 100 * NS_PER_S);
	for (unsigned i = 0; i < mock.call_count; i++)
		expect(mock.calls[i].min_complete == 0,
		       WHEN("reap() is to bring 0") EXPECTED("a call that waits for none")
			       SAW("for %u"),
		       mock.calls[i].min_complete);
	expect(mock.taken_count == 3, EXPECTED("a call back handed over") SAW("none"));
	mock.due[0] = (struct io_uring_cqe) { .user_data = mock.taken[2].user_data };
	mock.due[1] = (struct io_uring_cqe) { .user_data = first, .res = -ECANCELED };
	mock.due[2] = (struct io_uring_cqe) { .user_data = second, .res = 1 };
	mock.due_count = 3;
	mock.call_count = 0;
	unsigned n = reap(s, done, 2, 2, 100 * NS_PER_S);
	expect(n == 2, EXPECTED("the two that were waited for") SAW("%u"), n);
	unsigned waited_for = 0;
	for (unsigned i = 0; i < mock.call_count; i++) {
		waited_for += mock.calls[i].min_complete;
		expect(mock.calls[i].limit.tv_sec >= 50,
		       EXPECTED("a wait of what is left of 100 s") SAW("%lld s"),
		       (long long)mock.calls[i].limit.tv_sec);
	}
	expect(waited_for <= 3, EXPECTED("3 completions waited for, which come") SAW("%u"),
	       waited_for);
	close_engine(s);
}

/* The answer ends a call, and the next one has what is left of the time, not all of it again. */
static void waits_for_what_is_left_of_the_time(struct subject *s)
{
	struct io_op *done[1];
	int64_t before_ns = 100 * NS_PER_S + 1;
	open_on_the_mock(s);
	uint64_t read = begin_pipe_read(s, 0);
	cancel_one(s, &s->op[0]);
	look(s);
	expect(mock.taken_count == 2, EXPECTED("a call back handed over") SAW("none"));
	mock.due[0] = (struct io_uring_cqe) { .user_data = mock.taken[1].user_data };
	mock.due[1] = (struct io_uring_cqe) { .user_data = read, .res = -ECANCELED };
	mock.due_count = 2;
	mock.call_count = 0;
	unsigned n = reap(s, done, 1, 1, 100 * NS_PER_S);
	expect(n == 1, EXPECTED("the one that was waited for") SAW("%u"), n);
	for (unsigned i = 0; i < mock.call_count; i++) {
		const struct __kernel_timespec *limit = &mock.calls[i].limit;
		int64_t limit_ns = limit->tv_sec * NS_PER_S + limit->tv_nsec;
		expect(limit_ns < before_ns,
		       WHEN("call %u of a wait of 100 s") EXPECTED("less than the %lld ns before")
			       SAW("%lld ns"),
		       i + 1, (long long)before_ns, (long long)limit_ns);
		before_ns = limit_ns;
	}
	close_engine(s);
}

/* The answer has come and one operation, and the wait for the other one fails. */
static void tells_what_breaks_during_a_call_back(struct subject *s)
{
	struct io_op *done[2];
	open_on_the_mock(s);
	uint64_t first = begin_pipe_read(s, 0), second = begin_pipe_read(s, 1);
	cancel_one(s, &s->op[0]);
	look(s);
	expect(mock.taken_count == 3, EXPECTED("a call back handed over") SAW("none"));
	mock.due[0] = (struct io_uring_cqe) { .user_data = mock.taken[2].user_data };
	mock.due[1] = (struct io_uring_cqe) { .user_data = first, .res = -ECANCELED };
	mock.due_count = 2;
	mock.after_due = -EBADF;
	int rc = s->ops->reap(s->engine, done, 2, 2, 100 * NS_PER_S);
	expect(rc == -EBADF, EXPECTED("%d from reap()") SAW("%s"), -EBADF, answer(rc));
	mock.after_due = 0; /* a run would end here; the test brings home what is left */
	s->op[0].in_flight = 0;
	s->inflight--;
	complete(second, 1, 0);
	unsigned n = look(s);
	expect(n == 1, EXPECTED("the other one") SAW("%u"), n);
	close_engine(s);
}

static void calls_one_back_when_there_is_room(struct subject *s)
{
	open_on_the_mock(s);
	stop_taking();
	for (unsigned i = 0; i < SQ_ENTRIES; i++)
		start(s, prepare_pipe_read(s, i));
	unsigned long made = allocations_made();
	cancel_one(s, &s->op[5]);
	expect(allocations_made() == made,
	       WHEN("the ring has no room for a cancel") EXPECTED("no call of malloc") SAW("one"));
	take_again();
	for (unsigned i = 0; i < SQ_ENTRIES; i++)
		look(s);
	unsigned called_back = end_what_was_taken(0), n = look(s);
	expect(called_back == 1 && n == SQ_ENTRIES,
	       EXPECTED("one called back, and 8 back") SAW("%u and %u"), called_back, n);
	for (unsigned i = 0; i < SQ_ENTRIES; i++)
		expect(s->op[i].result == (i == 5 ? -ECANCELED : 1),
		       EXPECTED("the result %d of read %u") SAW("%s"), i == 5 ? -ECANCELED : 1, i,
		       answer(s->op[i].result));
	close_engine(s);
}

/* It is over before there was room to call it back. Who has its slot then is another one. */
static void calls_back_nobody_else(struct subject *s)
{
	open_on_the_mock(s);
	uint64_t name = begin_pipe_read(s, 3);
	stop_taking();
	for (unsigned i = 0; i < SQ_ENTRIES; i++)
		if (i != 3)
			start(s, prepare_pipe_read(s, i));
	cancel_one(s, &s->op[0]); /* the ring's last place */
	cancel_one(s, &s->op[3]);
	complete(name, 1, 0);
	unsigned n = look(s);
	expect(n == 1 && !s->op[3].in_flight && s->op[3].result == 1,
	       EXPECTED("the read that is over") SAW("%u back"), n);
	take_again();
	start(s, prepare_pipe_read(s, 3));
	for (unsigned i = 0; i < SQ_ENTRIES; i++)
		look(s);
	unsigned called_back = end_what_was_taken(1);
	n = look(s);
	expect(called_back == 1 && n == SQ_ENTRIES && s->op[0].result == -ECANCELED,
	       EXPECTED("one read called back, and 8 back") SAW("%u and %u"), called_back, n);
	expect(s->op[3].result == 1,
	       WHEN("another read has the slot") EXPECTED("its byte") SAW("%s"),
	       answer(s->op[3].result));
	close_engine(s);
}

/* Most of what an SQE says shows in what comes of it. Here is what does not. */

static struct io_uring_sqe sqe_of(struct subject *s, struct io_op *op)
{
	unsigned before = mock.taken_count;
	start(s, op);
	look(s);
	expect(mock.taken_count == before + 1, EXPECTED("one entry for one operation") SAW("%u"),
	       mock.taken_count - before);
	complete(mock.taken[before].user_data, 0, 0);
	unsigned n = look(s);
	expect(n == 1, EXPECTED("the operation back") SAW("%u"), n);
	return mock.taken[before];
}

static void syncs_as_it_was_asked(struct subject *s)
{
	open_on_the_mock(s);
	struct io_uring_sqe full = sqe_of(s, prepare(s, 0, IO_FSYNC, 0, 0, 0, 0)),
			    data_only = sqe_of(s, prepare(s, 0, IO_FDATASYNC, 0, 0, 0, 0));
	expect(full.opcode == IORING_OP_FSYNC && full.fsync_flags == 0,
	       EXPECTED("IO_FSYNC as IORING_OP_FSYNC without flags") SAW("opcode %u, flags %#x"),
	       full.opcode, full.fsync_flags);
	expect(data_only.opcode == IORING_OP_FSYNC &&
		       data_only.fsync_flags == IORING_FSYNC_DATASYNC,
	       EXPECTED("IO_FDATASYNC as IORING_OP_FSYNC with IORING_FSYNC_DATASYNC")
		       SAW("opcode %u, flags %#x"),
	       data_only.opcode, data_only.fsync_flags);
	close_engine(s);
}

/* New kernels add the flag, older ones do not, and there the signal ends the program. */
static void says_that_a_send_raises_no_signal(struct subject *s)
{
	open_on_the_mock(s);
	struct io_uring_sqe sqe = sqe_of(s, prepare(s, 0, IO_SEND, 0, 0, 0, 7));
	expect(sqe.msg_flags & MSG_NOSIGNAL, EXPECTED("MSG_NOSIGNAL in the SQE") SAW("flags %#x"),
	       sqe.msg_flags);
	close_engine(s);
}

/* Exercise 6. */

static void an_awake_thread_needs_no_call(struct subject *s)
{
	(void)s;
	struct rings r;
	begin_mock();
	const struct ring_steps *steps = open_mock(&r, IORING_SETUP_SQPOLL);
	fill_some(steps, &r, 3);
	int rc = steps->enter(&r, 0, 0);
	expect(rc == 0 && mock.call_count == 0,
	       EXPECTED("no call while the thread is awake") SAW("%u"), mock.call_count);
	expect(sq_tail_now() - mock.first == 3,
	       EXPECTED("3 entries for the thread to see") SAW("%u"), sq_tail_now() - mock.first);
	steps->enter(&r, 1, -1);
	const struct entered *call = the_only_call();
	expect(call->min_complete == 1, EXPECTED("a wait for 1 completion") SAW("for %u"),
	       call->min_complete);
	expect_getevents(call);
	expect(!(call->flags & IORING_ENTER_SQ_WAKEUP),
	       EXPECTED("no IORING_ENTER_SQ_WAKEUP for a thread that is awake") SAW("it"));
	steps->close(&r);
}

static void wakes_a_thread_that_sleeps(struct subject *s)
{
	(void)s;
	struct rings r;
	begin_mock();
	const struct ring_steps *steps = open_mock(&r, IORING_SETUP_SQPOLL);
	*sq_word(mock.params.sq_off.flags) = IORING_SQ_NEED_WAKEUP;
	steps->enter(&r, 0, 0);
	expect(mock.call_count == 0,
	       WHEN("the thread sleeps, and there is nothing for it") EXPECTED("no call") SAW("%u"),
	       mock.call_count);
	fill_some(steps, &r, 1);
	steps->enter(&r, 0, 0);
	const struct entered *call = the_only_call();
	expect(call->flags & IORING_ENTER_SQ_WAKEUP,
	       EXPECTED("IORING_ENTER_SQ_WAKEUP for a thread that sleeps") SAW("flags %#x"),
	       call->flags);
	steps->close(&r);
}

static void waits_for_room_in_one_call(struct subject *s)
{
	(void)s;
	for (unsigned asleep = 0; asleep < 2; asleep++) {
		struct rings r;
		begin_mock();
		const struct ring_steps *steps = open_mock(&r, IORING_SETUP_SQPOLL);
		fill_some(steps, &r, SQ_ENTRIES);
		steps->publish(&r);
		*sq_word(mock.params.sq_off.flags) = asleep ? IORING_SQ_NEED_WAKEUP : 0;
		int rc = steps->wait_for_room(&r);
		const struct entered *call = the_only_call();
		expect(rc == 0, EXPECTED("0") SAW("%s"), answer(rc));
		expect(call->flags & IORING_ENTER_SQ_WAIT,
		       EXPECTED("IORING_ENTER_SQ_WAIT") SAW("flags %#x"), call->flags);
		expect(!(call->flags & IORING_ENTER_SQ_WAKEUP) == !asleep,
		       WHEN("the thread %s") EXPECTED("it %s") SAW("flags %#x"),
		       asleep ? "sleeps" : "is awake", asleep ? "woken" : "left alone",
		       call->flags);
		mock.answer = -EBADF;
		rc = steps->wait_for_room(&r);
		expect(rc == -EBADF, EXPECTED("-EBADF, as the kernel says") SAW("%s"), answer(rc));
		steps->close(&r);
	}
}

/*
 * The polling thread goes to sleep just as an entry is published: a round. Both sides write one word and
 * read the other's. Lost is a round in which the thread saw no entry and nobody woke it.
 */
struct litmus {
	pthread_t thread;
	uint32_t round, done; /* shared */
	uint32_t slept; /* in this round */
};

#define ROUNDS_MOST	10000u
#define LITMUS_LIMIT_NS (6 * NS_PER_S)
#define ROUND_ENDS	UINT32_MAX

#define COLD_BYTES (32u << 20)
#define COLD_LINES 24u
static volatile char cold[COLD_BYTES];

/*
 * A processor writes in order, so the write of the tail waits behind these, which miss its cache. It does
 * not wait before it reads. That widens a gap of nanoseconds.
 */
static void write_cold_lines(uint32_t round)
{
	for (uint32_t i = 0; i < COLD_LINES; i++)
		cold[(round * COLD_LINES + i) * (4096 + 64) % COLD_BYTES] = 1;
}

/* Spins: where other programs want the CPU, too, two threads that yield to them never run at one time. */
static uint32_t await_round(const uint32_t *shared, uint32_t last)
{
	uint32_t now;
	while ((now = __atomic_load_n(shared, __ATOMIC_ACQUIRE)) == last)
		;
	return now;
}

/* Two threads that take turns on one CPU have nothing to show. `nth` from 0. Returns whether there is one. */
static bool move_to_cpu(unsigned nth)
{
	static cpu_set_t all;
	if (CPU_COUNT(&all) == 0)
		sched_getaffinity(0, sizeof all, &all);
	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		cpu_set_t one;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (CPU_ISSET(cpu, &all) && nth-- == 0)
			return sched_setaffinity(0, sizeof one, &one) == 0;
	}
	return false;
}

static void *go_to_sleep(void *argument)
{
	struct litmus *l = argument;
	move_to_cpu(1);
	for (uint32_t round = 0; (round = await_round(&l->round, round)) != ROUND_ENDS;) {
		/* Its own copy of the tail's line, as a thread has that has polled. */
		(void)__atomic_load_n(sq_word(mock.params.sq_off.tail), __ATOMIC_RELAXED);
		__atomic_store_n(sq_word(mock.params.sq_off.flags), IORING_SQ_NEED_WAKEUP,
				 __ATOMIC_RELAXED);
		__sync_synchronize();
		l->slept = __atomic_load_n(sq_word(mock.params.sq_off.tail), __ATOMIC_RELAXED) ==
			   *sq_word(mock.params.sq_off.head);
		__atomic_store_n(&l->done, round, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* What stands between the write of the tail and the read of the flag. ThreadSanitizer's build tells. */
static struct {
	const volatile void *tail, *flag; /* NULL: nobody looks */
	bool written, is_total, ordered; /* the tail, now; how; and a full barrier since */
	unsigned reads, early; /* of the flag; without a barrier after the write of the tail */
} order;

#if THREAD_SANITIZER && !defined __clang__
/*
 * The compiler calls these in place of each atomic access, also the engine's. The C library's ones are
 * behind them. A barrier in assembler has no such call, and nobody sees it.
 */
#define BEHIND(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define UNSEEN	     __attribute__((no_sanitize_thread))

static UNSEEN void saw_write(const volatile void *at, int memory_order, bool exchange)
{
	bool total = memory_order == __ATOMIC_SEQ_CST;
	if (at && at == order.tail) {
		order.written = true;
		order.is_total = total;
		order.ordered = false;
	}
	/* An exchange writes and reads, and no later read goes before it. */
	order.ordered |= exchange && (total || memory_order == __ATOMIC_ACQ_REL);
}

static UNSEEN void saw_read(const volatile void *at, int memory_order)
{
	if (!at || at != order.flag)
		return;
	bool in_one_order = order.is_total && memory_order == __ATOMIC_SEQ_CST;
	order.reads++;
	order.early += order.written && !order.ordered && !in_one_order;
}

uint32_t __tsan_atomic32_load(const volatile uint32_t *at, int memory_order);
UNSEEN uint32_t __tsan_atomic32_load(const volatile uint32_t *at, int memory_order)
{
	saw_read(at, memory_order);
	return BEHIND(__tsan_atomic32_load)(at, memory_order);
}

void __tsan_atomic32_store(volatile uint32_t *at, uint32_t value, int memory_order);
UNSEEN void __tsan_atomic32_store(volatile uint32_t *at, uint32_t value, int memory_order)
{
	saw_write(at, memory_order, false);
	BEHIND(__tsan_atomic32_store)(at, value, memory_order);
}

void __tsan_atomic_thread_fence(int memory_order);
UNSEEN void __tsan_atomic_thread_fence(int memory_order)
{
	order.ordered |= memory_order == __ATOMIC_SEQ_CST;
	BEHIND(__tsan_atomic_thread_fence)(memory_order);
}

/* What reads and writes in one. */
#define SEES_BOTH(name)                                                                            \
	uint32_t name(volatile uint32_t *at, uint32_t value, int memory_order);                    \
	UNSEEN uint32_t name(volatile uint32_t *at, uint32_t value, int memory_order)              \
	{                                                                                          \
		saw_write(at, memory_order, true);                                                 \
		saw_read(at, memory_order);                                                        \
		return BEHIND(name)(at, value, memory_order);                                      \
	}
SEES_BOTH(__tsan_atomic32_exchange)
SEES_BOTH(__tsan_atomic32_fetch_add)
SEES_BOTH(__tsan_atomic32_fetch_or)
SEES_BOTH(__tsan_atomic32_fetch_and)
#endif

/* No chance in it: each access is seen, in the order in which the program makes them. */
static void expect_a_barrier(void)
{
	struct rings r;
	begin_mock();
	const struct ring_steps *steps = open_mock(&r, IORING_SETUP_SQPOLL);
	fill_some(steps, &r, 1);
	order.tail = sq_word(mock.params.sq_off.tail);
	order.flag = sq_word(mock.params.sq_off.flags);
	steps->enter(&r, 0, 0);
	order.tail = order.flag = NULL;
	expect(!order.written || order.reads == 0 || order.early == 0,
	       EXPECTED(
		       "a full barrier after the write of the tail and before the read of the flag")
		       SAW("none between the two: a processor may read first"));
	steps->close(&r);
}

static void no_wakeup_is_lost(struct subject *s)
{
	(void)s;
	struct rings r;
	struct litmus l = { .round = 0 };
	if (THREAD_SANITIZER)
		expect_a_barrier();
	if (!move_to_cpu(1) || !move_to_cpu(0))
		test_skipped("two threads have to run at the same time, and there is one CPU");
	begin_mock();
	const struct ring_steps *steps = open_mock(&r, IORING_SETUP_SQPOLL);
	expect(pthread_create(&l.thread, NULL, go_to_sleep, &l) == 0, "the test has no thread");
	uint64_t deadline_ns = clock_ns() + LITMUS_LIMIT_NS;
	uint32_t round = 1, lost = 0;
	for (; round <= ROUNDS_MOST && lost == 0 && clock_ns() < deadline_ns; round++) {
		fill_one(steps, &r, round);
		mock.call_count = 0;
		mock.takes = 0; /* the call wakes, and takes nothing */
		__atomic_store_n(&l.round, round, __ATOMIC_RELEASE);
		write_cold_lines(round);
		steps->enter(&r, 0, 0);
		await_round(&l.done, round - 1);
		lost += l.slept && mock.call_count == 0;
		take_entry();
		__atomic_store_n(sq_word(mock.params.sq_off.flags), 0, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&l.round, ROUND_ENDS, __ATOMIC_RELEASE);
	pthread_join(l.thread, NULL);
	expect(lost == 0,
	       EXPECTED("a thread that sees no entry to be woken for it")
		       SAW("none of the two in round %u: the write of the tail came after the read "
			   "of the flag"),
	       round);
	steps->close(&r);
}

/* The real kernel's thread. */
static void submits_without_a_call(struct subject *s)
{
	enum { OPERATIONS = 200, CALLS = 40 };
	struct io_op *done[1];
	open_engine(s, 1, 1);
	perform(s, prepare(s, 0, IO_NOP, -1, 0, 0, 0));
	calls_reset();
	for (unsigned i = 0; i < OPERATIONS; i++) {
		start(s, prepare(s, 0, IO_NOP, -1, 0, 0, 0));
		uint64_t deadline_ns = clock_ns() + 3 * NS_PER_S;
		while (reap(s, done, 0, 1, 0) == 0) {
			expect(clock_ns() < deadline_ns,
			       EXPECTED("a no-op back within 3 s") SAW("none"));
			sched_yield();
		}
	}
	unsigned calls = calls_made("io_uring_enter");
	expect(calls <= CALLS,
	       EXPECTED("next to no call for 200 operations: the kernel's thread sees them")
		       SAW("%u"),
	       calls);
	close_engine(s);
}

/* When there was no work for a while, its thread leaves the CPU. */
static void the_polling_thread_falls_asleep(struct subject *s)
{
	open_engine(s, 1, 1);
	perform(s, prepare(s, 0, IO_NOP, -1, 0, 0, 0));
	int tid = polling_thread();
	if (tid < 0)
		test_skipped("/proc/self/task shows no polling thread");
	wait_until_asleep(tid);
	close_engine(s);
}

/* The polling thread needs a CPU of its own, and sqpoll_shared does without. */
static void asks_for_a_second_cpu(struct subject *s)
{
	for (unsigned cpu_count = 1; cpu_count <= 2; cpu_count++) {
		struct engine_config config = { .depth = 1,
						.cpu_count = cpu_count,
						.options = s->options };
		struct reason why = { "" };
		bool shares = s->options != 1; /* sqpoll is the first option */
		int rc = s->ops->supports(&config, IO_NOP, IO_FD_NONE, &why);
		if (rc < 0 && strcmp(why.id, "needs_second_cpu") != 0)
			test_skipped("%s", why.text);
		expect((rc == 0) == (shares || cpu_count > 1),
		       WHEN("%u CPUs") EXPECTED("%s") SAW("%s"), cpu_count,
		       shares || cpu_count > 1 ? "0 from supports()" : "a refusal", answer(rc));
	}
}

/* Before Linux 5.11 the polling thread took CAP_SYS_ADMIN, or CAP_SYS_NICE. */
static void a_thread_that_is_refused_is_told(struct subject *s)
{
	struct reason why;
	serve_engines();
	mock.refused_flags = IORING_SETUP_SQPOLL;
	int rc = ask(s, IO_NOP, &why);
	expect(rc == -EPERM && why.text[0],
	       WHEN("the kernel refuses IORING_SETUP_SQPOLL") EXPECTED("%d from supports()")
		       SAW("%s"),
	       -EPERM, answer(rc));
}

/* Exercise 7. */

static void asks_for_what_overflowed(struct subject *s)
{
	(void)s;
	struct rings r;
	begin_mock();
	const struct ring_steps *steps = open_mock(&r, 0);
	*sq_word(mock.params.sq_off.flags) = IORING_SQ_CQ_OVERFLOW;
	steps->enter(&r, 0, 0);
	const struct entered *call = the_only_call();
	expect(call->flags & IORING_ENTER_GETEVENTS,
	       EXPECTED("IORING_ENTER_GETEVENTS, which brings them") SAW("flags %#x"), call->flags);
	expect(call->min_complete == 0, EXPECTED("no wait") SAW("%u completions waited for"),
	       call->min_complete);
	*sq_word(mock.params.sq_off.flags) = IORING_SQ_TASKRUN;
	steps->enter(&r, 0, 0);
	expect(mock.call_count == 1, WHEN("another flag is set") EXPECTED("no call") SAW("one"));
	steps->close(&r);
}

/* Who hands over in each call would hear of it never, if only a call that has nothing else to do asked for it. */
static void asks_while_it_hands_over(struct subject *s)
{
	(void)s;
	struct rings r;
	begin_mock();
	const struct ring_steps *steps = open_mock(&r, 0);
	*sq_word(mock.params.sq_off.flags) = IORING_SQ_CQ_OVERFLOW;
	fill_some(steps, &r, 1);
	steps->enter(&r, 0, 0);
	const struct entered *call = the_only_call();
	expect(call->to_submit == 1, EXPECTED("1 entry handed over") SAW("%u"), call->to_submit);
	expect_getevents(call);
	steps->close(&r);
}

/* In the real kernel: a small completion ring, and more no-ops than it has places. */
static void nothing_is_lost_by_a_full_ring(struct subject *s)
{
	enum { OPERATIONS = 24 };
	(void)s;
	const struct ring_steps *steps = steps_of_the_engine();
	struct rings r;
	struct io_uring_params params = { .flags = IORING_SETUP_CQSIZE, .cq_entries = 4 };
	struct io_uring_cqe taken[OPERATIONS];
	int rc = steps->open(&r, &kernel_calls, 4, &params);
	if (rc == -ENOSYS || rc == -EPERM)
		test_skipped("this kernel refuses io_uring");
	expect(rc == 0, EXPECTED("0 from open()") SAW("%s"), answer(rc));
	for (unsigned i = 0; i < OPERATIONS; i++) {
		fill_one(steps, &r, i + 1)->off = 0;
		rc = steps->enter(&r, 0, 0);
		expect(rc == 1, WHEN("no-op %u, nothing taken") EXPECTED("1 handed over") SAW("%s"),
		       i, answer(rc));
	}
	uint64_t seen = 0;
	unsigned got = 0, idle = 0;
	while (got < OPERATIONS && idle < 3) {
		rc = steps->enter(&r, 0, 0);
		expect(rc >= 0, EXPECTED("0 from enter()") SAW("%s"), answer(rc));
		unsigned count = steps->take(&r, taken, OPERATIONS);
		for (unsigned i = 0; i < count; i++)
			seen |= UINT64_C(1) << taken[i].user_data;
		got += count;
		idle = count ? 0 : idle + 1;
	}
	expect(got == OPERATIONS && seen == ((UINT64_C(1) << OPERATIONS) - 1) << 1,
	       EXPECTED("24 completions, each once, of a ring with %u places") SAW("%u"),
	       params.cq_entries, got);
	steps->close(&r);
}

#define TEST(the_name, the_flavours, the_test)                                                     \
	.name = the_name, .flavours = the_flavours, .run = the_test
#define OF(number) .exercise = number, .engine = "uring_raw"
/* It waits in the one call alone. */
#define ENTERS .allowed_calls = "io_uring_enter"

const struct lab_test lab_tests[] = {
	{ OF(1), TEST("finds_the_rings", ONE(NO_FD), finds_the_rings) },
	{ OF(1), TEST("finds_the_rings_in_one_piece", ONE(NO_FD), finds_the_rings_in_one_piece) },
	{ OF(1),
	  TEST("begins_where_the_indices_stand", ONE(NO_FD), begins_where_the_indices_stand) },
	{ OF(1), TEST("names_every_sqe", ONE(NO_FD), names_every_sqe) },
	{ OF(1), TEST("a_kernel_that_refuses_is_believed", ONE(NO_FD),
		      a_kernel_that_refuses_is_believed) },
	{ OF(1),
	  TEST("opens_for_more_than_a_ring_holds", ONE(NO_FD), opens_for_more_than_a_ring_holds) },
	{ OF(1), TEST("descriptor_0_is_one", ONE(NO_FD), descriptor_0_is_one) },
	{ OF(1), TEST("a_mapping_that_fails_leaves_nothing", ONE(NO_FD),
		      a_mapping_that_fails_leaves_nothing) },
	{ OF(1), TEST("unmaps_what_it_mapped_once", ONE(NO_FD), unmaps_what_it_mapped_once) },
	{ OF(1), TEST("a_kernel_without_limits_is_refused", ONE(NO_FD),
		      a_kernel_without_limits_is_refused) },
	{ OF(1), TEST("asks_what_the_kernel_has", ONE(NO_FD), asks_what_the_kernel_has) },
	{ OF(1), TEST("open_tells_what_fails", ONE(NO_FD), open_tells_what_fails) },
	{ OF(1), TEST("supports_tells_what_fails", ONE(NO_FD), supports_tells_what_fails) },

	{ OF(2), TEST("tells_nothing_before_it_publishes", ONE(NO_FD),
		      tells_nothing_before_it_publishes) },
	{ OF(2), TEST("an_entry_begins_clean", ONE(NO_FD), an_entry_begins_clean) },
	{ OF(2), TEST("stops_when_the_ring_is_full", ONE(NO_FD), stops_when_the_ring_is_full) },
	{ OF(2), TEST("a_place_that_was_read_is_free", ONE(NO_FD), a_place_that_was_read_is_free) },
	{ OF(2), TEST("kernel_reads_whole_entries", ONE(NO_FD), kernel_reads_whole_entries),
	  .limit_s = 30 },

	{ OF(3), TEST("takes_what_is_there", ONE(NO_FD), takes_what_is_there) },
	{ OF(3), TEST("takes_no_more_than_asked", ONE(NO_FD), takes_no_more_than_asked) },
	{ OF(3), TEST("reads_before_it_gives_back", ONE(NO_FD), reads_before_it_gives_back) },
	{ OF(3), TEST("sees_whole_completions", ONE(NO_FD), sees_whole_completions),
	  .limit_s = 30 },

	{ OF(4),
	  TEST("hands_over_and_waits_in_one_call", ONE(NO_FD), hands_over_and_waits_in_one_call) },
	{ OF(4), TEST("makes_no_call_for_nothing", ONE(NO_FD), makes_no_call_for_nothing) },
	{ OF(4), TEST("hands_over_without_a_wait", ONE(NO_FD), hands_over_without_a_wait) },
	{ OF(4),
	  TEST("the_limit_of_time_is_in_the_call", ONE(NO_FD), the_limit_of_time_is_in_the_call) },
	{ OF(4), TEST("offers_again_what_was_left", ONE(NO_FD), offers_again_what_was_left) },
	{ OF(4), TEST("tells_what_the_kernel_says", ONE(NO_FD), tells_what_the_kernel_says) },
	{ OF(4), TEST("one_call_for_a_batch", ONE(NO_FD), one_call_for_a_batch), ENTERS },
	{ OF(4),
	  TEST("reaps_without_a_call_what_is_there", ONE(NO_FD),
	       reaps_without_a_call_what_is_there),
	  ENTERS },
	{ OF(4), TEST("nop_completes", ONE(NO_FD), nop_completes), ENTERS },

	{ OF(5), TEST("reads_right_data", FILES, file_read_right_data), ENTERS },
	{ OF(5), TEST("writes_right_data", FILES, file_write_right_data), ENTERS },
	{ OF(5), TEST("syncs", ONE(BUFFERED), file_sync), ENTERS },
	{ OF(5), TEST("syncs_as_it_was_asked", ONE(NO_FD), syncs_as_it_was_asked) },
	{ OF(5), TEST("reads_across_the_end", FILES, file_read_across_end), ENTERS },
	{ OF(5), TEST("bad_descriptor_is_a_result", ONE(BUFFERED), file_bad_descriptor), ENTERS },
	{ OF(5), TEST("receives_what_is_there", STREAMS, stream_receives_what_is_there), ENTERS },
	{ OF(5), TEST("sends_right_data", STREAMS, stream_sends_right_data), ENTERS },
	{ OF(5), TEST("sends_to_nobody_and_lives", SOCKETS, stream_send_to_nobody), ENTERS },
	{ OF(5), TEST("says_that_a_send_raises_no_signal", ONE(NO_FD),
		      says_that_a_send_raises_no_signal) },
	{ OF(5), TEST("sleeps_while_it_waits", ONE(TCP), stream_sleeps_while_waiting), ENTERS },
	{ OF(5), TEST("keeps_its_time_limit", ONE(TCP), stream_keeps_its_timeout), ENTERS },
	{ OF(5), TEST("waits_for_ever", ONE(TCP), stream_waits_for_ever), ENTERS },
	{ OF(5), TEST("a_signal_ends_the_wait", ONE(TCP), stream_signal_ends_the_wait), ENTERS },
	{ OF(5), TEST("accepts_who_waits", ONE(TCP), accept_takes_who_waits), ENTERS },
	{ OF(5), TEST("connects_to_a_listener", SOCKETS, connect_reaches_a_listener), ENTERS },
	{ OF(5), TEST("a_socket_works_both_ways_at_once", ONE(TCP), socket_both_directions_at_once),
	  ENTERS },
	{ OF(5), TEST("a_cancel_leaves_what_is_back", ONE(TCP), cancel_leaves_what_is_back) },
	{ OF(5), TEST("calls_all_back", STREAMS, stream_cancel), ENTERS },
	{ OF(5), TEST("calls_one_back", ONE(TCP), cancel_one_leaves_the_others), ENTERS },
	{ OF(5), TEST("fills_its_depth", ONE(BUFFERED), file_fills_its_depth) },
	{ OF(5), TEST("keeps_min_and_max", ONE(BUFFERED), reap_keeps_min_and_max) },
	{ OF(5), TEST("keeps_a_large_min", ONE(BUFFERED), reap_keeps_a_large_min) },
	{ OF(5), TEST("loses_nothing_to_a_reap_of_nothing", ONE(BUFFERED),
		      reap_of_nothing_loses_nothing) },
	{ OF(5), TEST("comes_back_one_by_one", ONE(TCP), stream_comes_back_one_by_one) },
	{ OF(5), TEST("waits_for_as_many_as_asked", ONE(TCP), stream_waits_for_as_many_as_asked) },
	{ OF(5), TEST("counts_what_is_ready_once", ONE(UNIX) | ONE(PIPE),
		      stream_counts_what_is_there_once) },
	{ OF(5), TEST("counts_what_was_left", ONE(UNIX), stream_counts_what_was_left) },
	{ OF(5), TEST("calls_files_back", ONE(BUFFERED), file_cancel) },
	{ OF(5), TEST("calls_back_scattered_slots", ONE(TCP), stream_cancel_in_scattered_slots) },
	{ OF(5), TEST("calls_sends_back", ONE(TCP), stream_cancel_of_sends) },
	{ OF(5),
	  TEST("calls_back_with_nothing_in_flight", ONE(TCP), cancel_with_nothing_in_flight) },
	{ OF(5), TEST("calls_one_back_without_a_trace", ONE(TCP), cancel_one_leaves_no_trace) },
	{ OF(5), TEST("calls_one_back_and_loses_no_byte", ONE(TCP), cancel_one_loses_no_byte) },
	{ OF(5),
	  TEST("calls_one_back_at_its_beginning", ONE(TCP), cancel_one_meets_the_beginning) },
	{ OF(5), TEST("calls_one_back_too_late", ONE(TCP), cancel_one_comes_too_late) },
	{ OF(5), TEST("calls_one_send_back", ONE(TCP), cancel_one_of_a_send) },
	{ OF(5),
	  TEST("calls_a_short_send_back", ONE(UNIX) | ONE(PIPE), cancel_one_of_a_short_send) },
	{ OF(5), TEST("a_signal_ends_a_wait_after_a_cancel", ONE(UNIX),
		      stream_signal_ends_a_wait_after_a_cancel) },
	{ OF(5), TEST("calls_one_file_back", ONE(BUFFERED), cancel_one_of_a_file) },
	{ OF(5), TEST("calls_an_accept_back", ONE(TCP), accept_is_called_back) },
	{ OF(5), TEST("calls_a_connect_back", ONE(TCP), connect_waits_and_is_called_back) },
	{ OF(5), TEST("opens_without_memory_or_says_why_not", ONE(BUFFERED), open_without_memory) },
	{ OF(5), TEST("supports_or_says_why", ONE(BUFFERED), supports_or_says_why) },
	{ OF(5),
	  TEST("failures_leave_nothing_behind", ONE(BUFFERED), failures_leave_nothing_behind) },
	{ OF(5),
	  TEST("result_is_all_that_is_written", ONE(BUFFERED), result_is_all_that_is_written) },
	{ OF(5), TEST("two_engines", ONE(BUFFERED), two_engines_on_files) },
	{ OF(5), TEST("two_engines_in_two_threads", ONE(UNIX), two_engines_in_two_threads) },
	{ OF(5), TEST("is_not_inherited", ONE(BUFFERED), descriptors_are_not_inherited) },
	{ OF(5), TEST("survives_signals", ONE(PIPE), stream_survives_signals) },
	{ OF(5), TEST("accepts_with_a_full_ring", ONE(NO_FD), accepts_with_a_full_ring) },
	{ OF(5), TEST("a_read_that_is_cut_off_begins_anew", ONE(NO_FD),
		      a_read_that_is_cut_off_begins_anew) },
	{ OF(5), TEST("what_is_cut_off_elsewhere_is_told", ONE(NO_FD),
		      what_is_cut_off_elsewhere_is_told) },
	{ OF(5), TEST("calls_all_back_when_there_is_room", ONE(NO_FD),
		      calls_all_back_when_there_is_room) },
	{ OF(5), TEST("waits_for_more_than_an_answer", ONE(NO_FD), waits_for_more_than_an_answer) },
	{ OF(5), TEST("waits_for_what_is_left_of_the_time", ONE(NO_FD),
		      waits_for_what_is_left_of_the_time) },
	{ OF(5), TEST("not_now_is_no_error", ONE(NO_FD), not_now_is_no_error) },
	{ OF(5), TEST("tells_what_breaks_during_a_call_back", ONE(NO_FD),
		      tells_what_breaks_during_a_call_back) },
	{ OF(5), TEST("calls_one_back_when_there_is_room", ONE(NO_FD),
		      calls_one_back_when_there_is_room) },
	{ OF(5), TEST("calls_back_nobody_else", ONE(NO_FD), calls_back_nobody_else) },
	{ OF(5),
	  TEST("one_that_was_called_back_is_over", ONE(NO_FD), one_that_was_called_back_is_over) },
	{ OF(5), TEST("files_tell_what_fails", ONE(BUFFERED), file_tells_what_fails) },
	{ OF(5), TEST("streams_tell_what_fails", ONE(TCP), stream_tells_what_fails) },
	{ OF(5), TEST("opens_and_closes_again", ONE(BUFFERED), opens_and_closes_again) },
	{ OF(5), TEST("allocates_nothing_later", ONE(UNIX), counted_no_allocation_after_open) },
	{ OF(5), TEST("close_leaves_nothing_mapped", ONE(NO_FD), close_leaves_nothing_mapped) },
	{ OF(5), TEST("survives_many_operations", ONE(BUFFERED), file_survives_many_operations),
	  ENTERS },

	{ OF(6), TEST("an_awake_thread_needs_no_call", ONE(NO_FD), an_awake_thread_needs_no_call) },
	{ OF(6), TEST("wakes_a_thread_that_sleeps", ONE(NO_FD), wakes_a_thread_that_sleeps) },
	{ OF(6), TEST("waits_for_room_in_one_call", ONE(NO_FD), waits_for_room_in_one_call) },
	{ OF(6), TEST("no_wakeup_is_lost", ONE(NO_FD), no_wakeup_is_lost), .limit_s = 30 },
	{ .exercise = 6,
	  .engine = "uring_raw:sqpoll",
	  TEST("submits_without_a_call", ONE(NO_FD), submits_without_a_call),
	  .limit_s = 30 },
	{ .exercise = 6,
	  .engine = "uring_raw:sqpoll_shared",
	  TEST("shares_a_cpu_without_a_call", ONE(NO_FD), submits_without_a_call),
	  .limit_s = 30 },
	{ .exercise = 6,
	  .engine = "uring_raw:sqpoll",
	  TEST("the_polling_thread_falls_asleep", ONE(NO_FD), the_polling_thread_falls_asleep),
	  .limit_s = 30 },
	{ .exercise = 6,
	  .engine = "uring_raw:sqpoll",
	  TEST("asks_for_a_second_cpu", ONE(NO_FD), asks_for_a_second_cpu) },
	{ .exercise = 6,
	  .engine = "uring_raw:sqpoll_shared",
	  TEST("asks_for_no_second_cpu", ONE(NO_FD), asks_for_a_second_cpu) },
	{ .exercise = 6,
	  .engine = "uring_raw:sqpoll",
	  TEST("a_thread_that_is_refused_is_told", ONE(NO_FD), a_thread_that_is_refused_is_told) },
	{ .exercise = 6,
	  .engine = "uring_raw:sqpoll_shared",
	  TEST("accepts_with_a_full_polled_ring", ONE(NO_FD), accepts_with_a_full_ring) },
	{ .exercise = 6,
	  .engine = "uring_raw:sqpoll_shared",
	  TEST("polled_calls_back_when_there_is_room", ONE(NO_FD),
	       calls_all_back_when_there_is_room) },
	{ .exercise = 6,
	  .engine = "uring_raw:sqpoll",
	  TEST("polled_depth_is_used", ONE(BUFFERED), file_fills_its_depth) },
	{ .exercise = 6,
	  .engine = "uring_raw:sqpoll",
	  TEST("polled_reads_are_right", ONE(BUFFERED), file_read_right_data) },
	{ .exercise = 6,
	  .engine = "uring_raw:sqpoll",
	  TEST("polled_receives_wait", ONE(TCP), stream_sleeps_while_waiting) },

	{ OF(7), TEST("asks_for_what_overflowed", ONE(NO_FD), asks_for_what_overflowed) },
	{ OF(7), TEST("asks_while_it_hands_over", ONE(NO_FD), asks_while_it_hands_over) },
	{ OF(7),
	  TEST("nothing_is_lost_by_a_full_ring", ONE(NO_FD), nothing_is_lost_by_a_full_ring) },
	THE_REST_OF_THE_CONTRACT(7, "uring_raw", FILES | STREAMS | ONE(NO_FD), LENDING | BLOCKING),
	{ NULL },
};
