/* SPDX-License-Identifier: MIT */
/* The ring, as one should ask for it today, and what is registered with it. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "newer_kernels.h"
#include "tuned.h"
#include "uring_refusal.h"
#include "uring_registered.h"

/* A deeper engine hands over several times in a batch. The kernel's limit is 32768. */
#define SQ_ENTRIES_MAX	   4096
#define SQ_ENTRIES_DOUBLED 256

#define PAGE_BYTES 4096

/* The flags of options. */
static unsigned flags_of(uint64_t options)
{
	return (options & NO_SQARRAY ? SETUP_NO_SQARRAY : 0) |
	       (options & ANY_IOPOLL ? IORING_SETUP_IOPOLL : 0) |
	       (options & HYBRID_IOPOLL ? SETUP_HYBRID_IOPOLL : 0) |
	       (options & REGISTERED_WAIT ? IORING_SETUP_R_DISABLED : 0);
}

static int needs_linux(struct reason *why, int error, const char *option, const char *linux_version)
{
	return reason_errno(why, "kernel_too_old", error, "{option} needs Linux {linux}",
			    reason_string("option", option), reason_string("linux", linux_version));
}

/* Does the kernel know the flags that the plain engine sets? */
static bool plain_ring_opens(void)
{
	struct io_uring ring;
	struct io_uring_params params = { .flags = IORING_SETUP_SINGLE_ISSUER |
						   IORING_SETUP_DEFER_TASKRUN };
	if (io_uring_queue_init_params(1, &ring, &params) < 0)
		return false;
	io_uring_queue_exit(&ring);
	return true;
}

static int explain_setup(int rc, uint64_t options, struct reason *why)
{
	//> 1 Only EINVAL needs a word of its own: it says that this kernel does not know a flag
	//> (needs_linux()). It is an option's, where plain_ring_opens(): hybrid_iopoll needs Linux 6.13,
	//> no_sqarray 6.6. Otherwise it is DEFER_TASKRUN, Linux 6.1. uring_setup_refused() knows the other
	//> causes.
	//+ (void)options, (void)needs_linux, (void)plain_ring_opens;
	//+ return reason_errno(why, "io_uring_setup", rc, "io_uring_setup");
	bool by_option = rc == -EINVAL && (options & (HYBRID_IOPOLL | NO_SQARRAY));
	if (by_option && plain_ring_opens())
		return options & HYBRID_IOPOLL ? needs_linux(why, rc, "hybrid_iopoll", "6.13")
					       : needs_linux(why, rc, "no_sqarray", "6.6");
	if (rc == -EINVAL)
		return needs_linux(why, rc, "uring_tuned (DEFER_TASKRUN)", "6.1");
	return uring_setup_refused(why, rc);
	//< 1
}

/* Those of requests that nobody asked for: each needs a buffer, but the last word. */
static unsigned completions_ahead(const struct engine_config *config)
{
	return config->options & (MULTISHOT | MULTISHOT_ACCEPT) ? 4 * config->depth : 0;
}

static unsigned sq_entries_for(const struct engine_config *config)
{
	/* A receive that is armed needs two entries, once. A long ring is colder in the cache. */
	bool twice = (config->options & MULTISHOT) && config->depth < SQ_ENTRIES_DOUBLED;
	unsigned wanted = twice ? 2 * config->depth : config->depth;
	return wanted < SQ_ENTRIES_MAX ? wanted : SQ_ENTRIES_MAX;
}

/*
 * Such a ring has no array of indices. A library that does not know of it writes one when it makes the ring:
 * over the heads and tails of both rings. A process that then waits for completions cannot be ended, not
 * even by SIGKILL. So the steps are made one by one, and what the library may write later has a place that
 * does no harm.
 */
static int create_without_array(unsigned entries, struct io_uring *ring, struct ring_extras *extras,
				struct io_uring_params *params)
{
	extras->array = calloc(SQ_ENTRIES_MAX, sizeof *extras->array);
	if (!extras->array)
		return -ENOMEM;
	int fd = io_uring_setup(entries, params);
	int rc = fd < 0 ? fd : io_uring_queue_mmap(fd, params, ring);
	if (fd >= 0 && rc < 0)
		close(fd);
	if (rc < 0) {
		free(extras->array);
		extras->array = NULL;
		return rc;
	}
	/* liburing 2.5, and many after it, leave these to the caller. */
	ring->ring_fd = ring->enter_ring_fd = fd;
	ring->flags = params->flags;
	ring->features = params->features;
	ring->sq.array = extras->array;
	return 0;
}

