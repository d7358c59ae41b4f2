# Targets for developers and instructors: tests, linters, the grader. The Makefile includes this
# file; a handout leaves it out.

.PHONY: check check-slowly check-loaded check-distributions check-kernels check-arm64 list-tests asan-tests tsan-tests fuzz check-course check-course-slowly bench-peers bench-loops fetch-minicoro
.PHONY: schema format lint lint-all handout grade new-lab

help::
	@echo 'Work on iolab itself:'
	@echo 'make check         run all tests (eight minutes); TESTS="unit bats-results" runs only those'
	@echo 'make check-slowly  the tests that take too long for make check (4 minutes)'
	@echo 'make check-loaded  make check beside three busy loops a CPU (half an hour)'
	@echo 'make check-distributions   the commands of README.md in Debian 12, 13 and unstable, each in a chroot'
	@echo '                   [RELEASE=trixie STEPS="check gcc" TESTS="unit bats-docs"]'
	@echo 'make check-kernels Linux 6.1, 6.12 and the newest of Debian, each in an emulated machine (hours)'
	@echo '                   [KERNEL=5.10|6.1|6.12|newest ENGINES="null poll"]'
	@echo 'make check-arm64   the build for arm64, and conformance there by emulation   [ENGINES="null poll"]'
	@echo 'make fuzz          feed import, summary and the options of run with random bytes   [FUZZ_S=60 (each)]'
	@echo 'make list-tests    print the names for TESTS; the beginning of a name is enough'
	@echo 'make lint          check the files that changed: warnings of gcc and clang, layout, cppcheck, shellcheck,'
	@echo '                   includes that go up, functions over 70 lines, names that mean two things'
	@echo 'make lint-all      check all files'
	@echo 'make format        lay out the C files with clang-format'
	@echo 'make schema        docs/result.schema.json and docs/metrics.md, from the metrics and documents'
	@echo 'make bench-peers   compare with fio: is the overhead of iolab small? (an hour)'
	@echo 'make bench-loops   compare the event loop with libuv, libev and libevent, and the switch of coroutines'
	@echo '                   with swapcontext and minicoro, where make fetch-minicoro has put it (12 minutes)'
	@echo 'make check-course  check the labs of the course and their mutants   [LAB=04]'
	@echo 'make check-course-slowly   the same, each solution 100 times, each mutant 5 times'
	@echo 'make mutate LAB=04 change the reference by rule: which changes does no test notice?'
	@echo '                   [RULE= ONLY=function SAMPLE=100 SEED=1 JOBS=2]'
	@echo 'make new-lab LAB=10_name   lay out an empty lab (docs/add-a-lab.md)'
	@echo
	@echo 'Teach (docs/instructor.md):'
	@echo 'make handout       make the course without solutions       [OUT=build/handout ANSWERS=no]'
	@echo 'make grade SUBMISSIONS=folder   grade one submission or a folder of them   [LAB=04 OUT=results/grades JOBS=1 SANITIZERS=no]'
	@echo

# For a make below this one: all CPUs, unless somebody said how many.
APART = --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))

# Tests. Only those of sanitizers need builds with sanitizers.

# $(call asks_for,asan): TESTS is empty, or one of its words begins with asan, or asan begins with it.
asks_for = $(if $(strip $(TESTS)),$(strip $(filter $(1)%,$(TESTS)) $(foreach word,$(TESTS),$(filter $(word)%,$(1)))),yes)

check: all tests course $(if $(call asks_for,asan),asan-tests) $(if $(call asks_for,tsan),tsan-tests)
	$(Q)set -f; harness/check.sh $$TESTS

# What takes long and seldom finds what check does not: docs/architecture.md says why.
check-slowly: all tests course
	$(Q)set -f; CHECK=slowly harness/check.sh $$TESTS

# Other machines, and this one while it is busy.
check-loaded:
	$(Q)harness/machines/loaded.sh make check

check-distributions:
	$(Q)harness/machines/distributions.sh $(if $(RELEASE),"$$RELEASE")

