/* SPDX-License-Identifier: MIT */
#include "meters/on_cpu.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/json_put.h"

/* 8192 switches a CPU; a power of two. */
#define RING_BYTES ((size_t)256 * 1024)

/*
 * One CPU's ring. The kernel writes from its end towards its beginning and starts again at the end,
 * so that reading from the newest record onwards meets whole records only: perf_event_open(2),
 * write_backward.
 */
struct ring {
	int fd;
	struct perf_event_mmap_page *page; /* the records begin a page later */
};

struct on_cpu {
	unsigned ring_count;
	struct ring rings[];
};

/* PERF_RECORD_SWITCH with the sample_type that is asked for below. */
struct switch_record {
	struct perf_event_header header;
	uint32_t pid, tid;
	uint64_t time_ns;
	uint32_t cpu, reserved;
};

/* A thread came onto a CPU, or left it. */
struct change {
	uint64_t time_ns;
	pid_t tid;
	unsigned cpu;
	bool left;
};

static int open_ring(struct ring *ring, unsigned cpu, struct reason *why)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_DUMMY, /* counts nothing: only its records are wanted */
		.size = sizeof attr,
		.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU,
		.sample_id_all = 1,
		.context_switch = 1,
		.inherit = 1,
		.exclude_kernel = 1, /* else kernel.perf_event_paranoid 2 refuses */
		.exclude_hv = 1,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC, /* the driver's clock */
		.write_backward = 1,
	};
	ring->fd = (int)syscall(SYS_perf_event_open, &attr, 0, (int)cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (ring->fd < 0)
		return reason_errno(why, "perf_refused", errno,
				    "perf_event_open of {event} (see kernel.perf_event_paranoid; "
				    "root may)",
				    reason_string("event", "context switches"));
	/* Not writable: the kernel then overwrites the oldest records. */
	ring->page = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE) + RING_BYTES, PROT_READ, MAP_SHARED,
			  ring->fd, 0);
	if (ring->page != MAP_FAILED)
		return 0;
	ring->page = NULL;
	return reason_errno(why, "perf_ring_refused", errno,
			    "mapping a perf ring (see kernel.perf_event_mlock_kb)");
}

struct on_cpu *on_cpu_open(struct reason *why)
{
	unsigned cpus = (unsigned)sysconf(_SC_NPROCESSORS_CONF);
	struct on_cpu *record = calloc(1, sizeof *record + cpus * sizeof *record->rings);
	if (!record) {
		reason_no_memory(why, "the record of context switches");
		return NULL;
	}
	for (unsigned cpu = 0; cpu < cpus; cpu++) {
		int rc = open_ring(&record->rings[record->ring_count++], cpu, why);
		if (rc < 0) {
			on_cpu_close(record);
			return NULL;
		}
	}
	return record;
}

void on_cpu_close(struct on_cpu *record)
{
	if (!record)
		return;
	for (unsigned i = 0; i < record->ring_count; i++) {
		if (record->rings[i].page)
			munmap(record->rings[i].page, (size_t)sysconf(_SC_PAGESIZE) + RING_BYTES);
		if (record->rings[i].fd >= 0)
			close(record->rings[i].fd);
	}
	free(record);
}

/* Copies `size` bytes from where they may wrap around the ring's end. */
static void copy_out(const struct ring *ring, uint64_t at, void *to, size_t size)
{
	const char *records = (const char *)ring->page + sysconf(_SC_PAGESIZE);
	for (size_t i = 0; i < size; i++)
		((char *)to)[i] = records[(at + i) & (RING_BYTES - 1)];
}

/*
 * The ring's switches, the newest first. Returns how many were stored; `full`: older ones may have
 * been overwritten.
 */
static unsigned read_ring(const struct ring *ring, struct change *changes, bool *full)
{
	uint64_t head = __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE);
	unsigned count = 0;
	*full = true;
	for (uint64_t offset = 0; offset + sizeof(struct switch_record) <= RING_BYTES;) {
		struct switch_record record;
		copy_out(ring, head + offset, &record.header, sizeof record.header);
		if (record.header.size < sizeof record.header) {
			*full = false; /* never written: the run was short */
			break;
		}
		if (record.header.type == PERF_RECORD_SWITCH &&
		    record.header.size == sizeof record) {
			copy_out(ring, head + offset, &record, sizeof record);
			changes[count++] = (struct change) {
				.time_ns = record.time_ns,
				.tid = (pid_t)record.tid,
				.cpu = record.cpu,
				.left = record.header.misc & PERF_RECORD_MISC_SWITCH_OUT,
			};
		}
		offset += record.header.size;
	}
	return count;
}

