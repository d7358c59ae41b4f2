# iolab: one Makefile, not recursive, everything it makes goes to build/.
#
#   make            the program build/iolab
#   make help       what else there is
#   make V=1        shows each command
#
# SANITIZE=address,undefined (or thread) builds apart, in build/<name>/; so does CC=clang.

MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:

CC      = gcc
V       = 0
Q       = $(if $(filter 1,$(V)),,@)
say     = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' '$(1)' '$(2)';)

comma  := ,
BUILD  ?= build$(if $(filter clang%,$(CC)),/clang)$(if $(SANITIZE),/$(subst $(comma),-,$(SANITIZE)))

# The compiler.

WARNINGS = -Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes \
           -Wwrite-strings -Wvla -Wno-missing-field-initializers
OPTIMISE = -O2 -g -fno-omit-frame-pointer
ifneq ($(SANITIZE),)
  OPTIMISE = -O1 -g -fno-omit-frame-pointer -fsanitize=$(SANITIZE) -fno-sanitize-recover=all
endif
CFLAGS  ?=
CPPFLAGS = -D_GNU_SOURCE -Icommon -Iharness -I$(BUILD)
LDLIBS   = -luring -laio -ljansson -lpthread -lm
ALL_CFLAGS = -std=gnu11 $(OPTIMISE) $(WARNINGS) $(WERROR) -pthread $(CFLAGS)

# The files.

