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
  # What both compilers leave out of "undefined": a real number that no integer can hold.
  with_floats = $(subst undefined,undefined$(comma)float-cast-overflow,$(SANITIZE))
  OPTIMISE = -O1 -g -fno-omit-frame-pointer -fsanitize=$(with_floats) -fno-sanitize-recover=all
endif
CFLAGS  ?=
CPPFLAGS = -D_GNU_SOURCE -Icommon -Iharness -I$(BUILD)
# Of libtracefs, without which iolab can be built; empty where it is missing.
-include $(BUILD)/libtracefs.mk
ifeq ($(origin TRACE_CFLAGS),undefined)
  TRACE_CFLAGS := $(shell CC='$(CC)' sh harness/setup/find-libtracefs.sh $(BUILD)/libtracefs.mk)
endif
LDLIBS   = -luring -laio -ljansson -lpthread -lm
# Not for what calls none of it, such as a lab's tests.
LDLIBS  += $(if $(TRACE_CFLAGS),-Wl$(comma)--as-needed -ltracefs -ltraceevent)
ALL_CFLAGS = -std=gnu11 $(OPTIMISE) $(WARNINGS) $(WERROR) -pthread $(CFLAGS)

# The files.

COMMON_SOURCES  := $(wildcard common/*.c)
# The engines and the layers over them: all of a lab but its program, its tests, and what wraps a layer
# into an engine; and what a lab shows in several styles.
OPEN_FILES      := %/program.c %/tests.c %/as_engine.c
ENGINE_SOURCES  := $(filter-out $(OPEN_FILES),$(wildcard labs/*/*.c labs/*/styles/*.c))
# The rooms of the harness, from the lowest to the highest: each includes only those before it.
ROOMS           := base meters workloads metrics summary run exchange plan commands
HARNESS_SOURCES := $(wildcard $(ROOMS:%=harness/%/*.c))
TEST_SOURCES    := $(wildcard harness/tests/*.c)
# All that a rule here compiles: tests and programs of labs, alternates and a learner's files, too.
C_FILES         := $(wildcard common/*.c harness/*/*.c harness/*/*/*.c harness/*/*/*/*.c \
                   labs/*/*.c labs/*/styles/*.c labs/*/programs/*.c labs/*/alternates/*/*.c work/*/*.c)

