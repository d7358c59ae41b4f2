#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs the README's two commands in Debian's releases, each in a chroot that debootstrap makes. Compiles
# all with the newest gcc and clang there, with warnings as errors. Needs root.
#
#   harness/machines/distributions.sh [RELEASE...]     by default bookworm, trixie and unstable
#
# STEPS="gcc clang" does only these of bench, check, gcc and clang. TESTS="unit bats-docs" runs only these
# tests in check. Both leave the table in docs/machines.md as it is. The chroots lie in $MACHINES, by
# default ~/.cache/iolab-machines, and are used again: remove them to begin anew. The logs lie beside
# them. Prints a table.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
machines=${MACHINES:-${XDG_CACHE_HOME:-$HOME/.cache}/iolab-machines}
mirror=${MIRROR:-http://deb.debian.org/debian}
all_steps='bench check gcc clang'
steps=${STEPS:-$all_steps}
[ $# -gt 0 ] || set -- bookworm trixie unstable
for step in $steps; do
	[[ " $all_steps " == *" $step "* ]] || {
		echo "check-distributions: no step '$step': $all_steps" >&2
		exit 2
	}
done

skip() {
	echo "check-distributions: skipped: $*"
	exit 0
}
[ "$(id -u)" -eq 0 ] || skip "only root can make chroots"
command -v debootstrap >/dev/null || skip "debootstrap is missing; Debian and Ubuntu: apt-get install debootstrap"
mkdir -p "$machines"

mounted=()
end_mounts() {
	local i
	for ((i = ${#mounted[@]} - 1; i >= 0; i--)); do
		umount "${mounted[i]}" || umount --lazy "${mounted[i]}"
	done
	mounted=()
}
trap end_mounts EXIT

# make_chroot RELEASE: half a chroot, from a run that was interrupted, has no mark and is made anew.
make_chroot() {
	local folder=$machines/$1 left
	[ ! -e "$folder/.iolab-whole" ] || return 0
	# An interrupted debootstrap leaves what it mounted.
	while read -r left; do
		umount "$left"
	done < <(awk -v folder="$folder/" 'index($2, folder) == 1 { print $2 }' /proc/mounts | sort -r)
	rm -rf --one-file-system "$folder"
	debootstrap --variant=minbase --include=ca-certificates,git,make "$1" "$folder" "$mirror" \
		>"$machines/$1.debootstrap.log" 2>&1 || return 1
	# A mirror may be a copy of some day, and apt then calls it expired.
	echo 'Acquire::Check-Valid-Until "false";' >"$folder/etc/apt/apt.conf.d/99iolab"
	touch "$folder/.iolab-whole"
}

mount_into() {
	local kind
	for kind in proc sysfs:sys devtmpfs:dev; do
		mount -t "${kind%:*}" "${kind%:*}" "$1/${kind#*:}"
		mounted+=("$1/${kind#*:}")
	done
	mount -t devpts devpts "$1/dev/pts"
	mounted+=("$1/dev/pts")
	for kind in tmp dev/shm; do
		[ -d "$1/$kind" ] || continue
		mount -t tmpfs tmpfs "$1/$kind"
		mounted+=("$1/$kind")
	done
	cp /etc/resolv.conf "$1/etc/resolv.conf"
}

command_of() {
	case $1 in
	bench) echo 'harness/setup.sh && make bench' ;;
	check) echo 'harness/setup.sh check && make -j"$(nproc)" check' ;;
	gcc) echo 'harness/setup.sh check && make -s lint-gcc' ;;
	clang) echo 'harness/setup.sh check && make -s BUILD=build/lint/clang CC=clang WERROR=-Werror lint-objects' ;;
	esac
}

# within RELEASE STEP: "passed" or "failed", and of the tests the counts.
within() {
	local log=$machines/$1.$2.log result=failed
	[[ " $steps " == *" $2 "* ]] || { echo "not run" && return; }
	! chroot "$machines/$1" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
		DEBIAN_FRONTEND=noninteractive ${TESTS:+TESTS="$TESTS"} bash -c "cd /root/iolab && $(command_of "$2")" \
		>"$log" 2>&1 </dev/null || result=passed
	grep -oE '[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped' "$log" | tail -n 1 | sed "s/^/$result: /" |
		grep . || echo "$result"
}

# Without a network there is nothing to try. Any other end of debootstrap is a failure.
no_network() { grep -qE 'Failed getting release file|Failed to retrieve|Couldn.t download' "$1"; }

try_release() {
	local commit
	commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
	local release=$1 row step log=$machines/$1.debootstrap.log
	row="| $release |"
	if ! make_chroot "$release"; then
		! no_network "$log" || skip "$release: $(tail -n 1 "$log")"
		echo "$row no chroot: $(tail -n 1 "$log") | | | |"
		return 1
	fi
	mount_into "$machines/$release"
	rm -rf "$machines/$release/root/iolab"
	git clone -q "$root" "$machines/$release/root/iolab"
	for step in $all_steps; do
		row+=" $(within "$release" "$step") |"
	done
	end_mounts
	echo "$row"
	[ -n "${STEPS:-}${TESTS:-}" ] || harness/machines/record.sh distributions "$row" "$commit"
	[[ $row != *"| failed"* ]]
}

status=0
echo "| Debian | make bench | make check | gcc, warnings as errors | clang, warnings as errors |"
echo "|---|---|---|---|---|"
for release; do
	try_release "$release" || status=1
done
echo "Logs: $machines"
exit $status
