#!/bin/bash
# SPDX-License-Identifier: MIT
# Boots Debian's kernels in qemu by software emulation and tries iolab there: doctor, list, matrix, a short
# comparison and the conformance of each engine. The emulated machine sees this machine's files; what it
# changes is thrown away.
#
#   harness/machines/kernels.sh [KERNEL...]     of 5.10, 6.1, 6.12 and newest; by default the last three
#
# A kernel takes hours: an emulated processor is slow. So a step that passed is not run again while the code
# is the same, and a run that was ended goes on where it was. ENGINES="null poll" asks for the conformance of
# these engines now. The row of docs/machines.md is written when all steps of all engines are there.
# Kernels and logs lie in $MACHINES, by default ~/.cache/iolab-machines, and kernels are used again.
# No root is needed. Build the tree first.
set -euo pipefail
cd "$(dirname "$0")/../.."
machines=${MACHINES:-${XDG_CACHE_HOME:-$HOME/.cache}/iolab-machines}/kernels
mirror=${MIRROR:-http://deb.debian.org/debian}
# shellcheck source=harness/machines/own_apt.sh
. harness/machines/own_apt.sh
[ $# -gt 0 ] || set -- 6.1 6.12 newest

# release_of KERNEL: the Debian release that ships it.
release_of() {
	case $1 in
	5.10) echo bullseye ;;
	6.1) echo bookworm ;;
	6.12) echo trixie ;;
	newest) echo unstable ;;
	*)
		echo "check-kernels: no kernel '$1': 5.10, 6.1, 6.12 or newest" >&2
		exit 2
		;;
	esac
}
for kernel; do
	release_of "$kernel" >/dev/null
done

skip() {
	echo "check-kernels: skipped: $*"
	exit 0
}
[ "$(uname -m)" = x86_64 ] || skip "the kernels are for x86_64, and this tree is built for $(uname -m)"
# COMMAND PACKAGE
while read -r command package; do
	command -v "$command" >/dev/null || skip "$command is missing; Debian and Ubuntu: apt-get install $package"
done <<-'END'
	qemu-system-x86_64 qemu-system-x86
	busybox busybox-static
	cpio cpio
	mkfs.ext4 e2fsprogs
	apt-get apt
	dpkg-deb dpkg
	xz xz-utils
END
! ldd "$(command -v busybox)" >/dev/null 2>&1 || skip "busybox needs libraries; Debian and Ubuntu: apt-get install busybox-static"
[ -x build/tests/conformance ] || skip "build/tests/conformance is missing: make all tests"

