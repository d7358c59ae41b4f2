# iolab: one Makefile, not recursive, everything it makes goes to build/.
#
#   make            the program build/iolab
#   make help       what else there is
#   make V=1        shows each command
#
# SANITIZE=address,undefined (or thread) builds apart, in build/<name>/; so does CC=clang.

MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.SUFFIXES:

CC      = gcc
V       = 0
Q       = $(if $(filter 1,$(V)),,@)
say     = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' '$(1)' '$(2)';)

comma  := ,
BUILD  ?= build$(if $(filter clang%,$(CC)),/clang)$(if $(SANITIZE),/$(subst $(comma),-,$(SANITIZE)))

# ------------------------------------------------------------------------------------- the compiler

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

# ---------------------------------------------------------------------------------------- the files

COMMON_SOURCES  := $(wildcard common/*.c)
ENGINE_SOURCES  := $(wildcard labs/*/engine*.c)
HARNESS_SOURCES := $(wildcard harness/*.c)
TEST_SOURCES    := $(wildcard harness/tests/*.c)

object = $(patsubst %.c,$(BUILD)/%.o,$(1))
COMMON_OBJECTS  := $(call object,$(COMMON_SOURCES))
ENGINE_OBJECTS  := $(call object,$(ENGINE_SOURCES))
HARNESS_OBJECTS := $(call object,$(HARNESS_SOURCES))
# What a test program links: all of the harness but main().
TESTED_OBJECTS  := $(COMMON_OBJECTS) $(ENGINE_OBJECTS) \
                   $(filter-out $(BUILD)/harness/main.o,$(HARNESS_OBJECTS))
TEST_PROGRAMS   := $(patsubst harness/tests/%.c,$(BUILD)/tests/%,$(TEST_SOURCES))

.PHONY: all tests
all: $(BUILD)/iolab

$(BUILD)/iolab: $(HARNESS_OBJECTS) $(ENGINE_OBJECTS) $(COMMON_OBJECTS)
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

tests: $(TEST_PROGRAMS)

$(BUILD)/tests/%: $(BUILD)/harness/tests/%.o $(TESTED_OBJECTS)
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# The conformance suite has its tests in a folder of their own.
$(BUILD)/tests/conformance: $(call object,$(wildcard harness/tests/conformance/*.c))

# An engine learns the name of its lab from the folder that it lies in.
$(BUILD)/labs/%.o: labs/%.c $(BUILD)/config.h $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CPPFLAGS) -DIO_LAB_FOLDER='"$(notdir $(patsubst %/,%,$(dir $<)))"' \
		$(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/%.o: %.c $(BUILD)/config.h $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

-include $(patsubst %.o,%.d,$(COMMON_OBJECTS) $(ENGINE_OBJECTS) $(HARNESS_OBJECTS)) \
         $(wildcard $(BUILD)/harness/tests/*.d $(BUILD)/harness/tests/*/*.d)

# What the libraries here can do, found by compiling a line that uses it.
$(BUILD)/config.h: harness/probe-build.sh Makefile
	@mkdir -p $(@D)
	$(call say,PROBE,$@)CC='$(CC)' sh harness/probe-build.sh $@

# What this build is: every result carries it. Rewritten only when it changes.
$(BUILD)/build_info.h: FORCE
	@mkdir -p $(@D)
	@printf '#define IOLAB_%s "%s"\n' \
		COMMIT   "$$(git describe --always --dirty 2>/dev/null || echo unknown)" \
		COMPILER "$$($(CC) --version | head -n 1)" \
		CFLAGS   '$(strip $(ALL_CFLAGS))' \
		LIBURING "$$(pkg-config --modversion liburing 2>/dev/null || echo unknown)" > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@
$(BUILD)/harness/environment.o: $(BUILD)/build_info.h

# Changes when the compiler or its flags do, and with it every object.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(ALL_CFLAGS)' | cmp -s - $@ || echo '$(CC) $(ALL_CFLAGS)' > $@
.PHONY: FORCE
FORCE:

.PHONY: clean
clean:
	$(call say,CLEAN,build)rm -rf build
