#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The set-up script does nothing when nothing is missing, and says so when it cannot help.

load common

@test "with nothing missing it does nothing, and needs no network" {
	if unshare -n true 2>/dev/null; then
		run unshare -n "$ROOT/harness/setup.sh"
	else
		run "$ROOT/harness/setup.sh"
	fi
	assert_success
	assert_output --partial "nothing is missing"
}

# A PATH with the shell's own tools and one package manager, but no compiler.
bare_path() {
	mkdir "$BATS_TEST_TMPDIR/bin"
	for tool in sh dirname mktemp rm id grep cat; do
		ln -s "$(command -v $tool)" "$BATS_TEST_TMPDIR/bin/$tool"
	done
	[ -n "${1:-}" ] || return 0
	printf '#!/bin/sh\nexit 0\n' >"$BATS_TEST_TMPDIR/bin/$1"
	chmod +x "$BATS_TEST_TMPDIR/bin/$1"
}

@test "dnf and pacman: the list of their packages, and failure" {
	bare_path dnf
	run env PATH="$BATS_TEST_TMPDIR/bin" sh "$ROOT/harness/setup.sh"
	assert_failure 1
	assert_output --partial "liburing-devel"
	mv "$BATS_TEST_TMPDIR/bin/dnf" "$BATS_TEST_TMPDIR/bin/pacman"
	run env PATH="$BATS_TEST_TMPDIR/bin" sh "$ROOT/harness/setup.sh"
	assert_failure 1
	assert_output --partial "python-matplotlib"
}

@test "no package manager at all: what is missing, and failure" {
	bare_path
	run env PATH="$BATS_TEST_TMPDIR/bin" sh "$ROOT/harness/setup.sh"
	assert_failure 1
	assert_output --partial "liburing-dev"
}

@test "a learner's tools: the pages of the course name one form of the set-up, which has what the labs use" {
	bare_path
	for tool in cc gcc make pkg-config; do
		ln -s "$(command -v $tool)" "$BATS_TEST_TMPDIR/bin/$tool"
	done
	run env PATH="$BATS_TEST_TMPDIR/bin" sh "$ROOT/harness/setup.sh" learn
	assert_failure 1
	for tool in strace gdb; do
		assert_output --partial "$tool"
	done
	refute_output --partial "shellcheck"
	cd "$ROOT"
	run grep -hoE 'harness/setup\.sh( [a-z]+)?' docs/course.md harness/course/handout.md
	assert_output "harness/setup.sh learn"$'\n'"harness/setup.sh learn"
}

@test "an unknown argument" {
	run "$ROOT/harness/setup.sh" everything
	assert_failure 2
	assert_output --partial "usage:"
}

@test "the python with matplotlib is found, first on PATH or not" {
	run sh "$ROOT/harness/setup/find-python.sh"
	assert_success
	"$output" -c 'import matplotlib, numpy'
	mkdir "$BATS_TEST_TMPDIR/bin"
	printf '#!/bin/sh\nexit 1\n' >"$BATS_TEST_TMPDIR/bin/python3"
	chmod +x "$BATS_TEST_TMPDIR/bin/python3"
	run env PATH="$BATS_TEST_TMPDIR/bin:$PATH" PYTHON= sh "$ROOT/harness/setup/find-python.sh"
	[ "$output" = /usr/bin/python3 ] || assert_failure
}
