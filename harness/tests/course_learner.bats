#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The learner's commands, on a lab of two small exercises (harness/tests/tiny_course) and a work
# folder of their own.

load common

setup() {
	export IOLAB_LABS="$ROOT/harness/tests/tiny_course"
	export IOLAB_WORK="$BATS_TEST_TMPDIR/work"
	# What make was told for the tests is not meant for the commands under test.
	unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES NO_COLOR
	ENGINE="$IOLAB_WORK/90_tiny/engine.c"
	cd "$ROOT" || exit
}

learner() { timeout "$HANG_S" "$SYSTEM_PYTHON" -B harness/course/learner.py "$@" </dev/null; }

# Fills in exercises, on the learner's behalf.
solve() {
	local exercise
	for exercise in "$@"; do
		case $exercise in
		1) sed -i 's/return -38;/return (int)op_queue_take(\&e->finished, done, max);/' "$ENGINE" ;;
		2) sed -i 's/result = 0;/result = ops[i]->len_bytes;/' "$ENGINE" ;;
		esac
	done
}

started() {
	learner start >/dev/null
	solve "$@"
}

# As check-lab notes it.
passed() {
	started 1 2
	digest=$({ printf 'engine.c\0' && cat "$ENGINE" && printf '\0'; } | sha256sum | cut -c 1-16)
	echo "complete 90_tiny 2026-11-24T00:00:00Z $digest" >>"$IOLAB_WORK/progress"
}

predicted() {
	printf '1 = 20\n2 = my_null\n' >"$IOLAB_WORK/90_tiny/predictions.txt"
}

# The command on a terminal of its own, which types the first argument.
on_terminal() {
	local typed=$1
	shift
	printf '%b' "$typed" | TERM=xterm timeout "$HANG_S" script -qec "$*" /dev/null
}

@test "make labs tells a newcomer how to begin, make help too" {
	run make labs
	assert_success
	assert_output --partial "90  tiny: a lab"
	assert_output --partial "not started"
	assert_output --partial "make start"
	run make help
	assert_line --index 1 --partial "make labs"
	assert_line --index 1 --partial "begin here"
	assert [ ! -e "$IOLAB_WORK" ]
}

@test "every command says what to type next, and without a terminal uses no control sequence" {
	started
	for command in labs start "check-lab" hint "predict" "diff-lab FORCE=1" reset-lab; do
		# shellcheck disable=SC2086
		run learner $command
		assert_output --partial "Next:"
		refute_output --regexp $'\033'
	done
}

@test "start writes the starter, remembers the lab, and never overwrites" {
	run make start
	assert_success
	assert_output --partial "$ENGINE"
	assert_output --regexp "Next:"$'\n'"  Read the handout +harness/tests/tiny_course/90_tiny/README.md"
	assert_output --partial "make check-lab"
	assert [ -x build/iolab ]
	grep -q "EXERCISE 1" "$ENGINE"
	grep -qx "current 90_tiny" "$IOLAB_WORK/progress"
	echo "/* mine */" >>"$ENGINE"
	run make start LAB=90
	assert_success
	assert_output --partial "nothing in it was touched"
	grep -q "mine" "$ENGINE"
}

@test "start FORCE=1 moves the old copy aside" {
	started
	echo "/* mine */" >>"$ENGINE"
	run make start FORCE=1
	assert_success
	assert_output --partial "moved to"
	run grep "mine" "$ENGINE"
	assert_failure
	grep -q "mine" "$IOLAB_WORK"/90_tiny.old-*/engine.c
}

@test "start: the named lab, and the next one after a lab has passed" {
	run learner start LAB=next
	assert_success
	grep -qx "current 91_next" "$IOLAB_WORK/progress"
	run learner start 90
	assert_success
	grep -qx "current 90_tiny" "$IOLAB_WORK/progress"
	printf 'complete 90_tiny 2026-11-24T00:00:00Z 00\n' >>"$IOLAB_WORK/progress"
	run learner start
	assert_output --partial "Lab 91"
}

@test "start stays at a lab that has not passed" {
	started
	run learner start
	assert_success
	assert_output --partial "not passed yet"
	assert_output --partial "Lab 90"
}

@test "check-lab: the starter fails its first test, in words, with what led there" {
	started
	run make check-lab
	assert_failure
	assert_output --partial "Exercise 1: Hand back"
	assert_output --partial "FAILED  hands_back/nop"
	assert_output --partial "expected a count from reap(), saw -38"
	assert_output --partial "What led there"
	assert_output --partial "open     null, depth 2 = 0"
	assert_output --partial "submit   1 offered"
	assert_output --partial "returned -38 (-ENOSYS)"
	assert_output --regexp "when you have changed $ENGINE:[0-9]+ and :[0-9]+"
	assert_output --partial "Exercise 2: Say how much (0 of 1 test passed)"
	assert_output --partial "make hint"
	assert_output --partial "gdb "
	run learner labs
	assert_output --partial "0 of 2 exercises passed"
}

@test "check-lab: the next exercise is explained when the first passes" {
	started 1
	run learner check-lab
	assert_failure 1
	assert_output --partial "ok      hands_back/nop"
	assert_output --partial "expected 100 bytes, saw 0"
	assert_output --partial "90_tiny/tests.c:"
	run learner labs
	assert_output --partial "1 of 2 exercises passed"
	grep -q "^failing 90_tiny 2 says_how_much/nop$" "$IOLAB_WORK/progress"
}

@test "the proctor says what was expected and seen as values, and the sentence is made from them" {
	started 1
	learner check-lab >/dev/null || true
	output=$(build/course/proctor --only says "$IOLAB_WORK/.build/90_tiny/tests" | sed -n 4p)
	assert_equal "$(json findings.0.id)" expectation
	assert_equal "$(json findings.0.values.expected)" "100 bytes"
	assert_equal "$(json findings.0.values.seen)" 0
	assert_equal "$(json findings.0.values.file)" tests.c
	assert_equal "$(json exercise)" 2
	assert_equal "$(json output)" "[]"
	# By hand, without a proctor, the program says it itself.
	run "$IOLAB_WORK/.build/90_tiny/tests" --run says_how_much/nop
	assert_failure 1
	assert_output --regexp "^expected 100 bytes, saw 0 \(tests.c:[0-9]+\)$"
}

@test "what a failure expected and saw stand in parts of its format, not in words" {
	run "$SYSTEM_PYTHON" - <<-'PYTHON'
		import glob, re
		count = 0
		for path in (glob.glob("labs/*/tests.c") + glob.glob("harness/tests/conformance/*.c") +
		             glob.glob("harness/course/proctor/*.c") + glob.glob("harness/course/new_lab/*.c")):
		    for call in re.findall(r"\b(?:expect|test_failed)\((.*?)\);", open(path).read(), re.S):
		        words = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', call))
		        assert not re.search(r"\bsaw\b|\bexpected\b", words), f"{path}: {words}"
		        assert call.count("EXPECTED(") == call.count("SAW("), f"{path}: {call}"
		        count += "EXPECTED(" in call
		assert count > 200, count
	PYTHON
	assert_success
}

@test "the proctor refuses a program with more tests than it has room for" {
	# shellcheck disable=SC2016 # the script's own
	printf '%s\n' '#!/bin/sh' 'for i in $(seq 1001); do echo "test_$i/nop 1 10 null"; done' > "$BATS_TEST_TMPDIR/many"
	chmod +x "$BATS_TEST_TMPDIR/many"
	run build/course/proctor "$BATS_TEST_TMPDIR/many"
	assert_failure 2
	assert_output --partial "has more than 1000 tests"
}

