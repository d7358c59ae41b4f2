#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# docs/contract-tests.md: each sentence of the contract and what asserts it.
load common

table() {
	"$SYSTEM_PYTHON" -B harness/tests/contract_table.py --conformance "$PROGRAM" "$@"
}

setup() {
	cd "$ROOT" || return
	PROGRAM=build/tests/conformance
}

# A `conformance --rules` that says something else.
rules_changed_by() {
	"$ROOT/build/tests/conformance" --rules | sed "$1" >"$BATS_TEST_TMPDIR/rules"
	printf '#!/bin/sh\ncat "%s"\n' "$BATS_TEST_TMPDIR/rules" >"$BATS_TEST_TMPDIR/program"
	chmod +x "$BATS_TEST_TMPDIR/program"
	PROGRAM=$BATS_TEST_TMPDIR/program
}

@test "docs/contract-tests.md is what the tests say" {
	run table --check
	assert_success
	assert_output --regexp "^[0-9]+ sentences: [0-9]+ asserted by [0-9]+ conformance tests, .* untestable"
}

@test "the page is stale when a broken engine is new" {
	rules_changed_by '$a mutant\tfile_sync\tsyncs another file'
	run table --check
	assert_failure
	assert_output --partial "stale"
}

@test "a sentence that no test asserts is an error" {
	rules_changed_by '/Every accepted operation/d'
	run table --check
	assert_failure
	assert_output --partial 'no test, and not marked untestable: "Every accepted operation comes back'
}

@test "a row without a sentence, an unknown test and a test without a sentence are errors" {
	rules_changed_by 's/Every accepted operation/Some accepted operation/; $a test\tnew_test'
	run table --check
	assert_failure
	assert_output --partial 'begins "Some accepted operation'
	assert_output --partial "new_test asserts no sentence"
	rules_changed_by '/^rule/s/stream_keeps_its_timeout/stream_keeps_time/'
	run table --check
	assert_failure
	assert_output --partial "there is no test stream_keeps_time"
}

@test "a demand of a handout without a test is an error, and so is a row without a sentence" {
	cp -r labs/00_null "$BATS_TEST_TMPDIR/00_null"
	run "$SYSTEM_PYTHON" -B - "$BATS_TEST_TMPDIR/00_null" <<-'PYTHON'
		import sys
		sys.path.insert(0, "harness/tests")
		from handout_demands import Lab
		folder = sys.argv[1]
		assert list(Lab(folder).mistakes()) == []
		rows = Lab(folder).text("demands.toml")
		handout = Lab(folder).text("README.md")

		def mistakes(rows, handout=handout):
		    for name, text in (("demands.toml", rows), ("README.md", handout)):
		        with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
		            file.write(text)
		    return "\n".join(Lab(folder).mistakes())

		assert 'no test, and not marked untestable: "A new trap."' in mistakes(rows, handout + "\n## Traps\n\n- A new trap.\n")
		assert "no sentence of README.md begins" in mistakes(rows.replace("A full engine", "A fuller engine"))
		assert "tests.c has no test stops_somewhere" in mistakes(rows.replace("stops_at_its_capacity", "stops_somewhere"))
		assert "needs tests, or where else, or why not" in mistakes(rows.replace("untestable = ", "because = "))
	PYTHON
	assert_success
}

# layer_headers.py over a lab with one header, of which $1 and $2 change the rows and the header.
header_mistakes() {
	local folder=$BATS_TEST_TMPDIR/lab
	mkdir -p "$folder"
	printf '%s\n' '/* What it is. */' '/*' ' * Names.       A name is kept.' ' */' '#ifndef A_H' '#define A_H' \
		'/* Returns the name. */' 'const char *name(void);' '#endif' | sed "$2" >"$folder/name.h"
	printf '%s\n' 'static void is_kept(void)' 'T(is_kept),' >"$folder/names.c"
	printf '%s\n' 'TEST(1, is_returned),' >"$folder/tests.c"
	printf '%s\n' '[[header]]' "path = \"$folder/name.h\"" "harness_tests = \"$folder/names.c\"" '[[header.sentence]]' \
		'begins = ["What it is"]' 'untestable = "because it explains"' '[[header.sentence]]' 'begins = ["A name is"]' \
		'harness_tests = ["is_kept"]' '[[header.sentence]]' 'begins = ["Returns the"]' 'tests = ["is_returned"]' |
		sed "$1" >"$folder/contract.toml"
	"$SYSTEM_PYTHON" -B - "$folder" <<-'PYTHON'
		import sys, tomllib
		sys.path.insert(0, "harness/tests")
		from layer_headers import Header
		with open(f"{sys.argv[1]}/contract.toml", "rb") as file:
		    header = Header(sys.argv[1], tomllib.load(file)["header"][0])
		print(*header.mistakes(), sep="\n")
		if not list(header.mistakes()):
		    print(header.head(), *header.table(), sep="\n")
	PYTHON
}

@test "each sentence of a layer's header has its tests in contract.toml" {
	run header_mistakes '' ''
	assert_success
	assert_output --partial "3 sentences, 2 asserted by its tests, 0 tested elsewhere, 1 untestable."
	assert_output --partial '| Names | A name is kept. | `is_kept` (names.c) | — |'
	assert_output --partial '| name | Returns the name. | `is_returned` | — |'
}

@test "a sentence of a layer's header that is new, changed or without a test is an error" {
	run header_mistakes '' 's/name is kept/name is kept. It never changes/'
	assert_output --regexp 'name.h: no test, and not marked untestable: "It never changes."'
	run header_mistakes '' 's/Returns the name/Answers the name/'
	assert_output --partial 'no test, and not marked untestable: "Answers the name."'
	assert_output --partial 'no sentence of name.h begins "Returns the"'
	run header_mistakes 's/"is_kept"/"is_lost"/; s/"is_returned"/"is_kept"/' ''
	assert_output --partial "names.c has no test is_lost"
	assert_output --partial "tests.c has no test is_kept"
	run header_mistakes 's/^untestable/because/' ''
	assert_output --partial "needs tests, or where else, or why not"
}

@test "a header that lays down rules, and of which no lab speaks, is an error" {
	run "$SYSTEM_PYTHON" -B - <<-'PYTHON'
		import sys
		sys.path.insert(0, "harness/tests")
		import layer_headers
		headers = layer_headers.all_headers()
		assert len(headers) >= 6, headers
		assert list(layer_headers.coverage_mistakes(headers)) == []
		print(*layer_headers.coverage_mistakes(headers[1:]))
	PYTHON
	assert_success
	assert_output --partial "0 labs have a contract.toml that speaks of it"
}

@test "every lab of an engine asks for the whole contract, each test once" {
	for tests in labs/*/tests.c; do
		grep -q '\.over = \|OVER_' "$tests" || grep -q 'THE_REST_OF_THE_CONTRACT(' "$tests" || fail "$tests does not"
	done
	make -s -C "$ROOT" course
	build/course/compile labs/01_blocking "$BATS_TEST_TMPDIR/tests" labs/01_blocking/engine.c labs/01_blocking/tests.c
	run "$BATS_TEST_TMPDIR/tests" --list
	assert_success
	assert_line --regexp "^contract_next_is_the_holders/tcp"
	# What a row names, what the engine does not do, what takes long, and a Unix socket beside TCP are left out.
	refute_line --regexp "^contract_(file_read_right_data|lent_|cancel_one_leaves_the_others|stream_stays_asleep)"
	refute_line --regexp "^contract_next_is_the_holders/unix"
	[ "$(cut -f 1 <<<"$output" | sort | uniq -d | wc -l)" -eq 0 ]
}