mkdir -p "$machines"
work=$(mktemp -d)
qemu=
trap '[ -z "$qemu" ] || kill "$qemu"; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# fetch_kernel RELEASE: the release's newest kernel, unpacked and not installed.
fetch_kernel() (
	local folder=$machines/$1 package
	[ ! -e "$folder/.iolab-whole" ] || return 0
	rm -rf "$folder"
	own_apt "$folder/apt" "$1" amd64 || return 1
	package=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image-/ { print $2; exit }')
	[ -n "$package" ] || return 1
	cd "$folder"
	apt-get -q download "$package" || return 1
	dpkg-deb -x "$package"_*.deb . || return 1
	rm -rf apt ./*.deb
	touch .iolab-whole
)

# copy_module FOLDER NAME: what the module depends on, then the module. One that is part of the kernel has no file.
copy_module() {
	local file to needed
	file=$(find "$1" -name "${2//[-_]/[-_]}.ko*" -print -quit)
	[ -n "$file" ] || return 0
	to=$work/initramfs/modules/$(basename "${file%.xz}")
	[ ! -e "$to" ] || return 0
	if [[ $file == *.xz ]]; then xz -dc "$file" >"$to"; else cp "$file" "$to"; fi
	for needed in $(LC_ALL=C tr '\0' '\n' <"$to" | sed -n 's/^depends=//p' | tr ',' ' '); do
		copy_module "$1" "$needed"
	done
	basename "$to" >>"$work/initramfs/modules/order"
}

# What the kernel starts: it mounts this machine's files, changes kept apart, and calls guest.sh there.
write_init() {
	cat >"$work/initramfs/init" <<-'END'
		#!/bin/busybox sh
		/bin/busybox --install -s /bin
		export PATH=/bin
		mount -t proc proc /proc
		mount -t sysfs sysfs /sys
		mount -t devtmpfs devtmpfs /dev
		while read -r module; do
			insmod "/modules/$module"
		done </modules/order
		mkdir -p /below /scratch /all
		mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,ro,cache=loose files /below
		mount -t ext4 /dev/vda /scratch
		mkdir /scratch/changes /scratch/overlay
		mount -t overlay -o lowerdir=/below,upperdir=/scratch/changes,workdir=/scratch/overlay overlay /all
		mkdir -p /all/iolab-scratch /all/iolab-logs
		mount --bind /scratch /all/iolab-scratch
		mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 logs /all/iolab-logs
		for kind in proc sys dev; do
			mount --move "/$kind" "/all/$kind"
		done
		mkdir -p /all/dev/pts /all/dev/shm
		mount -t devpts devpts /all/dev/pts
		mount -t tmpfs tmpfs /all/dev/shm
		mount -t tmpfs tmpfs /all/run
		mount -t tracefs tracefs /all/sys/kernel/tracing
		ip link set lo up
		chroot /all /bin/sh /iolab-logs/guest.sh
		sync
		poweroff -f
	END
	chmod +x "$work/initramfs/init"
}

# boot RELEASE LOGS: returns when the machine is off.
boot() {
	local folder=$machines/$1 module
	rm -rf "$work/initramfs" "$work/disk"
	mkdir -p "$work/initramfs"/{bin,proc,sys,dev,modules}
	cp "$(command -v busybox)" "$work/initramfs/bin/busybox"
	: >"$work/initramfs/modules/order"
	for module in virtio_pci virtio_blk crc32c_generic crc32c-cryptoapi ext4 9pnet_virtio 9p overlay; do
		copy_module "$folder" "$module"
	done
	write_init
	(cd "$work/initramfs" && find . | cpio --quiet -o -H newc | gzip -1) >"$work/initramfs.gz"
	truncate -s 4G "$work/disk"
	mkfs.ext4 -q "$work/disk"
	# A busy host is late with the timer's first ticks, which the kernel would call broken. Mitigations cost
	# much under emulation and change nothing that iolab uses.
	qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 3G -nodefaults -no-reboot -display none \
		-kernel "$folder"/boot/vmlinuz-* -initrd "$work/initramfs.gz" \
		-append "console=ttyS0 panic=-1 quiet no_timer_check mitigations=off" \
		-drive "file=$work/disk,format=raw,if=virtio,cache=unsafe" \
		-virtfs local,path=/,mount_tag=files,security_model=none,readonly=on,multidevs=remap \
		-virtfs "local,path=$2,mount_tag=logs,security_model=none" \
		-serial "file:$2/console" </dev/null >"$2/qemu.log" 2>&1 &
	qemu=$!
	wait "$qemu" || true
	qemu=
}

# cell LOGS STEP
cell() { cat "$1/$2.status" 2>/dev/null || echo "not reached"; }

# conformance_cell LOGS: counts of all engines, the engines with a failure, and those without a result.
conformance_cell() {
	local engine counts failed='' unfinished='' tap=()
	[ ! -e "$1/too-old" ] || { echo "not run" && return; }
	for engine in $all_engines; do
		case $(cell "$1" "conformance-$engine") in
		passed) ;;
		failed) failed+=" $engine" ;;
		*) unfinished+=" $engine" && continue ;;
		esac
		tap+=("$1/conformance-$engine.log")
	done
	counts=$(cat "${tap[@]}" </dev/null | harness/tests/count_tests.sh) || true # it fails where a test did
	echo "$counts${failed:+; failed:$failed}${unfinished:+; not reached:$unfinished}"
}

# The kernel and the code as they stand: what was found with others proves nothing about these.
subject_now() {
	{
		ls "$machines/$1/boot"
		git ls-tree HEAD Makefile common harness labs
		git diff HEAD -- Makefile common harness labs
	} | sha256sum
}

# lay_out_logs LOGS RELEASE: keeps what passed with this kernel and code. Without git, nothing is kept.
lay_out_logs() {
	local status subject
	if ! subject=$(subject_now "$2") || [ "$(cat "$1/subject" 2>/dev/null)" != "$subject" ]; then
		rm -rf "$1"
	fi
	mkdir -p "$1"
	echo "$subject" >"$1/subject"
	for status in "$1"/*.status; do
		[ ! -e "$status" ] || grep -q '^passed$' "$status" || rm "$status"
	done
	rm -f "$1/release"
	cp harness/machines/guest.sh "$1/"
	printf '%s' "$PWD" >"$1/tree"
	sed -n 's/^#define KERNEL_MINIMUM "\(.*\)"$/\1/p' harness/meters/kernel_minimum.h >"$1/minimum"
	echo "$engines" >"$1/engines"
}

try_kernel() {
	local release logs=$machines/$1.logs row
	release=$(release_of "$1")
	if ! fetch_kernel "$release" >"$machines/$release.fetch.log" 2>&1; then
		echo "check-kernels: skipped: $1: cannot fetch the kernel of $release: $(tail -n 1 "$machines/$release.fetch.log")" >&2
		return 0
	fi
	lay_out_logs "$logs" "$release"
	boot "$release" "$logs"
	row="| $1 | $(cat "$logs/release" 2>/dev/null || echo "did not boot") | $(cell "$logs" doctor) | $(cell "$logs" list)"
	row+=" | $(cell "$logs" matrix) | $(cell "$logs" compare) | $(conformance_cell "$logs") |"
	echo "$row"
	[[ "$row" == *"not reached"* || "$row" == *"did not boot"* ]] || harness/machines/record.sh kernels "$row" "$commit"
	[[ "$row" != *failed:* && "$row" != *"| failed"* && "$row" != *"not reached"* && "$row" != *"did not boot"* ]]
}

commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
all_engines=$(build/tests/conformance --list | tr '\n' ' ')
engines=${ENGINES:-${all_engines% }}
status=0
echo "| kernel | release | doctor | list | matrix | comparison | conformance |"
echo "|---|---|---|---|---|---|---|"
for kernel; do
	try_kernel "$kernel" || status=1
done
echo "Logs: $machines"
exit $status
