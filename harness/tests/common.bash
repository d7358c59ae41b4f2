# SPDX-License-Identifier: MIT
# Loaded by every .bats file: assertions, the program under test, and a run that is short enough for a test.

bats_require_minimum_version 1.5.0

for libraries in /usr/lib/bats /usr/share/bats /usr/lib; do
	if [ -e "$libraries/bats-support/load.bash" ]; then
		load "$libraries/bats-support/load.bash"
		load "$libraries/bats-assert/load.bash"
		break
	fi
done

ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
# Programs in Python find what they share there.
export BATS_TEST_DIRNAME
IOLAB=${IOLAB:-$ROOT/build/iolab}
PYTHON=${PYTHON:-$(sh "$ROOT/harness/setup/find-python.sh")}
# python3-jsonschema is Debian's; the python that draws may be another.
SYSTEM_PYTHON=/usr/bin/python3

# What takes longer hangs. No test is about speed, and a loaded machine takes its time.
export HANG_S=300

# A run short enough for a test: 4 MiB of a file, where there is one, and a twentieth of a second.
quick() {
	local file=(--file "$BATS_TEST_TMPDIR/file" --size 4M)
	[[ " $* " == *" -w "* && " $* " != *" -w file "* ]] && file=()
	local time=(--runtime 0.05 --warmup 0.01)
	[[ " $* " =~ " --ops " ]] && time=()
	timeout "$HANG_S" "$IOLAB" run "${file[@]}" "${time[@]}" "$@"
}

# A folder of its own, on the disk, for the default test file: the jobs run in parallel, and two runs
# never share a file.
own_test_file() {
	TMPDIR=$(mktemp -d /var/tmp/iolab-bats-XXXXXX)
	export TMPDIR
	chmod a+x "$TMPDIR" # a grader's programs are another user's
}

# json PATH: a value of the JSON in $output, as python prints it. Of a list: by its number, or by its id.
json() {
	# From standard input: a summary is longer than the longest argument.
	"$SYSTEM_PYTHON" -c '
import json, sys
value = json.load(sys.stdin)
for key in sys.argv[1].split("."):
    if not isinstance(value, list):
        value = value[key]
    elif key.isdigit():
        value = value[int(key)]
    else:
        value = next(entry for entry in value if entry["id"] == key)
print(value)' "$1" <<<"$output"
}

# Waits for a background process; $status is its exit status, as after run.
await_end() {
	status=0
	output=''
	wait "$1" || status=$?
}

# Waits for the given number of seconds.
let_pass() {
	read -rt "$1" <> <(:) || true
}

# At a terminal: harness/tests/terminal.py types Ctrl-C there, which reaches every process of the
# foreground group. It fails when a process is left behind.
at_terminal() { run "$SYSTEM_PYTHON" "$ROOT/harness/tests/terminal.py" "$@"; }

# until_true COMMAND...: asks again until it succeeds.
until_true() {
	local began_s=$SECONDS
	until "$@"; do
		[ $((SECONDS - began_s)) -lt $HANG_S ] || fail "still not so after $HANG_S s: $*"
		let_pass 0.02
	done
}

# until_more_than N COMMAND...: until the command prints a larger number.
until_more_than() { until_true prints_more_than "$@"; }
prints_more_than() {
	local number
	number=$("${@:2}" 2>/dev/null) || true
	[ "${number:-0}" -gt "$1" ]
}

# Runs a command as an ordinary user, since root may do everything. The folder of that user is $USER_DIR.
as_user() {
	if [ "$(id -u)" -ne 0 ]; then
		"$@"
		return
	fi
	setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs "$@"
}

# A home folder, as root's, may be closed to others.
skip_unless_user_reads() { as_user test -r "$1/Makefile" || skip "an ordinary user cannot read $1"; }

user_dir() {
	USER_DIR=$(mktemp -d /var/tmp/iolab-user-XXXXXX)
	cp "$IOLAB" "$USER_DIR/iolab"
	chmod -R a+rwX "$USER_DIR"
}

# fail_run N: from now on the Nth `iolab run` that is started ends with status 7 before it does anything.
fail_run() {
	[ -e "$BATS_TEST_TMPDIR/fail.so" ] || ${CC:-cc} -shared -fPIC -o "$BATS_TEST_TMPDIR/fail.so" -x c - <<-'C'
		#define _GNU_SOURCE
		#include <errno.h>
		#include <fcntl.h>
		#include <stdlib.h>
		#include <string.h>
		#include <unistd.h>
		__attribute__((constructor)) static void count(int argc, char **argv)
		{
		    if (argc < 2 || strcmp(argv[1], "run") != 0)
		        return;
		    int fd = open(getenv("RUNS_FILE"), O_WRONLY | O_APPEND | O_CREAT, 0600);
		    if (fd < 0 || write(fd, ".", 1) != 1)
		        _exit(8);
		    if (lseek(fd, 0, SEEK_CUR) == atoi(getenv("FAILS_AT")))
		        _exit(7);
		    close(fd);
		}
	C
	rm -f "$BATS_TEST_TMPDIR/runs"
	export LD_PRELOAD=$BATS_TEST_TMPDIR/fail.so RUNS_FILE=$BATS_TEST_TMPDIR/runs FAILS_AT=$1
}
