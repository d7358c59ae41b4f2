#!/bin/bash
# SPDX-License-Identifier: MIT
# Boots Debian's kernels in qemu by software emulation and tries iolab there: doctor, list, matrix, a short
# comparison and the conformance of each engine. The emulated machine sees this machine's files; what it
# changes is thrown away.
#
#   harness/machines/kernels.sh [KERNEL...]     of 5.10, 6.1, 6.12 and newest; by default the last three
#
# ENGINES="null poll" tries only these engines, and leaves the table in docs/machines.md as it is.
# Kernels and logs lie in $MACHINES, by default ~/.cache/iolab-machines, and kernels are used again.
# No root is needed. A kernel takes hours: an emulated processor is slow. Build the tree first.
set -euo pipefail
cd "$(dirname "$0")/../.."
machines=${MACHINES:-${XDG_CACHE_HOME:-$HOME/.cache}/iolab-machines}/kernels
mirror=${MIRROR:-http://deb.debian.org/debian}
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

# fetch_kernel RELEASE: the release's newest kernel, unpacked and not installed. apt judges signatures.
fetch_kernel() {
	local folder=$machines/$1 apt package
	[ ! -e "$folder/.iolab-whole" ] || return 0
	rm -rf "$folder"
	mkdir -p "$folder"/apt/{state/lists/partial,cache/archives/partial}
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $1 main" >"$folder/apt/sources.list"
	: >"$folder/apt/status"
	cat >"$folder/apt/apt.conf" <<-END
		Dir::State "$folder/apt/state";
		Dir::State::status "$folder/apt/status";
		Dir::Cache "$folder/apt/cache";
		Dir::Etc::SourceList "$folder/apt/sources.list";
		Dir::Etc::SourceParts "/nonexistent";
		APT::Architecture "amd64";
		APT::Sandbox::User "";
		APT::Update::Error-Mode "any";
		# A mirror may be a copy of some day.
		Acquire::Check-Valid-Until "false";
	END
	apt=$folder/apt/apt.conf
	APT_CONFIG=$apt apt-get -q update || return 1
	package=$(APT_CONFIG=$apt apt-cache depends linux-image-amd64 | awk '/Depends: linux-image-/ { print $2; exit }')
	[ -n "$package" ] || return 1
	(cd "$folder" && APT_CONFIG=$apt apt-get -q download "$package") || return 1
	dpkg-deb -x "$folder/$package"_*.deb "$folder" || return 1
	rm -rf "$folder/apt" "$folder"/*.deb
	touch "$folder/.iolab-whole"
}

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
	qemu-system-x86_64 -accel tcg -cpu max -smp 2 -m 3G -nodefaults -no-reboot -display none \
		-kernel "$folder"/boot/vmlinuz-* -initrd "$work/initramfs.gz" -append "console=ttyS0 panic=-1 quiet" \
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

# conformance_cell LOGS: counts of all engines, and the engines with a failure.
conformance_cell() {
	local engine failed='' unfinished=''
	[ ! -e "$1/too-old" ] || { echo "not run" && return; }
	for engine in $engines; do
		[[ $(cell "$1" "conformance-$engine") == passed ]] && continue
		if [ -e "$1/conformance-$engine.status" ]; then failed+=" $engine"; else unfinished+=" $engine"; fi
	done
	cat "$1"/conformance-*.log 2>/dev/null | awk -v failed="$failed" -v unfinished="$unfinished" '
		/^ok .*# [Ss][Kk][Ii][Pp]/ { skipped++; next }
		/^ok / { passed++ }
		/^not ok / { wrong++ }
		END {
			printf "%d passed, %d failed, %d skipped", passed, wrong, skipped
			if (failed) printf "; failed:%s", failed
			if (unfinished) printf "; not reached:%s", unfinished
			print ""
		}'
}

try_kernel() {
	local release logs=$machines/$1.logs row
	release=$(release_of "$1")
	if ! fetch_kernel "$release" >"$machines/$release.fetch.log" 2>&1; then
		echo "check-kernels: skipped: $1: cannot fetch the kernel of $release: $(tail -n 1 "$machines/$release.fetch.log")" >&2
		return 0
	fi
	rm -rf "$logs"
	mkdir -p "$logs"
	cp harness/machines/guest.sh "$logs/"
	printf '%s' "$PWD" >"$logs/tree"
	sed -n 's/^#define KERNEL_MINIMUM "\(.*\)"$/\1/p' harness/meters/kernel_minimum.h >"$logs/minimum"
	echo "$engines" >"$logs/engines"
	boot "$release" "$logs"
	row="| $1 | $(cat "$logs/release" 2>/dev/null || echo "did not boot") | $(cell "$logs" doctor) | $(cell "$logs" list)"
	row+=" | $(cell "$logs" matrix) | $(cell "$logs" compare) | $(conformance_cell "$logs") |"
	echo "$row"
	[ -n "${ENGINES:-}" ] || harness/machines/record.sh kernels "$row"
	[[ "$row" != *failed:* && "$row" != *"| failed"* && "$row" != *"not reached"* && "$row" != *"did not boot"* ]]
}

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
