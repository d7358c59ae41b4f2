/* SPDX-License-Identifier: MIT */
/*
 * Each is a right engine with one fault laid over it: what is asked of the engine goes through here,
 * and is changed on the way in or out. The right engines are poll for waiting, threads for pools and
 * epoll for lending.
 */
#include <errno.h>
#include <fcntl.h>
#include <libaio.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "engines.h"
#include "faults.h"
#include "mutants.h"
#include "op_queue.h"
#include "op_syscall.h"

#define DEEPEST	   2048
#define FD_NUMBERS 4096

/* The fault is the engine's option, so each engine that is open has its own. */
enum mistake {
	NONE,
	/* numbers */
	OFFSET_32_BITS,
	OFFSET_31_BITS,
	LENGTH_16_BITS,
	LENGTH_31_BITS,
	ZERO_MEANS_ALL,
	ZERO_IS_AN_ERROR,
	ZERO_IS_NO_CALL,
	MIN_AT_MOST_8,
	MIN_IS_ONE,
	MIN_LESS_WHAT_IS_THERE,
	LEFT_COUNTS_FOR_NOTHING,
	MIN_0_FINDS_NOTHING,
	MAX_0_LOSES_ONE,
	WRONG_AT_65536,
	ENDS_AT_131072,
	ROUNDS_UP_TO_10_MS,
	TIMEOUT_32_BITS,
	MILLISECONDS_32_BITS,
	TIMEOUT_IS_A_FRACTION,
	NOW_PLUS_TIMEOUT_WRAPS,
	ONLY_MINUS_1_IS_FOR_EVER,
	OVER_IS_FOR_EVER,
	TIMEOUT_IS_AN_INT,
	LIMIT_STAYS,
	WAITS_TEN_TIMES,
	TOO_MANY_SIGNALS,
	MOST_1024_READY,
	ONE_OF_A_BATCH,
	SLOT_16_BITS,
	ONLY_ENDLESS_WAITS_END,
	FALSE_ALARM_BEGINS_ANEW,
	TRIES_AFTER_A_SIGNAL,
	EVEN_DEPTHS_ONLY,
	/* state */
	ONE_FOR_ALL,
	FREE_WITH_ANY_CLOSE,
	OPTIONS_OF_THE_LAST,
	FIRST_NUMBER_STAYS,
	OLD_NUMBER_IS_WATCHED,
	NUMBER_0_IS_NONE,
	DETACH_NEEDS_A_USE,
	RUNS_DRY,
	INHERITED,
	LEAKS_ON_FAILURE,
	REFUSES_IN_SILENCE,
	REFUSES_WITHOUT_ID,
	NEEDS_STANDARD_INPUT,
	WRITES_THE_LENGTH,
	SHORTENS_WHAT_FAILS,
	ACCEPTS_NONE,
	TRUSTS_NEXT,
	WRITES_NEXT_LATER,
	/* the end */
	CANCEL_8_SLOTS,
	CANCEL_FORGETS_SENDS,
	CANCEL_TWICE,
	SENDS_AFTERWARDS,
	TOUCHES_AFTERWARDS,
	CANCEL_WRITES_WHAT_IS_BACK,
	READS_AHEAD,
	DETACH_CLOSES,
	CLOSE_CLOSES,
	MOVES_THE_POSITION,
	SETS_AN_OPTION,
	LEAVES_O_ASYNC,
	ALLOCATES_IN_SUBMIT,
	ALLOCATES_BEYOND_64,
	ALLOCATES_IN_REAP,
	ALLOCATES_IN_CANCEL,
	ALLOCATES_IN_CANCEL_ONE,
	KEEPS_A_MAPPING,
	KEEPS_MEMORY,
	KEEPS_A_LOCK,
	KEEPS_A_HANDLER,
	KEEPS_THE_FLAGS,
	BLOCKS_A_SIGNAL,
	BLOCKS_ON_FAILURE,
	LETS_A_SIGNAL_IN,
	UNBLOCKS_A_SIGNAL,
	UNBLOCKS_WITH_THE_LAST,
	KEEPS_AN_AIO_RING,
	TAKES_SIGNALS,
	CANCELS_BY_SIGNAL,
	/* trouble */
	PRINTS,
	END_ENDS_BOTH,
	END_ENDS_A_SEND_THAT_WAITS,
	HANG_UP_IS_THE_END,
	ERROR_BEFORE_BYTES,
	RESET_IS_EPIPE,
	SYNC_ALWAYS_SUCCEEDS,
	EINTR_OF_A_SEND,
	ONE_WAKE_UP_A_BATCH,
	LOOKS_EVERY_10_MS,
	OPEN_SAYS_EIO,
	KEEPS_MEMORY_ON_FAILURE,
	CLOSES_0_ON_FAILURE,
	ERRORS_ARE_EIO,
	SAYS_MORE,
	RETRIES_AN_ERROR,
	WAIT_HIDES_ITS_ERROR,
	NO_ROOM_IS_A_RESULT,
	WAITS_FOR_ROOM_ALONE,
	REASON_FOR_NOTHING,
	OPENS_WITH_A_REASON,
	OPTION_DOES_NOTHING,
	/* honest only now and then */
	LIES_AFTER_5000,
	NO_SYNC_AFTER_5000,
	NO_SEND_AFTER_5000,
	ONLY_WHEN_TRACED,
	TOUCHES_WHILE_WAITING,
	ONE_DIRECTION_AT_A_TIME,
	SYNC_WAITS_FOR_RECEIVES,
	SENDS_BEHIND_RECEIVES,
	/* connections */
	ACCEPTED_IS_NONBLOCKING,
	ACCEPTED_IS_INHERITED,
	FALSE_ALARM_OF_ACCEPT,
	SLEEPS_IN_ACCEPT,
	ACCEPT_IS_NO_LISTENER,
	ACCEPT_WAITS_FOR_A_NUMBER,
	IN_PROGRESS_IS_A_RESULT,
	CONNECT_ALWAYS_SUCCEEDS,
	CONNECT_CHANGES_THE_MODE,
	ABORTED_IS_NO_RESULT,
	DESCRIPTOR_0_IS_NO_CLIENT,
	BREAKS_AT_A_CLIENT_UNASKED,
	MORE_WILL_FOLLOW,
	REFUSAL_ENDS_A_BATCH,
	/* cancel_one */
	CANCEL_ONE_DOES_NOTHING,
	CANCEL_ONE_TAKES_ALL,
	CANCEL_ONE_TWICE,
	CANCEL_ONE_DROPS_BYTES,
	CANCEL_ONE_HIDES_A_COUNT,
	CANCEL_ONE_SLEEPS_ON,
	CANCEL_ONE_DROPS_A_CLIENT,
	CANCEL_ONE_SHUTS_DOWN,
	CANCEL_ONE_TAKES_THE_NEXT,
	CANCEL_ONE_AND_FINISHED,
	CANCEL_ONE_WRITES_WHAT_IS_OVER,
	CANCEL_ONE_SENDS_LATER,
	CANCEL_ONE_NOT_OF_ACCEPT,
	CANCEL_ONE_NOT_OF_CONNECT,
	CANCEL_ONE_BEFORE_IT_BEGAN,
	CANCEL_ONE_STICKS_TO_ITS_SLOT,
	CANCEL_ONE_ENDS_A_WAIT,
	FAR_LIMIT_WRAPS_BESIDE_A_CANCEL,
	CANCEL_ONE_LATE_STICKS,
	CANCEL_ONE_LATE_KEEPS_LOOKING,
	CANCEL_ONE_BY_DESCRIPTOR,
	CANCEL_ONE_FINDS_OLD_ROWS,
	/* lent buffers */
	LENDS_ONE_TO_ALL,
	LENDS_BEFORE_BYTES_COME,
	NO_BUFFER_IS_A_WAIT,
	NO_BUFFER_DROPS_BYTES,
	LENDS_AT_THE_END,
	KEEPS_ONE_AT_THE_END,
	TAKES_BACK_ANY_BUFFER,
	GIVE_BACK_DOES_NOTHING,
	GIVE_BACK_ALLOCATES,
	LENDS_MORE_THAN_ASKED,
	LENDS_UNASKED,
	CLOSE_WANTS_ALL_BACK,
	LENDS_NOTHING_IN_SILENCE,
	LENDS_LESS_THAN_IT_SAYS,
	GIVES_BACK_IN_PAIRS,
};

struct engine {
	enum mistake fault;
	const struct engine_ops *right_ops;
	struct engine *right;
	unsigned depth, max_fds;
	unsigned long count;
	int64_t limit_ns; /* of the last wait that had one */
	bool traced;
	bool reaped; /* since the last submit() */
	bool has_called_back; /* since the last submit() */
	bool has_ended; /* any, since the last submit() */
	bool was_too_late; /* any cancel_one() so far */
	int listener;
	unsigned receives; /* in flight */
	unsigned lent_count, lent_now; /* all, and those that the caller has or waits for */
	unsigned kept; /* of those that are given back next */
	const void *last_lent;
	void *given_back; /* not handed on */
	bool batch_is_over; /* behind a request that was refused */
	bool answer_is_due; /* of a call back */
	struct op_queue held; /* not handed on */
	struct op_queue finished; /* not taken from the right engine */
	struct io_op *last;
	int own_fd;
	int fds[FD_NUMBERS]; /* [fd_slot], for the fault that remembers the first; -1 */
	struct { /* [slot]: as the caller had it */
		struct io_op *op; /* while it is in flight */
		uint64_t offset;
		uint32_t len_bytes;
		int32_t fd;
		bool out;
		bool to_be_lent;
		bool called_back; /* at any time */
	} asked[DEEPEST];
};

