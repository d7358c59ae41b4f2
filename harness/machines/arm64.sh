#!/bin/bash
# SPDX-License-Identifier: MIT
# Builds iolab for arm64 with a cross compiler, warnings as errors, and runs doctor, list and the
# conformance of each engine with qemu's emulation of user programs. The kernel is this machine's: qemu
# translates its system calls, and an engine whose calls it does not know is skipped.
#
#   harness/machines/arm64.sh
#
# ENGINES="null poll" tries only these engines, and leaves the table in docs/machines.md as it is.
# Debian's libraries for arm64 and the logs lie in $MACHINES, by default ~/.cache/iolab-machines. No root
# is needed. Prints a row of the table.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=${MACHINES:-${XDG_CACHE_HOME:-$HOME/.cache}/iolab-machines}/arm64
mirror=${MIRROR:-http://deb.debian.org/debian}
# Libraries of the oldest release run with any newer C library.
release=bookworm
# shellcheck source=harness/machines/own_apt.sh
. harness/machines/own_apt.sh

skip() {
	echo "check-arm64: skipped: $*"
	exit 0
}
# COMMAND PACKAGE
while read -r command package; do
	command -v "$command" >/dev/null || skip "$command is missing; Debian and Ubuntu: apt-get install $package"
done <<-'END'
	aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu
	qemu-aarch64-static qemu-user-static
	apt-get apt
	dpkg-deb dpkg
END
printf '#include <stdio.h>\n' | aarch64-linux-gnu-gcc -x c -fsyntax-only - >/dev/null 2>&1 ||
	skip "the C library's headers are missing; Debian and Ubuntu: apt-get install libc6-dev-arm64-cross"
commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
# Where the cross compiler has its C library.
c_library=$(dirname "$(dirname "$(realpath "$(aarch64-linux-gnu-gcc -print-file-name=libc.so.6)")")")

fetch_libraries() (
	local package
	[ ! -e "$folder/.iolab-whole" ] || return 0
	rm -rf "$folder"
	own_apt "$folder/apt" "$release" arm64 || return 1
	cd "$folder"
	apt-get -q download liburing-dev liburing2 libaio-dev libaio1 libjansson-dev libjansson4 || return 1
	for package in ./*.deb; do
		dpkg-deb -x "$package" . || return 1
	done
	rm -rf apt ./*.deb
	touch .iolab-whole
)

# A compiler with a name: a path with a blank would not do for make's CC.
write_compiler() {
	mkdir -p "$folder/bin"
	cat >"$folder/bin/iolab-arm64-cc" <<-'END'
		#!/bin/sh
		here=$(dirname "$0")/..
		exec aarch64-linux-gnu-gcc -isystem "$here/usr/include" -L"$here/usr/lib/aarch64-linux-gnu" "$@"
	END
	chmod +x "$folder/bin/iolab-arm64-cc"
}

build() {
	PATH=$folder/bin:$PATH PKG_CONFIG_LIBDIR=$folder/usr/lib/aarch64-linux-gnu/pkgconfig \
		make -s -j"$(nproc)" BUILD=build/arm64 CC=iolab-arm64-cc WERROR=-Werror \
		build/arm64/iolab build/arm64/tests/conformance
}

emulated() {
	qemu-aarch64-static -L "$c_library" \
		-E LD_LIBRARY_PATH="$folder/usr/lib/aarch64-linux-gnu:$c_library/lib" "$@" </dev/null
}

# step NAME COMMAND...: a log, and "passed" or "failed" beside it.
step() {
	local name=$1 result=passed
	shift
	"$@" >"$folder/$name.log" 2>&1 || result=failed
	echo "$result" >"$folder/$name.status"
}
cell() { cat "$folder/$1.status"; }

# Counts of all engines, the engines with a failure, and those that the emulation cannot run.
conformance_cell() {
	local engine counts failed='' refused='' logs=()
	for engine in $engines; do
		logs+=("$folder/conformance-$engine.log")
		[[ $(cell "conformance-$engine") == passed ]] || failed+=" $engine"
		grep -q '^ok .*/[a-z_0-9]*$' "${logs[-1]}" || refused+=" $engine"
	done
	counts=$(cat "${logs[@]}" | harness/tests/count_tests.sh) || true # it fails where a test did
	echo "$counts${failed:+; failed:$failed}${refused:+; not in this emulation:$refused}"
}

fetch_log=$(mktemp)
trap 'rm -f "$fetch_log"' EXIT
fetch_libraries >"$fetch_log" 2>&1 || skip "cannot fetch the libraries: $(tail -n 1 "$fetch_log")"
write_compiler
rm -f "$folder"/*.log "$folder"/*.status
row="| $(aarch64-linux-gnu-gcc -dumpfullversion) | $(qemu-aarch64-static --version | sed -n '1s/.*version \([0-9.]*\).*/\1/p') |"
echo "| gcc | qemu | build, warnings as errors | \`doctor\` | \`list\` | conformance |"
echo "|---|---|---|---|---|---|"
step build build
if [[ $(cell build) == failed ]]; then
	row+=" failed | not run | not run | not run |"
else
	engines=${ENGINES:-$(emulated build/arm64/tests/conformance --list | tr '\n' ' ')}
	step doctor emulated build/arm64/iolab doctor
	step list emulated build/arm64/iolab list
	for engine in $engines; do
		step "conformance-$engine" emulated build/arm64/tests/conformance --limit 2400 --alone "$engine"
	done
	row+=" passed | $(cell doctor) | $(cell list) | $(conformance_cell) |"
fi
echo "$row"
echo "Logs: $folder"
[ -n "${ENGINES:-}" ] || harness/machines/record.sh arm64 "$row" "$commit"
[[ $row != *failed:* && $row != *"| failed"* ]]