object = $(patsubst %.S,$(BUILD)/%.o,$(patsubst %.c,$(BUILD)/%.o,$(1)))
# In a handout the solutions are objects, made by whoever handed it out.
COMMON_OBJECTS  := $(call object,$(COMMON_SOURCES)) $(wildcard common/*.o)
ENGINE_OBJECTS  := $(call object,$(ENGINE_SOURCES) $(wildcard labs/*/*.S)) \
                   $(wildcard labs/*/reference/*.o)
HARNESS_OBJECTS := $(call object,$(HARNESS_SOURCES))
# What a test program links: all of the harness but the commands, which a sanitizer's build then need not compile.
TESTED_OBJECTS  := $(COMMON_OBJECTS) $(ENGINE_OBJECTS) $(filter-out $(BUILD)/harness/commands/%,$(HARNESS_OBJECTS))
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

# The one test of a command itself.
$(BUILD)/tests/compare: $(filter-out %/main.o,$(filter $(BUILD)/harness/commands/%,$(HARNESS_OBJECTS)))

# What `make bench-peers` holds iolab against.
$(BUILD)/peers/%: $(BUILD)/harness/peers/%.o $(TESTED_OBJECTS)
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Measures minicoro too, where `make fetch-minicoro` has put it.
$(BUILD)/harness/peers/switch_cost.o: $(wildcard $(BUILD)/peers/minicoro.h)

# Event loops: iolab's and others', each where its library is installed. `make bench-loops` builds them.
LOOP_BENCHES := $(patsubst harness/peers/loops/%.c,$(BUILD)/peers/loops/%,\
                $(filter-out %/loop_bench.c,$(wildcard harness/peers/loops/*.c)))
$(LOOP_BENCHES): $(BUILD)/peers/loops/%: $(BUILD)/harness/peers/loops/%.o \
	$(BUILD)/harness/peers/loops/loop_bench.o $(TESTED_OBJECTS)
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LOOP_LIBRARY) $(LDLIBS)
$(BUILD)/peers/loops/libuv: LOOP_LIBRARY = -luv
$(BUILD)/peers/loops/libev: LOOP_LIBRARY = -lev
$(BUILD)/peers/loops/libevent: LOOP_LIBRARY = -levent_core

# The conformance suite has its tests in a folder of their own. Of the harness it takes only the lowest room:
# LeakSanitizer reads all static memory after each test, and in the upper rooms that is much.
CONFORMANCE_OBJECTS := $(call object,harness/tests/conformance.c $(wildcard harness/tests/conformance/*.c))
$(BUILD)/tests/conformance: $(CONFORMANCE_OBJECTS) $(COMMON_OBJECTS) $(ENGINE_OBJECTS) \
	$(call object,$(wildcard harness/base/*.c))
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# What labs' tests wait for.
$(BUILD)/tests/threads_asleep: $(call object,harness/course/proctor/threads_asleep.c)

# What must be true of a results folder, whoever wrote it.
$(BUILD)/tests/damages: $(call object,harness/tests/fuzz/folder_verdict.c)

# A file of a lab learns the lab's name from its folder. tests/ has labs of its own.
lab_of       = -DIO_LAB_FOLDER='"$(notdir $(patsubst %/,%,$(dir $(1))))"'
COURSE_PATHS = -Iharness/tests/conformance -Iharness/course/proctor
# An alternate replaces some files of its lab, and includes the headers of the others.
lab_path     = $(if $(findstring /alternates/,$(1)),-I$(firstword $(subst /alternates/, ,$(1))))
$(addprefix $(BUILD)/,labs/%.o work/%.o harness/course/new_lab/%.o harness/tests/tiny_course/%.o \
	harness/tests/tiny_layer/%.o harness/tests/grading/%.o): \
	CPPFLAGS += $(call lab_of,$<) $(call lab_path,$<) $(COURSE_PATHS)
# A lab's program.c stands alone: cc program.c. So do those of its folder programs/.
$(call object,$(wildcard labs/*/programs/*.c)): CPPFLAGS =
$(addprefix $(BUILD)/,labs/%/program.o harness/course/new_lab/program.o \
	harness/tests/tiny_course/%/program.o harness/tests/tiny_layer/%/program.o): CPPFLAGS =

$(BUILD)/%.o: %.c $(BUILD)/libraries $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/%.o: %.S $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,AS,$<)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

-include $(wildcard $(C_FILES:%.c=$(BUILD)/%.d))

# The course: what a lab's tests are linked with, what compiles them, and the proctor that runs them.

COURSE_PROGRAM  = $(addprefix harness/course/proctor/,allocation_count.c lab_test.c each_test.c failing_calls.c \
                    ring_test.c ring_entry_tests.c ring_wait_tests.c ring_cancel_tests.c ring_support_tests.c \
                    stream_test.c threads_asleep.c)
COURSE_LIBRARY := $(call object,$(COURSE_PROGRAM) harness/course/proctor/syscall_names.c \
                    $(filter-out %/mutants.c %/mutants_laid_over.c %/allocations.c %/faults.c,$(wildcard harness/tests/conformance/*.c)))
COURSE_FLAGS    = $(CPPFLAGS) $(COURSE_PATHS) $(ALL_CFLAGS) $(REFUSE_TRAMPOLINES)
# The address of a nested function is code that GCC puts on the stack. The proctor lets no memory become code.
REFUSE_TRAMPOLINES = $(if $(findstring clang,$(CC)),,-Werror=trampolines)

# What a lab's files may stand on: the reference of a folder, engines and layers, as one object.
REFERENCE_FOLDERS := $(sort $(foreach f,$(filter-out $(OPEN_FILES),$(wildcard labs/*/*.c)) $(wildcard labs/*/reference/*.o),\
                     $(word 2,$(subst /, ,$(f)))))
BELOW             := $(REFERENCE_FOLDERS:%=$(BUILD)/course/below/%.o)
$(foreach f,$(REFERENCE_FOLDERS),$(eval $(BUILD)/course/below/$(f).o: \
	$(filter-out $(BUILD)/labs/$(f)/styles/%,$(filter $(BUILD)/labs/$(f)/% labs/$(f)/%,$(ENGINE_OBJECTS)))))
$(BELOW):
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(LD) -r -o $@ $^

.PHONY: course
course: $(BUILD)/course/tests.a $(BUILD)/course/compile $(BUILD)/course/compile-object build/course/proctor \
	$(BELOW)

$(BUILD)/harness/course/proctor/%.o: CPPFLAGS += -Iharness/tests/conformance -I$(BUILD)/course

# SYSCALL(name) for each system call that the kernel's headers know.
$(BUILD)/course/syscall_list.h: $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,MAKE,$@)echo '#include <sys/syscall.h>' | $(CC) -E -dM -x c - | \
		sed -n 's/^#define SYS_\([a-z0-9_]*\) .*/SYSCALL(\1)/p' | sort > $@

$(BUILD)/harness/course/proctor/syscall_names.o: $(BUILD)/course/syscall_list.h

$(BUILD)/course/tests.a: $(COURSE_LIBRARY) $(COMMON_OBJECTS)
	@mkdir -p $(@D)
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $^

# compile LAB OUT FILE...: the program OUT from the C files of a lab. A script, so that a grader can
# run it as another user, without make.
$(BUILD)/course/compile: Makefile $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,MAKE,$@)printf '%s\n' '#!/bin/sh' 'lab=$$1 out=$$2; shift 2' \
		'exec $(CC) $(COURSE_FLAGS) -no-pie -DIO_LAB_FOLDER="\"$$lab\"" -o "$$out" "$$@" -Wl,-z,relro,-z,now,-z,noexecstack $(BUILD)/course/tests.a $(LDLIBS)' \
		> $@ && chmod +x $@