static const struct engine_ops *right_engine(enum mistake fault, unsigned lent_count)
{
	return engine_find(lent_count > 0		  ? "epoll"
			   : fault == ONE_WAKE_UP_A_BATCH ? "threads"
							  : "poll");
}

static int over_supports(const struct engine_config *config, enum io_kind kind,
			 enum io_fd_kind fd_kind, struct reason *why)
{
	if (config->options == REFUSES_IN_SILENCE && kind == IO_NOP)
		return -EOPNOTSUPP;
	if (config->options == REFUSES_WITHOUT_ID && kind == IO_NOP) {
		reason_say(why, "poll has no no-op");
		return -EOPNOTSUPP;
	}
	if (config->options == NEEDS_STANDARD_INPUT && fcntl(STDIN_FILENO, F_GETFD) < 0) {
		reason_set(why, "descriptor_0", "standard input is closed");
		return -EOPNOTSUPP;
	}
	if (config->options == REASON_FOR_NOTHING)
		reason_set(why, "nothing", "there is nothing wrong");
	if (config->options == LENDS_NOTHING_IN_SILENCE && config->lent_count > 0)
		return -EOPNOTSUPP;
	struct engine_config plain = *config;
	plain.options = 0;
	return right_engine(NONE, config->lent_count)->supports(&plain, kind, fd_kind, why);
}

/* What RUNS_DRY takes from, and ONE_FOR_ALL shares. */
static unsigned left_to_open = 64;
static enum mistake last_opened;
static struct engine *shared_right, *right_of_the_first;

static bool is_traced(void)
{
	char line[200];
	int pid = 0;
	FILE *file = fopen("/proc/self/status", "re");
	while (file && fgets(line, sizeof line, file))
		if (sscanf(line, "TracerPid: %d", &pid) == 1)
			break;
	if (file)
		fclose(file);
	return pid != 0;
}

static pthread_mutex_t kept_lock;
/* Volatile: a compiler may leave out a block that nobody has. */
static void *volatile kept_block;
static pthread_t taker;

static void *pause_for_ever(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return NULL;
}

/* How many are open in all threads, for UNBLOCKS_WITH_THE_LAST. */
static unsigned all_open;

static void change_mask(int how, int number)
{
	sigset_t mask;
	sigemptyset(&mask);
	sigaddset(&mask, number);
	pthread_sigmask(how, &mask, NULL);
}

/* Blocks SIGIO in vain where no descriptor is free. Returns whether one was. */
static bool opens_with_sigio_blocked(void)
{
	change_mask(SIG_BLOCK, SIGIO);
	int fd = eventfd(0, EFD_CLOEXEC);
	if (fd < 0)
		return false;
	close(fd);
	change_mask(SIG_UNBLOCK, SIGIO);
	return true;
}

static int over_open(struct engine **engine, const struct engine_config *config, struct reason *why)
{
	enum mistake fault = shared_right ? ONE_FOR_ALL : (enum mistake)config->options;
	if (fault == RUNS_DRY && left_to_open-- == 0)
		return reason_no_memory(why, "the pool of engines");
	if (fault == OPENS_WITH_A_REASON)
		reason_set(why, "nothing", "there is nothing wrong");
	if (fault == LENDS_LESS_THAN_IT_SAYS && config->lent_count > 32768)
		return reason_errno(why, "too_many", E2BIG, "too many buffers");
	if (fault == BLOCKS_ON_FAILURE && !opens_with_sigio_blocked())
		return reason_errno(why, "eventfd", EMFILE, "eventfd");
	struct engine *e = calloc(1, sizeof *e);
	if (!e && fault == CLOSES_0_ON_FAILURE)
		close(0); /* as who takes 0 for a descriptor of its own */
	if (!e)
		return reason_no_memory(why, "the laid-over engine");
	struct engine_config plain = *config;
	plain.options = 0;
	e->fault = last_opened = fault;
	e->right_ops = right_engine(fault, config->lent_count);
	e->lent_count = config->lent_count;
	e->depth = config->depth;
	e->max_fds = config->max_fds;
	e->own_fd = e->listener = -1;
	if (fault == INHERITED)
		e->own_fd = eventfd(0, 0);
	if (fault == LEAKS_ON_FAILURE) {
		int first_fd = eventfd(0, EFD_CLOEXEC);
		e->own_fd = first_fd < 0 ? -1 : eventfd(0, EFD_CLOEXEC);
		if (e->own_fd < 0) {
			free(e);
			return reason_errno(why, "eventfd", EMFILE, "eventfd");
		}
		close(first_fd);
	}
	memset(e->fds, -1, sizeof e->fds);
	op_queue_init(&e->held);
	op_queue_init(&e->finished);
	int rc = 0;
	if (fault == ONE_FOR_ALL && shared_right)
		e->right = shared_right;
	else
		rc = e->right_ops->open(&e->right, &plain, why);
	if (rc < 0) {
		if (e->own_fd >= 0)
			close(e->own_fd);
		if (fault != KEEPS_MEMORY_ON_FAILURE)
			free(e);
		return fault == OPEN_SAYS_EIO ? -EIO : rc;
	}
	e->traced = is_traced();
	if (fault == ONE_FOR_ALL)
		shared_right = e->right;
	if (fault == FREE_WITH_ANY_CLOSE)
		right_of_the_first = e->right;
	if (fault == PRINTS)
		puts("Hello!");
	if (fault == TAKES_SIGNALS && pthread_create(&taker, NULL, pause_for_ever, NULL) != 0)
		abort();
	if (fault == BLOCKS_A_SIGNAL)
		change_mask(SIG_BLOCK, SIGUSR2);
	if (fault == UNBLOCKS_WITH_THE_LAST && __atomic_add_fetch(&all_open, 1, __ATOMIC_RELAXED))
		change_mask(SIG_BLOCK, SIGIO);
	*engine = e;
	return 0;
}

/* What is known of a slot, of which 16 bits are looked at. */
static int *known_number(struct engine *e, unsigned fd_slot)
{
	return &e->fds[(uint16_t)fd_slot % FD_NUMBERS];
}

static bool is_known(const struct engine *e, int fd)
{
	for (unsigned i = 0; i < FD_NUMBERS; i++)
		if (e->fds[i] == fd)
			return true;
	return false;
}

/* Two threads that open at once share what ONE_FOR_ALL shares, too. */
static int open_in_turn(struct engine **engine, const struct engine_config *config,
			struct reason *why)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	pthread_mutex_lock(&lock);
	int rc = over_open(engine, config, why);
	pthread_mutex_unlock(&lock);
	return rc;
}

static int over_attach(struct engine *e, unsigned fd_slot, int fd, enum io_fd_kind fd_kind,
		       struct reason *why)
{
	if (fd_kind == IO_FD_LISTENER)
		e->listener = fd;
	if (e->fault == SETS_AN_OPTION)
		setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &(int) { 1 }, sizeof(int));
	if (e->fault == LEAVES_O_ASYNC) /* with no owner, so that no signal comes */
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC);
	if (e->fault == DETACH_NEEDS_A_USE && is_known(e, fd))
		return reason_errno(why, "known_already", EEXIST, "attaching it again");
	if (*known_number(e, fd_slot) < 0 || e->fault != FIRST_NUMBER_STAYS)
		*known_number(e, fd_slot) = fd;
	if (e->fault == OLD_NUMBER_IS_WATCHED && fd_slot != 0 && e->fds[0] == fd)
		*known_number(e, fd_slot) = -1; /* known already, under slot 0 */
	return e->right_ops->attach ? e->right_ops->attach(e->right, fd_slot, fd, fd_kind, why) : 0;
}

static void over_detach(struct engine *e, unsigned fd_slot)
{
	char ahead[16];
	if (e->fault == READS_AHEAD && recv(e->fds[fd_slot], ahead, 16, MSG_DONTWAIT) < 0)
		return;
	if (e->fault == DETACH_CLOSES)
		close(e->fds[fd_slot]);
	if (e->fault == DETACH_NEEDS_A_USE && e->count > 0)
		*known_number(e, fd_slot) = -1;
	if (e->right_ops->detach)
		e->right_ops->detach(e->right, fd_slot);
}

static bool peer_stopped_sending(int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLRDHUP };
	return poll(&ready, 1, 0) > 0 && ready.revents & POLLRDHUP;
}

