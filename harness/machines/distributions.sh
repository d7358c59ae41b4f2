#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs the README's two lines in Debian's releases, each in a chroot that debootstrap makes, and compiles
# all with the newest gcc and clang there, warnings being errors. As root.
#
#   harness/machines/distributions.sh [RELEASE...]     by default bookworm, trixie and unstable
#
# The chroots lie in $MACHINES, by default ~/.cache/iolab-machines, and are used again: remove them to begin
# anew. The logs lie beside them. Prints a table.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
machines=${MACHINES:-${XDG_CACHE_HOME:-$HOME/.cache}/iolab-machines}
mirror=${MIRROR:-http://deb.debian.org/debian}
[ $# -gt 0 ] || set -- bookworm trixie unstable

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
	local folder=$machines/$1
	[ ! -e "$folder/.iolab-whole" ] || return 0
	rm -rf --one-file-system "$folder"
	debootstrap --variant=minbase --include=ca-certificates,git,make "$1" "$folder" "$mirror" \
		>"$machines/$1.debootstrap.log" 2>&1 || return 1
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
	mount -t tmpfs tmpfs "$1/tmp"
	mounted+=("$1/tmp")
	cp /etc/resolv.conf "$1/etc/resolv.conf"
}

# within RELEASE LOG COMMAND: "passed" or "failed".
within() {
	if chroot "$machines/$1" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
		DEBIAN_FRONTEND=noninteractive bash -c "cd /root/iolab && $3" \
		>"$machines/$1.$2.log" 2>&1 </dev/null; then
		echo passed
	else
		echo failed
	fi
}

try_release() {
	local release=$1 bench check gcc clang count
	if ! make_chroot "$release"; then
		echo "| $release | no chroot: $(tail -n 1 "$machines/$release.debootstrap.log") | | | |"
		return 1
	fi
	mount_into "$machines/$release"
	rm -rf "$machines/$release/root/iolab"
	git clone -q "$root" "$machines/$release/root/iolab"
	bench=$(within "$release" bench 'harness/setup.sh && make bench')
	check=$(within "$release" check 'harness/setup.sh check && make -j"$(nproc)" check')
	gcc=$(within "$release" gcc 'make -s lint-gcc')
	clang=$(within "$release" clang 'make -s BUILD=build/lint/clang CC=clang WERROR=-Werror lint-objects')
	count=$(grep -oE '[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped' "$machines/$release.check.log" | tail -n 1) || true
	end_mounts
	echo "| $release | $bench | ${count:-$check} | $gcc | $clang |"
	[[ "$bench $check $gcc $clang" != *failed* ]]
}

status=0
echo "| Debian | make bench | make check | gcc, warnings as errors | clang, warnings as errors |"
echo "|---|---|---|---|---|"
for release; do
	try_release "$release" || status=1
done
echo "Logs: $machines"
exit $status