# compile-object LAB OUT FILE...: one C file of a lab, for a grader that looks at it before it links.
$(BUILD)/course/compile-object: Makefile $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,MAKE,$@)printf '%s\n' '#!/bin/sh' 'lab=$$1 out=$$2; shift 2' \
		'exec $(CC) $(COURSE_FLAGS) -DIO_LAB_FOLDER="\"$$lab\"" -c -o "$$out" "$$@"' > $@ && chmod +x $@

PROCTOR_SOURCES := $(filter-out $(COURSE_PROGRAM),$(wildcard harness/course/proctor/*.c)) \
                   common/reason.c common/printable_text.c harness/base/json_put.c

build/course/proctor: $(PROCTOR_SOURCES:%.c=build/%.o)
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -ljansson

# A test of the proctor's own pieces: no part of the harness is linked, which has functions of the same names.
$(BUILD)/tests/account: $(BUILD)/harness/tests/account.o $(BUILD)/harness/base/json_path.o \
	$(call object,$(filter-out %/proctor.c,$(PROCTOR_SOURCES)))
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
MINE_FILES   = engine*.c
MINE_SOURCES = $(wildcard $(if $(MINE),$(MINE_FILES:%=$(WORK)/$(MINE)/%)))
MINE_OBJECTS = $(patsubst $(WORK)/$(MINE)/%,$(BUILD)/mine/%.o,$(basename $(MINE_SOURCES)))
# A layer is measured as an engine, the reference's and the learner's: as_engine.c wraps each of them.
MINE_LAYERS  = $(if $(MINE_AS_ENGINE),$(BUILD)/mine/layer/reference.o $(BUILD)/mine/layer/mine.o)
MINE_REFERENCE = $(call object,$(wildcard $(addprefix $(dir $(MINE_AS_ENGINE)),$(MINE_FILES)))) \
                 $(wildcard $(dir $(MINE_AS_ENGINE))reference/*.o)

$(BUILD)/mine/%.o: $(WORK)/$(MINE)/%.c $(BUILD)/libraries $(BUILD)/flags FORCE
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CPPFLAGS) $(call lab_of,$<) -DIO_NAME_PREFIX='"my_"' $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/mine/%.o: $(WORK)/$(MINE)/%.S $(BUILD)/flags FORCE
	@mkdir -p $(@D)
	$(call say,AS,$<)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/mine/layer/as_engine.o $(BUILD)/mine/layer/as_my_engine.o: $(MINE_AS_ENGINE) $(BUILD)/flags FORCE
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CPPFLAGS) $(call lab_of,$<) $(if $(filter %/as_my_engine.o,$@),-DIO_NAME_PREFIX='"my_"') \
		$(ALL_CFLAGS) -c -o $@ $<

# They show no names: both have the same, and so has the program. Nor do the files of an engine.
$(BUILD)/mine/layer/reference.o: $(BUILD)/mine/layer/as_engine.o $(MINE_REFERENCE)
$(BUILD)/mine/layer/mine.o: $(BUILD)/mine/layer/as_my_engine.o $(MINE_OBJECTS)
$(BUILD)/mine/all_of_mine.o: $(MINE_OBJECTS)
$(MINE_LAYERS) $(BUILD)/mine/all_of_mine.o:
	$(call say,LINK,$@)$(LD) -r -o $@ $^ && objcopy --keep-global-symbol=iolab_keeps_none $@

$(BUILD)/mine/iolab: $(HARNESS_OBJECTS) $(ENGINE_OBJECTS) $(COMMON_OBJECTS) $(or $(MINE_LAYERS),$(BUILD)/mine/all_of_mine.o) FORCE
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LDLIBS)

# Says what is missing before the compiler does.
$(BUILD)/libraries: harness/setup/require-libraries.sh Makefile
	@mkdir -p $(@D)
	$(call say,PROBE,$@)CC='$(CC)' sh harness/setup/require-libraries.sh $@

$(BUILD)/trace-flags: FORCE
	@mkdir -p $(@D)
	@echo '$(TRACE_CFLAGS)' | cmp -s - $@ || echo '$(TRACE_CFLAGS)' > $@
$(BUILD)/harness/meters/kernel_trace.o: $(BUILD)/trace-flags
$(BUILD)/harness/meters/kernel_trace.o: CPPFLAGS += $(TRACE_CFLAGS)

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

# The shapes of documents as a string, for the checks of what is read.
$(BUILD)/documents_text.h: harness/schema/documents.json
	@mkdir -p $(@D)
	$(call say,MAKE,$@)sed 's/[\\"]/\\&/g; s/^ */"/; s/$$/"/' $< > $@
$(BUILD)/harness/metrics/documents.o: $(BUILD)/documents_text.h

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

# What a person gives is text: neither make nor the shell may read a command in it. So a recipe takes
# it from the environment, as it was typed: "$$LAB".
GIVEN = RESULTS WIDTH COMPARE PEERS TRUST TESTS LAB EXERCISE TEST FILE SINCE REPEATS OUT SUBMISSIONS JOBS \
        LIMIT_S FIRST_UID RELEASE STEPS KERNEL ENGINES RULE ONLY SAMPLE SEED FUZZ_S
typed := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
$(foreach name,$(GIVEN),$(if $(filter-out undefined,$(origin $(name))),\
	$(eval override $(name) := $$(value $(name)))$(eval export $(name))))
RESULTS_FOLDER = "$${RESULTS:-results/latest}"
# $(call option,--lab,LAB): the option with the variable's value, if it has one.
option = $(if $($(2)),$(1) "$$$(2)")

.PHONY: help bench plots figures report page check-trust

help::
	@echo 'Learn (docs/course.md):'
	@echo 'make labs          begin here: all labs, where you are, what to type next'
	@echo 'make start         begin the next lab, or the named one    [LAB=04]'
	@echo 'make check-lab     build and test your files               [LAB= EXERCISE=2 TEST=name]'
	@echo 'make watch         check again on each save; Ctrl-C ends it   [EXERCISE=2]'
	@echo 'make hint          a hint when you are stuck; type it again for a stronger one'
	@echo 'make answer        answer a question of the handout, then see the course'"'"'s answer   [QUESTION=1]'
	@echo 'make predict       say what you expect, before you measure'
	@echo 'make measure       measure your engine beside the reference, in one figure'
	@$(if $(wildcard labs/*/engine.c),echo 'make diff-lab      how your files differ from the solution$(comma) once you have passed')
	@echo 'make reset-lab     back to the starter; your copy is kept   [FILE=engine.c]'
	@echo
	@echo 'Compare:'
	@echo 'make               build the program, build/iolab, and compile_commands.json for your editor'
	@echo 'make bench         compare all interfaces (3 minutes): table, figures, report'
	@echo 'make plots         draw the figures of a results folder   [RESULTS=results/latest WIDTH=3.4 (inches)]'
	@echo 'make report        draw the figures and write report.html and report.md   [RESULTS=results/latest]'
	@echo 'make report QUICK=1   measure a little of everything first (2 minutes)'
	@echo 'make figures       run and draw the figures of the literature too (7 minutes; QUICK=1: 2)'
	@echo 'make check-trust   test on real runs whether the measurement keeps its promises (under 12 minutes)'
	@echo 'make clean         remove build/ (results/ stays)'
	@echo

# The course. What is typed after the target goes to learner.py as it stands: make hint LAB=04. Only
# measure needs a python that can draw, and finds it.

LEARNER = labs start check-lab watch hint answer predict measure diff-lab reset-lab
.PHONY: $(LEARNER)
$(LEARNER):
	@$(if $(filter default file undefined,$(origin PYTHON)),python3,"$(PYTHON)") harness/course/learner.py $@ \
		$(foreach name,$(typed),"$(name)=$$$(name)")

check-trust: $(BUILD)/trust/iolab need-python
	$(Q)set -f; "$(PYTHON)" harness/trust/check_trust.py --iolab $(BUILD)/trust/iolab $$TRUST

# A list of words, as the shell divides them: a path with a blank needs build/iolab compare --file.
bench: all
	$(Q)set -f; build/iolab compare $$COMPARE
	$(Q)$(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j2) plots page

plots: need-python
	$(Q)"$(PYTHON)" plots/plot.py $(call option,--width,WIDTH) $(RESULTS_FOLDER)

# The figures of the literature and of the mechanism, into a results folder. Seven minutes on two
# CPUs; with QUICK=1 two.
figures: all need-python
	$(Q)"$(PYTHON)" harness/studies/study.py $(if $(QUICK),--quick) $(RESULTS_FOLDER)
	$(Q)$(MAKE) --no-print-directory plots

# QUICK=1 measures first: into a new folder, or into the one that RESULTS names, which keeps what it has.
report: $(if $(QUICK),quick-results) need-python
	$(Q)$(MAKE) --no-print-directory plots
	$(Q)$(MAKE) --no-print-directory page

# The report alone, which draws for itself: so both can be made at once.
page: need-python
	$(Q)"$(PYTHON)" plots/report.py $(RESULTS_FOLDER)

.PHONY: quick-results
quick-results: all need-python
	$(Q)"$(PYTHON)" harness/studies/quick.py $(if $(RESULTS),$(RESULTS_FOLDER))

.PHONY: need-python
need-python:
	$(Q)$(if $(PYTHON),:,sh harness/setup/find-python.sh)

# For clangd: how each file is compiled, the learner's in work/ too. Made from the rules above, again
# when the flags or the list of files change.
$(BUILD)/c-files: FORCE
	@mkdir -p $(@D)
	@echo '$(C_FILES)' | cmp -s - $@ || echo '$(C_FILES)' > $@

compile_commands.json: harness/setup/compile_commands.sh Makefile $(BUILD)/c-files $(BUILD)/flags
	$(call say,MAKE,$@)$(MAKE) -nB V=1 $(call object,$(C_FILES)) | sh harness/setup/compile_commands.sh > $@

ifeq ($(BUILD),build)
all: compile_commands.json
endif

# What serves those who build iolab and teach with it. A hand-out does not contain it.
-include harness/develop.mk

help::
	@echo 'V=1 shows commands.  CC=clang and SANITIZE=address,undefined build in a folder of their own in build/.'
	@echo 'Missing something?   harness/setup.sh  (for the course: harness/setup.sh learn; for the tests: harness/setup.sh check)'
	@echo 'Where to begin:      to learn, make labs; to compare, README.md and build/iolab doctor'