/* Faults of one operation that it does not survive: true, and its result, when it is over. */
static bool spoil_result(struct engine *e, struct io_op *op, int64_t *result)
{
	struct pollfd ready = { .fd = op->fd, .events = POLLIN | POLLRDHUP };
	int error = 0;
	socklen_t length = sizeof error;
	*result = 0;
	switch (e->fault) {
	case ZERO_IS_AN_ERROR:
		*result = -EINVAL;
		return op->len_bytes == 0 && op->kind != IO_FSYNC && op->kind != IO_FDATASYNC;
	case ZERO_IS_NO_CALL:
		return op->len_bytes == 0 && (op->kind == IO_READ || op->kind == IO_WRITE);
	case NUMBER_0_IS_NONE:
		*result = -EBADF;
		return op->fd <= 0 && op->kind != IO_NOP;
	case SYNC_ALWAYS_SUCCEEDS:
		return op->kind == IO_FSYNC || op->kind == IO_FDATASYNC;
	case END_ENDS_BOTH:
		*result = -EPIPE;
		return op->kind == IO_SEND && peer_stopped_sending(op->fd);
	case HANG_UP_IS_THE_END:
		return io_kind_is_input(op->kind) && poll(&ready, 1, 0) > 0 &&
		       ready.revents & (POLLRDHUP | POLLHUP);
	case ERROR_BEFORE_BYTES:
		/* Long enough for the reset to have come. */
		poll(NULL, 0, 20);
		getsockopt(op->fd, SOL_SOCKET, SO_ERROR, &error, &length);
		*result = -error;
		return error != 0;
	case WRONG_AT_65536:
		return e->count == 65536;
	case MOVES_THE_POSITION:
		if (op->kind == IO_READ)
			lseek(op->fd, (off_t)op->offset, SEEK_SET);
		return false;
	case EINTR_OF_A_SEND:
		*result = op_syscall_once(op, 0);
		return true;
	case LIES_AFTER_5000:
		*result = op->len_bytes;
		return op->kind == IO_WRITE && e->count >= 5000;
	case NO_SYNC_AFTER_5000:
		return (op->kind == IO_FSYNC || op->kind == IO_FDATASYNC) && e->count >= 5000;
	case NO_SEND_AFTER_5000:
		*result = op->len_bytes;
		return op->kind == IO_SEND && e->count >= 5000;
	case TOUCHES_WHILE_WAITING:
		if (io_kind_is_input(op->kind))
			((char *)op->buf)[op->len_bytes - 1] ^= 1;
		return false;
	case ONE_DIRECTION_AT_A_TIME:
		*result = -EBUSY;
		return op->kind == IO_SEND && e->receives > 0;
	case ONLY_WHEN_TRACED:
		*result = op->len_bytes;
		return !e->traced;
	case SLEEPS_IN_ACCEPT:
		fcntl(op->fd, F_SETFL, fcntl(op->fd, F_GETFL) & ~O_NONBLOCK);
		*result = op->kind == IO_ACCEPT ? op_syscall(op, 0) : 0;
		return op->kind == IO_ACCEPT;
	case FALSE_ALARM_OF_ACCEPT:
		*result = op->kind == IO_ACCEPT ? op_syscall(op, 0) : 0;
		return op->kind == IO_ACCEPT;
	case ACCEPT_IS_NO_LISTENER:
		*result = -ENOTCONN;
		return op->kind == IO_ACCEPT &&
		       getsockopt(op->fd, SOL_SOCKET, SO_ACCEPTCONN, &error, &length) == 0 &&
		       !error;
	case IN_PROGRESS_IS_A_RESULT:
		*result = op->kind == IO_CONNECT ? op_syscall(op, 0) : 0;
		return op->kind == IO_CONNECT;
	case LENDS_BEFORE_BYTES_COME:
		*result = -ENOBUFS;
		return e->asked[op->slot].to_be_lent && ++e->lent_now > e->lent_count;
	case MORE_WILL_FOLLOW:
		*result = op->kind == IO_SEND ? op_syscall(op, MSG_MORE) : 0;
		return op->kind == IO_SEND;
	case CONNECT_CHANGES_THE_MODE:
		if (op->kind == IO_CONNECT)
			fcntl(op->fd, F_SETFL, fcntl(op->fd, F_GETFL) ^ O_NONBLOCK);
		return false;
	default:
		return false;
	}
}

static void spoil_request(struct engine *e, struct io_op *op)
{
	switch (e->fault) {
	case OFFSET_32_BITS:
		op->offset &= UINT32_MAX;
		break;
	case OFFSET_31_BITS:
		op->offset &= INT32_MAX;
		break;
	case LENGTH_16_BITS:
		op->len_bytes &= UINT16_MAX;
		break;
	case LENGTH_31_BITS:
		op->len_bytes &= INT32_MAX;
		break;
	case ZERO_MEANS_ALL:
		op->len_bytes = op->len_bytes ? op->len_bytes : 1;
		break;
	case FIRST_NUMBER_STAYS:
	case OLD_NUMBER_IS_WATCHED:
	case SLOT_16_BITS:
		op->fd =
			*known_number(e, op->fd_slot) >= 0 ? *known_number(e, op->fd_slot) : op->fd;
		break;
	case LENDS_MORE_THAN_ASKED:
		if (e->asked[op->slot].to_be_lent)
			op->len_bytes = 512;
		break;
	case LENDS_UNASKED:
		if (e->lent_count > 0 && op->kind == IO_RECV)
			op->buf = NULL;
		break;
	default:
		break;
	}
}

/* Through a volatile pointer: a compiler may leave out a block that nobody uses. */
static void allocate(unsigned count)
{
	void *volatile block = malloc(count + 1);
	free(block);
}

/* Those that the right engine must not see yet, or ever. */
static bool is_held_back(const struct engine *e, const struct io_op *op)
{
	if (e->fault == ENDS_AT_131072)
		return e->count >= 131072;
	if (e->fault == EVEN_DEPTHS_ONLY)
		return op->slot >= e->depth / 2 * 2 && e->depth > 1;
	if (e->fault == MOST_1024_READY)
		return op->slot >= 1024;
	if (e->fault == OLD_NUMBER_IS_WATCHED)
		return op->fd_slot > 0 && e->fds[op->fd_slot] < 0;
	if (e->fault == SYNC_WAITS_FOR_RECEIVES)
		return (op->kind == IO_FSYNC || op->kind == IO_FDATASYNC) && e->receives > 0;
	if (e->fault == SENDS_BEHIND_RECEIVES)
		return !io_kind_is_input(op->kind) && e->receives > 0;
	if (e->fault == REFUSAL_ENDS_A_BATCH)
		return e->batch_is_over;
	return e->fault == ONE_WAKE_UP_A_BATCH && e->count > 0;
}

static int over_submit(struct engine *e, struct io_op *const *ops, unsigned count)
{
	if (e->fault == ALLOCATES_IN_SUBMIT)
		allocate(count);
	if (e->fault == ONE_WAKE_UP_A_BATCH)
		e->count = 0;
	if (e->fault == ALLOCATES_BEYOND_64 && ops[0]->slot >= 64)
		allocate(count);
	e->reaped = e->batch_is_over = e->has_ended = false;
	if (e->fault == ACCEPTS_NONE ||
	    (e->fault == WAITS_FOR_ROOM_ALONE && faults_strike(FAULT_aio_read)))
		return 0;
	if (e->fault == NO_ROOM_IS_A_RESULT && faults_strike(FAULT_aio_read)) {
		op_queue_finish(&e->finished, ops[0], -EAGAIN);
		return 1;
	}
	if (e->fault == WRITES_NEXT_LATER && e->last)
		e->last->next = ops[0];
	for (unsigned i = 0; i < count; i++) {
		struct io_op *op = ops[i];
		int64_t result;
		e->asked[op->slot].op = op;
		e->asked[op->slot].offset = op->offset;
		e->asked[op->slot].len_bytes = op->len_bytes;
		e->asked[op->slot].fd = op->fd;
		e->asked[op->slot].out = !io_kind_is_input(op->kind);
		e->asked[op->slot].to_be_lent = op->kind == IO_RECV && !op->buf;
		e->receives += io_kind_is_input(op->kind);
		if (e->fault == TRUSTS_NEXT && op->next)
			op->next->result = -ECANCELED;
		spoil_request(e, op);
		if (spoil_result(e, op, &result))
			op_queue_finish(&e->finished, op, result);
		else if (is_held_back(e, op))
			op_queue_push(&e->held, op);
		else
			e->right_ops->submit(e->right, &op, 1);
		e->batch_is_over |= op->kind == IO_CONNECT &&
				    e->asked[op->slot].len_bytes > sizeof(struct sockaddr_storage);
		if (e->fault == CANCEL_ONE_TAKES_THE_NEXT && e->has_called_back)
			e->right_ops->cancel_one(e->right, op);
		e->has_called_back = false;
		e->count++;
	}
	return (int)count;
}

static int64_t spoil_timeout(const struct engine *e, int64_t timeout_ns)
{
	switch (e->fault) {
	case ROUNDS_UP_TO_10_MS:
		return timeout_ns > 0 && timeout_ns < 10 * NS_PER_MS ? 10 * NS_PER_MS : timeout_ns;
	case TIMEOUT_32_BITS:
		return timeout_ns < 0 ? timeout_ns : timeout_ns & UINT32_MAX;
	case MILLISECONDS_32_BITS:
		return timeout_ns < 0 ? timeout_ns
				      : timeout_ns / NS_PER_MS % (INT64_C(1) << 32) * NS_PER_MS;
	case TIMEOUT_IS_AN_INT:
		return timeout_ns < 0 ? timeout_ns : (int32_t)timeout_ns;
	case NOW_PLUS_TIMEOUT_WRAPS:
		return timeout_ns > INT64_MAX - (int64_t)clock_ns() ? 0 : timeout_ns;
	case FAR_LIMIT_WRAPS_BESIDE_A_CANCEL:
		return e->has_called_back && timeout_ns > INT64_MAX - (int64_t)clock_ns()
			       ? 0
			       : timeout_ns;
	case ONLY_MINUS_1_IS_FOR_EVER:
		return timeout_ns < -1 ? 0 : timeout_ns;
	case OVER_IS_FOR_EVER:
		return timeout_ns > 0 && timeout_ns < NS_PER_US ? -1 : timeout_ns;
	case LIMIT_STAYS:
		return timeout_ns < 0 && e->limit_ns > 0 ? e->limit_ns : timeout_ns;
	case WAITS_TEN_TIMES:
		return timeout_ns > 0 ? 10 * timeout_ns : timeout_ns;
	default:
		return timeout_ns;
	}
}

/* Waits as asked, and yet looks again and again. */
static int reap_in_slices(struct engine *e, struct io_op **done, unsigned min, unsigned max,
			  int64_t timeout_ns, int64_t slice_ns)
{
	struct deadline deadline = deadline_after(timeout_ns);
	for (;;) {
		int n = e->right_ops->reap(e->right, done, min, max, slice_ns);
		if (n != 0 || deadline_left_ns(deadline) == 0)
			return n;
	}
}

