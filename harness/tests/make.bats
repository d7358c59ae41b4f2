#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What people type after make: names of tests, folders with any name, and what an editor reads.

load common

# As typed at a shell: nothing of the make that runs the tests.
typed() { env -u MAKEFLAGS -u MAKEOVERRIDES -u MFLAGS -u MAKELEVEL -u TESTS make --no-print-directory -C "$ROOT" "$@"; }

@test "list-tests names all jobs; TESTS takes their beginnings" {
	run typed -s list-tests
	assert_success
	for name in unit-driver conformance-epoll asan-driver tsan-epoll_workers bats-make bats-figures; do
		assert_line "$name"
	done
	for source in "$ROOT"/harness/tests/*.c; do
		name=$(basename "$source" .c)
		[[ $name == without_io_uring ]] || assert_output --partial "$name"
	done
	for file in "$ROOT"/harness/tests/*.bats; do
		assert_line "bats-$(basename "$file" .bats)"
	done
}

@test "the slow tests have a list of their own, and nothing of it is in make check" {
	CHECK=slowly run "$ROOT/harness/check.sh" --list
	assert_success
	for name in pairs-io_uring bats-course_mutate bats-files; do
		assert_line "$name"
	done
	refute_output --partial conformance
	run typed -s list-tests
	refute_output --partial pairs
	run "$ROOT/build/tests/conformance" --pairs null
	assert_success
	assert_line "1..0"
}

@test "busy loops end with the command that they run beside, and its status is theirs" {
	# shellcheck disable=SC2016
	run "$ROOT/harness/machines/loaded.sh" sh -c 'ps -o pid= --ppid $PPID | grep -vw $$; exit 7'
	assert_failure 7
	assert_equal "${#lines[@]}" $((1 + 3 * $(nproc)))
	for pid in "${lines[@]:1}"; do
		[ ! -e "/proc/${pid// /}" ] || fail "${pid} is still there"
	done
}

# tools NAME...: a folder with these programs, which do nothing, and with what the scripts of harness/machines use.
tools() {
	local name
	rm -rf "${BATS_TEST_TMPDIR:?}/bin"
	mkdir "$BATS_TEST_TMPDIR/bin"
	for name in bash sh dirname id tr mkdir tail grep awk sort rm date git mktemp cat ldd; do
		ln -s "$(command -v $name)" "$BATS_TEST_TMPDIR/bin/$name"
	done
	for name; do
		printf '#!/bin/sh\n' >"$BATS_TEST_TMPDIR/bin/$name"
	done
	printf '#!/bin/sh\necho x86_64\n' >"$BATS_TEST_TMPDIR/bin/uname"
	chmod +x "$BATS_TEST_TMPDIR"/bin/*
}

# on_machines SCRIPT [WORD...]: nothing but those tools, and nothing kept of another run.
on_machines() {
	env PATH="$BATS_TEST_TMPDIR/bin" MACHINES="$BATS_TEST_TMPDIR/machines" MIRROR=http://127.0.0.1:9/debian \
		"$ROOT/harness/machines/$1" "${@:2}"
}

@test "check-kernels: each program that is missing is a skip that names its package" {
	local all="qemu-system-x86_64 busybox cpio mkfs.ext4 apt-get dpkg-deb xz" missing package
	while read -r missing package; do
		# shellcheck disable=SC2086 # a list of words
		tools ${all/$missing/}
		run on_machines kernels.sh 6.1
		assert_success
		assert_output "check-kernels: skipped: $missing is missing; Debian and Ubuntu: apt-get install $package"
	done <<-'END'
		qemu-system-x86_64 qemu-system-x86
		busybox busybox-static
		cpio cpio
		mkfs.ext4 e2fsprogs
	END
	# shellcheck disable=SC2086 # a list of words
	tools $all
	printf '#!/bin/sh\necho aarch64\n' >"$BATS_TEST_TMPDIR/bin/uname"
	run on_machines kernels.sh 6.1
	assert_success
	assert_output --partial "skipped: the kernels are for x86_64, and this tree is built for aarch64"
}

@test "check-kernels: without a network each kernel is skipped, with apt's reason; an unknown one is an error" {
	tools qemu-system-x86_64 busybox cpio mkfs.ext4 apt-get dpkg-deb xz
	printf '#!/bin/sh\necho "E: no network here"\nexit 100\n' >"$BATS_TEST_TMPDIR/bin/apt-get"
	run on_machines kernels.sh 5.10 6.1
	assert_success
	assert_line "check-kernels: skipped: 5.10: cannot fetch the kernel of bullseye: E: no network here"
	assert_line "check-kernels: skipped: 6.1: cannot fetch the kernel of bookworm: E: no network here"
	run on_machines kernels.sh 6.1 4.4
	assert_failure 2
	assert_output "check-kernels: no kernel '4.4': 5.10, 6.1, 6.12 or newest"
}

# A machine that passes what was not passed, notes it, and ends before the last engine is reached.
emulate_a_machine() {
	cat >"$BATS_TEST_TMPDIR/bin/qemu-system-x86_64" <<-'END'
		#!/bin/bash
		[[ $* =~ local,path=([^,]*),mount_tag=logs ]]
		cd "${BASH_REMATCH[1]}"
		echo 6.1.0-test >release
		for step in doctor list matrix compare $(sed 's/^\| / conformance-/g' engines); do
			[ ! -e $step.status ] || continue
			echo $step >>../steps
			[ $step != conformance-io_uring ] || [ -e ../go-on ] || exit 1
			echo "ok 1 - $step" >$step.log
			echo passed >$step.status
		done
	END
	chmod +x "$BATS_TEST_TMPDIR/bin/qemu-system-x86_64"
}

@test "check-kernels: a run that ended goes on where it was, and writes its row when all is there" {
	tools busybox cpio mkfs.ext4 apt-get dpkg-deb xz
	local name
	for name in find cp mv chmod gzip truncate sed sha256sum ls basename; do
		ln -s "$(command -v $name)" "$BATS_TEST_TMPDIR/bin/$name"
	done
	printf '#!/bin/sh\nexit 1\n' >"$BATS_TEST_TMPDIR/static"
	rm "$BATS_TEST_TMPDIR/bin/ldd"
	install -m 755 "$BATS_TEST_TMPDIR/static" "$BATS_TEST_TMPDIR/bin/ldd"
	local kernels=$BATS_TEST_TMPDIR/machines/kernels
	mkdir -p "$kernels/bookworm/boot"
	touch "$kernels/bookworm/.iolab-whole" "$kernels/bookworm/boot/vmlinuz-6.1.0-test"
	export PAGE=$BATS_TEST_TMPDIR/page.md
	printf '%s\n' '<!-- table: kernels -->' '| kernel | when |' '|---|---|' >"$PAGE"
	emulate_a_machine
	run on_machines kernels.sh 6.1
	assert_failure 1
	assert_line --regexp '^\| 6\.1 \| 6\.1\.0-test \| passed .* passed, 0 failed, 0 skipped; not reached: io_uring uring_tuned \|$'
	run ! grep -q 6.1.0-test "$PAGE"
	rm "$kernels/steps"
	touch "$kernels/go-on"
	ENGINES="io_uring uring_tuned" run on_machines kernels.sh 6.1
	assert_success
	assert_equal "$(cat "$kernels/steps")" $'conformance-io_uring\nconformance-uring_tuned'
	local engines
	engines=$("$ROOT/build/tests/conformance" --list | wc -l)
	run grep -c "| 6.1.0-test | passed | passed | passed | passed | $engines passed, 0 failed, 0 skipped |" "$PAGE"
	assert_output 1
	# With another kernel nothing is proven.
	rm "$kernels/steps"
	mv "$kernels/bookworm/boot/vmlinuz-6.1.0-test" "$kernels/bookworm/boot/vmlinuz-6.1.1-test"
	ENGINES=null run on_machines kernels.sh 6.1
	assert_failure 1
	assert_equal "$(grep -c . "$kernels/steps")" 5
}

@test "check-arm64: each program that is missing is a skip that names its package, and so is a missing network" {
	local all="aarch64-linux-gnu-gcc qemu-aarch64-static apt-get dpkg-deb" missing package
	while read -r missing package; do
		# shellcheck disable=SC2086 # a list of words
		tools ${all/$missing/}
		run on_machines arm64.sh
		assert_success
		assert_output "check-arm64: skipped: $missing is missing; Debian and Ubuntu: apt-get install $package"
	done <<-'END'
		aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu
		qemu-aarch64-static qemu-user-static
	END
	# shellcheck disable=SC2086 # a list of words
	tools $all
	ln -s "$(command -v realpath)" "$BATS_TEST_TMPDIR/bin/realpath"
	printf '#!/bin/sh\necho /usr/lib/libc.so.6\n' >"$BATS_TEST_TMPDIR/bin/aarch64-linux-gnu-gcc"
	printf '#!/bin/sh\necho "E: no network here"\nexit 100\n' >"$BATS_TEST_TMPDIR/bin/apt-get"
	run on_machines arm64.sh
	assert_success
	assert_output "check-arm64: skipped: cannot fetch the libraries: E: no network here"
}

@test "check-distributions: what is missing is a skip with its reason, and another failure is none" {
	tools
	printf '#!/bin/sh\necho 1000\n' >"$BATS_TEST_TMPDIR/root"
	rm "$BATS_TEST_TMPDIR/bin/id"
	install -m 755 "$BATS_TEST_TMPDIR/root" "$BATS_TEST_TMPDIR/bin/id"
	run on_machines distributions.sh trixie
	assert_success
	assert_output "check-distributions: skipped: only root can make chroots"
	printf '#!/bin/sh\necho 0\n' >"$BATS_TEST_TMPDIR/bin/id"
	run on_machines distributions.sh trixie
	assert_success
	assert_output "check-distributions: skipped: debootstrap is missing; Debian and Ubuntu: apt-get install debootstrap"
	printf '#!/bin/sh\necho "E: Failed getting release file $4"\nexit 1\n' >"$BATS_TEST_TMPDIR/bin/debootstrap"
	chmod +x "$BATS_TEST_TMPDIR/bin/debootstrap"
	run on_machines distributions.sh trixie
	assert_success
	assert_line --partial "check-distributions: skipped: trixie: E: Failed getting release file"
	printf '#!/bin/sh\necho "E: out of space"\nexit 1\n' >"$BATS_TEST_TMPDIR/bin/debootstrap"
	run on_machines distributions.sh trixie
	assert_failure 1
	assert_line "| trixie | no chroot: E: out of space | | | |"
	STEPS="gcc speed" run on_machines distributions.sh trixie
	assert_failure 2
	assert_output "check-distributions: no step 'speed': bench check gcc clang"
}

@test "docs/machines.md: a row takes the place of its predecessor in its own table" {
	export PAGE=$BATS_TEST_TMPDIR/page.md
	printf '%s\n' '<!-- table: one -->' '' '| a | b | when |' '|---|---|---|' '| 6.1 | old | x |' '| 6.12 | kept | x |' '' \
		'text' '<!-- table: two -->' '| a | b | when |' '|---|---|---|' '| 6.1 | other | x |' >"$PAGE"
	"$ROOT/harness/machines/record.sh" one '| 6.1 | new |'
	"$ROOT/harness/machines/record.sh" one '| newest | added |'
	"$ROOT/harness/machines/record.sh" two '| newest | last \n |'
	run sed -E 's/[0-9]{4}-[0-9]{2}-[0-9]{2}, [0-9a-z]+/NOW/' "$PAGE"
	assert_equal "$output" "$(printf '%s\n' '<!-- table: one -->' '' '| a | b | when |' '|---|---|---|' '| 6.1 | new | NOW |' \
		'| 6.12 | kept | x |' '| newest | added | NOW |' '' 'text' '<!-- table: two -->' '| a | b | when |' '|---|---|---|' \
		'| 6.1 | other | x |' '| newest | last \n | NOW |')"
	"$ROOT/harness/machines/record.sh" two '| 6.1 | of a run that began then |' abc1234
	run grep -c '^| 6.1 | of a run that began then | .*, abc1234 |$' "$PAGE"
	assert_output 1
	run "$ROOT/harness/machines/record.sh" three '| 6.1 | new |'
	assert_failure 2
	# The targets write to these of the page itself.
	for table in distributions kernels arm64; do
		grep -qxF "<!-- table: $table -->" "$ROOT/docs/machines.md"
	done
}

@test "a name of TESTS that is none is an error, which lists the names" {
	run "$ROOT/harness/check.sh" bats-setup nonsense
	assert_failure 2
	assert_output --partial "no job's name begins with 'nonsense'"
	assert_output --partial "bats-setup"
}

@test "only tests of sanitizers need builds with sanitizers" {
	run typed -n check TESTS="bats-docs unit"
	assert_success
	refute_output --partial "SANITIZE="
	run typed -n check TESTS="asan-null"
	assert_output --partial "SANITIZE=address,undefined"
	refute_output --partial "SANITIZE=thread"
	run typed -n check
	assert_output --partial "SANITIZE=address,undefined"
	assert_output --partial "SANITIZE=thread"
}

# check.sh in a folder of its own, with one job: a bats file that a fake bats plays.
play_job() {
	mkdir -p "$BATS_TEST_TMPDIR"/{bin,harness/tests,plots/tests,build/tests}
	cp "$ROOT/harness/check.sh" "$BATS_TEST_TMPDIR/harness/"
	cp "$ROOT/harness/tests/count_tests.sh" "$BATS_TEST_TMPDIR/harness/tests/"
	touch "$BATS_TEST_TMPDIR/harness/tests/play.bats"
	printf '#!/bin/sh\n' | tee "$BATS_TEST_TMPDIR/build/tests/conformance" >"$BATS_TEST_TMPDIR/bin/bats"
	cat >>"$BATS_TEST_TMPDIR/bin/bats"
	chmod +x "$BATS_TEST_TMPDIR/build/tests/conformance" "$BATS_TEST_TMPDIR/bin/bats"
	run env PYTHON=python3 PATH="$BATS_TEST_TMPDIR/bin:$PATH" "$BATS_TEST_TMPDIR/harness/check.sh" bats-play
}

@test "a skip is counted with its reason; the last line counts all" {
	play_job <<<'echo 1..3; echo "ok 1 a"; echo "ok 2 b # skip no ring"; echo "ok 3 c # skip no ring"'
	assert_success
	assert_output --partial "2 x no ring"
	assert_equal "${lines[-1]}" "1 passed, 0 failed, 2 skipped"
}

@test "tests are counted by what became of them; a failed one, and none passed, fail the count" {
	run "$ROOT/harness/tests/count_tests.sh" <<<$'ok 1 a\nok 2 b # SKIP no ring\n# ok\nnot ok 3 c\nok 4 d'
	assert_failure
	assert_output "2 passed, 1 failed, 1 skipped"
	run "$ROOT/harness/tests/count_tests.sh" <<<'ok 1 b # skip no ring'
	assert_failure
	run "$ROOT/harness/tests/count_tests.sh" <<<'ok 1 b'
	assert_success
}

@test "a failed test is shown with what it says" {
	play_job <<<'echo 1..2; echo "ok 1 a"; echo "not ok 2 b"; echo "# seen 3"; exit 1'
	assert_failure
	assert_line "not ok 2 b"
	assert_line "# seen 3"
	assert_equal "${lines[-1]}" "1 passed, 1 failed, 0 skipped"
}

@test "a job that dies counts as failed, as does one that ends before its plan or has none" {
	play_job <<<'echo 1..2; echo "ok 1 a"; echo "ok 2 b"; kill -SEGV $$'
	assert_failure
	assert_equal "${lines[-1]}" "2 passed, 1 failed, 0 skipped"
	play_job <<<'echo 1..3; echo "ok 1 a"'
	assert_failure
	assert_line "not ok - bats-play: status 0 after 1 of 3 tests"
	assert_equal "${lines[-1]}" "1 passed, 1 failed, 0 skipped"
	play_job <<<'echo "ok 1 a"'
	assert_failure
	assert_equal "${lines[-1]}" "1 passed, 1 failed, 0 skipped"
}

# A python that prints its arguments, one a line.
fake_python() {
	mkdir -p "$BATS_TEST_TMPDIR/bin"
	printf '#!/bin/sh\nprintf "<%%s>\\n" "$@"\n' >"$BATS_TEST_TMPDIR/bin/python3"
	chmod +x "$BATS_TEST_TMPDIR/bin/python3"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

@test "what stands in a variable is text to make and to the shell" {
	fake_python
	local python=PYTHON=$BATS_TEST_TMPDIR/bin/python3 touch="touch $BATS_TEST_TMPDIR/touched"
	local name="it's a \"folder\" \$($touch) \`$touch\` \$(shell $touch); $touch"
	for target in plots report; do
		run typed "$target" "$python" RESULTS="$name" WIDTH="$name"
		assert_success
		assert_line "<$name>"
	done
	# As in a hand-out's make, from the environment.
	RESULTS=$name run typed plots "$python"
	assert_line "<$name>"
	run typed hint "$python" LAB="$name"
	assert_line "<LAB=$name>"
	run typed grade SUBMISSIONS="$name" LAB="$name" OUT="$name"
	assert_line "<$name>"
	run typed handout OUT="$name"
	assert_line "<$name>"
	run typed check-course "$python" LAB="$name" SINCE="$name" -o all -o tests
	assert_line "<$name>"
	run typed check-trust "$python" TRUST="; $touch" -o build/trust/iolab
	assert_line "<;>"
	run typed bench COMPARE="; $touch" -o all
	assert_failure
	[ ! -e "$BATS_TEST_TMPDIR/touched" ]
}

@test "without RESULTS it is results/latest" {
	fake_python
	run typed plots PYTHON="$BATS_TEST_TMPDIR/bin/python3"
	assert_line "<results/latest>"
}

@test "compile_commands.json: the command of each kind of file compiles it, a learner's too" {
	cd "$BATS_TEST_TMPDIR"
	mkdir -p work/01_blocking
	for name in Makefile common harness labs; do
		ln -s "$ROOT/$name" .
	done
	cp labs/01_blocking/engine.c work/01_blocking/
	run env -u MAKEFLAGS make -s compile_commands.json build/build_info.h
	assert_success
	run "$SYSTEM_PYTHON" - <<-'EOF'
		import json, subprocess
		with open("compile_commands.json", encoding="utf-8") as file:
		    entries = {entry["file"]: entry for entry in json.load(file)}
		for path in ("common/histogram.c", "harness/commands/main.c", "harness/tests/driver.c",
		             "harness/tests/conformance/subject.c", "harness/course/proctor/lab_test.c",
		             "harness/trust/engine_trust.c", "harness/peers/server_load.c", "labs/01_blocking/engine.c",
		             "labs/01_blocking/tests.c", "labs/01_blocking/program.c",
		             "labs/08_uring_raw/programs/lost_wakeups.c",
		             "labs/01_blocking/alternates/vectored/engine.c", "work/01_blocking/engine.c",
		             "harness/tests/tiny_course/90_tiny/tests.c"):
		    entry = entries[path]
		    # A warning is an error: the flags are the right ones.
		    subprocess.run(entry["command"] + " -fsyntax-only -Werror", shell=True, check=True, cwd=entry["directory"])
	EOF
	assert_success
	# A new file gets its entry; without one nothing is written.
	before=$(stat -c %y compile_commands.json)
	env -u MAKEFLAGS make -s compile_commands.json
	assert_equal "$(stat -c %y compile_commands.json)" "$before"
	cp labs/01_blocking/engine.c work/01_blocking/engine_new.c
	env -u MAKEFLAGS make -s compile_commands.json
	grep -q '"file": "work/01_blocking/engine_new.c"' compile_commands.json
}