static int create_ring(struct io_uring *ring, struct ring_extras *extras,
		       const struct engine_config *config, struct reason *why)
{
	struct io_uring_params params = {
		/* A ring larger than the kernel allows is cut to what it allows. */
		.flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | flags_of(config->options),
		/* Room for every operation and, at the end, for a cancel of every one. */
		.cq_entries = 2 * config->depth + completions_ahead(config),
	};
	//> 1 Three more flags: one thread alone will use this ring; what a completion still has to do waits
	//> until that thread asks; and an SQE that fails does not hold up those behind it.
	//+
	params.flags |=
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL;
	//< 1
	unsigned entries = sq_entries_for(config);
	int rc = config->options & NO_SQARRAY ? create_without_array(entries, ring, extras, &params)
					      : io_uring_queue_init_params(entries, ring, &params);
	return rc < 0 ? explain_setup(rc, config->options, why) : 0;
}

/* Gives the kernel a page for what waits say. Only a ring that is not yet enabled takes it. */
static int register_wait(struct io_uring *ring, struct ring_extras *extras, struct reason *why)
{
	void *page =
		mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return reason_no_memory(why, "a page for waits");
	extras->wait = page;
	struct memory_region region = { .user_addr = (uintptr_t)page,
					.len_bytes = PAGE_BYTES,
					.flags = REGION_OF_USER };
	struct memory_registration registration = { .region = (uintptr_t)&region,
						    .flags = REGION_FOR_WAITS };
	unsigned fd = (unsigned)ring->ring_fd;
	int rc = io_uring_register(fd, REGISTER_MEMORY, &registration, 1);
	if (rc == -EINVAL)
		return needs_linux(why, rc, "registered_wait", "6.13");
	if (rc == 0)
		rc = io_uring_register(fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
	return rc < 0 ? reason_errno(why, "register_wait", rc, "registering a page for waits") : 0;
}

/* The kernel says at once what it can. */
static int find_features(const struct io_uring *ring, uint64_t options, struct reason *why)
{
	if ((options & MIN_WAIT) && !(ring->features & FEATURE_MIN_WAIT))
		return needs_linux(why, EOPNOTSUPP, "min_wait", "6.12");
	if ((options & BUNDLE) && !(ring->features & FEATURE_RECEIVE_BUNDLES))
		return needs_linux(why, EOPNOTSUPP, "bundle", "6.10");
	return 0;
}

int tuned_ring_open(struct io_uring *ring, struct ring_extras *extras,
		    const struct engine_config *config, struct reason *why)
{
	int rc = create_ring(ring, extras, config, why);
	if (rc < 0)
		return rc;
	rc = find_features(ring, config->options, why);
	if (rc == 0 && (config->options & REGISTERED_WAIT))
		rc = register_wait(ring, extras, why);
	//> 1 Register the ring's own descriptor, so that no call has to look it up:
	//> io_uring_register_ring_fd(). It returns 1, or -errno.
	//+
	int registered = rc == 0 ? io_uring_register_ring_fd(ring) : 0; /* 1, or -errno */
	if (registered == -EBUSY)
		rc = reason_errno(why, "registered_rings_taken", registered,
				  "this thread has registered as many rings as it may");
	else if (registered < 0)
		rc = reason_errno(why, "register_ring_descriptor", registered,
				  "registering the ring's own descriptor (Linux 5.18)");
	//< 1
	if (rc < 0)
		tuned_ring_close(ring, extras);
	return rc;
}

void tuned_ring_close(struct io_uring *ring, struct ring_extras *extras)
{
	io_uring_queue_exit(ring);
	if (extras->wait)
		munmap(extras->wait, PAGE_BYTES);
	free(extras->array);
	*extras = (struct ring_extras) { 0 };
}

/*
 * The kernel counts the pages that it sends from against RLIMIT_MEMLOCK, as it counts locked ones. So lock
 * them, to see whether it would. A send would say so, when it is too late.
 */
static int pages_can_be_kept(void *pages, size_t len_bytes, struct reason *why)
{
	if (mlock(pages, len_bytes) < 0)
		return reason_errno(why, "sent_pages_exceed_memlock", errno,
				    "send_zc keeps up to {bytes} bytes in memory, which exceeds "
				    "RLIMIT_MEMLOCK; raise it with ulimit -l, or lower the depth",
				    reason_int("bytes", (int64_t)len_bytes));
	munlock(pages, len_bytes);
	return 0;
}

int tuned_page_for_each(unsigned depth, struct reason *why)
{
	size_t len_bytes = (size_t)depth * PAGE_BYTES;
	void *pages =
		mmap(NULL, len_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		return reason_no_memory(why, "pages to send from");
	int rc = pages_can_be_kept(pages, len_bytes, why);
	munmap(pages, len_bytes);
	return rc;
}

int tuned_register(struct engine *e, const struct engine_config *config, struct reason *why)
{
	int rc = 0;
	if (e->options & FIXED_FILES)
		rc = uring_register_places(&e->ring, config->max_fds, why);
	if (rc == 0 && (e->options & FIXED_BUFFERS))
		rc = uring_register_arena(&e->ring, config, why);
	if (rc == 0 && (e->options & SEND_ZC) && config->arena_len_bytes > 0)
		rc = pages_can_be_kept(config->arena, config->arena_len_bytes, why);
	return rc;
}