/* A signal ends only a wait that has no end of its own. */
static int reap_beyond_signals(struct engine *e, struct io_op **done, unsigned min, unsigned max,
			       int64_t timeout_ns)
{
	struct deadline deadline = deadline_after(timeout_ns);
	int n;
	do
		n = e->right_ops->reap(e->right, done, min, max, deadline_left_ns(deadline));
	while (n == 0 && deadline_left_ns(deadline) > 0);
	return n;
}

/* A descriptor that was ready for nothing begins the time limit anew. */
static int reap_anew_after_false_alarms(struct engine *e, struct io_op **done, unsigned min,
					unsigned max, int64_t timeout_ns)
{
	struct deadline deadline = deadline_after(timeout_ns);
	struct pollfd ready = { .fd = e->fds[0], .events = POLLIN };
	for (;;) {
		bool is_ready = poll(&ready, 1, deadline_left_ms(deadline)) > 0;
		int n = e->right_ops->reap(e->right, done, 0, max, 0);
		if (!is_ready || n < 0 || (unsigned)n >= min)
			return n;
		deadline = deadline_after(timeout_ns);
	}
}

/* After a signal it makes the call for which the descriptor was ready before. */
static void try_what_was_ready(struct engine *e)
{
	char lost[1];
	(void)op_syscall(&(struct io_op) { .kind = IO_READ,
					   .fd = e->fds[0],
					   .buf = lost,
					   .len_bytes = 1,
					   .offset = IO_NO_OFFSET },
			 0);
}

/* Takes all that is there, hands out `max`, and forgets the rest. */
static int reap_and_forget(struct engine *e, struct io_op **done, unsigned min, unsigned max,
			   int64_t timeout_ns)
{
	struct io_op *all[DEEPEST];
	int n = e->right_ops->reap(e->right, all, min, DEEPEST, timeout_ns);
	int kept = n > (int)max ? (int)max : n;
	for (int i = 0; i < kept; i++)
		done[i] = all[i];
	return kept;
}

/* Takes all that is there, and keeps what `max` has no room for. The next wait is for `min` more than that. */
static int reap_and_keep(struct engine *e, struct io_op **done, unsigned min, unsigned max,
			 int64_t timeout_ns)
{
	struct io_op *all[DEEPEST];
	unsigned n = op_queue_take(&e->held, done, max);
	if (n == max || (n > 0 && n >= min))
		return (int)n;
	struct deadline deadline = deadline_after(timeout_ns);
	int more = e->right_ops->reap(e->right, all, min, DEEPEST, timeout_ns);
	if (more >= 0 &&
	    (unsigned)more < min) /* the right engine knows that no more is in flight */
		poll(NULL, 0, (int)(deadline_left_ns(deadline) / NS_PER_MS));
	for (int i = 0; i < more; i++)
		if (n < max)
			done[n++] = all[i];
		else
			op_queue_push(&e->held, all[i]);
	return more < 0 ? more : (int)n;
}

/* Waits on behind a signal, too, until all are there or the time is over. */
static int reap_to_the_last(struct engine *e, struct io_op **done, unsigned min, unsigned max,
			    int64_t timeout_ns)
{
	struct deadline deadline = deadline_after(timeout_ns);
	unsigned n = 0;
	do {
		int more = e->right_ops->reap(e->right, done + n, min - n, max - n,
					      deadline_left_ns(deadline));
		if (more < 0)
			return more;
		n += (unsigned)more;
	} while (n < min && deadline_left_ns(deadline) != 0);
	return (int)n;
}

/* What is there already is counted when the wait begins, and counts once more when it ends. */
static int reap_counting_twice(struct engine *e, struct io_op **done, unsigned min, unsigned max,
			       int64_t timeout_ns)
{
	int there = e->right_ops->reap(e->right, done, 0, max, 0);
	if (there < 0 || (unsigned)there * 2 >= min)
		return there;
	unsigned n = (unsigned)there;
	int more = e->right_ops->reap(e->right, done + n, min - 2 * n, max - n, timeout_ns);
	return more < 0 ? more : there + more;
}

/* What comes of a call back ends the next wait that finds nothing else. */
static int reap_an_answer(struct engine *e, struct io_op **done, unsigned max)
{
	int n = e->right_ops->reap(e->right, done, 1, max, 0);
	e->answer_is_due = n > 0;
	return n;
}

static bool is_readable(int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	return poll(&ready, 1, 0) > 0;
}

static bool has_a_client_unasked(const struct engine *e)
{
	for (unsigned slot = 0; slot < e->depth; slot++)
		if (e->asked[slot].op && e->asked[slot].op->kind == IO_ACCEPT)
			return false;
	return e->listener >= 0 && is_readable(e->listener);
}

/* What the right engine would say, with the fault of waiting. */
static int spoiled_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
			int64_t timeout_ns)
{
	if (e->fault == CANCEL_ONE_LATE_KEEPS_LOOKING && e->was_too_late && min > 0)
		return reap_in_slices(e, done, min, max, timeout_ns, NS_PER_MS);
	if (e->fault == BREAKS_AT_A_CLIENT_UNASKED && min > 0 && has_a_client_unasked(e))
		return -EINVAL;
	if (e->fault == LOOKS_EVERY_10_MS && min > 0)
		return reap_in_slices(e, done, min, max, timeout_ns, 10 * NS_PER_MS);
	if (e->fault == ONLY_ENDLESS_WAITS_END && timeout_ns > 0 && min > 0)
		return reap_beyond_signals(e, done, min, max, timeout_ns);
	if (e->fault == CANCEL_ONE_SLEEPS_ON && e->has_called_back && min > 0)
		return reap_to_the_last(e, done, min, max, timeout_ns);
	if (e->fault == CANCEL_ONE_ENDS_A_WAIT && e->answer_is_due && min > 0)
		return reap_an_answer(e, done, max);
	if (e->fault == LEFT_COUNTS_FOR_NOTHING)
		return reap_and_keep(e, done, min, max, timeout_ns);
	if (e->fault == OPTIONS_OF_THE_LAST && last_opened != e->fault && min == 0)
		return 0;
	if (e->fault == FALSE_ALARM_BEGINS_ANEW && min > 0)
		return reap_anew_after_false_alarms(e, done, min, max, timeout_ns);
	if (e->fault == ONE_OF_A_BATCH)
		return reap_and_forget(e, done, min, max, timeout_ns);
	if (e->fault == MIN_AT_MOST_8 && min > 8)
		max = min = 8;
	if (e->fault == MIN_IS_ONE && min > 1)
		max = min = 1;
	if (e->fault == MIN_LESS_WHAT_IS_THERE && min > 1)
		return reap_counting_twice(e, done, min, max, timeout_ns);
	if (e->fault == MIN_0_FINDS_NOTHING && min == 0)
		return 0;
	if (e->fault == TIMEOUT_IS_A_FRACTION && min > 0 && timeout_ns >= NS_PER_S)
		return -EINVAL;
	if (e->fault == MAX_0_LOSES_ONE && max == 0) {
		struct io_op *lost[1];
		(void)e->right_ops->reap(e->right, lost, 1, 1, 0);
		return 0;
	}
	if (timeout_ns > 0)
		e->limit_ns = timeout_ns;
	int n = e->right_ops->reap(e->right, done, min, max, spoil_timeout(e, timeout_ns));
	if (e->fault == WAIT_HIDES_ITS_ERROR && n < 0)
		return 0;
	if (e->fault == TRIES_AFTER_A_SIGNAL && n == 0 && timeout_ns < 0 && e->count > 1)
		try_what_was_ready(e);
	if (e->fault == TOO_MANY_SIGNALS && n == 0 && timeout_ns < 0 && ++e->count > 64)
		return -EINTR;
	return n;
}

/* Those with this error. Returns how many are left, at the front. */
static unsigned submit_failed_again(struct engine *e, struct io_op **done, unsigned count,
				    int error)
{
	unsigned left = 0;
	for (unsigned i = 0; i < count; i++) {
		if (done[i]->result == -error)
			e->right_ops->submit(e->right, &done[i], 1);
		else
			done[left++] = done[i];
	}
	return left;
}

/* Faults of a receive that asked to be lent a buffer, at its end. */
static void spoil_lending(struct engine *e, struct io_op *op)
{
	static char nothing[512], dropped[512];
	if (!e->asked[op->slot].to_be_lent) {
		bool is_lent = op->buf && op->buf == e->last_lent;
		if (e->fault == TAKES_BACK_ANY_BUFFER && is_lent && op->result == 0)
			e->right_ops->give_back(e->right, op->buf);
		return;
	}
	if (op->result > 0)
		e->last_lent = op->buf;
	if (e->fault == LENDS_ONE_TO_ALL && op->result > 0)
		e->right_ops->give_back(e->right, op->buf);
	if (e->fault == NO_BUFFER_DROPS_BYTES && op->result == -ENOBUFS)
		(void)!recv(op->fd, dropped, sizeof dropped, MSG_DONTWAIT);
	if (e->fault == LENDS_AT_THE_END && op->result == 0)
		op->buf = nothing;
	if (e->fault == KEEPS_ONE_AT_THE_END && op->result == 0)
		e->kept++;
	if (e->fault == CLOSE_WANTS_ALL_BACK && op->result > 0)
		e->lent_now++;
}

static void over_give_back(struct engine *e, void *buf)
{
	if (e->fault == GIVE_BACK_ALLOCATES)
		allocate(1);
	e->lent_now -= e->fault == CLOSE_WANTS_ALL_BACK || e->fault == LENDS_BEFORE_BYTES_COME;
	if (e->fault == LENDS_ONE_TO_ALL || e->fault == GIVE_BACK_DOES_NOTHING)
		return;
	if (e->fault == GIVES_BACK_IN_PAIRS) {
		void *first = e->given_back;
		e->given_back = first ? NULL : buf;
		if (!first)
			return;
		e->right_ops->give_back(e->right, first);
	}
	if (e->kept > 0)
		e->kept--;
	else
		e->right_ops->give_back(e->right, buf);
}