check-kernels: all tests
	$(Q)harness/machines/kernels.sh $(if $(KERNEL),"$$KERNEL")

check-arm64:
	$(Q)harness/machines/arm64.sh

list-tests: $(BUILD)/tests/conformance
	$(Q)harness/check.sh --list

asan-tests:
	$(Q)$(MAKE) $(APART) SANITIZE=address,undefined build/address-undefined/tests/conformance \
		build/address-undefined/tests/driver build/address-undefined/tests/damages \
		$(addprefix build/address-undefined/tests/,styles promises event_loop async_operator) \
		$(FUZZ_TARGETS:%=build/address-undefined/tests/fuzz_%)

tsan-tests:
	$(Q)$(MAKE) $(APART) SANITIZE=thread build/thread/tests/conformance

# Fuzzing. A target is a file in harness/tests/fuzz. tests/fuzz_NAME replays the files in
# harness/tests/fixtures/fuzz/NAME with any compiler; fuzz/NAME makes new ones, with clang's libFuzzer.

FUZZ_TARGETS := import summary run_options
fuzz_objects = $(call object,$(addprefix harness/tests/fuzz/,fuzz.c folder_verdict.c $(1))) $(TESTED_OBJECTS)

tests: $(FUZZ_TARGETS:%=$(BUILD)/tests/fuzz_%)

$(BUILD)/tests/fuzz_%: $(BUILD)/harness/tests/fuzz/%.o $(call fuzz_objects,replay.c)
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/fuzz/%: $(BUILD)/harness/tests/fuzz/%.o $(call fuzz_objects)
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Not MAKE in the recipe itself: make -n would run it.
make_apart = $(MAKE) $(APART)
fuzz:
	$(Q)MAKE='$(make_apart)' harness/tests/fuzz/fuzz.sh $(FUZZ_TARGETS)

# Is the course as docs/add-a-lab.md says? LAB=04 for one lab, SINCE=REV for those that changed since.
check-course: all tests need-python
	$(Q)"$(PYTHON)" harness/course/check_course.py $(if $(LAB),"$$LAB") $(call option,--since,SINCE) \
		$(call option,--repeats,REPEATS)

check-course-slowly:
	$(Q)$(MAKE) --no-print-directory check-course REPEATS=100

# Mutants of the reference, made by rule with libclang (docs/add-a-lab.md).
.PHONY: mutate conformance-linker
mutate: course
	$(Q)python=$$(PYTHON='$(PYTHON)' sh harness/setup/find-python.sh clang.cindex tomllib) && \
		"$$python" -B harness/course/mutate.py $(if $(LAB),"$$LAB") $(call option,--rule,RULE) \
		$(call option,--function,ONLY) $(call option,--sample,SAMPLE) $(call option,--seed,SEED) \
		$(call option,--jobs,JOBS) $(if $(SURVIVORS),--only-survivors) $(if $(ANEW),--anew)

conformance-linker: $(BUILD)/course/link-conformance

