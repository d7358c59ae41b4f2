#!/bin/bash
# SPDX-License-Identifier: MIT
# make fuzz: each TARGET for FUZZ_S seconds with clang's libFuzzer and sanitizers. New inputs stay in
# build/fuzz/corpus, so the next call goes on from there.
#
#   harness/tests/fuzz/fuzz.sh TARGET...
set -u
cd "$(dirname "$0")/../../.." || exit 1
FUZZ_S=${FUZZ_S:-60}
case $FUZZ_S in '' | *[!0-9]*)
	echo "fuzz: FUZZ_S=$FUZZ_S: must be a number of seconds" >&2
	exit 2
	;;
esac
out=build/fuzz
fixtures=harness/tests/fixtures
mkdir -p "$out/corpus" "$out/findings" "$out/folders"

# libFuzzer belongs to clang, and its library to a package of its own.
probe='int LLVMFuzzerTestOneInput(const char *b, unsigned long n) { return !b && n; }'
if ! clang -x c -fsanitize=fuzzer,address,undefined -o "$out/probe" - <<<"$probe" 2>"$out/probe.log"; then
	echo "fuzz: skipped: clang with libFuzzer is missing (Debian: clang and libclang-rt-dev)"
	exit 0
fi
programs=("${@/#/$out/fuzz/}")
# shellcheck disable=SC2086 # make with its options
${MAKE:-make} BUILD="$out" CC=clang SANITIZE=fuzzer-no-link,address,undefined "${programs[@]}" || exit 1

# Words for the fuzzer: all that stands in quotes in these folders, or each line that is an option.
dictionary() {
	find "$@" -type f -exec grep -ahoE '"[A-Za-z_ .]+"|^--[a-z-]+$' {} + | sort -u |
		sed 's/"/\\"/g; s/.*/"&"/'
}

status=0
for target in "$@"; do
	seeds=("$fixtures/fuzz/$target")
	[ "$target" != import ] || seeds+=("$fixtures/fio")
	mkdir -p "$out/corpus/$target"
	dictionary "${seeds[@]}" >"$out/$target.dict"
	echo "fuzz: $target, $FUZZ_S s"
	if ! TMPDIR="$out/folders" "$out/fuzz/$target" -max_total_time="$FUZZ_S" -timeout=30 -max_len=20000 \
		-rss_limit_mb=2000 -dict="$out/$target.dict" -artifact_prefix="$out/findings/$target-" \
		"$out/corpus/$target" "${seeds[@]}" >"$out/$target.log" 2>&1; then
		grep -aE '^fuzz: |^SUMMARY|ERROR|runtime error' "$out/$target.log" | head -n 5
		echo "fuzz: $target: see $out/$target.log. Mend it, and put the file of $out/findings into" \
			"$fixtures/fuzz/$target: make check replays it."
		status=1
	fi
	grep -a '^Done\|DONE' "$out/$target.log" | tail -n 1
done
exit $status