static int over_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
		     int64_t timeout_ns)
{
	if (e->fault == ALLOCATES_IN_REAP)
		allocate(max);
	if (e->fault == LETS_A_SIGNAL_IN)
		change_mask(SIG_UNBLOCK, SIGUSR1);
	unsigned n = op_queue_take(&e->finished, done, max);
	if (n < max || max == 0) {
		int more = spoiled_reap(e, done + n, n < min ? min - n : 0, max - n, timeout_ns);
		if (more < 0)
			return more;
		n += (unsigned)more;
	}
	if (e->fault == RETRIES_AN_ERROR)
		n = submit_failed_again(e, done, n, EIO);
	if (e->fault == ABORTED_IS_NO_RESULT)
		n = submit_failed_again(e, done, n, ECONNABORTED);
	if (e->fault == ACCEPT_WAITS_FOR_A_NUMBER)
		n = submit_failed_again(e, done, n, EMFILE);
	if (e->fault == NO_BUFFER_IS_A_WAIT)
		n = submit_failed_again(e, done, n, ENOBUFS);
	for (unsigned i = 0; i < n; i++) {
		e->last = done[i];
		e->has_ended = true;
		e->asked[done[i]->slot].op = NULL;
		e->receives -= io_kind_is_input(done[i]->kind);
		spoil_lending(e, done[i]);
		if (e->fault == END_ENDS_A_SEND_THAT_WAITS && done[i]->kind == IO_SEND &&
		    peer_stopped_sending(done[i]->fd))
			done[i]->result = -EPIPE;
		if (e->fault == ERRORS_ARE_EIO && done[i]->result < 0)
			done[i]->result = -EIO;
		if (e->fault == CANCEL_ONE_LATE_STICKS && done[i]->result == -ECANCELED)
			e->asked[done[i]->slot].called_back = false; /* and else it remembers */
		if ((e->fault == CANCEL_ONE_STICKS_TO_ITS_SLOT ||
		     e->fault == CANCEL_ONE_LATE_STICKS) &&
		    done[i]->result == 0 && e->asked[done[i]->slot].called_back)
			done[i]->result = -ECANCELED;
		if (e->fault == RESET_IS_EPIPE && done[i]->result == -ECONNRESET)
			done[i]->result = -EPIPE;
		if (e->fault == SAYS_MORE && done[i]->result > 0)
			done[i]->result++;
		if (e->fault == CANCEL_ONE_HIDES_A_COUNT && e->has_called_back &&
		    done[i]->result < e->asked[done[i]->slot].len_bytes)
			done[i]->result = -ECANCELED;
		if (e->fault == CONNECT_ALWAYS_SUCCEEDS && done[i]->kind == IO_CONNECT)
			done[i]->result = 0;
		if (e->fault == DESCRIPTOR_0_IS_NO_CLIENT && done[i]->kind == IO_ACCEPT)
			done[i]->result = done[i]->result ? done[i]->result : -ECONNABORTED;
		if (e->fault == ACCEPTED_IS_NONBLOCKING && done[i]->kind == IO_ACCEPT)
			fcntl((int)done[i]->result, F_SETFL, O_RDWR | O_NONBLOCK);
		if (e->fault == ACCEPTED_IS_INHERITED && done[i]->kind == IO_ACCEPT)
			fcntl((int)done[i]->result, F_SETFD, 0);
		done[i]->offset = e->asked[done[i]->slot].offset;
		bool shortens = e->fault == WRITES_THE_LENGTH ||
				(e->fault == SHORTENS_WHAT_FAILS && done[i]->result < 0);
		done[i]->len_bytes =
			shortens ? (uint32_t)done[i]->result : e->asked[done[i]->slot].len_bytes;
		done[i]->fd = e->asked[done[i]->slot].fd;
	}
	if (e->fault == ONE_WAKE_UP_A_BATCH && n > 0) {
		struct io_op *next = op_queue_pop(&e->held);
		if (next)
			e->right_ops->submit(e->right, &next, 1);
	}
	return (int)n;
}

/* What is over stays over, but its result says that it was called back. */
static void overwrite_what_is_over(struct engine *e, const struct io_op *op)
{
	struct io_op *over[DEEPEST];
	int n = e->right_ops->reap(e->right, over, 0, DEEPEST, 0);
	for (int i = 0; i < n; i++)
		op_queue_finish(&e->finished, over[i],
				over[i] == op ? -ECANCELED : over[i]->result);
}

static void over_cancel_one(struct engine *e, struct io_op *op)
{
	char dropped[100];
	int client;
	if (e->fault == ALLOCATES_IN_CANCEL_ONE)
		allocate(1);
	switch (e->fault) {
	case CANCEL_ONE_DOES_NOTHING:
		return;
	case CANCEL_ONE_TAKES_ALL:
		e->right_ops->cancel(e->right);
		return;
	case CANCEL_ONE_DROPS_BYTES:
		(void)!recv(op->fd, dropped, sizeof dropped, MSG_DONTWAIT);
		break;
	case CANCEL_ONE_DROPS_A_CLIENT:
		client = op->kind == IO_ACCEPT ? accept4(op->fd, NULL, NULL, SOCK_CLOEXEC) : -1;
		if (client >= 0)
			close(client);
		break;
	case CANCEL_ONE_SHUTS_DOWN:
		shutdown(op->fd, SHUT_RDWR);
		break;
	case CANCEL_ONE_NOT_OF_ACCEPT:
		if (op->kind == IO_ACCEPT)
			return;
		break;
	case CANCEL_ONE_NOT_OF_CONNECT:
		if (op->kind == IO_CONNECT)
			return;
		break;
	case CANCEL_ONE_BEFORE_IT_BEGAN:
		if (!e->reaped)
			return;
		break;
	case CANCEL_ONE_LATE_STICKS:
	case CANCEL_ONE_LATE_KEEPS_LOOKING: /* what can be done is as good as over */
		if (!is_readable(op->fd))
			break;
		e->was_too_late = e->asked[op->slot].called_back = true;
		return;
	case CANCEL_ONE_BY_DESCRIPTOR:
		for (unsigned slot = 0; slot < e->depth; slot++)
			if (e->asked[slot].op && e->asked[slot].op->fd == op->fd)
				e->right_ops->cancel_one(e->right, e->asked[slot].op);
		return;
	case CANCEL_ONE_FINDS_OLD_ROWS:
		if (e->has_ended)
			return;
		break;
	case CANCEL_ONE_WRITES_WHAT_IS_OVER:
		overwrite_what_is_over(e, op);
		break;
	case CANCEL_ONE_AND_FINISHED:
		op_queue_finish(&e->finished, op, -ECANCELED); /* it may be there already */
		return;
	default:
		break;
	}
	e->right_ops->cancel_one(e->right, op);
	e->asked[op->slot].called_back = true;
	e->has_called_back = e->answer_is_due = true;
	e->last = op;
	if (e->fault == CANCEL_ONE_TWICE)
		op_queue_push(&e->held, op);
}

static void over_cancel(struct engine *e)
{
	struct io_op *lost[DEEPEST];
	struct io_op *last = e->last;
	sigset_t blocked;
	pthread_sigmask(SIG_BLOCK, NULL, &blocked);
	if (e->fault == ALLOCATES_IN_CANCEL)
		allocate(1);
	if (e->fault == CANCEL_WRITES_WHAT_IS_BACK && last)
		last->result = -ECANCELED; /* whether it is in flight or not */
	e->right_ops->cancel(e->right);
	unsigned n = (unsigned)e->right_ops->reap(e->right, lost, 0, DEEPEST, 0);
	for (unsigned i = 0; i < n; i++) {
		bool forgotten =
			(e->fault == CANCEL_8_SLOTS && lost[i]->slot >= 8) ||
			(e->fault == CANCEL_FORGETS_SENDS && e->asked[lost[i]->slot].out) ||
			(e->fault == CANCELS_BY_SIGNAL && sigismember(&blocked, SIGUSR2));
		if (!forgotten)
			op_queue_push(&e->finished, lost[i]);
		last = lost[i];
	}
	if (e->fault == CANCEL_TWICE && last)
		op_queue_push(&e->held, last);
	e->last = last;
}

/* Once everything is back, these go on. */
static int later_reap(struct engine *e, struct io_op **done, unsigned min, unsigned max,
		      int64_t timeout_ns)
{
	int n = over_reap(e, done, min, max, timeout_ns);
	e->reaped = true;
	if (n > 0 || min > 0 || !e->last)
		return n;
	if (e->fault == TOUCHES_AFTERWARDS)
		((char *)e->last->buf)[100] ^= 1;
	if ((e->fault == SENDS_AFTERWARDS || e->fault == CANCEL_ONE_SENDS_LATER) &&
	    e->asked[e->last->slot].out)
		op_try_when_ready(&(struct io_op) { .kind = e->last->kind,
						    .fd = e->last->fd,
						    .buf = e->last->buf,
						    .len_bytes = 100,
						    .offset = IO_NO_OFFSET });
	if ((e->fault == CANCEL_TWICE || e->fault == CANCEL_ONE_TWICE) && e->held.first) {
		done[0] = op_queue_pop(&e->held);
		return 1;
	}
	return n;
}