# link-conformance LAB OUT OBJECT...: the conformance suite over the engines in these objects, and no other.
$(BUILD)/course/conformance.a: $(COMMON_OBJECTS) $(call object,$(wildcard harness/base/*.c))
	@mkdir -p $(@D)
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/course/link-conformance: harness/develop.mk $(CONFORMANCE_OBJECTS) $(BUILD)/course/conformance.a $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,MAKE,$@)printf '%s\n' '#!/bin/sh' 'out=$$2; shift 2' \
		'exec $(CC) $(ALL_CFLAGS) -no-pie -o "$$out" "$$@" $(CONFORMANCE_OBJECTS) $(BUILD)/course/conformance.a $(LDLIBS)' \
		> $@ && chmod +x $@

bench-peers: all $(PEER_PROGRAMS) need-python
	$(Q)set -f; "$(PYTHON)" harness/peers/bench.py $$PEERS

# A library is there when a program that includes its header links with it.
links = $(shell printf '\043include <$(1)>\nint main(void) { return 0; }\n' | \
	$(CC) -x c -o /dev/null - $(2) 2>/dev/null && echo yes)
LOOPS_HERE = event_loop $(if $(call links,uv.h,-luv),libuv) $(if $(call links,ev.h,-lev),libev) \
	$(if $(call links,event2/event.h,-levent_core),libevent)

.PHONY: loops
loops: $(BUILD)/peers/server_load $(BUILD)/peers/switch_cost
	$(Q)$(MAKE) --no-print-directory $(LOOPS_HERE:%=$(BUILD)/peers/loops/%)

# Other people's code for a comparison: kept in the build folder, and no part of the project.
MINICORO_COMMIT = 02dad0f8b7cbb12fe6e216ae7a76db15ca55cd7b
MINICORO_SHA256 = c4205e8db0a95456dfde9f73f071609c6d2cad2ebfd1d74ed0a9254f121caa2f
fetch-minicoro:
	$(Q)mkdir -p $(BUILD)/peers
	$(Q)curl --fail --silent --show-error --location --output $(BUILD)/peers/minicoro.part \
		https://raw.githubusercontent.com/edubart/minicoro/$(MINICORO_COMMIT)/minicoro.h
	$(Q)echo "$(MINICORO_SHA256)  $(BUILD)/peers/minicoro.part" | sha256sum --check --quiet
	$(Q)mv $(BUILD)/peers/minicoro.part $(BUILD)/peers/minicoro.h

bench-loops: all loops need-python
	$(Q)set -f; "$(PYTHON)" harness/peers/loops.py $$PEERS

# The author's and the instructor's tools. grade also takes LIMIT_S (for all tests of a lab) and FIRST_UID.

new-lab:
	$(Q)python3 harness/course/new_lab.py $(if $(LAB),"$$LAB")

handout:
	$(Q)python3 harness/course/handout.py $(if $(OUT),"$$OUT") $(if $(filter no,$(ANSWERS)),--no-answers)

grade:
	$(Q)python3 harness/course/grade.py $(if $(SUBMISSIONS),"$$SUBMISSIONS") $(call option,--lab,LAB) \
		$(call option,--out,OUT) $(call option,--jobs,JOBS) $(call option,--limit-s,LIMIT_S) \
		$(call option,--first-uid,FIRST_UID) $(if $(filter no,$(SANITIZERS)),--no-sanitizers)

# What is described once, in harness/metrics/metrics.c and harness/schema/documents.json.
schema: all
	$(call say,MAKE,docs/result.schema.json docs/metrics.md)build/iolab list --json > $(BUILD)/list.json
	$(Q)python3 harness/schema/make_schema.py $(BUILD)/list.json docs

# Linters. Each remembers in build/lint what it has passed, and looks only at what changed since.

LINT := build/lint
FORMATTED := $(wildcard common/*.[ch] harness/*/*.[ch] harness/*/*/*.[ch] labs/*/*.[ch])
SHELL_SCRIPTS := $(wildcard harness/*.sh harness/*/*.sh harness/tests/fuzz/*.sh harness/tests/*.bash harness/tests/*.bats \
                 plots/tests/*.bats) .ci/run
# What is compiled by no other target is compiled here: labs' tests and programs, alternates.
LINTED_OBJECTS = $(call object,$(filter-out work/%,$(C_FILES)) $(wildcard labs/*/*.S))

format:
	clang-format -i $(FORMATTED)

.PHONY: lint-gcc lint-clang lint-names lint-cppcheck lint-house

lint:
	$(Q)$(MAKE) $(APART) $(if $(Q),--silent) --keep-going --output-sync lint-gcc lint-names lint-cppcheck lint-house $(LINT)/formatted $(LINT)/shellchecked

lint-all:
	$(Q)rm -rf $(LINT)
	$(Q)$(MAKE) --no-print-directory lint

lint-gcc:
	$(call say,CHECK,gcc without a warning)$(MAKE) $(APART) BUILD=$(LINT)/gcc CC=gcc WERROR=-Werror lint-objects

