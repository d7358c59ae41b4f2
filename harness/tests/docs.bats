#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The pages tell the truth: every command in a ```sh block runs as written, every link leads
# somewhere. What takes long or changes the machine (set-up, bench, check) is run by CI instead.

load common

teardown() { rm -rf "$TMPDIR"; }

setup() {
	own_test_file
	cd "$BATS_TEST_TMPDIR" || return
	for name in build harness plots Makefile; do
		ln -s "$ROOT/$name" .
	done
}

# The commands of a page's ```sh blocks, one a line.
commands_of() {
	awk '/^```sh$/ { inside = 1; next } /^```/ { inside = 0 } inside && NF' "$1"
}

is_for_ci() {
	[[ $1 == harness/setup.sh* ]]
}

run_commands_of() {
	local command count=0
	while IFS= read -r command; do
		is_for_ci "$command" && continue
		run timeout "$HANG_S" bash -c "$command"
		# 77: this machine lacks what the command is about, and iolab says so.
		[ "$status" -eq 0 ] || [ "$status" -eq 77 ] || fail "$command: status $status: $output"
		[ -n "$output" ] || fail "$command printed nothing"
		count=$((count + 1))
	done < <(commands_of "$1")
	echo "$count commands"
	[ "$count" -gt 0 ]
}

# bats test_tags=slow
@test "README.md: its commands run" { run_commands_of "$ROOT/README.md"; }
# bats test_tags=slow
@test "docs/measurement.md: its commands run" { run_commands_of "$ROOT/docs/measurement.md"; }

@test "docs/results.md: its commands run" {
	command -v fio >/dev/null || skip "no fio to import from"
	run_commands_of "$ROOT/docs/results.md"
}

@test "docs/add-a-workload.md: its commands run, and one file is a workload" {
	mkdir -p tree/build
	cp -a "$ROOT"/{common,harness,labs,Makefile} tree
	# What builds the program, so that only what changes is compiled.
	cp -a "$ROOT"/build/{common,harness,labs,flags,libraries,build_info.h} tree/build
	cd tree || return
	while IFS= read -r command; do
		run timeout 300 bash -c "$command" </dev/null
		assert_success
		[[ $command != "build/iolab list" ]] || assert_line --partial "  nothing "
	done < <(commands_of "$ROOT/docs/add-a-workload.md")
	run find harness/workloads -name 'nothing*'
	assert_output ""
}

@test "README.md: the two lines of set-up are those that CI runs" {
	run commands_of "$ROOT/README.md"
	assert_line "harness/setup.sh && make bench"
	assert_line "harness/setup.sh check && make check"
	grep -q "^harness/setup.sh check$" "$ROOT/.ci/run"
	grep -q "^make bench" "$ROOT/.ci/run"
	grep -qE "^make.* check( |$)" "$ROOT/.ci/run"
}

@test "the driver is the only loop that a comparison measures, and the others are named" {
	for file in $(cd "$ROOT" && grep -l -e '->reap(' harness/*/*.c | grep -v -e /tests/ -e /course/); do
		grep -qF "$file" "$ROOT/common/io_engine.h" || fail "common/io_engine.h does not name $file"
	done
	for page in "$ROOT"/README.md "$ROOT"/docs/*.md "$ROOT"/common/*.h "$ROOT"/harness/*/*.h; do
		words=$(tr '\n' ' ' <"$page" | sed 's/ \* / /g' | tr -s ' ')
		while IFS= read -r claim; do
			[[ $claim == *"comparison measures"* ]] || fail "$page: $claim"
		done < <(grep -oiP 'only (I/O )?loop.{0,40}' <<<"$words")
	done
}

@test "every link and every figure is there" {
	for page in "$ROOT"/README.md "$ROOT"/docs/*.md; do
		folder=$(dirname "$page")
		while IFS= read -r target; do
			[[ $target == http* ]] || [ -e "$folder/${target%%#*}" ] || fail "$page: no $target"
		done < <(grep -oP '\]\(\K[^)]+' "$page")
	done
}

@test "every file and folder that a page names is there" {
	for page in "$ROOT"/README.md "$ROOT"/docs/*.md; do
		while IFS= read -r path; do
			compgen -G "$ROOT/$path" >/dev/null || fail "$(basename "$page"): no $path"
		done < <(grep -oP '`\K(common|labs|harness|plots|docs)/[^` ]*(?=`)' "$page")
	done
}

@test "make help names every target, and no other" {
	run make -s -C "$ROOT" help
	for target in bench check plots report bench-peers format lint clean; do
		assert_output --partial "make $target"
	done
	for target in $(grep -oP '^make \K[a-z0-9-]+' <<<"$output"); do
		make -n -C "$ROOT" "$target" >/dev/null || fail "make help names $target"
	done
}

@test "docs/mutation.md counts the mutants that are made now" {
	local python
	python=$(sh "$ROOT/harness/setup/find-python.sh" clang.cindex tomllib) || skip "no libclang for python"
	run "$python" -B "$ROOT/harness/course/mutate.py" --check-page
	assert_success
}