static void over_close(struct engine *e)
{
	if (e->fault == CLOSE_WANTS_ALL_BACK && e->lent_now > 0)
		pause();
	if (e->fault == CLOSE_CLOSES)
		for (unsigned i = 0; i < e->max_fds; i++)
			close(e->fds[i]);
	if (e->own_fd >= 0)
		close(e->own_fd);
	if (e->fault == KEEPS_MEMORY)
		kept_block = malloc(100);
	if (e->fault == KEEPS_A_MAPPING)
		mmap(NULL, 1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (e->fault == KEEPS_A_LOCK)
		pthread_mutex_init(&kept_lock, NULL);
	if (e->fault == KEEPS_AN_AIO_RING && io_setup(1, &(io_context_t) { NULL }) < 0)
		test_skipped("the kernel has no io_setup(2)");
	if (e->fault == KEEPS_THE_FLAGS) {
		struct sigaction before;
		sigaction(SIGUSR2, NULL, &before);
		signal(SIGUSR2, before.sa_handler);
	}
	if (right_of_the_first)
		shared_right = right_of_the_first;
	if (e->fault == KEEPS_A_HANDLER)
		signal(SIGUSR2, SIG_DFL);
	if (e->fault == UNBLOCKS_A_SIGNAL ||
	    (e->fault == UNBLOCKS_WITH_THE_LAST &&
	     __atomic_sub_fetch(&all_open, 1, __ATOMIC_RELAXED) == 0))
		change_mask(SIG_UNBLOCK, SIGIO);
	e->right_ops->close(e->right);
	free(e);
}

#define OVER_WITHOUT_CANCEL_ONE                                                                    \
	.name = "mutant", .traits = IO_TRIES_CONNECTIONS, .supports = over_supports,               \
	.open = open_in_turn, .attach = over_attach, .detach = over_detach, .submit = over_submit, \
	.reap = later_reap, .give_back = over_give_back, .cancel = over_cancel,                    \
	.close = over_close

#define OVER OVER_WITHOUT_CANCEL_ONE, .cancel_one = over_cancel_one

#define LAID_OVER(fault_id, words, killed_by, says_so)                                             \
	{                                                                                          \
		.fault = words, .ops = { OVER }, .killer = killed_by, .says = says_so,             \
		.options = fault_id                                                                \
	}

const struct mutant laid_over_mutants[] = {
	LAID_OVER(OFFSET_32_BITS, "cuts offsets to 32 bits", "file_offsets_beyond_4_gib",
		  "wrong byte"),
	LAID_OVER(OFFSET_31_BITS, "cuts offsets to 31 bits", "file_offsets_beyond_4_gib",
		  "wrong byte"),
	LAID_OVER(LENGTH_16_BITS, "cuts lengths to 16 bits", "file_lengths_beyond_64_kib",
		  "expected 65536"),
	LAID_OVER(LENGTH_31_BITS, "cuts lengths to 31 bits", "file_lengths_beyond_2_gib",
		  "expected the 100000"),
	LAID_OVER(ZERO_MEANS_ALL, "moves a byte when asked for none", "stream_zero_bytes",
		  "0 bytes"),
	LAID_OVER(ZERO_IS_AN_ERROR, "refuses 0 bytes", "file_zero_bytes", "expected 0"),
	LAID_OVER(ZERO_IS_NO_CALL, "makes no call for 0 bytes", "file_zero_bytes_that_fail",
		  "expected -EBADF"),
	LAID_OVER(MIN_AT_MOST_8, "waits for at most 8", "reap_keeps_a_large_min", "saw 8"),
	LAID_OVER(MIN_IS_ONE, "waits for the first only", "stream_waits_for_as_many_as_asked",
		  "saw 1"),
	LAID_OVER(MIN_LESS_WHAT_IS_THERE, "counts what is there already twice",
		  "stream_counts_what_is_there_once", "saw 2"),
	LAID_OVER(LEFT_COUNTS_FOR_NOTHING, "does not count what it kept for the next",
		  "stream_counts_what_was_left", "to end at once"),
	LAID_OVER(MIN_0_FINDS_NOTHING, "does not look with min 0", "reap_of_nothing_loses_nothing",
		  "with min 0"),
	LAID_OVER(MAX_0_LOSES_ONE, "loses one with max 0", "reap_of_nothing_loses_nothing",
		  "with min 0"),
	LAID_OVER(WRONG_AT_65536, "counts operations in 16 bits", "file_survives_many_operations",
		  "expected 1 byte"),
	LAID_OVER(ENDS_AT_131072, "stops after 131,072 operations",
		  "stream_survives_many_operations", "never came back"),
	LAID_OVER(EVEN_DEPTHS_ONLY, "rounds an odd depth down", "file_fills_its_depth",
		  "never came back"),
	LAID_OVER(ROUNDS_UP_TO_10_MS, "waits 10 ms at least",
		  "stream_waits_less_than_a_millisecond", "0.4 ms"),
	LAID_OVER(TIMEOUT_32_BITS, "cuts timeouts to 32 bits", "stream_waits_for_ever", "saw none"),
	LAID_OVER(MILLISECONDS_32_BITS, "cuts milliseconds to 32 bits", "stream_waits_for_ever",
		  "saw none"),
	LAID_OVER(TIMEOUT_IS_A_FRACTION, "puts a second and more into tv_nsec",
		  "stream_waits_for_ever", "EINVAL"),
	LAID_OVER(NOW_PLUS_TIMEOUT_WRAPS, "adds the timeout to now, past the end",
		  "stream_waits_for_ever", "saw none"),
	LAID_OVER(ONLY_MINUS_1_IS_FOR_EVER, "takes only -1 for ever", "stream_waits_for_ever",
		  "saw none"),
	LAID_OVER(OVER_IS_FOR_EVER, "waits for ever where the time is over already",
		  "stream_waits_less_than_a_millisecond", "hung"),
	LAID_OVER(LIMIT_STAYS, "keeps the limit of the wait before", "stream_waits_for_ever",
		  "saw none"),
	LAID_OVER(TIMEOUT_IS_AN_INT, "takes 2.15 s for a negative int", "stream_waits_for_seconds",
		  "hung"),
	LAID_OVER(WAITS_TEN_TIMES, "waits ten times too long", "stream_keeps_its_timeout",
		  "expected"),
	LAID_OVER(TOO_MANY_SIGNALS, "gives up at the 65th signal",
		  "stream_survives_many_signals_in_a_row", "EINTR"),
	LAID_OVER(MOST_1024_READY, "has room for 1,024 descriptors",
		  "stream_finds_many_ready_at_once", "saw 1024"),

	LAID_OVER(ONE_OF_A_BATCH, "forgets what is beyond max", "stream_comes_back_one_by_one",
		  "saw 1 come back"),
	LAID_OVER(SLOT_16_BITS, "cuts fd_slot to 16 bits", "stream_slot_beyond_65535",
		  "never came back"),
	LAID_OVER(ONLY_ENDLESS_WAITS_END, "goes on to the time limit after a signal",
		  "stream_signal_ends_the_wait", "5 s"),
	LAID_OVER(TRIES_AFTER_A_SIGNAL, "tries after a signal what was ready before",
		  "stream_signal_ends_the_wait", "hung"),
	LAID_OVER(FALSE_ALARM_BEGINS_ANEW, "begins its time limit anew after a false alarm",
		  "socket_false_alarm_begins_no_new_limit", "begin anew"),

	LAID_OVER(ONE_FOR_ALL, "has one state for all engines (threads)",
		  "two_engines_in_two_threads", ""),
	LAID_OVER(ONE_FOR_ALL, "has one state for all engines", "two_engines_on_files", ""),
	LAID_OVER(ONE_FOR_ALL, "has one state for all engines (streams)", "two_engines_on_streams",
		  ""),
	LAID_OVER(FREE_WITH_ANY_CLOSE, "takes its own for free once any engine was closed",
		  "two_engines_on_files", ""),
	LAID_OVER(FREE_WITH_ANY_CLOSE,
		  "takes its own for free once any engine was closed (streams)",
		  "two_engines_on_streams", ""),
	LAID_OVER(OPTIONS_OF_THE_LAST, "looks as the engine does that was opened last",
		  "two_engines_on_files", "with min 0"),
	LAID_OVER(FIRST_NUMBER_STAYS, "keeps a slot's first number",
		  "stream_slot_takes_another_number", "nothing there"),
	LAID_OVER(OLD_NUMBER_IS_WATCHED, "knows a number by its first slot only",
		  "stream_number_moves_to_another_slot", "never came back"),
	LAID_OVER(DETACH_NEEDS_A_USE, "does not detach what was never used",
		  "stream_detached_unused", "EEXIST"),
	LAID_OVER(NUMBER_0_IS_NONE, "takes descriptor 0 for none", "descriptor_0_is_served",
		  "-EBADF"),
	LAID_OVER(RUNS_DRY, "opens 64 times", "opens_and_closes_again", "open() to succeed"),
	LAID_OVER(INHERITED, "opens an eventfd without CLOEXEC", "descriptors_are_not_inherited",
		  "inherited"),
	LAID_OVER(LEAKS_ON_FAILURE, "leaves one of two descriptors when open() fails",
		  "failures_leave_nothing_behind", "left open"),
	LAID_OVER(REFUSES_IN_SILENCE, "refuses without a reason", "failures_leave_nothing_behind",
		  "no reason"),
	LAID_OVER(REFUSES_WITHOUT_ID, "refuses in words, without an identifier",
		  "supports_or_says_why", "identifier"),
	LAID_OVER(NEEDS_STANDARD_INPUT, "refuses where descriptor 0 is free",
		  "supports_or_says_why", "the answers"),
	LAID_OVER(WRITES_THE_LENGTH, "writes into the workload's fields",
		  "result_is_all_that_is_written", "another field"),
	LAID_OVER(SHORTENS_WHAT_FAILS, "leaves another length where it failed",
		  "result_of_a_failure_is_all_that_is_written", "another field"),
	LAID_OVER(ACCEPTS_NONE, "accepts nothing when it holds nothing", "file_read_right_data",
		  "nothing is in flight"),

	LAID_OVER(TRUSTS_NEXT, "follows what stands in next", "next_is_the_holders", "changed"),
	LAID_OVER(WRITES_NEXT_LATER, "links an operation that it has handed out",
		  "next_is_the_holders", "`next`"),

	LAID_OVER(CANCEL_8_SLOTS, "cancels the first 8 slots", "stream_cancel_in_scattered_slots",
		  "never came back"),
	LAID_OVER(CANCEL_FORGETS_SENDS, "cancels receives only", "stream_cancel_of_sends",
		  "never came back"),
	LAID_OVER(SENDS_AFTERWARDS, "sends after cancel()", "stream_cancel_of_sends",
		  "expected nothing sent"),
	LAID_OVER(CANCEL_TWICE, "gives one back again later", "stream_cancel_in_scattered_slots",
		  "twice"),
	LAID_OVER(CANCEL_TWICE, "gives one back again later (files)", "file_cancel_then_silence",
		  "twice"),
	LAID_OVER(CANCEL_WRITES_WHAT_IS_BACK, "calls back what came back long ago",
		  "cancel_leaves_what_is_back", "it changed"),
	LAID_OVER(TOUCHES_AFTERWARDS, "writes into a buffer given back",
		  "stream_cancel_in_scattered_slots", "touched"),
	LAID_OVER(READS_AHEAD, "has read ahead when it detaches",
		  "stream_stays_whole_after_the_end", "not asked for"),
	LAID_OVER(DETACH_CLOSES, "closes the descriptor in detach()",
		  "file_stays_whole_after_the_end", "position"),
	LAID_OVER(CLOSE_CLOSES, "closes the descriptors in close()",
		  "stream_stays_whole_after_the_end", "after close()"),
	LAID_OVER(MOVES_THE_POSITION, "moves the file's position", "file_stays_whole_after_the_end",
		  "position"),
	LAID_OVER(SETS_AN_OPTION, "sets an option of the socket", "socket_options_stay", "changed"),
	LAID_OVER(LEAVES_O_ASYNC, "leaves O_ASYNC set", "stream_stays_whole_after_the_end",
		  "its flags as they were"),
	LAID_OVER(ALLOCATES_IN_SUBMIT, "allocates in submit()", "no_allocation_after_open",
		  "malloc"),
	{ .fault = "allocates when more than 64 wait",
	  .ops = { OVER },
	  .killer = "no_allocation_after_open",
	  .says = "malloc",
	  .options = ALLOCATES_BEYOND_64,
	  .flavour = UNIX },
	LAID_OVER(ALLOCATES_IN_REAP, "allocates in reap()", "no_allocation_after_open", "malloc"),
	LAID_OVER(ALLOCATES_IN_CANCEL, "allocates in cancel()", "no_allocation_after_open",
		  "malloc"),
	{ .fault = "allocates in cancel_one()",
	  .ops = { OVER },
	  .killer = "no_allocation_after_open",
	  .says = "malloc",
	  .options = ALLOCATES_IN_CANCEL_ONE,
	  .flavour = UNIX },
	LAID_OVER(KEEPS_A_MAPPING, "leaves a page mapped", "close_leaves_nothing_mapped",
		  "more memory"),
	LAID_OVER(KEEPS_MEMORY, "keeps memory after close()", "no_allocation_after_open",
		  "memory kept"),
	LAID_OVER(KEEPS_A_LOCK, "does not destroy a mutex", "no_allocation_after_open",
		  "1 too few"),
	LAID_OVER(KEEPS_A_HANDLER, "forgets what a signal did before", "signals_stay_as_they_were",
		  "another action"),
	LAID_OVER(KEEPS_THE_FLAGS, "puts a handler back without its flags and its mask",
		  "signals_stay_as_they_were", "flags or mask"),
	LAID_OVER(KEEPS_AN_AIO_RING, "does not destroy a context of libaio", "file_sync",
		  "io_setup(2)"),
	LAID_OVER(TAKES_SIGNALS, "has a thread that takes signals",
		  "signals_are_left_to_the_caller", "a thread of the engine's"),
	LAID_OVER(CANCELS_BY_SIGNAL, "cancels by a signal that the caller may block",
		  "stream_cancel_with_all_signals_blocked", "never came back"),
	LAID_OVER(BLOCKS_A_SIGNAL, "blocks a signal of the caller's", "signals_stay_as_they_were",
		  "after open()"),
	LAID_OVER(LETS_A_SIGNAL_IN, "lets a signal in that the caller blocks",
		  "stream_blocked_signals_wait", "taken in reap()"),
	LAID_OVER(BLOCKS_ON_FAILURE, "leaves a signal blocked when open() fails",
		  "failures_leave_nothing_behind", "another for signal"),
	LAID_OVER(UNBLOCKS_A_SIGNAL, "unblocks what the caller had blocked",
		  "signals_stay_as_they_were", "after close()"),
	LAID_OVER(UNBLOCKS_WITH_THE_LAST, "unblocks with the last engine of all threads",
		  "two_engines_in_two_threads", "after close()"),

	LAID_OVER(PRINTS, "prints a greeting", "file_sync", "printed"),
	LAID_OVER(END_ENDS_BOTH, "sends nothing to who stopped sending",
		  "socket_peer_that_stopped_sending_hears", "expected 3 bytes sent"),
	LAID_OVER(END_ENDS_A_SEND_THAT_WAITS, "ends a send when the peer stops sending",
		  "socket_peer_that_stopped_sending_makes_room", "EPIPE"),
	LAID_OVER(HANG_UP_IS_THE_END, "takes a hang-up for the end",
		  "stream_bytes_before_the_hang_up", "before the end"),
	LAID_OVER(ERROR_BEFORE_BYTES, "asks for the error before the bytes",
		  "tcp_error_behind_bytes", "recv(2)"),
	LAID_OVER(RESET_IS_EPIPE, "calls a reset EPIPE", "tcp_reset_before_a_send", "EPIPE"),
	LAID_OVER(SYNC_ALWAYS_SUCCEEDS, "does not look whether a sync failed",
		  "file_sync_that_fails", "EINVAL"),
	LAID_OVER(RESET_IS_EPIPE, "calls a reset EPIPE while a send waits",
		  "tcp_reset_while_a_send_waits", "EPIPE"),
	LAID_OVER(EINTR_OF_A_SEND, "takes EINTR of a send for its result",
		  "stream_send_survives_signals", "EINTR"),
	LAID_OVER(ONE_WAKE_UP_A_BATCH, "wakes one worker for a batch",
		  "stream_batch_is_in_flight_at_once", "never came back"),
	LAID_OVER(LOOKS_EVERY_10_MS, "looks every 10 ms", "stream_stays_asleep", "wake-ups"),
	LAID_OVER(LEAKS_ON_FAILURE, "leaves a descriptor when a call of open() fails",
		  "failing_calls_of_opening", "left open"),
	LAID_OVER(KEEPS_MEMORY_ON_FAILURE, "keeps memory when a call of open() fails",
		  "failing_calls_of_opening", "memory kept"),
	LAID_OVER(CLOSES_0_ON_FAILURE, "closes descriptor 0 where memory is short",
		  "open_without_memory", "descriptors as they were"),
	LAID_OVER(OPEN_SAYS_EIO, "says EIO whatever failed in open()", "failing_calls_of_opening",
		  "expected -12"),
	LAID_OVER(ERRORS_ARE_EIO, "says EIO whatever failed", "file_failing_calls", "saw -5"),
	LAID_OVER(SAYS_MORE, "says that it moved a byte more", "file_read_right_data",
		  "of 4096 bytes moved 4097"),
	LAID_OVER(RETRIES_AN_ERROR, "tries again after EIO", "file_failing_calls",
		  "as one operation's result"),
	LAID_OVER(WAIT_HIDES_ITS_ERROR, "does not tell that the wait failed",
		  "stream_failing_calls", "from reap()"),
	LAID_OVER(NO_ROOM_IS_A_RESULT, "takes want of room for a result",
		  "stream_no_room_is_no_result", "saw -11"),
	LAID_OVER(WAITS_FOR_ROOM_ALONE, "waits for room with nothing in flight",
		  "file_failing_calls", "an operation accepted"),
	LAID_OVER(REASON_FOR_NOTHING, "gives a reason for nothing", "failing_calls_of_opening",
		  "no reason"),
	LAID_OVER(OPENS_WITH_A_REASON, "opens and gives a reason", "opens_and_closes_again",
		  "no reason"),
	LAID_OVER(OPTION_DOES_NOTHING, "has an option that does nothing", "option_is_no_mere_label",
		  "the same"),
	LAID_OVER(LIES_AFTER_5000, "leaves writes out after 5,000", "file_writes_stay_honest",
		  "8 bytes in the file"),
	LAID_OVER(NO_SYNC_AFTER_5000, "leaves syncs out after 5,000", "file_syncs_stay_honest",
		  "EINVAL"),
	LAID_OVER(NO_SEND_AFTER_5000, "leaves sends out after 5,000", "stream_sends_stay_honest",
		  ""),
	LAID_OVER(TOUCHES_WHILE_WAITING, "touches a buffer while it waits",
		  "stream_waits_without_touching", "touched"),
	LAID_OVER(ONE_DIRECTION_AT_A_TIME, "sends nothing while a receive waits",
		  "socket_both_directions_at_once", ""),
	LAID_OVER(EINTR_OF_A_SEND, "sends without MSG_DONTWAIT", "stream_cancel_of_sends", "hung"),
	LAID_OVER(ACCEPTED_IS_NONBLOCKING, "accepts in non-blocking mode", "accept_takes_who_waits",
		  "blocking mode"),
	LAID_OVER(ACCEPTED_IS_INHERITED, "accepts without SOCK_CLOEXEC", "accept_takes_who_waits",
		  "closed on exec"),
	LAID_OVER(FALSE_ALARM_OF_ACCEPT, "does not wait for a client", "accept_waits_for_a_client",
		  "EAGAIN"),
	LAID_OVER(SLEEPS_IN_ACCEPT, "sleeps in accept(2)", "accept_false_alarm_goes_on_waiting",
		  "hung"),
	LAID_OVER(ACCEPT_IS_NO_LISTENER, "says ENOTCONN of what is no listener",
		  "accept_on_no_listener", "ENOTCONN"),
	LAID_OVER(ACCEPT_WAITS_FOR_A_NUMBER, "waits until a number is free for an accept",
		  "accept_without_a_free_number", "never came back"),
	LAID_OVER(IN_PROGRESS_IS_A_RESULT, "takes EINPROGRESS for the end of a connect",
		  "connect_reaches_a_listener", "EINPROGRESS"),
	LAID_OVER(CONNECT_ALWAYS_SUCCEEDS, "does not ask how a connect ended", "connect_to_nobody",
		  "expected -ECONNREFUSED"),
	LAID_OVER(CONNECT_CHANGES_THE_MODE, "leaves the socket in another mode",
		  "connect_reaches_a_listener", "mode"),
	LAID_OVER(ABORTED_IS_NO_RESULT, "accepts again after ECONNABORTED",
		  "connection_failing_calls", "-103 as the result"),
	LAID_OVER(DESCRIPTOR_0_IS_NO_CLIENT, "takes descriptor 0 for an error",
		  "accept_returns_descriptor_0", "expected descriptor 0"),
	LAID_OVER(BREAKS_AT_A_CLIENT_UNASKED, "breaks at a client that nobody asked for",
		  "accept_leaves_who_comes_unasked", "from reap()"),
	LAID_OVER(MORE_WILL_FOLLOW, "holds a send's bytes back", "tcp_sends_are_on_their_way",
		  "none held back"),
	LAID_OVER(CANCEL_ONE_DROPS_A_CLIENT, "accepts a client, drops it and calls back",
		  "accept_called_back_loses_no_client", "never came back"),
	LAID_OVER(CANCEL_ONE_DOES_NOTHING, "does not call back", "cancel_one_leaves_the_others",
		  "never came back"),
	LAID_OVER(CANCEL_ONE_TAKES_ALL, "calls back all", "cancel_one_leaves_the_others",
		  "came back with"),
	LAID_OVER(CANCEL_ONE_TWICE, "returns twice what was called back",
		  "cancel_one_leaves_the_others", "twice"),
	LAID_OVER(CANCEL_ONE_HIDES_A_COUNT, "says -ECANCELED of a send that is partly out",
		  "cancel_one_of_a_short_send", "at the other end"),
	LAID_OVER(CANCEL_ONE_SLEEPS_ON, "sleeps on after a signal behind a call back",
		  "stream_signal_ends_a_wait_after_a_cancel", "sleep on"),
	LAID_OVER(CANCEL_ONE_DROPS_BYTES, "drops what it received and calls back",
		  "cancel_one_loses_no_byte", "never came back"),
	LAID_OVER(CANCEL_ONE_SHUTS_DOWN, "shuts the socket down to call back",
		  "cancel_one_leaves_the_descriptor_whole", ""),
	LAID_OVER(CANCEL_ONE_TAKES_THE_NEXT, "calls back what comes next, too",
		  "cancel_one_leaves_no_trace", "nobody asked for"),
	LAID_OVER(CANCEL_ONE_STICKS_TO_ITS_SLOT, "calls back what comes later in that slot",
		  "cancel_one_leaves_the_slot_whole", "the end"),
	LAID_OVER(CANCEL_ONE_LATE_STICKS, "calls back what comes later where it came too late",
		  "cancel_one_leaves_the_slot_whole", "the end"),
	LAID_OVER(CANCEL_ONE_LATE_KEEPS_LOOKING, "looks every ms once a request came too late",
		  "cancel_one_loses_no_byte", "wake-ups"),
	LAID_OVER(CANCEL_ONE_BY_DESCRIPTOR, "calls back all on a descriptor",
		  "cancel_one_leaves_the_other_direction", "to go on"),
	LAID_OVER(CANCEL_ONE_FINDS_OLD_ROWS, "looks for it where it was before others ended",
		  "cancel_one_finds_what_is_left", "never came back"),
	LAID_OVER(CANCEL_ONE_AND_FINISHED, "calls back what is over, and returns both",
		  "cancel_one_comes_too_late", "twice"),
	LAID_OVER(CANCEL_ONE_WRITES_WHAT_IS_OVER, "calls a receive back that is over",
		  "cancel_one_comes_too_late", "never came back"),
	LAID_OVER(CANCEL_ONE_WRITES_WHAT_IS_OVER, "calls a send back that is over",
		  "cancel_one_of_a_send_that_fits", "0 bytes at its peer"),
	LAID_OVER(CANCEL_ONE_SENDS_LATER, "sends what was called back", "cancel_one_of_a_send",
		  "nothing sent"),
	LAID_OVER(CANCEL_ONE_AND_FINISHED, "calls back a read that is over, and returns both",
		  "cancel_one_of_a_file", "twice"),
	LAID_OVER(CANCEL_ONE_NOT_OF_ACCEPT, "calls back no accept", "accept_is_called_back",
		  "never came back"),
	LAID_OVER(CANCEL_ONE_NOT_OF_CONNECT, "calls back no connect",
		  "connect_waits_and_is_called_back", "never came back"),
	LAID_OVER(CANCEL_ONE_BEFORE_IT_BEGAN, "hears of no request between submit() and reap()",
		  "cancel_one_meets_the_beginning", "expected all"),
	{ .fault = "has no cancel_one(), and operations wait in it",
	  .ops = { OVER_WITHOUT_CANCEL_ONE },
	  .killer = "cancel_one_leaves_the_others",
	  .says = "expected cancel_one() in engine_ops",
	  .options = NONE },
	LAID_OVER(LENDS_ONE_TO_ALL, "lends one buffer to all", "lent_buffer_is_the_callers",
		  "wrong byte"),
	LAID_OVER(TAKES_BACK_ANY_BUFFER,
		  "takes a lent buffer back when a receive into it brings nothing",
		  "lent_buffer_may_be_received_into", ""),
	LAID_OVER(CLOSE_WANTS_ALL_BACK, "waits in close() for what it lent",
		  "lent_buffer_is_the_callers", "hung"),
	LAID_OVER(LENDS_BEFORE_BYTES_COME, "keeps a buffer for each receive that waits",
		  "lent_buffers_wait_for_none", "expected all to wait"),
	LAID_OVER(NO_BUFFER_IS_A_WAIT, "waits until a buffer is free", "lent_buffers_are_short",
		  "never came back"),
	LAID_OVER(NO_BUFFER_DROPS_BYTES, "drops bytes that it has no buffer for",
		  "lent_buffers_are_short", "never came back"),
	LAID_OVER(LENDS_AT_THE_END, "lends a buffer with nothing in it",
		  "lent_buffer_for_bytes_only", "expected `buf` NULL"),
	LAID_OVER(KEEPS_ONE_AT_THE_END, "loses a buffer at the end of a stream",
		  "lent_buffer_for_bytes_only", "ENOBUFS"),
	LAID_OVER(GIVE_BACK_DOES_NOTHING, "lends each buffer once", "lent_buffer_holds_what_came",
		  "ENOBUFS"),
	LAID_OVER(LENDS_MORE_THAN_ASKED, "fills the whole buffer whatever was asked for",
		  "lent_buffers_take_the_length", "of 1 bytes moved"),
	LAID_OVER(LENDS_UNASKED, "lends to a receive with a buffer of its own",
		  "lent_buffers_and_others", ""),
	LAID_OVER(GIVE_BACK_ALLOCATES, "allocates in give_back()", "lent_buffers_allocate_nothing",
		  "malloc"),
	LAID_OVER(LENDS_NOTHING_IN_SILENCE, "refuses to lend without a reason",
		  "lent_buffers_or_a_reason", "to say why"),
	LAID_OVER(LENDS_LESS_THAN_IT_SAYS, "says that it lends more than it does",
		  "lent_buffers_or_a_reason", "to agree"),
	LAID_OVER(GIVES_BACK_IN_PAIRS, "takes buffers back by twos", "lent_buffer_serves_at_once",
		  "ENOBUFS"),
	LAID_OVER(KEEPS_MEMORY_ON_FAILURE, "keeps memory when it cannot lend",
		  "lent_buffers_refused_leave_nothing", "next to no page"),
	LAID_OVER(CANCEL_ONE_ENDS_A_WAIT, "ends a wait for another when a call back is answered",
		  "cancel_one_too_late_ends_no_wait", "to wait 20 ms"),
	LAID_OVER(FAR_LIMIT_WRAPS_BESIDE_A_CANCEL, "adds a far limit to now, after a call back",
		  "stream_far_limit_beside_a_cancel", "expected both"),
	LAID_OVER(SYNC_WAITS_FOR_RECEIVES, "syncs behind all that is in flight",
		  "file_sync_waits_for_nobody", "never came back"),
	LAID_OVER(SENDS_BEHIND_RECEIVES, "sends when all receives are taken",
		  "socket_begins_behind_a_backlog", "nothing at its peer"),
	LAID_OVER(REFUSAL_ENDS_A_BATCH, "leaves what stands behind a refused request",
		  "connect_that_is_refused_stops_nobody", "in flight after 5 s"),
	LAID_OVER(ONLY_WHEN_TRACED, "works only while it is traced", "file_read_right_data",
		  "wrong byte"),
	{ NULL },
};