# Compiled with -O0, so that nm sees each static function.
lint-clang:
	$(call say,CHECK,clang without a warning)$(MAKE) $(APART) BUILD=$(LINT)/clang CC=clang WERROR=-Werror \
		OPTIMISE=-O0 lint-objects $(LINT)/clang/programs

lint-names: lint-clang
	$(call say,CHECK,one meaning a name)python3 harness/lint/names.py $(LINT)/clang/programs

lint-house:
	$(call say,CHECK,includes, functions and reasons)python3 harness/lint/arrows.py --rooms '$(ROOMS)'
	$(Q)python3 harness/lint/functions.py
	$(Q)python3 harness/lint/reasons.py

.PHONY: lint-objects
lint-objects: $(LINTED_OBJECTS)

# Each program with its objects, for names.py. By $(file) and not by echo: a shell's command line has a limit.
# make writes them before the recipe's first command runs.
course_programs = $(wildcard labs/*/tests.c)
$(BUILD)/programs: FORCE
	$(shell mkdir -p $(@D))
	$(file >$@,iolab $(HARNESS_OBJECTS) $(ENGINE_OBJECTS) $(COMMON_OBJECTS))
	$(foreach p,$(TEST_SOURCES),$(file >>$@,$(p:.c=) $(call object,$(p)) $(TESTED_OBJECTS) \
		$(if $(filter %/conformance.c,$(p)),$(call object,$(wildcard harness/tests/conformance/*.c)))))
	$(foreach p,$(FUZZ_TARGETS),$(file >>$@,tests/fuzz_$(p) $(call fuzz_objects,replay.c $(p).c)))
	$(foreach p,$(wildcard harness/peers/*.c),$(file >>$@,$(p:.c=) $(call object,$(p)) $(TESTED_OBJECTS)))
	$(foreach p,$(LOOP_BENCHES:$(BUILD)/%=%),$(file >>$@,$(p) $(call object,harness/$(p).c harness/peers/loops/loop_bench.c) \
		$(TESTED_OBJECTS)))
	$(file >>$@,trust/iolab $(TRUST_OBJECTS) $(HARNESS_OBJECTS) $(ENGINE_OBJECTS) $(COMMON_OBJECTS))
	$(foreach p,$(course_programs),$(file >>$@,$(p:.c=) $(call object,$(p)) \
		$(if $(wildcard $(dir $(p))as_engine.c),$(ENGINE_OBJECTS),$(call object,$(wildcard $(dir $(p))engine*.c))) \
		$(COURSE_LIBRARY) $(COMMON_OBJECTS)))
	$(file >>$@,proctor $(call object,$(PROCTOR_SOURCES)))

lint-cppcheck:
	$(call say,CHECK,cppcheck)mkdir -p $(LINT)/cppcheck && harness/lint/judge.sh cppcheck 2.10 $(LINT)/cppchecked \
		--quiet -j$(shell nproc) --cppcheck-build-dir=$(LINT)/cppcheck --error-exitcode=1 --inline-suppr --std=c11 \
		--enable=warning,performance,portability --suppress=missingIncludeSystem \
		--suppress=invalidPrintfArgType_sint --suppress=unknownMacro \
		-Icommon -Iharness -Ibuild -D_GNU_SOURCE -DIO_LAB_FOLDER='"lab"' common harness labs

# $? is what changed since the stamp; all, if it is the linter's own settings.
changed = $(if $(filter .%,$?),$(filter-out .clang-format .shellcheckrc,$^),$?)

$(LINT)/formatted: $(FORMATTED) .clang-format
	$(call say,CHECK,clang-format)harness/lint/judge.sh clang-format 14 $@ --dry-run -Werror $(changed)

$(LINT)/shellchecked: $(SHELL_SCRIPTS) .shellcheckrc
	$(call say,CHECK,shellcheck)shellcheck --external-sources $(changed) && touch $@
