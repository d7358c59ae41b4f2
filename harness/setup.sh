#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what iolab needs and this machine lacks. Does nothing, and needs no network, when nothing
# is missing. Works as root or through sudo.
#
#   harness/setup.sh           to build, compare and draw figures
#   harness/setup.sh learn     that, and what the labs use besides: strace, gdb
#   harness/setup.sh check     the first, and what the tests and linters need
#   harness/setup.sh peers     the first, and fio and event loops, for `make bench-peers` and `make bench-loops`
set -eu

here=$(dirname "$0")

# need PACKAGE COMMAND...: notes the (Debian) package when the command fails.
need() {
	package=$1
	shift
	"$@" >/dev/null 2>&1 || missing="$missing $package"
}

has() { command -v "$1"; }

# Tries the compiler on a header and a library: a header alone may be half of a package.
compiles() {
	scratch=$(mktemp -d)
	trap 'rm -rf "$scratch"; exit 1' HUP INT TERM
	printf '#include <%s>\nint main(void) { return 0; }\n' "$1" >"$scratch/try.c"
	status=0
	cc -o "$scratch/try" "$scratch/try.c" ${2:+"$2"} || status=1
	rm -rf "$scratch"
	trap - HUP INT TERM
	return $status
}

has_file() {
	for path in "$@"; do
		[ -e "$path" ] && return 0
	done
	return 1
}

check_run() {
	need gcc has gcc
	need libc6-dev compiles stdio.h
	need make has make
	need pkg-config has pkg-config
	need liburing-dev compiles liburing.h -luring
	need libaio-dev compiles libaio.h -laio
	need libjansson-dev compiles jansson.h -ljansson
	need 'libtracefs-dev libtraceevent-dev' sh "$here/setup/find-libtracefs.sh"
	need 'python3-matplotlib python3-numpy' sh "$here/setup/find-python.sh"
}

check_learning() {
	need strace has strace
	need gdb has gdb
	need binutils has addr2line
}

check_tests() {
	need bats has bats
	need bats-support has_file /usr/lib/bats/bats-support/load.bash \
		/usr/share/bats/bats-support/load.bash /usr/lib/bats-support/load.bash
	need bats-assert has_file /usr/lib/bats/bats-assert/load.bash \
		/usr/share/bats/bats-assert/load.bash /usr/lib/bats-assert/load.bash
	need strace has strace
	need gdb has gdb
	need util-linux has setpriv
	need procps has ps
	need iproute2 has ip
	need git has git
	need patch has patch
	need binutils has addr2line
	need perl has prove
	need universal-ctags sh -c "ctags --list-features | grep -q json"
	need python3-jsonschema /usr/bin/python3 -c 'import jsonschema'
	need clang has clang
	need python3-clang sh "$here/setup/find-python.sh" clang.cindex
	need clang-format has clang-format
	need cppcheck has cppcheck
	need shellcheck has shellcheck
	need valgrind has valgrind
}

# Event loops of others.
check_loops() {
	need libuv1-dev compiles uv.h -luv
	need libev-dev compiles ev.h -lev
	need libevent-dev compiles event2/event.h -levent_core
}

print_list() { # MANAGER PACKAGES-LINE
	echo "iolab needs these packages; install them with $1 and run this again:" >&2
	echo "  $2" >&2
	exit 1
}

install_missing() {
	if [ "$(id -u)" -eq 0 ]; then
		as_root=''
	elif command -v sudo >/dev/null; then
		as_root=sudo
	else
		echo "iolab: only root may install what is missing, and there is no sudo. As root:" >&2
		echo "  apt-get install$missing" >&2
		exit 1
	fi
	echo "iolab: installing$missing"
	# shellcheck disable=SC2086 # both are lists of words
	{
		$as_root apt-get update -q
		$as_root env DEBIAN_FRONTEND=noninteractive \
			apt-get install -q -y --no-install-recommends $missing
	}
}

# look_for KIND: fills `missing`.
look_for() {
	missing=''
	check_run
	case $1 in
	run) ;;
	learn) check_learning ;;
	check)
		check_tests
		check_loops
		;;
	peers)
		need fio has fio
		check_loops
		;;
	*)
		echo "usage: harness/setup.sh [run|learn|check|peers]" >&2
		exit 2
		;;
	esac
}

look_for "${1:-run}"

if [ -z "$missing" ]; then
	echo "iolab: nothing is missing"
elif command -v apt-get >/dev/null; then
	install_missing
	look_for "${1:-run}"
	if [ -n "$missing" ]; then
		echo "iolab: still missing after the installation:$missing" >&2
		exit 1
	fi
elif command -v dnf >/dev/null; then
	print_list 'dnf install' 'gcc make pkgconf liburing-devel libaio-devel jansson-devel
  libtracefs-devel libtraceevent-devel python3-matplotlib python3-numpy bats strace gdb util-linux
  procps-ng iproute git patch binutils perl-Test-Harness ctags python3-jsonschema python3-clang clang
  clang-tools-extra cppcheck ShellCheck valgrind libasan libubsan libtsan fio
  (bats-support and bats-assert: github.com/bats-core)'
elif command -v pacman >/dev/null; then
	print_list 'pacman -S' 'gcc make pkgconf liburing libaio jansson libtracefs libtraceevent python-matplotlib
  python-numpy bats bats-support bats-assert strace gdb util-linux procps-ng iproute2 git patch binutils perl ctags
  python-jsonschema clang cppcheck shellcheck valgrind fio'
else
	echo "iolab: missing (names as in Debian):$missing; no apt-get, dnf or pacman here" >&2
	exit 1
fi