@test "every finding of the proctor has its sentence" {
	local found
	mapfile -t found < <(grep -ohP '(add_finding\(.*?, |break_off\(e, )"\K\w+' harness/course/proctor/*.c)
	assert [ "${#found[@]}" -gt 10 ]
	run env PYTHONPATH=harness/course "$SYSTEM_PYTHON" -B -c '
import sys
from proctor.findings import RULES, SENTENCES
assert set(sys.argv[1:]) <= SENTENCES.keys(), set(sys.argv[1:]) - SENTENCES.keys()
assert RULES <= set(sys.argv[1:]), RULES' "${found[@]}"
	assert_success
}

@test "check-lab: one exercise, one test" {
	started 1
	run learner check-lab EXERCISE=1
	assert_success
	refute_output --partial "says_how_much"
	run learner check-lab TEST=hands
	assert_success
	run learner check-lab TEST=says
	assert_failure 1
	run learner check-lab TEST=nothing_like_it
	assert_failure 1
	assert_output --partial "no test of lab 90 begins with"
	run learner check-lab EXERCISE=7
	assert_failure 1
	assert_output --partial "has the exercises 1, 2"
}

@test "check-lab: all passes, and then labs, hint and start know" {
	started 1 2
	run learner check-lab
	assert_success
	assert_output --partial "Lab 90 is passed"
	assert_output --partial "make predict"
	grep -q "^complete 90_tiny " "$IOLAB_WORK/progress"
	run learner hint
	assert_output --partial "nothing to hint at"
	echo >>"$ENGINE"
	run learner labs
	assert_output --partial "changed since it passed"
}

@test "check-lab: a compiler's error and a warning are shown as the compiler says them" {
	started 1 2
	sed -i 's/(void)e;/int unused;/' "$ENGINE"
	run learner check-lab EXERCISE=1
	assert_output --partial "The compiler warns"
	assert_output --partial "unused variable"
	sed -i 's/int unused;/oops/' "$ENGINE"
	run learner check-lab
	assert_failure 1
	assert_output --partial "It does not compile"
	assert_output --regexp "$ENGINE:[0-9]+:[0-9]+: error:"
	assert_output --partial "make check-lab"
}

# one_cpu COMMAND...: where this process may use one CPU only.
one_cpu() {
	taskset -cp "$(taskset -cp $$ | sed 's/.*: *\([0-9]*\).*/\1/')" "$BASHPID" >/dev/null
	"$@"
}

@test "check-lab: a crash is told with its line, a hang with where it hangs, and ends the run" {
	started 1 2
	line=$(grep -n "op_queue_push" "$ENGINE" | cut -d: -f1)
	sed -i "${line}s/op_queue_push.*/*(volatile int *)0 = 1;/" "$ENGINE"
	run learner check-lab
	assert_failure 1
	assert_output --partial "SIGSEGV"
	assert_output --partial "$ENGINE:$line"
	sed -i "${line}s/.*/for (;;) ;/" "$ENGINE"
	# With a CPU for each test none is left to run.
	run one_cpu learner check-lab
	assert_failure 1
	assert_output --partial "hung: not over after 1 s"
	assert_output --partial "$ENGINE:$line"
	assert_output --partial "were not run"
}

@test "check-lab: nothing comes back: the test's own loop is named, and what repeats is folded" {
	started 2
	sed -i 's/return -38;/return 0;/' "$ENGINE"
	run learner check-lab EXERCISE=1
	assert_failure 1
	assert_output --partial "It runs in the test's own loop: nothing comes back from the engine"
	assert_output --partial "never hands out"
	assert_output --partial "submit   1 offered"
	assert_output --regexp "0 came back"$'\n'" +... the same, over and over"
	refute_output --partial "lab_test.c"
	refute_output --partial "were not run"
}

@test "check-lab: the test that hung is named when another failed first" {
	started
	sed -i 's/op_queue_push/if (ops[i]->kind == IO_READ)\nfor (;;)\n;\nop_queue_push/' "$ENGINE"
	run learner check-lab
	assert_failure 1
	assert_output --partial "What went wrong in hands_back/nop"
	assert_line "says_how_much/nop hung."
	refute_output --partial "were not run"
}

@test "check-lab: flags have their names, and a call that sleeps ends what led there" {
	started 2
	sed -i -e '1a #include <sys/socket.h>\n#include <sys/syscall.h>\n#include <unistd.h>' \
		-e 's/op_queue_push/recv(-1, NULL, 0, MSG_WAITALL | MSG_DONTWAIT);\nsyscall(SYS_io_uring_enter, -1, 3, 2, 9, 0, 0);\
pause();\nop_queue_push/' "$ENGINE"
	run learner check-lab EXERCISE=1
	assert_failure 1
	assert_output --partial "recv(-1, 0, MSG_DONTWAIT|MSG_WAITALL) = EBADF"
	assert_output --partial "io_uring_enter(-1, 3, 2, IORING_ENTER_GETEVENTS|IORING_ENTER_EXT_ARG) = "
	assert_output --regexp "pause\(\) ... still in it|ppoll.* ... still in it"
}

@test "check-lab: a call that never ends is named, also where its end is not watched" {
	cp -r "$IOLAB_LABS" "$BATS_TEST_TMPDIR/labs"
	IOLAB_LABS=$BATS_TEST_TMPDIR/labs
	started 1 2
	# A call of the test's own, and one that the C library makes.
	sed -i '/^static void hands_back/,/^}/s/open_engine.*/char byte; int ends[2]; if (pipe(ends)) return;\n&\nread(ends[0], \&byte, 1);/
		s/"lab_test.h"/&\n#include <unistd.h>/' "$IOLAB_LABS/90_tiny/tests.c"
	run learner check-lab EXERCISE=1
	assert_failure 1
	assert_output --regexp "It sleeps in read\([0-9]+, 1\)"
	sed -i -e '1a #include <pthread.h>' -e 's/op_queue_push/if (ops[i]->len_bytes) {\
static pthread_mutex_t twice = PTHREAD_MUTEX_INITIALIZER;\
pthread_mutex_lock(\&twice); pthread_mutex_lock(\&twice); }\
op_queue_push/' "$ENGINE"
	run learner check-lab EXERCISE=2
	assert_failure 1
	assert_output --partial "It sleeps in futex(): a lock that"
}

@test "check-lab: a wait tells which events it brought, and a long loop's count is whole" {
	started 2
	sed -i -e '1a #include <poll.h>\n#include <sys/epoll.h>\n#include <sys/eventfd.h>\n#include <unistd.h>' \
		-e 's/op_queue_push/int fd = eventfd(1, 0), ep = epoll_create1(0);\
struct epoll_event one = { .events = EPOLLIN | EPOLLOUT, .data.u64 = 77 };\
struct pollfd p = { fd, POLLIN, 0 };\
epoll_ctl(ep, EPOLL_CTL_ADD, fd, \&one); epoll_wait(ep, \&one, 1, 0); poll(\&p, 1, 0);\
for (int n = 0; n < 700; n++) lseek(-1, n, SEEK_SET);\
op_queue_push/' "$ENGINE"
	run learner check-lab EXERCISE=1
	assert_failure 1
	assert_output --regexp "epoll_[a-z0-9]*wait[0-9]*\([^)]*\) = 1: IN\|OUT for 77"
	assert_output --regexp "poll\(.*\) = 1: fd [0-9]+ IN"
	assert_output --regexp "lseek.* = EBADF"$'\n'" *\.\.\. 698 more of this kind"
}

@test "check-lab: a wait tells its time limit, also where it is named by a pointer" {
	started 2
	sed -i -e '1a #include <sys/epoll.h>' \
		-e 's/op_queue_push/int ep = epoll_create1(0); struct epoll_event one;\
struct timespec limit = { 0, 400000 };\
epoll_pwait2(ep, \&one, 1, \&limit, NULL); epoll_pwait2(ep, \&one, 1, NULL, NULL);\
op_queue_push/' "$ENGINE"
	run learner check-lab EXERCISE=1
	assert_failure 1
	assert_output --regexp "epoll_pwait2\([0-9]+, 1, 400 us\) = 0"
	assert_output --regexp "epoll_pwait2\([0-9]+, 1, for ever\) \.\.\. still in it"
}

@test "check-lab: commands, sets of signals, owners and time limits have their names, and signals are told" {
	started 2
	sed -i -e '1a #include <fcntl.h>\n#include <poll.h>\n#include <signal.h>\n#include <time.h>\n#include <unistd.h>' \
		-e '/^static int tiny_submit/i static void nothing(int number) { (void)number; }' \
		-e 's/op_queue_push/struct f_owner_ex owner = { F_OWNER_TID, gettid() };\
sigset_t set, mask; siginfo_t info; struct timespec limit = { 0, 400000 };\
int ends[2]; if (pipe(ends)) return -1;\
struct sigaction act = { .sa_handler = nothing }; sigaction(50, \&act, NULL);\
sigemptyset(\&set); sigaddset(\&set, SIGIO); sigaddset(\&set, 50);\
pthread_sigmask(SIG_BLOCK, \&set, \&mask);\
fcntl(ends[0], F_SETOWN_EX, \&owner); fcntl(ends[0], F_SETSIG, 50); fcntl(ends[0], F_GETSIG);\
fcntl(ends[0], F_SETFL, O_ASYNC | O_NONBLOCK); fcntl(ends[0], F_GETFL);\
sigtimedwait(\&set, \&info, \&limit);\
if (write(ends[1], "a", 1) < 0) return -1;\
sigtimedwait(\&set, \&info, NULL);\
raise(SIGIO); sigtimedwait(\&set, NULL, NULL);\
if (write(ends[1], "b", 1) < 0) return -1;\
ppoll(NULL, 0, NULL, \&mask); ppoll(NULL, 0, \&limit, NULL); poll(NULL, 0, 3);\
op_queue_push/' "$ENGINE"
	run learner check-lab EXERCISE=1
	assert_failure 1
	assert_output --partial "rt_sigprocmask(SIG_BLOCK, {SIGIO, 50}) = 0"
	assert_output --regexp "fcntl\([0-9]+, F_SETOWN_EX, F_OWNER_TID [0-9]+\) = 0"
	assert_output --regexp "fcntl\([0-9]+, F_SETSIG, 50\) = 0"
	assert_output --regexp "fcntl\([0-9]+, F_GETSIG\) = 50"
	assert_output --regexp "fcntl\([0-9]+, F_SETFL, O_NONBLOCK\|O_ASYNC\) = 0"
	assert_output --regexp "fcntl\([0-9]+, F_GETFL\) = [0-9]+: O_NONBLOCK\|O_ASYNC"
	assert_output --partial "rt_sigtimedwait({SIGIO, 50}, 400 us) = EAGAIN"
	assert_output --regexp "rt_sigtimedwait\(\{SIGIO, 50\}, for ever\) = 50: POLL_IN for fd [0-9]+"
	assert_output --partial "rt_sigtimedwait({SIGIO, 50}, for ever) = 29: SIGIO"
	assert_output --regexp "ppoll\(0, for ever, blocked \{.*\}\) = .*"$'\n'" +-- signal 50 comes: POLL_IN for fd [0-9]+"
	assert_output --partial "ppoll(0, 400 us) = 0"
	assert_output --partial "poll(0, 3 ms) = 0"
}

@test "check-lab: a call that shall fail is named in a sentence, and who returned the error" {
	cp -r "$IOLAB_LABS" "$BATS_TEST_TMPDIR/labs"
	IOLAB_LABS=$BATS_TEST_TMPDIR/labs
	started 1
	sed -i -e '/^static void hands_back/,/^}/s/perform.*/hold_call_after("read readv", 3);\n\
fail_call("poll ppoll ", EINTR, 0); perform(s, prepare(s, 0, IO_NOP, -1, 0, 0, 0));\
int64_t nothing = prepare(s, 1, IO_NOP, -1, 0, 0, 0)->result;\
expect(!call_failed(), WHEN("when %s fails") EXPECTED("a result") SAW("%s"), failing_call(), answer(nothing));/' \
		-e 's/"lab_test.h"/&\n#include <errno.h>/' "$IOLAB_LABS/90_tiny/tests.c"
	sed -i -e '1a #include <poll.h>' -e 's/op_queue_push/poll(NULL, 0, 0);\nop_queue_push/' "$ENGINE"
	run learner check-lab EXERCISE=1
	assert_failure 1
	assert_line --regexp "^ +-- from here on call number 4 of read or readv is held up$"
	assert_line --regexp "^ +-- from here on the next call of poll or ppoll fails with EINTR$"
	assert_line --regexp "when p?poll fails: expected a result, saw nothing$"
	assert_output --regexp "p?poll\(0, .*\) = EINTR   \[the test lets it fail\]"
}

@test "check-lab: where more than one thread speaks, each line tells which" {
	cp -r "$IOLAB_LABS" "$BATS_TEST_TMPDIR/labs"
	IOLAB_LABS=$BATS_TEST_TMPDIR/labs
	started 1 2
	sed -i -e '/^static void hands_back/,/^}/s/perform.*/pthread_t thread; perform(s, prepare(s, 0, IO_NOP, -1, 0, 0, 0));\n\
pthread_create(\&thread, NULL, another, s); pthread_join(thread, NULL); expect(s->op[1].result == 1, "no");/' \
		-e 's/"lab_test.h"/&\n#include <pthread.h>\
static void *another(void *s) { perform(s, prepare(s, 1, IO_NOP, -1, 0, 0, 0)); return NULL; }/' "$IOLAB_LABS/90_tiny/tests.c"
	sed -i -e '1a #include <pthread.h>\n#include <unistd.h>' \
		-e '/^static int tiny_submit/i static void *work(void *n) { lseek(-1, 7, SEEK_SET); return n; }' \
		-e 's/op_queue_push/pthread_t worker; pthread_create(\&worker, NULL, work, NULL); pthread_join(worker, NULL);\
lseek(-1, 5, SEEK_SET);\nop_queue_push/' "$ENGINE"
	run learner check-lab EXERCISE=1
	assert_failure 1
	assert_line --regexp "^ +lseek\(-1, 5, 0\) = EBADF$"
	assert_line --regexp "^ +lseek\(-1, 7, 0\) = EBADF   \[the engine's thread 1\]$"
	assert_line --regexp "^ +submit   1 offered; the first: slot 1, .*\[the test's thread 2\]$"
	assert_line --regexp "^ +lseek\(-1, 5, 0\) = EBADF   \[the test's thread 2\]$"
}

# The test has 1 second, and the engine uses 0.6 of it. Three others on the same CPU take three quarters away.
@test "check-lab: a test that goes on slowly on a busy machine does not hang" {
	local cpu busy=()
	[ -r /proc/self/schedstat ] || skip "the kernel does not tell how long a thread waits for a CPU"
	started 1
	# Once it has used that, it computes no more, however often it is called.
	sed -i -e '1a #include <time.h>' -e 's/return (int)op_queue_take/struct timespec used;\
while (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, \&used) == 0 \&\& used.tv_sec == 0 \&\& used.tv_nsec < 600000000)\
for (volatile int n = 0; n < 1000000; n++) continue;\
&/' "$ENGINE"
	learner check-lab EXERCISE=1 >/dev/null # builds
	cpu=$(taskset -cp $$ | grep -o '[0-9]*$')
	for _ in 1 2 3; do
		taskset -c "$cpu" sh -c 'while :; do :; done' 3>&- &
		busy+=($!)
	done
	run taskset -c "$cpu" build/course/proctor --only hands_back "$IOLAB_WORK/.build/90_tiny/tests"
	kill "${busy[@]}"
	assert_success
	assert_output --partial "ok 1 - hands_back/nop"
}

@test "check-lab: an assertion that fails is quoted, and no damage of the heap" {
	started 1
	sed -i -e '1a #include <assert.h>' -e 's/op_queue_push/assert(ops[i]->len_bytes == 7); op_queue_push/' "$ENGINE"
	run learner check-lab EXERCISE=1
	assert_failure 1
	assert_output --partial "an assertion failed inside the engine's submit(), in tiny_submit() at"
	assert_output --regexp "/engine.c:[0-9]+: ops\[i\]->len_bytes == 7"
	assert_output --partial "assert() ends the program"
	refute_output --partial "heap"
	refute_output --partial "What the program printed"
	# The C library's own reason for abort() is still told as such.
	started 1
	cp "$IOLAB_LABS/90_tiny/engine.c" "$ENGINE"
	sed -i 's/free(e);/free(e); free(e);/' "$ENGINE"
	run learner check-lab EXERCISE=1
	assert_output --regexp "the heap damaged"
}

@test "each library that is built once is named, so that no line comes twice" {
	run env PYTHONPATH=harness/course "$SYSTEM_PYTHON" -B -c '
from learning import check
check.library = lambda sanitize: "nowhere"
check.programs.prepare = lambda **how: None
for sanitize in ("", check.ADDRESS, check.THREAD): check.prepare(sanitize)'
	assert_line --index 0 "(Building the tests' library first. This happens once.)"
	assert_line --index 1 "(Building the tests' library with AddressSanitizer first. This happens once.)"
	assert_line --index 2 "(Building the tests' library with ThreadSanitizer first. This happens once.)"
}

@test "check-lab: what only a sanitizer sees" {
	started 1 2
	sed -i 's/free(e);/free(e); e->finished.count = 0;/' "$ENGINE"
	run learner check-lab
	assert_failure 1
	assert_output --partial "under AddressSanitizer"
	assert_output --partial "heap-use-after-free, in tiny_close()"
	run grep "^complete" "$IOLAB_WORK/progress"
	assert_failure
	# A report takes as long as it takes: the limit of this test is 1 second.
	ASAN_OPTIONS=sleep_before_dying=3 run build/course/proctor --untraced --only hands_back \
		"$IOLAB_WORK/.build/90_tiny/tests-sanitized"
	assert_failure 1
	assert_output --partial "heap-use-after-free"
	assert_output --partial "Sleeping for 3 second"
	refute_output --partial '"hung"'
}

@test "check-lab: a data race that goes well is found where a lab has threads" {
	local trouble
	unset IOLAB_LABS
	trouble=$(PYTHONPATH=harness/course "$SYSTEM_PYTHON" -B -c 'from proctor import programs as p
print(p.thread_sanitizer_trouble())')
	[ -z "$trouble" ] || skip "$trouble"
	mkdir -p "$IOLAB_WORK/04_epoll"
	cp labs/04_epoll/engine.c "$IOLAB_WORK/04_epoll/"
	# A count that the loop and the workers keep without a lock.
	sed 's/^static void \*work(/static unsigned begun;\n\n&/
		s/^\t\top->result = op_syscall/\t\tbegun++;\n&/
		/^static int workers_submit/,/^}/s/^\tpthread_mutex_unlock.*/&\n\tbegun++;/' \
		labs/04_epoll/engine_workers.c >"$IOLAB_WORK/04_epoll/engine_workers.c"
	run timeout 300 "$SYSTEM_PYTHON" -B harness/course/learner.py check-lab LAB=04 TEST=hears_of_every
	assert_failure 1
	assert_line --partial "when run again under ThreadSanitizer"
	# Long lines are wrapped.
	assert_equal "$(tr -s ' \n' ' ' <<<"$output" | grep -cE 'ThreadSanitizer: data race, in [^ ]+ at [^ ]*engine_workers.c:[0-9]+ ')" 1
	assert_line --partial "Two threads used the same memory"
}

@test "check-lab: the lab's tests are compiled when they have changed, and only then" {
	cp -r "$IOLAB_LABS" "$BATS_TEST_TMPDIR/labs"
	export IOLAB_LABS="$BATS_TEST_TMPDIR/labs"
	started 1 2
	learner check-lab EXERCISE=1
	local tests object
	object=$("$SYSTEM_PYTHON" -B -c 'import sys; sys.path.append("harness/course")
import labs
from proctor import programs
print(programs.tests_object(labs.find("90")))')
	tests=$(stat -c %y "$object")
	learner check-lab EXERCISE=1
	assert_equal "$(stat -c %y "$object")" "$tests"
	sed -i 's/"hands_back"/"hands_all_back"/' "$IOLAB_LABS/90_tiny/tests.c"
	run learner check-lab EXERCISE=1
	rm "$object"
	assert_success
	assert_line --partial "hands_all_back/nop"
}

@test "check-lab, hint, measure before start: one line that says what to do" {
	for command in check-lab watch hint predict measure diff-lab reset-lab; do
		run learner $command
		assert_failure 1
		assert_output "iolab: no lab is started yet; make start begins the first one"
	done
	run learner check-lab LAB=91
	assert_failure 1
	assert_output "iolab: lab 91 is not started yet: make start LAB=91"
	run learner check-lab LAB=epol
	assert_failure 1
	assert_output --partial "no lab is called 'epol'"
}

@test "wrong use is one line and status 2" {
	run learner chek-lab
	assert_failure 2
	assert_output --partial "did you mean 'check-lab'"
	run learner check-lab EXERCIZE=2
	assert_failure 2
	assert_output --partial "it takes LAB=..., EXERCISE=..., TEST=..."
	run learner
	assert_failure 2
	run learner --help
	assert_success
}

@test "hints rise, are counted, and at the end the solution is named as what it is" {
	started
	run learner hint
	assert_success
	assert_output --partial "hint 1 of 2"
	assert_line "Weak"
	assert_output --partial "Look at op_queue.h"
	assert_output --partial "1 hint left"
	run make hint
	assert_output --partial "It is called op_queue_take"
	assert_output --partial "this shows the solution"
	run learner hint
	assert_output --partial "all 2 hints"
	assert_line "Hint 2: Strong"
	assert_output --partial "Look at op_queue.h"
	run learner hint EXERCISE=2
	assert_output --partial "hint 1 of 1"
	assert_output --partial "len_bytes."
}

@test "labs, hint and check-lab know of a passed lab whose files are gone or changed" {
	passed
	for number in 1 2; do echo "passed 90_tiny $number now" >>"$IOLAB_WORK/progress"; done
	echo >>"$ENGINE"
	run learner hint
	assert_output --partial "your files have changed since"
	refute_output --partial "make measure"
	rm "$ENGINE"
	run learner labs
	assert_output --partial "passed, but its files are gone (make start LAB=90 brings the starter back)"
	assert_line --regexp "^  make start LAB=90 +brings the starter back$"
	run learner hint
	assert_failure 1
	assert_output "iolab: $ENGINE is gone: make start LAB=90 puts the starter there"
	run learner check-lab
	assert_failure 1
	assert_output "iolab: $ENGINE is gone: make start LAB=90 puts the starter there"
}

@test "start: a file that is gone before its lab has passed comes back" {
	started
	rm "$ENGINE"
	run learner labs
	assert_line --regexp "^  make start LAB=90 +brings the starter back$"
	run learner start
	assert_success
	assert_output --partial "Lab 90 has not passed yet, so you stay here."
	[ -e "$ENGINE" ]
}

@test "labs tells what was predicted and measured, and where the figure lies" {
	passed
	echo "predicted 90_tiny now" >>"$IOLAB_WORK/progress"
	run learner labs
	assert_line --regexp "^ +predicted, not measured$"
	echo "measured 90_tiny results-1" >>"$IOLAB_WORK/progress"
	mkdir -p "$IOLAB_WORK/90_tiny/results-1/figures"
	figure=$IOLAB_WORK/90_tiny/results-1/figures/$("$SYSTEM_PYTHON" -B -c 'import sys; sys.path.insert(0, "harness/course")
import labs; print(labs.find("90").measure.get("figure", "throughput"))').png
	touch "$figure"
	run learner labs
	assert_line --regexp "^ +predicted and measured: $figure$"
}

@test "the commands work in the working copy's folder, too" {
	started
	cd "$IOLAB_WORK/90_tiny"
	run make hint
	assert_success
	assert_output --partial "hint 1 of 2"
	run make
	assert_output --partial "FAILED  hands_back/nop"
}

@test "check-lab: each different reason of an exercise's failures has a line" {
	run env PYTHONPATH=harness/course "$SYSTEM_PYTHON" -B -c '
import labs
from learning.check import say_others
from proctor.findings import Finding
from proctor.programs import Outcome
def failed(name, seen):
    return Outcome(name, 1, "failed", [Finding("expectation", {"when": "", "expected": "1", "seen": seen, "file": "x.c", "line": 1})])
all = [failed("a", "2"), failed("b", "2"), failed("c", "3"), failed("d", "3"), failed("e", "4")]
say_others(labs.find("90"), all[0], all)'
	assert_success
	assert_line "1 more test of this exercise fails for the same reason."
	assert_line "  c (and 1 more): expected 1, saw 3"
	assert_line "  e: expected 1, saw 4"
}

@test "check-lab: errno in place of -errno is called so" {
	run env PYTHONPATH=harness/course "$SYSTEM_PYTHON" -B -c '
from learning.account import meaning
from proctor.findings import Finding
for expected, seen in (("4096 or -EFBIG", "27"), ("-EBADF", "9"), ("-EBADF", "-9 (-EBADF)"), ("-EBADF", "27"), ("9", "9")):
    print(bool(meaning(Finding("expectation", {"when": "", "expected": expected, "seen": seen}))))'
	assert_success
	assert_output $'True\nTrue\nFalse\nFalse\nFalse'
}

@test "check-lab: the same error is one reason, whatever each test expected" {
	run env PYTHONPATH=harness/course "$SYSTEM_PYTHON" -B -c '
import labs
from learning.check import say_others
from proctor.findings import Finding
from proctor.programs import Outcome
def failed(name, expected, seen):
    return Outcome(name, 1, "failed", [Finding("expectation", {"when": "", "expected": expected, "seen": seen, "file": "x.c", "line": 1})])
all = [failed("a", "1 byte", "-38 (-ENOSYS)"), failed("b", "9 bytes", "-38 (-ENOSYS)"),
       failed("c", "1", "-5 (-EIO)"), failed("d", "2", "-5 (-EIO)"), failed("e", "nothing", "3"), failed("f", "4", "3"),
       failed("g", "at most 10 calls", "209: it spins"), failed("h", "at most 10 calls", "311: it spins")]
say_others(labs.find("90"), all[0], all)'
	assert_success
	assert_line "1 more test of this exercise fails with the same answer, -38 (-ENOSYS)."
	assert_line "  c (and 1 more): expected 1, saw -5 (-EIO)"
	assert_line "  e: expected nothing, saw 3"
	assert_line "  f: expected 4, saw 3"
	assert_line "  g (and 1 more): expected at most 10 calls, saw 209: it spins"
}

@test "check-lab: what an engine prints is not its allocation, and the report says what prints cost" {
	unset IOLAB_LABS
	learner start LAB=00 >/dev/null
	sed 's/#include <stdlib.h>/#include <stdio.h>\n&/; s/op_queue_push(/puts("one more"), &/' labs/00_null/engine.c \
		>"$IOLAB_WORK/00_null/engine.c"
	run learner check-lab TEST=allocates_nothing_after_open
	assert_success
	sed -i 's/return (int)accepted/return -1/' "$IOLAB_WORK/00_null/engine.c"
	run learner check-lab TEST=allocates_nothing_after_open
	assert_failure 1
	assert_line "  one more"
	assert_output --partial "(Prints take time and system calls"
}

@test "check-lab: an exercise that passed and fails now points at what was changed since" {
	started 1
	run learner check-lab
	assert_failure 1
	refute_output --partial "passed at an earlier check"
	solve 2
	sed -i 's/return (int)op_queue_take(&e->finished, done, max);/return 0;/' "$ENGINE"
	run learner check-lab
	assert_failure 1
	assert_output --partial "Exercise 1 passed at an earlier check"
	run learner check-lab
	assert_failure 1
	refute_output --partial "passed at an earlier check"
}

@test "a hint is for the exercise that failed at the last check" {
	started 1
	learner check-lab >/dev/null || true
	run learner hint
	assert_output --partial "Exercise 2"
}

@test "watch takes an exercise" {
	started 1
	timeout "$HANG_S" "$SYSTEM_PYTHON" harness/course/learner.py watch EXERCISE=1 >"$BATS_TEST_TMPDIR/seen" 2>&1 3>&- &
	watcher=$!
	await_line "Ctrl-C ends" 1
	kill -INT "$(pgrep -P "$watcher")"
	await_end "$watcher"
	assert_success
	run cat "$BATS_TEST_TMPDIR/seen"
	assert_output --partial "Everything passes"
	refute_output --partial "says_how_much"
}

@test "watch checks again on a save, and Ctrl-C ends it with status 0" {
	started
	timeout "$HANG_S" "$SYSTEM_PYTHON" harness/course/learner.py watch >"$BATS_TEST_TMPDIR/seen" 2>&1 3>&- &
	watcher=$!
	await_line "Ctrl-C ends" 1
	solve 1
	await_line "Ctrl-C ends" 2
	solve 2
	await_line "Ctrl-C ends" 3
	pid=$(pgrep -P "$watcher")
	kill -INT "$pid"
	await_end "$watcher"
	assert_success
	run cat "$BATS_TEST_TMPDIR/seen"
	assert_output --partial "Lab 90 is passed"
	refute_output --regexp $'\033'
	refute_output --partial "Traceback"
}

# await_line TEXT TIMES: until the text was printed TIMES times.
await_line() { until_more_than $(($2 - 1)) grep -c "$1" "$BATS_TEST_TMPDIR/seen"; }

@test "answer: the questions, and the course's answer after the learner's own" {
	cp -r "$IOLAB_LABS" "$BATS_TEST_TMPDIR/labs"
	export IOLAB_LABS=$BATS_TEST_TMPDIR/labs
	printf '\n**Question 1.** Why is\n[it](../x.md) so?\n\n**Question 2.** And why not?\n' >>"$IOLAB_LABS/90_tiny/README.md"
	printf '# Answers\n\n## Question 1\n\nBecause it is.\n\n## Question 2\n\nSee 1.\n' >"$IOLAB_LABS/90_tiny/answers.md"
	started
	run learner answer
	assert_success
	assert_line "  1. Why is it so?"
	refute_output --partial "Because"
	grep -qx "1 =" "$IOLAB_WORK/90_tiny/answers.txt"
	run learner answer QUESTION=1
	assert_failure 1
	assert_output --partial "answers.txt, or add FORCE=1"
	refute_output --partial "Because"
	sed -i 's/^1 =.*/1 = It must be./' "$IOLAB_WORK/90_tiny/answers.txt"
	run learner answer QUESTION=1
	assert_success
	assert_line "     You: It must be."
	assert_line "     Because it is."
	assert_line --partial "make answer QUESTION=2"
	run learner answer QUESTION=2 FORCE=1
	assert_success
	assert_line "     See 1."
	run on_terminal 'It need not.\n' make -s answer QUESTION=2
	assert_output --partial "See 1."
	grep -qx "2 = It need not." "$IOLAB_WORK/90_tiny/answers.txt"
	run learner answer QUESTION=3
	assert_failure 1
	assert_output --partial "has the questions 1 to 2"
	rm "$IOLAB_LABS/90_tiny/answers.md"
	run learner answer QUESTION=1
	assert_failure 1
	assert_output --partial "made without the answers"
}

@test "predict without a terminal: a file to fill in, checked when it is" {
	started
	file="$IOLAB_WORK/90_tiny/predictions.txt"
	run learner predict
	assert_success
	assert_output --partial "$file"
	run learner predict
	assert_failure 1
	assert_output --partial "question 1 has no answer yet"
	sed -i 's/^1 = *$/1 = plenty/; s/^2 = *$/2 = io_uring/' "$file"
	run learner predict
	assert_failure 1
	assert_output "iolab: question 1: 'plenty' is not a number above 0, such as 2.5"
	sed -i 's/plenty/20x/; s/= io_uring/= libaio/' "$file"
	run learner predict
	assert_failure 1
	assert_output "iolab: question 2: 'libaio' is not one of my_null, io_uring"
	sed -i 's/libaio/my_null/' "$file"
	run learner predict
	assert_success
	grep -q "^predicted 90_tiny " "$IOLAB_WORK/progress"
}

@test "predict on a terminal asks until the answer is one" {
	command -v script >/dev/null || skip "no script(1)"
	started
	run on_terminal 'none\n3\nio_uring\n' /usr/bin/python3 harness/course/learner.py predict
	assert_success
	assert_output --partial "'none' is not a number"
	assert_output --partial "You say: io_uring"
	grep -q "^1 = 3" "$IOLAB_WORK/90_tiny/predictions.txt"
	grep -q "^2 = io_uring" "$IOLAB_WORK/90_tiny/predictions.txt"
}

@test "colours on a terminal only, and not with NO_COLOR" {
	command -v script >/dev/null || skip "no script(1)"
	run on_terminal '' /usr/bin/python3 harness/course/learner.py labs
	assert_output --regexp $'\033\\[1m'
	run on_terminal '' env NO_COLOR=1 /usr/bin/python3 harness/course/learner.py labs
	refute_output --regexp $'\033'
}

@test "measure refuses before the lab has passed, and before the predictions" {
	started
	run learner measure
	assert_failure 1
	assert_output --partial "has not passed its tests"
	assert_equal "${#lines[@]}" 1
	passed
	run learner measure
	assert_failure 1
	assert_output --partial "make predict, or PREDICT=no"
	assert_equal "${#lines[@]}" 1
	echo >>"$ENGINE"
	run learner measure
	assert_failure 1
	assert_output --partial "changed since"
}

@test "measure: mine beside the reference in one table and one figure, the predictions scored" {
	passed
	predicted
	run make measure
	assert_success
	for engine in io_uring null my_null; do
		assert_output --regexp " $engine +[0-9]"
	done
	assert_output --partial "you said 20; measured"
	assert_output --partial "you said my_null; measured my_null "
	assert_output --partial "make diff-lab"
	figure=$(grep -oP 'The figure: \K.*' <<<"$output")
	[ "$(head -c 4 "$figure" | tail -c 3)" = PNG ]
	assert [ -e "$(dirname "$figure")/../summary.json" ]
	grep -q "^measured 90_tiny results-" "$IOLAB_WORK/progress"
}

@test "measure FORCE=1 PREDICT=no says that the engine does not pass" {
	started 1
	# Stands for the one that draws.
	printf '#!/bin/sh\n' >"$BATS_TEST_TMPDIR/python" && chmod +x "$BATS_TEST_TMPDIR/python"
	PYTHON="$BATS_TEST_TMPDIR/python" run learner measure FORCE=1 PREDICT=no RUNTIME=0.02
	assert_success
	grep -q '"runtime_s": *0.02' "$IOLAB_WORK"/90_tiny/results-*/runs.jsonl
	assert_output --partial "machine"
	assert_equal "$(grep -c "does not pass its tests" <<<"$output")" 2
	refute_output --partial "you said"
}

@test "measure: Ctrl-C and TERM end the comparison in order, and KILL leaves none behind" {
	passed
	for signal in "^C" TERM KILL; do
		rm -rf "$IOLAB_WORK"/90_tiny/results-*
		at_terminal --send "$signal" --until "grep -qs . '$IOLAB_WORK'/90_tiny/results-*/runs.jsonl" \
			"$SYSTEM_PYTHON" -B harness/course/learner.py measure PREDICT=no RUNTIME=0.3
		[ "$status" -eq 130 ] || [ "$signal $status" = "KILL 137" ] || fail "$signal: $status, $output"
		if [ "$signal" != KILL ]; then
			assert_output --partial "Interrupted: what was done is kept"
			assert_output --partial "interrupted; nothing is lost"
			cp "$IOLAB_WORK"/90_tiny/results-*/summary.json "$BATS_TEST_TMPDIR/summary.json"
			run cat "$BATS_TEST_TMPDIR/summary.json"
			assert_equal "$(json interrupted)" True
		fi
	done
}

# hanging: exercise 2 is solved, and sleeps.
hanging() {
	started 1 2
	sed -i -e 's/#include <stdlib.h>/&\n#include <unistd.h>/' -e 's/for (unsigned i = 0; i < count; i++) {/pause();\n\t&/' "$ENGINE"
}

@test "check-lab and watch: Ctrl-C, TERM and HUP end the tests and leave no file; KILL leaves no process" {
	own_test_file
	hanging
	for command in check-lab watch; do
		for signal in "^C" TERM HUP KILL; do
			rm -rf "${TMPDIR:?}"/* # what KILL left
			at_terminal --send "$signal" --until-runs "tests --run" \
				"$SYSTEM_PYTHON" -B harness/course/learner.py "$command"
			case "$command $signal" in
			*KILL) assert_equal "$status" 137 ;;
			watch*) assert_equal "$status" 0 ;;
			*) assert_equal "$status" 130 && assert_output --partial "interrupted; nothing is lost" ;;
			esac
			[ "$signal" = KILL ] || assert_equal "$(ls -A "$TMPDIR")" ""
		done
	done
	rm -r "$TMPDIR"
}

@test "check-lab: TERM while it compiles leaves no half program and no file of the compiler's" {
	own_test_file
	started 1 2
	at_terminal --send TERM --until-runs "-o $IOLAB_WORK/.build" "$SYSTEM_PYTHON" -B harness/course/learner.py check-lab
	assert_equal "$status" 130
	assert_equal "$(find "$TMPDIR" "$IOLAB_WORK/.build" -type f ! -name tests ! -name 'tests-sanitized*')" ""
	# A program may have been done before: two are compiled at a time. Then it is whole.
	for program in "$IOLAB_WORK"/.build/*/tests*; do
		[ ! -e "$program" ] || "$program" --list >/dev/null
	done
	rm -r "$TMPDIR"
}

@test "a test that is not watched ends with its proctor" {
	hanging
	learner check-lab >/dev/null || true
	at_terminal --send KILL --until-runs "tests --run" \
		"$ROOT/build/course/proctor" --untraced "$IOLAB_WORK/.build/90_tiny/tests"
	assert_equal "$status" 137
}

@test "a test that is to be watched ends with a proctor that was killed before it could watch" {
	local program="$IOLAB_WORK/.build/90_tiny/tests"
	hanging
	learner check-lab >/dev/null || true
	# The proctor is killed where it would ask the kernel to end the test with it.
	${CC:-cc} -shared -fPIC -o "$BATS_TEST_TMPDIR/killed.so" -x c - <<-'C'
		#define _GNU_SOURCE
		#include <signal.h>
		#include <stdarg.h>
		#include <sys/ptrace.h>
		#include <sys/syscall.h>
		#include <unistd.h>
		long ptrace(enum __ptrace_request request, ...)
		{
			va_list list;
			va_start(list, request);
			pid_t pid = va_arg(list, pid_t);
			void *address = va_arg(list, void *), *data = va_arg(list, void *);
			va_end(list);
			if (request == PTRACE_SETOPTIONS)
				raise(SIGKILL);
			return syscall(SYS_ptrace, request, pid, address, data);
		}
	C
	run env LD_PRELOAD="$BATS_TEST_TMPDIR/killed.so" TMPDIR="$BATS_TEST_TMPDIR" build/course/proctor "$program"
	assert_equal "$status" 137
	until_true none_runs "$program"
}

# none_runs PROGRAM: does no process, stopped or not, have it as a word?
none_runs() { ! pgrep -f "$1" >/dev/null; }

@test "proctors that share the tests hold each of them once" {
	local program="$IOLAB_WORK/.build/90_tiny/tests" all halves part
	names() { sed -En 's/^(not )?ok [0-9]+ - ([^ ]+).*/\2/p'; }
	started 1
	learner check-lab >/dev/null || true
	all=$(build/course/proctor "$program" | names)
	halves=$(for part in 1/2 2/2; do build/course/proctor --part "$part" "$program" | names; done)
	assert [ "$(wc -l <<<"$all")" -ge 2 ]
	assert_equal "$(sort <<<"$halves")" "$(sort <<<"$all")"
	for part in 0/2 3/2 1/0 2 1/2x; do
		run build/course/proctor --part "$part" "$program"
		assert_failure
	done
}

@test "a program that runs each test itself tells what holds and what does not" {
	local program="$IOLAB_WORK/.build/90_tiny/tests"
	started 1 2
	learner check-lab >/dev/null
	run "$program" --each hands_back/nop says_how_much/nop
	assert_success
	assert_equal "$(sort <<<"$output")" $'hands_back/nop passed\nsays_how_much/nop passed'
	sed -i -e '1a #include <stdio.h>' \
		-e 's/op_queue_push/puts("not shown");\nif (ops[i]->kind == IO_READ)\nfor (;;)\n;\nop_queue_push/' "$ENGINE"
	learner check-lab >/dev/null || true
	run "$program" --each says_how_much/nop hands_back/nop
	assert_failure 1
	assert_equal "$(sort <<<"$output")" $'hands_back/nop passed\nsays_how_much/nop failed'
}

@test "a run of each test ends once nobody wants its results" {
	hanging
	learner check-lab >/dev/null || true
	# Each of them would take the second that a test has, which together is more than the limit.
	run timeout "$HANG_S" "$SYSTEM_PYTHON" -B - "$IOLAB_WORK/.build/90_tiny/tests" <<-'PYTHON'
		import sys, threading
		sys.path.insert(0, "harness/course")
		from proctor import programs
		unwanted = threading.Event()
		unwanted.set()
		test = next(test for test in programs.tests_in(sys.argv[1]) if test[0].startswith("says"))
		outcomes = programs.run_each(sys.argv[1], [test] * 10000, unwanted=unwanted)
		assert len(outcomes) == 10000 and not [o for o in outcomes if o.status == "passed"]
	PYTHON
	assert_success
	until_true none_runs "$IOLAB_WORK/.build/90_tiny/tests"
}

@test "check-lab: where a test fails, nobody waits for what runs under sanitizers" {
	started
	# Under AddressSanitizer each test would take the second that it has.
	sed -i 's/op_queue_push/#ifdef __SANITIZE_ADDRESS__\nfor (;;) ;\n#endif\nop_queue_push/' "$ENGINE"
	learner check-lab EXERCISE=1 >/dev/null || true # builds
	run learner check-lab EXERCISE=1
	assert_failure 1
	assert_output --partial "expected a count from reap(), saw -38"
	refute_output --partial "under AddressSanitizer"
	until_true none_runs "$IOLAB_WORK/.build/90_tiny/tests"
}

@test "measure without a python that can draw: one line, before anything is measured" {
	passed
	mkdir "$BATS_TEST_TMPDIR/bin"
	printf '#!/bin/sh\necho "iolab: no python here has matplotlib and numpy; run harness/setup.sh" >&2; exit 1\n' \
		>"$BATS_TEST_TMPDIR/bin/sh"
	sed -i "1s|.*|#!$(command -v bash)|" "$BATS_TEST_TMPDIR/bin/sh"
	chmod +x "$BATS_TEST_TMPDIR/bin/sh"
	PATH="$BATS_TEST_TMPDIR/bin:$PATH" run learner measure PREDICT=no
	assert_failure 1
	assert_output "iolab: no python here has matplotlib and numpy; run harness/setup.sh"
}

@test "check-lab without a compiler: one line with the cure" {
	started
	mkdir "$BATS_TEST_TMPDIR/bin"
	PATH="$BATS_TEST_TMPDIR/bin" run "$SYSTEM_PYTHON" -B harness/course/learner.py check-lab
	assert_failure 1
	assert_output --partial "there is no gcc here; harness/setup.sh learn installs what is missing"
}

# Scores answers against plots/tests/golden, after the code has changed its summary `s`.
scored() {
	"$SYSTEM_PYTHON" - "$1" "$2" "$BATS_TEST_TMPDIR" "${3:-}" <<-'PYTHON'
		import json, os, sys
		sys.path.insert(0, "harness/course")
		from learning import predictions
		from readings import results
		question, answer, folder, change = sys.argv[1:]
		s = json.load(open("plots/tests/golden/summary.json"))
		def entry(label, x):
		    return next(c for c in s["configurations"] if c["engine"]["label"] == label
		                and c["config"]["x"] == x and c["workload"]["panel"]["values"]["direct"])
		def put(label, x, median, low, high, rounds=5):
		    c = entry(label, x)
		    c["status"], c["rounds"], c["ratio"] = "ok", rounds, None
		    c["metrics"]["ops_per_s"] = dict(median=median, low=low, high=high)
		    c["metrics"]["bytes_per_s"] = None
		exec(change)
		json.dump(s, open(os.path.join(folder, "summary.json"), "w"))
		kind = dict(number=1, ask="?", metric="ops_per_s", at=16, panel="file", values={"direct": True})
		q = predictions.Question(**kind, **eval(question))
		score = predictions.score(q, q.value(answer), results.load(folder))
		print(score.verdict, "|", score.measured, "|", score.why)
	PYTHON
}

@test "measure advises longer runs where nothing was finished in a round, and only there" {
	run "$SYSTEM_PYTHON" - "$BATS_TEST_TMPDIR" <<-'PYTHON'
		import json, os, sys
		sys.path.insert(0, "harness/course")
		from learning.measure import has_empty_run
		folder = sys.argv[1]
		def empty(low):
		    s = json.load(open("plots/tests/golden/summary.json"))
		    first = next(c for c in s["configurations"] if c["status"] == "ok")
		    first["metrics"]["ops_per_s"]["low"] = low
		    json.dump(s, open(os.path.join(folder, "summary.json"), "w"))
		    return has_empty_run(folder)
		assert not empty(1) and empty(0)
	PYTHON
	assert_success
}

FACTOR='dict(kind="factor", of="libaio", over="blocking")'
TIGHT='put("blocking", 16, 1000, 990, 1010); put("libaio", 16, 3000, 2970, 3030)'

@test "predictions: right within the factor, near within its square, off beyond" {
	run scored "$FACTOR" 2 "$TIGHT"
	assert_output --partial "right | 3.00 (2.94 to 3.06) |"
	run scored "$FACTOR" 8 "$TIGHT"
	assert_output --partial "near |"
	run scored "$FACTOR" 0.9 "$TIGHT"
	assert_output --partial "near |"
	run scored "$FACTOR" 13 "$TIGHT"
	assert_output --partial "off |"
}

@test "predictions: a factor between two swept values of one engine" {
	growth='dict(kind="factor", of="libaio", over="libaio", over_at=1)'
	run scored "$growth" 5 'put("libaio", 1, 500, 495, 505); put("libaio", 16, 3000, 2970, 3030); s["baseline"] = "libaio"'
	assert_output --partial "right | 6.00 (5.88 to 6.12) |"
	run scored "$growth" 5 'put("libaio", 16, 3000, 2970, 3030); entry("libaio", 1)["config"]["x"] = 2'
	assert_output --partial "unmeasured |"
	assert_output --partial "libaio was not measured at 1"
	run env PYTHONPATH=harness/course "$SYSTEM_PYTHON" -B -c '
from learning.predictions import Question
print(Question(1, "?", "factor", "ops_per_s", 1000, "", of="poll", over="poll", over_at=10).form)'
	assert_output --partial "poll at 1,000 ÷ poll at 10, a number: 2 where poll at 1,000 has twice as much"
}

@test "predictions: an interval across the boundary, or one round, cannot tell" {
	run scored "$FACTOR" 6 "$TIGHT"
	assert_output --partial "unclear |"
	assert_output --partial "from right to near"
	run scored "$FACTOR" 3 'put("blocking", 16, 1000, 1000, 1000, 1); put("libaio", 16, 3000, 3000, 3000, 1)'
	assert_output --partial "unclear |"
	assert_output --partial "one round"
}

@test "predictions: a wrong guess is not hidden where near and off cannot be told apart" {
	run scored "$FACTOR" 12 "$TIGHT"
	assert_output --partial "wrong |"
	assert_output --partial "from near to off"
	run env PYTHONPATH=harness/course "$SYSTEM_PYTHON" -B -c '
from learning.measure import VERDICTS
print(VERDICTS["wrong"][0])'
	assert_output "not right; near or off"
}

@test "predictions: a question names what is divided by what, and a number too large is called so" {
	started
	learner predict >/dev/null
	grep -q "(my_null ÷ io_uring, a number: 2 where my_null has twice as much" "$IOLAB_WORK/90_tiny/predictions.txt"
	sed -i 's/^1 = *$/1 = 1e99/; s/^2 = *$/2 = io_uring/' "$IOLAB_WORK/90_tiny/predictions.txt"
	run learner predict
	assert_output "iolab: question 1: '1e99' is too large; a factor is below 1e+12"
}

@test "measure says when an engine is impossibly fast, and when its results are wrong" {
	run "$SYSTEM_PYTHON" -B - "$BATS_TEST_TMPDIR" <<-'PYTHON'
		import json, os, sys
		sys.path.insert(0, "harness/course")
		from learning import measure
		folder = sys.argv[1]
		s = json.load(open("plots/tests/golden/summary.json"))
		def write(factor):
		    mine = json.loads(json.dumps([c for c in s["configurations"] if c["engine"]["label"] == "libaio"]))
		    assert mine
		    for c in mine:
		        c["engine"]["label"], c["engine"]["name"] = "my_libaio", "my_libaio"
		        for m in filter(None, ((c["metrics"] or {}).get(k) for k in ("ops_per_s", "bytes_per_s"))):
		            m.update({k: m[k] * factor for k in ("median", "low", "high", "min", "max") if m.get(k)})
		            m["values"] = [v and v * factor for v in m["values"]]
		    json.dump({**s, "configurations": s["configurations"] + mine}, open(f"{folder}/summary.json", "w"))
		class Lab: engines = ["x"]
		# The ratios to the reference, as iolab summary would make them.
		def rounds_show(low, verdict):
		    for c in s["configurations"]:
		        if c["ratio"] and c["ratio"].get("ops_per_s"):
		            c["ratio"]["ops_per_s"].update(low=low, high=9, mean=4, verdict=verdict)
		measure.with_ratios_to = lambda lab, folder, label: measure.results.load(folder)
		rounds_show(1.2, "higher")
		write(1.5)
		assert measure.impossible(Lab, folder) == ""
		write(8)
		assert "my_libaio made 8.0 times the operations of the reference" in measure.impossible(Lab, folder)
		# One noisy round: the table says "no difference shown", and so nothing is asked.
		rounds_show(0.4, "none")
		write(8)
		assert measure.impossible(Lab, folder) == ""
		program = f"{folder}/program"
		def runs(script):
		    open(program, "w").write("#!/bin/sh\n" + script)
		    os.chmod(program, 0o755)
		    return measure.verify(Lab, program)
		assert runs("exit 77") == "" and runs("exit 0") == ""
		assert "(--verify): block 7 is wrong" in runs("echo block 7 is wrong >&2; exit 1")
	PYTHON
	assert_success
}

@test "predictions: a round in which nothing was finished cannot tell" {
	run scored "$FACTOR" 3 'put("blocking", 16, 1000, 0, 1010); put("libaio", 16, 3000, 2970, 3030)'
	assert_output --partial "unclear |"
	run scored "$FACTOR" 3 "$TIGHT"'; s["baseline"] = "blocking"
entry("libaio", 16)["ratio"] = {"ops_per_s": dict(mean=3, median=3, low=0, high=4, verdict="none")}'
	assert_output --partial "unclear |"
	assert_output --partial "begins at 0"
}

@test "predictions: which engine, when the intervals overlap, and when one was not measured" {
	which='dict(kind="which", choices=("blocking", "libaio"), best="high")'
	run scored "$which" libaio "$TIGHT"
	assert_output --partial "right | libaio 3.00k (2.97k to 3.03k), blocking 1.00k (990 to 1.01k) operations/s (throughput) |"
	run scored "$which" blocking "$TIGHT"
	assert_output --partial "off |"
	run scored "$which" libaio 'put("blocking", 16, 1000, 900, 3000); put("libaio", 16, 3000, 2970, 3030)'
	assert_output --partial "unclear |"
	run scored "$which" libaio 'entry("libaio", 16)["status"] = "unsupported"; entry("libaio", 16)["reason"] = {"id": "refused", "text": "EPERM"}'
	assert_output --partial "unmeasured |"
	assert_output --partial "EPERM"
}

@test "diff-lab only after passing, FORCE=1 before that and says so" {
	started 1
	run learner diff-lab
	assert_failure 1
	assert_equal "${#lines[@]}" 1
	run learner diff-lab FORCE=1
	assert_success
	assert_output --partial "this is the solution"
	assert_line "+		ops[i]->result = ops[i]->len_bytes;"
	refute_output --partial "//>"
	assert_output --partial "@@ from line "
	refute_output --partial "The result is the length"
	refute_output --partial "xercise 2"
}

@test "diff-lab in a handout says that it holds no solutions" {
	passed
	cp -r "$IOLAB_LABS" "$BATS_TEST_TMPDIR/labs"
	rm "$BATS_TEST_TMPDIR"/labs/*/engine.c
	IOLAB_LABS="$BATS_TEST_TMPDIR/labs" run learner diff-lab
	assert_failure 1
	assert_output "iolab: this is a handout: it holds no solutions to compare with"
}

@test "reset-lab goes back to the starter and keeps the old copy" {
	started 1
	run make reset-lab FILE=engine.c
	assert_success
	assert_output --partial "moved to"
	grep -q "return -38" "$ENGINE"
	grep -q "op_queue_take" "$IOLAB_WORK"/90_tiny.old-*/engine.c
	run learner reset-lab FILE=other.c
	assert_failure 1
	assert_output --partial "the files of lab 90 are engine.c"
	solve 1
	learner reset-lab >/dev/null
	assert_equal "$(cat "$IOLAB_WORK"/90_tiny.old-*/engine.c | grep -c op_queue_take)" 2
}

@test "work/progress survives hand edits, remarks and torn lines, with one line of warning" {
	started
	printf '# a remark\nhints 90_tiny 1 1\nhints 90_tiny\n\033[2J garbage\n  passed   90_tiny 2  now\npassed 90_t' \
		>>"$IOLAB_WORK/progress"
	run --separate-stderr learner labs
	assert_success
	assert_output --partial "1 of 2 exercises passed"
	assert_equal "${#stderr_lines[@]}" 1
	[[ $stderr == *"not understood and ignored"* ]]
	run --separate-stderr learner hint EXERCISE=1
	assert_output --partial "hint 2 of 2"
	grep -qx "# a remark" "$IOLAB_WORK/progress"
	rm "$IOLAB_WORK/progress"
	run learner labs
	assert_success
}

@test "no root is needed" {
	[ "$(id -u)" -eq 0 ] || skip "only root can become another user here"
	skip_unless_user_reads "$ROOT"
	export IOLAB_WORK="/var/tmp/iolab-work-$$"
	mkdir "$IOLAB_WORK" && chmod 777 "$IOLAB_WORK"
	run as_user "$SYSTEM_PYTHON" -B harness/course/learner.py start
	assert_success
	run as_user "$SYSTEM_PYTHON" -B harness/course/learner.py hint
	rm -rf "$IOLAB_WORK"
	assert_success
}

@test "docs/course.md names every command, and make does too" {
	for command in $(learner --help | grep -oP '^  \K[a-z-]+(?=  )'); do
		grep -qF "\`make $command\`" docs/course.md || fail "docs/course.md has no make $command"
		make -n "$command" >/dev/null || fail "make has no $command"
	done
}

@test "a damaged lab.toml is refused in one line that names the place" {
	for lab in "$ROOT/labs/04_epoll" "$ROOT/harness/tests/tiny_course/90_tiny"; do
		run "$SYSTEM_PYTHON" -B harness/tests/damaged_lab.py "$lab/lab.toml"
		assert_success
	done
	export IOLAB_LABS="$BATS_TEST_TMPDIR/labs"
	mkdir -p "$IOLAB_LABS/90_x"
	sed 's/points = 1$/points = "one"/' "$ROOT/harness/tests/tiny_course/90_tiny/lab.toml" >"$IOLAB_LABS/90_x/lab.toml"
	run learner labs
	assert_failure
	assert_output --partial 'lab.toml: exercise.0.points is "one", expected a number'
	refute_output --partial Traceback
	printf 'title = "\xff"\n' >"$IOLAB_LABS/90_x/lab.toml"
	run learner labs
	assert_failure
	refute_output --partial Traceback
}
