#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The measured file holds real data, is in the state that its label says, and belongs to one
# run at a time.

load common

@test "a FIFO is refused without a wait" {
	mkfifo "$BATS_TEST_TMPDIR/fifo"
	run timeout "$HANG_S" "$IOLAB" run -e blocking --file "$BATS_TEST_TMPDIR/fifo"
	assert_equal "$status" 1
	assert_output --partial "neither a regular file nor a block device"
}

@test "a person's file with extents that were never written is refused" {
	file="$BATS_TEST_TMPDIR/allocated"
	[ "$(stat -f -c %T "$BATS_TEST_TMPDIR")" != tmpfs ] || skip "tmpfs has no extents"
	fallocate -l 8M "$file" || skip "the file system has no fallocate"
	run quick -e blocking --file "$file" --size 8M --direct 1
	assert_equal "$status" 1
	assert_output --partial "never written"
	dd if=/dev/urandom of="$file" bs=1M count=8 conv=notrunc status=none
	sync "$file"
	run quick -e blocking --file "$file" --size 8M
	assert_success
}

@test "a run that writes has the file alone; runs that read share it" {
	quick -e blocking >/dev/null
	exec 9<"$BATS_TEST_TMPDIR/file"
	flock --shared 9
	run quick -e blocking
	assert_success
	run quick -e blocking --rw randwrite
	assert_equal "$status" 1
	assert_output --partial "another run is using"
	assert_equal "${#lines[@]}" 2
	exec 9<&-
	run quick -e blocking --rw randwrite
	assert_success
}

@test "a dropped cache is empty when the window opens, and its share at the end is reported" {
	quick -e blocking --size 16M >/dev/null
	run timeout "$HANG_S" "$IOLAB" run -e blocking --file "$BATS_TEST_TMPDIR/file" --size 16M --cache dropped \
		--warmup 0.1 --runtime 0.02 --json
	assert_success
	resident=$(json workload.cache_resident_pct)
	end=$(json workload.cache_resident_end_pct)
	# A file system in memory has nothing else to keep its files in.
	[ "$resident" != 100.0 ] || skip "the file system keeps files in memory"
	[ "${resident%.*}" -le 5 ] || fail "$resident % were there when the window opened"
	[ "${end%.*}" -ge 0 ]
}

@test "where files live in memory, a warning says that O_DIRECT bypasses nothing" {
	[ "$(stat -f -c %T /dev/shm 2>/dev/null)" = tmpfs ] || skip "/dev/shm is no tmpfs"
	file=$(mktemp /dev/shm/iolab-XXXXXX)
	run quick -e blocking --file "$file" --size 4M --direct 1 --json
	rm -f "$file"
	[ "$status" -eq 0 ] || skip "this tmpfs refuses O_DIRECT (Linux before 6.6)"
	assert_output --partial "nothing for O_DIRECT to bypass"
}

@test "operations in flight agree with Little's law, with computing in between" {
	run quick --json -e libaio --depth 8 --direct 1 --compute-us 200 --runtime 0.3
	assert_success
	"$SYSTEM_PYTHON" - "$output" <<-'PYTHON'
		import json, sys
		m = json.loads(sys.argv[1])["metrics"]
		# While the thread computes, at most one operation of eight can finish.
		law = m["ops_per_s"] * m["latency_ns"]["mean"] / 1e9
		assert m["inflight_max"] <= 8, m["inflight_max"]
		assert m["inflight_mean"] <= min(8, law) * 1.05 + 0.1, (m["inflight_mean"], law)
	PYTHON
	run quick --json -e blocking --compute-us 500 --runtime 0.2
	"$SYSTEM_PYTHON" -c 'import json, sys
m = json.loads(sys.argv[1])["metrics"]
assert m["inflight_mean"] < 0.5, m["inflight_mean"]' "$output"
}

@test "at the default place no link is followed, and nothing of another user is used" {
	own_test_file
	local usual victim
	usual="$TMPDIR/iolab-$(id -u).test"
	victim="$BATS_TEST_TMPDIR/victim"
	: >"$victim"
	ln -s "$victim" "$usual"
	run "$IOLAB" run -e blocking --rw randwrite --size 1M --ops 1
	assert_equal "$status" 1
	assert_output --partial "is a link"
	[ ! -s "$victim" ]
	run "$IOLAB" run -e blocking --rw randwrite --size 1M --ops 1 --file "$BATS_TEST_TMPDIR/victim"
	assert_success
	rm "$usual"
	if [ "$(id -u)" = 0 ]; then
		: >"$usual"
		chown 65534 "$usual"
		run "$IOLAB" run -e blocking --size 1M --ops 1
		assert_equal "$status" 1
		assert_output --partial "belongs to another user"
	fi
	rm -r "$TMPDIR"
}