/* By thread, then in time. */
static int compare_changes(const void *a, const void *b)
{
	const struct change *x = a, *y = b;
	if (x->tid != y->tid)
		return x->tid < y->tid ? -1 : 1;
	return (x->time_ns > y->time_ns) - (x->time_ns < y->time_ns);
}

static void thread_name(pid_t tid, char *name, size_t size)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/self/task/%d/comm", (int)tid);
	FILE *file = fopen(path, "re");
	if (!file || !fgets(name, (int)size, file))
		snprintf(name, size, "(ended)");
	name[strcspn(name, "\n")] = '\0';
	if (file)
		fclose(file);
}

/* Adds [cpu, begin, end], from the beginning of the window, if any of it lies in the window. */
static void add_stretch(json_t *stretches, unsigned cpu, uint64_t from_ns, uint64_t to_ns,
			uint64_t begin_ns, uint64_t end_ns)
{
	if (from_ns < begin_ns)
		from_ns = begin_ns;
	if (to_ns > end_ns)
		to_ns = end_ns;
	if (from_ns >= to_ns)
		return;
	json_t *stretch = required(json_array());
	append_int(stretch, cpu);
	append_int(stretch, (int64_t)(from_ns - begin_ns));
	append_int(stretch, (int64_t)(to_ns - begin_ns));
	json_array_append_new(stretches, stretch);
}

/* One thread's changes, in time, to what it spent on a CPU. */
static json_t *stretches_json(const struct change *changes, unsigned count, uint64_t begin_ns,
			      uint64_t end_ns)
{
	json_t *stretches = required(json_array());
	/* It left without having come: it had come before the record began. */
	uint64_t came_ns = changes[0].left ? begin_ns : UINT64_MAX;
	for (unsigned i = 0; i < count; i++) {
		if (!changes[i].left) {
			came_ns = changes[i].time_ns;
		} else if (came_ns != UINT64_MAX) {
			add_stretch(stretches, changes[i].cpu, came_ns, changes[i].time_ns,
				    begin_ns, end_ns);
			came_ns = UINT64_MAX;
		}
	}
	if (came_ns != UINT64_MAX)
		add_stretch(stretches, changes[count - 1].cpu, came_ns, end_ns, begin_ns, end_ns);
	return stretches;
}

/*
 * All rings' switches, unsorted. Returns how many, or -ENODATA with `why` where a ring does not
 * reach back to `begin_ns`: a thread whose first switch there is that it came would seem to have
 * been away until then, and its calls to have been blocked.
 */
static int read_rings(const struct on_cpu *record, uint64_t begin_ns, struct change *changes,
		      struct reason *why)
{
	unsigned count = 0;
	for (unsigned i = 0; i < record->ring_count; i++)
		ioctl(record->rings[i].fd, PERF_EVENT_IOC_PAUSE_OUTPUT, 1);
	for (unsigned i = 0; i < record->ring_count; i++) {
		bool full;
		unsigned here = read_ring(&record->rings[i], changes + count, &full);
		count += here;
		if (full && (here == 0 || changes[count - 1].time_ns > begin_ns)) {
			reason_set(
				why, "switches_overrun",
				"CPU {cpu} switched threads more than {recorded} times after the "
				"piece began, and the kernel's record of them holds no more; use a "
				"shorter --runtime",
				reason_int("cpu", i),
				reason_int("recorded", RING_BYTES / sizeof(struct switch_record)));
			return -ENODATA;
		}
	}
	return (int)count;
}

json_t *on_cpu_json(struct on_cpu *record, uint64_t begin_ns, uint64_t end_ns, struct reason *why)
{
	struct change *changes = malloc(record->ring_count * RING_BYTES /
					sizeof(struct switch_record) * sizeof *changes);
	if (!changes) {
		reason_no_memory(why, "the record of context switches");
		return NULL;
	}
	int found = read_rings(record, begin_ns, changes, why);
	if (found < 0) {
		free(changes);
		return NULL;
	}
	unsigned count = (unsigned)found;
	json_t *threads = required(json_array());
	if (count > 0)
		qsort(changes, count, sizeof *changes, compare_changes);

	for (unsigned first = 0, next; first < count; first = next) {
		for (next = first + 1; next < count && changes[next].tid == changes[first].tid;)
			next++;
		char name[32];
		thread_name(changes[first].tid, name, sizeof name);
		json_t *stretches = stretches_json(changes + first, next - first, begin_ns, end_ns);
		if (json_array_size(stretches) == 0) {
			json_decref(stretches);
			continue;
		}
		json_t *thread = required(json_object());
		put_string(thread, "name", name);
		put_bool(thread, "loop", changes[first].tid == gettid());
		put_new(thread, "on_cpu", stretches);
		json_array_append_new(threads, thread);
	}
	free(changes);
	return threads;
}