COMMON_SOURCES  := $(wildcard common/*.c)
ENGINE_SOURCES  := $(wildcard labs/*/engine*.c)
# The rooms of the harness, from the lowest to the highest: each includes only those before it.
ROOMS           := base meters workloads summary run exchange plan commands
HARNESS_SOURCES := $(wildcard $(ROOMS:%=harness/%/*.c))
TEST_SOURCES    := $(wildcard harness/tests/*.c)

object = $(patsubst %.c,$(BUILD)/%.o,$(1))
# In a handout the solutions are objects, made by whoever handed it out.
COMMON_OBJECTS  := $(call object,$(COMMON_SOURCES)) $(wildcard common/*.o)
ENGINE_OBJECTS  := $(call object,$(ENGINE_SOURCES)) $(wildcard labs/*/reference/*.o)
HARNESS_OBJECTS := $(call object,$(HARNESS_SOURCES))
# What a test program links: all of the harness but main().
TESTED_OBJECTS  := $(COMMON_OBJECTS) $(ENGINE_OBJECTS) \
                   $(filter-out $(BUILD)/harness/commands/main.o,$(HARNESS_OBJECTS))
TEST_PROGRAMS   := $(patsubst harness/tests/%.c,$(BUILD)/tests/%,$(TEST_SOURCES))
PEER_PROGRAMS   := $(patsubst harness/peers/%.c,$(BUILD)/peers/%,$(wildcard harness/peers/*.c))

.PHONY: all tests
all: $(BUILD)/iolab

$(BUILD)/iolab: $(HARNESS_OBJECTS) $(ENGINE_OBJECTS) $(COMMON_OBJECTS)
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

tests: $(TEST_PROGRAMS) $(PEER_PROGRAMS) $(BUILD)/trust/iolab

$(BUILD)/tests/%: $(BUILD)/harness/tests/%.o $(TESTED_OBJECTS)
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# What `make bench-peers` holds iolab against.
$(BUILD)/peers/%: $(BUILD)/harness/peers/%.o $(TESTED_OBJECTS)
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# The conformance suite has its tests in a folder of their own.
$(BUILD)/tests/conformance: $(call object,$(wildcard harness/tests/conformance/*.c))

# An engine learns the name of its lab from the folder that it lies in.
lab_of = -DIO_LAB_FOLDER='"$(notdir $(patsubst %/,%,$(dir $(1))))"'
$(BUILD)/labs/%.o: labs/%.c $(BUILD)/libraries $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CPPFLAGS) $(call lab_of,$<) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/%.o: %.c $(BUILD)/libraries $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

-include $(patsubst %.o,%.d,$(COMMON_OBJECTS) $(ENGINE_OBJECTS) $(HARNESS_OBJECTS)) \
         $(wildcard $(BUILD)/harness/*/*.d $(BUILD)/harness/*/*/*.d)

# The course: what a lab's tests are linked with, what compiles them, and the proctor that runs them.

COURSE_LIBRARY := $(call object,harness/course/proctor/lab_test.c harness/course/proctor/syscall_names.c \
                    $(filter-out %/mutants.c,$(wildcard harness/tests/conformance/*.c)))
COURSE_FLAGS    = $(CPPFLAGS) -Iharness/tests/conformance -Iharness/course/proctor $(ALL_CFLAGS) -no-pie

.PHONY: course
course: $(BUILD)/course/tests.a $(BUILD)/course/compile $(BUILD)/course/compile-object build/course/proctor

$(BUILD)/harness/course/proctor/%.o: CPPFLAGS += -Iharness/tests/conformance

$(BUILD)/course/tests.a: $(COURSE_LIBRARY) $(COMMON_OBJECTS)
	@mkdir -p $(@D)
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $^

# compile LAB OUT FILE...: the program OUT from the C files of a lab. A script, so that a grader can
# run it as another user, without make.
$(BUILD)/course/compile: Makefile $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,MAKE,$@)printf '%s\n' '#!/bin/sh' 'lab=$$1 out=$$2; shift 2' \
		'exec $(CC) $(COURSE_FLAGS) -DIO_LAB_FOLDER="\"$$lab\"" -o "$$out" "$$@" $(BUILD)/course/tests.a $(LDLIBS)' \
		> $@ && chmod +x $@

# compile-object LAB OUT FILE...: one C file of a lab, for a grader that looks at it before it links.
$(BUILD)/course/compile-object: Makefile $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,MAKE,$@)printf '%s\n' '#!/bin/sh' 'lab=$$1 out=$$2; shift 2' \
		'exec $(CC) $(COURSE_FLAGS) -DIO_LAB_FOLDER="\"$$lab\"" -c -o "$$out" "$$@"' > $@ && chmod +x $@

PROCTOR_SOURCES := $(filter-out %/lab_test.c,$(wildcard harness/course/proctor/*.c)) \
                   common/reason.c harness/base/json_put.c

build/course/proctor: $(PROCTOR_SOURCES:%.c=build/%.o)
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -ljansson

# An engine of known cost beside all others, for `make check-trust`: build/trust/iolab.

TRUST_OBJECTS := $(call object,$(wildcard harness/trust/*.c))

$(BUILD)/trust/iolab: $(HARNESS_OBJECTS) $(ENGINE_OBJECTS) $(COMMON_OBJECTS) $(TRUST_OBJECTS)
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# A learner's engines beside the reference, with names of their own: build/mine/iolab. Compiled each
# time: a copy that was put back may be older than its object.

WORK         = $(or $(IOLAB_WORK),work)
MINE_SOURCES = $(wildcard $(if $(MINE),$(WORK)/$(MINE)/engine*.c))
MINE_OBJECTS = $(patsubst $(WORK)/$(MINE)/%.c,$(BUILD)/mine/%.o,$(MINE_SOURCES))

$(BUILD)/mine/%.o: $(WORK)/$(MINE)/%.c $(BUILD)/libraries $(BUILD)/flags FORCE
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CPPFLAGS) $(call lab_of,$<) -DIO_NAME_PREFIX='"my_"' $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/mine/iolab: $(HARNESS_OBJECTS) $(ENGINE_OBJECTS) $(COMMON_OBJECTS) $(MINE_OBJECTS) FORCE
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LDLIBS)

# Says what is missing before the compiler does.
$(BUILD)/libraries: harness/setup/require-libraries.sh Makefile
	@mkdir -p $(@D)
	$(call say,PROBE,$@)CC='$(CC)' sh harness/setup/require-libraries.sh $@

# What this build is: every result carries it. Rewritten only when it changes.
$(BUILD)/build_info.h: FORCE
	@mkdir -p $(@D)
	@printf '#define IOLAB_%s "%s"\n' \
		COMMIT   "$$(git describe --always --dirty 2>/dev/null || echo unknown)" \
		COMPILER "$$($(CC) --version | head -n 1)" \
		CFLAGS   '$(strip $(ALL_CFLAGS))' \
		LIBURING "$$(pkg-config --modversion liburing 2>/dev/null || echo unknown)" > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@
$(BUILD)/harness/meters/environment.o: $(BUILD)/build_info.h

# Changes when the compiler or its flags do, and with it every object.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(ALL_CFLAGS)' | cmp -s - $@ || echo '$(CC) $(ALL_CFLAGS)' > $@
.PHONY: FORCE
FORCE:

.PHONY: clean
clean:
	$(call say,CLEAN,build)rm -rf build

# What people type.

PYTHON  ?= $(shell sh harness/setup/find-python.sh 2>/dev/null)
RESULTS ?= results/latest
TESTS   ?=

.PHONY: help bench plots figures report check-trust
# handout: without
.PHONY: check check-course check-course-slowly bench-peers format lint
# handout: with

help:
	@echo 'Learn (docs/course.md):'
	@echo 'make labs          begin here: all labs, where you are, what to type next'
	@echo 'make start         begin the next lab, or the named one    [LAB=04]'
	@echo 'make check-lab     build and test your files               [LAB= EXERCISE=2 TEST=name]'
	@echo 'make watch         the same on each save; Ctrl-C ends it'
	@echo 'make hint          when you are stuck; again: a stronger one'
	@echo 'make predict       say what you expect, before you measure'
	@echo 'make measure       your engine beside the reference, in one figure'
# handout: without
	@echo 'make diff-lab      the difference to the solution, once you have passed'
# handout: with
	@echo 'make reset-lab     back to the starter; your copy is kept   [FILE=engine.c]'
	@echo
	@echo 'Compare, and work on iolab itself:'
	@echo 'make               build the program, build/iolab'
	@echo 'make bench         compare all interfaces (under 3 minutes): table, figures, report'
# handout: without
	@echo 'make check         run all tests (5 minutes); TESTS="unit bats" runs only those'
	@echo 'make check-course  check the labs of the course, their mutants too   [LAB=04]'
	@echo 'make check-course-slowly   the same, each solution 100 times in a row'
# handout: with
	@echo 'make check-trust   can the figures be believed? proved on real runs (under 12 minutes)'
	@echo 'make plots         draw the figures of a results folder   [RESULTS=results/latest WIDTH=3.4 (inches)]'
	@echo 'make figures       runs and draws the figures of the literature too (7 minutes; QUICK=1: 2)'
	@echo 'make report        figures, report.html and report.md of it   [RESULTS=results/latest]'
	@echo 'make report QUICK=1   measure anew, a little of everything, and report it: two minutes'
# handout: without
	@echo 'make bench-peers   side by side with fio: is our own overhead small? (an hour)'
	@echo 'make lint          clang and gcc without a warning, clang-format, cppcheck, shellcheck'
	@echo 'make format        lay out the C files with clang-format'
# handout: with
	@echo 'make clean         remove build/ (results/ stays)'
	@echo
# handout: without
	@echo 'Teach (docs/instructor.md):'
	@echo 'make handout       the course without solutions            [OUT=build/handout]'
	@echo 'make new-lab LAB=10_name   lay out an empty lab (docs/add-a-lab.md)'
	@echo 'make grade SUBMISSIONS=folder   grade one or many   [LAB=04 OUT=results/grades JOBS=1]'
	@echo
# handout: with
	@echo 'V=1 shows commands.  CC=clang and SANITIZE=address,undefined build apart, below build/.'
	@echo 'Missing something?   harness/setup.sh  (for the tests: harness/setup.sh check)'
	@echo 'Where to begin:      to learn, make labs; to compare, README.md, then build/iolab doctor'

# The course. What is typed after the target goes to learner.py as it stands: make hint LAB=04. Only
# measure needs a python that can draw, and finds it by itself.

LEARNER = labs start check-lab watch hint predict measure diff-lab reset-lab
.PHONY: $(LEARNER)
$(LEARNER):
	@$(if $(filter default file undefined,$(origin PYTHON)),python3,$(PYTHON)) harness/course/learner.py $@ $(MAKEOVERRIDES)

# handout: without
# The instructor's tools. grade also takes LIMIT_S (for all tests of a lab) and FIRST_UID.
.PHONY: handout grade new-lab
handout:
	$(Q)python3 harness/course/handout.py $(if $(OUT),'$(OUT)')

new-lab:
	$(Q)python3 harness/course/new_lab.py $(if $(LAB),'$(LAB)')

grade:
	$(Q)python3 harness/course/grade.py $(if $(SUBMISSIONS),'$(SUBMISSIONS)') \
		$(if $(LAB),--lab '$(LAB)') $(if $(OUT),--out '$(OUT)') $(if $(JOBS),--jobs '$(JOBS)') \
		$(if $(LIMIT_S),--limit-s '$(LIMIT_S)') $(if $(FIRST_UID),--first-uid '$(FIRST_UID)')

check: all tests course
	$(Q)$(MAKE) --no-print-directory SANITIZE=address,undefined all tests course
	$(Q)$(MAKE) --no-print-directory SANITIZE=thread build/thread/tests/conformance
	$(Q)harness/check.sh $(TESTS)

# Is the course as docs/add-a-lab.md says? LAB=04 for one lab, SINCE=REV for those that changed since.
check-course: all tests need-python
	$(Q)$(PYTHON) harness/course/check_course.py $(LAB) $(if $(SINCE),--since $(SINCE)) $(if $(REPEATS),--repeats $(REPEATS))

check-course-slowly:
	$(Q)$(MAKE) --no-print-directory check-course REPEATS=100
# handout: with

check-trust: $(BUILD)/trust/iolab need-python
	$(Q)$(PYTHON) harness/trust/check_trust.py --iolab $(BUILD)/trust/iolab $(TRUST)

bench: all
	$(Q)build/iolab compare $(COMPARE)
	$(Q)$(MAKE) --no-print-directory report QUICK=

plots: need-python
	$(Q)$(PYTHON) plots/plot.py $(if $(WIDTH),--width $(WIDTH)) '$(RESULTS)'

# The figures of the literature and of the mechanism, into a results folder. Seven minutes on two
# CPUs; with QUICK=1 two.
figures: all need-python
	$(Q)$(PYTHON) harness/studies/study.py $(if $(QUICK),--quick) '$(RESULTS)'
	$(Q)$(MAKE) --no-print-directory plots

# QUICK=1 measures first: into a new folder, or into the one that RESULTS names, which keeps what it has.
report: $(if $(QUICK),quick-results) need-python
	$(Q)$(MAKE) --no-print-directory plots
	$(Q)$(PYTHON) plots/report.py '$(RESULTS)'

.PHONY: quick-results
quick-results: all need-python
	$(Q)$(PYTHON) harness/studies/quick.py $(if $(filter file,$(origin RESULTS)),,'$(RESULTS)')

.PHONY: need-python
need-python:
	$(Q)$(if $(PYTHON),:,sh harness/setup/find-python.sh)

# handout: without
bench-peers: all $(PEER_PROGRAMS) need-python
	$(Q)$(PYTHON) harness/peers/bench.py $(PEERS)

FORMATTED = $(wildcard common/*.[ch] harness/*.[ch] harness/*/*.[ch] harness/*/*/*.[ch] labs/*/*.[ch])
SHELL_SCRIPTS = $(wildcard harness/*.sh harness/*/*.sh harness/tests/*.bash harness/tests/*.bats plots/tests/*.bats) .ci/run

format:
	clang-format -i $(FORMATTED)

lint:
	$(call say,CHECK,gcc and clang without a warning)
	$(Q)$(MAKE) --no-print-directory BUILD=build/lint/gcc CC=gcc WERROR=-Werror all tests
	$(Q)$(MAKE) --no-print-directory BUILD=build/lint/clang CC=clang WERROR=-Werror all tests
	$(call say,CHECK,clang-format)
	$(Q)clang-format --dry-run -Werror $(FORMATTED)
	$(call say,CHECK,cppcheck)
	$(Q)cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 --enable=warning,performance,portability \
		--suppress=missingIncludeSystem --suppress=invalidPrintfArgType_sint --suppress=unknownMacro \
		-Icommon -Iharness -I$(BUILD) -D_GNU_SOURCE -DIO_LAB_FOLDER='"lab"' common harness labs
	$(call say,CHECK,shellcheck)
	$(Q)shellcheck $(SHELL_SCRIPTS)
# handout: with
