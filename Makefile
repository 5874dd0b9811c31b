# Builds nbdconform; `make help` lists the targets.
#
# One make, no recursion into folders: sources are found by wildcard, objects go to
# $(BUILD)/VARIANT/ below their own path, generated sources to $(BUILD)/gen/. Each variant (plain,
# SANITIZE=1, COVERAGE=1, each with gcc or CC=clang) has its own folder, so they live side by side.
#
#   V=1         show the commands
#   SANITIZE=thread  with ThreadSanitizer, and not with ASan and UBSan
#   FUZZ=1      with clang's coverage for its libFuzzer, as the fuzz targets want it
#   WERROR=1    warnings are errors, as in CI (off here: newer compilers warn of more)
#   BUILD=DIR   build somewhere else than in .build
#   ARGS=…      arguments for `make run`
#   NO_INSTALL=1  never call apt-get; missing packages are an error

VERSION := 0.1.0
PREFIX ?= /usr/local
BUILD ?= .build
GEN := $(BUILD)/gen

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:

# --- The variant -------------------------------------------------------------------------------

ifdef FUZZ
override CC := clang
else ifeq ($(origin CC),default)
CC := gcc
endif
# gcc and its alias share a folder; any other compiler gets its name as a suffix.
CC_SUFFIX := $(filter-out -gcc -cc,-$(notdir $(firstword $(CC))))

ifeq ($(SANITIZE),thread)
VARIANT := threads$(CC_SUFFIX)
MODE_FLAGS := -O1 -g -fno-omit-frame-pointer -fsanitize=thread -include harness/threads/glib.h
else ifdef SANITIZE
VARIANT := sanitize$(CC_SUFFIX)
MODE_FLAGS := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
              -fno-sanitize-recover=undefined
else ifdef FUZZ
VARIANT := fuzz
MODE_FLAGS := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined,fuzzer-no-link \
              -fno-sanitize-recover=undefined
else ifdef COVERAGE
VARIANT := coverage$(CC_SUFFIX)
MODE_FLAGS := -O0 -g --coverage
else
VARIANT := default$(CC_SUFFIX)
MODE_FLAGS := -O2 -g
endif
OUT := $(BUILD)/$(VARIANT)
BINARY := $(OUT)/nbdconform
UNIT_TESTS := $(OUT)/unit-tests

# --- Flags -------------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion \
            $(if $(WERROR),-Werror)
# What flex and bison write is not ours to tidy up.
GENERATED_WARNINGS := -Wno-conversion -Wno-sign-conversion -Wno-shadow -Wno-sign-compare \
                      -Wno-missing-prototypes -Wno-unused-function -Wno-unused-parameter \
                      -Wno-unused-but-set-variable -Wno-unused-variable

# Asked once, and only when something is compiled: `make run` must get as far as installing
# pkg-config. The packages' headers are system headers, whose warnings are not ours.
once = $(eval $(1) := $$(shell $(2)))$($(1))
LIBRARIES := glib-2.0 gnutls jansson
LIBRARY_CFLAGS = $(call once,LIBRARY_CFLAGS,pkg-config --cflags $(LIBRARIES) | sed 's/-I/-isystem /g')
LIBRARY_LIBS = $(call once,LIBRARY_LIBS,pkg-config --libs $(LIBRARIES); echo -lm)
CUNIT_CFLAGS = $(call once,CUNIT_CFLAGS,pkg-config --cflags cunit | sed 's/-I/-isystem /g')
CUNIT_LIBS = $(call once,CUNIT_LIBS,pkg-config --libs cunit)

DEFINES := -D_GNU_SOURCE -DNBDCONFORM_VERSION="\"$(VERSION)\""
INCLUDES := -Iharness -Iservers -I$(GEN)
LANGUAGE = -std=gnu17 -pthread $(DEFINES) $(INCLUDES) $(LIBRARY_CFLAGS)
# CPPFLAGS, CFLAGS and LDFLAGS are the user's, and come last.
COMPILE = $(CC) $(LANGUAGE) $(MODE_FLAGS) $(WARNINGS)
LINK = $(CC) $(MODE_FLAGS) -pthread $(LDFLAGS)

ifdef V
Q :=
say = @:
else
Q := @
say = @printf '  %-8s %s\n' "$(1)" "$(2)"
endif

# --- What there is -----------------------------------------------------------------------------

TEST_SOURCES := $(sort $(wildcard harness/tests/*.c))
FUZZ_SOURCES := $(sort $(wildcard harness/fuzz/*.c))
SOURCES := $(sort $(filter-out $(TEST_SOURCES) $(FUZZ_SOURCES),$(wildcard harness/*/*.c)) \
                  $(wildcard servers/reference/*.c))
GRAMMAR_SOURCES := $(patsubst harness/%.y,$(GEN)/%.c,$(wildcard harness/*/*.y)) \
                   $(patsubst harness/%.l,$(GEN)/%.c,$(wildcard harness/*/*.l))
TABLE_SOURCES := $(GEN)/requirement_table.c $(GEN)/catalogue_data.c
CASES := $(sort $(shell find cases -name '*.case' 2>/dev/null))
# Everything that may cite a requirement.
CITING := $(wildcard $(foreach ext,c h def y l,harness/*/*.$(ext) servers/*/*.$(ext)) \
                   servers/*/*/*.def) $(CASES)

GENERATED_OBJECTS := $(patsubst $(BUILD)/%.c,$(OUT)/%.o,$(GRAMMAR_SOURCES) $(TABLE_SOURCES))
OBJECTS := $(SOURCES:%.c=$(OUT)/%.o) $(GENERATED_OBJECTS)
TEST_OBJECTS := $(TEST_SOURCES:%.c=$(OUT)/%.o)
FUZZ_OBJECTS := $(FUZZ_SOURCES:%.c=$(OUT)/%.o)
# Each of these is a program; the other files in the folder are what several of them share.
FUZZ_PROGRAMS := $(filter harness/fuzz/fuzz_%,$(FUZZ_SOURCES))
FUZZ_TARGETS := $(FUZZ_PROGRAMS:harness/fuzz/%.c=$(OUT)/%)
FUZZ_SHARED := $(patsubst %.c,$(OUT)/%.o,$(filter-out $(FUZZ_PROGRAMS),$(FUZZ_SOURCES)))
MAIN_OBJECT := $(OUT)/harness/cli/main.o
# Read by any source, so there before the first is compiled; then the .d files know.
GENERATED_HEADERS := $(GRAMMAR_SOURCES:.c=.h)

# Keys and certificates for tests of TLS: this machine's own, never checked in.
CERTIFICATES := $(GEN)/certificates
TEST_DEFINES := -DTEST_CERTIFICATES="\"$(abspath $(CERTIFICATES))\""

# --- Compiling and linking ---------------------------------------------------------------------

.PHONY: all objects unit-tests fuzz-targets generated tools FORCE

all: $(BINARY) ## build ./nbdconform (the default)

objects: $(OBJECTS) $(TEST_OBJECTS) ## compile everything, link nothing

unit-tests: $(UNIT_TESTS)

fuzz-targets: $(FUZZ_TARGETS)

generated: $(GENERATED_HEADERS) $(GRAMMAR_SOURCES) $(TABLE_SOURCES)

# A convenience at the top, for the plain build in the usual place only.
ifeq ($(OUT),.build/default)
all: nbdconform
nbdconform: $(BINARY)
	$(Q)ln -sf $(BINARY) $@
endif

$(BINARY): $(OBJECTS) $(OUT)/objects.list $(GEN)/requirements.checked
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $(OBJECTS) $(LIBRARY_LIBS) $(LIBS)

$(UNIT_TESTS): $(OBJECTS) $(TEST_OBJECTS) $(OUT)/objects.list $(GEN)/requirements.checked \
               $(CERTIFICATES)/made
	$(call say,LINK,$@)
	$(Q)$(LINK) -rdynamic -o $@ $(filter-out $(MAIN_OBJECT),$(OBJECTS)) $(TEST_OBJECTS) \
		$(LIBRARY_LIBS) $(CUNIT_LIBS) $(LIBS)

$(FUZZ_TARGETS): $(OUT)/%: $(OUT)/harness/fuzz/%.o $(FUZZ_SHARED) $(OBJECTS) $(OUT)/objects.list \
                 $(GEN)/requirements.checked
	$(call say,LINK,$@)
	$(Q)$(LINK) -fsanitize=fuzzer -o $@ $< $(FUZZ_SHARED) \
		$(filter-out $(MAIN_OBJECT),$(OBJECTS)) $(LIBRARY_LIBS) $(LIBS)

$(OUT)/harness/tests/%.o: harness/tests/%.c $(OUT)/flags | $(GENERATED_HEADERS)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) $(CUNIT_CFLAGS) $(TEST_DEFINES) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(OUT)/gen/%.o: $(GEN)/%.c $(OUT)/flags | $(GENERATED_HEADERS)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) $(GENERATED_WARNINGS) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(OUT)/%.o: %.c $(OUT)/flags | $(GENERATED_HEADERS)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

-include $(OBJECTS:.o=.d) $(TEST_OBJECTS:.o=.d) $(FUZZ_OBJECTS:.o=.d)

# --- Generated sources -------------------------------------------------------------------------

$(GEN)/%.c $(GEN)/%.h: harness/%.y | $(OUT)/flags
	$(call say,BISON,$<)
	@mkdir -p $(@D)
	$(Q)bison -Wall $(if $(WERROR),-Werror) --header=$(GEN)/$*.h -o $(GEN)/$*.c $<

$(GEN)/%.c $(GEN)/%.h: harness/%.l | $(OUT)/flags
	$(call say,FLEX,$<)
	@mkdir -p $(@D)
	$(Q)flex --header-file=$(GEN)/$*.h -o $(GEN)/$*.c $<

# An unknown id does not build: every citation is looked up whenever a file that could hold one has
# changed. The table itself is rewritten only if its text differs, so most changes compile nothing.
$(GEN)/requirements.checked: cases/requirements.tsv scripts/make-requirements $(CITING) \
                             $(GEN)/citing.list
	$(call say,GEN,$(GEN)/requirement_table.c)
	$(Q)scripts/make-requirements --output $(GEN)/requirement_table.c
	@touch $@

$(CERTIFICATES)/made: scripts/make-certificates
	$(call say,GEN,$(@D))
	$(Q)scripts/make-certificates $(@D)
	@touch $@

$(GEN)/requirement_table.c: $(GEN)/requirements.checked
	@test -e $@ || scripts/make-requirements --output $@

$(GEN)/catalogue_data.c: cases/requirements.tsv scripts/embed-catalogue $(CASES) $(GEN)/cases.list
	$(call say,GEN,$@)
	$(Q)scripts/embed-catalogue --output $@

# Timestamps do not tell that a file has gone, or that flags are others than last time. These do:
# rewritten only when their text changes, and everything that rests on them is made again.
$(GEN)/citing.list: TEXT = $(CITING)
$(GEN)/cases.list: TEXT = $(CASES)
$(OUT)/objects.list: TEXT = $(OBJECTS) $(TEST_OBJECTS)
$(OUT)/flags: TEXT = $(COMPILE) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS)
$(GEN)/citing.list $(GEN)/cases.list $(OUT)/objects.list $(OUT)/flags: FORCE
	$(shell mkdir -p $(@D))$(file >$@.new,$(TEXT))
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

# The first thing that any build looks at, so the place to say what to do without the packages.
$(OUT)/flags: tools
tools:
	@command -v bison >/dev/null && command -v flex >/dev/null && \
		pkg-config --exists --print-errors $(LIBRARIES) || \
		{ echo 'make: packages are missing; on Debian `make setup` installs them' >&2; exit 1; }

# --- Running and testing -----------------------------------------------------------------------

.PHONY: setup run check check-modes check-threads unit coverage bench flakes fuzz mutants soak-servers

# Sanitizers get an exit status of their own (nbdconform's 1 means that a case failed), and GLib's
# slices are switched off so that ASan sees each block.
export ASAN_OPTIONS ?= exitcode=99:detect_stack_use_after_return=1
export UBSAN_OPTIONS ?= exitcode=99:print_stacktrace=1
check unit: export G_SLICE ?= always-malloc

# These targets build in a second make: only after the set-up is there a pkg-config to ask. It
# shares the job slots of a `make -j` and otherwise takes all processors.
PROCESSORS = $(shell nproc 2>/dev/null || echo 2)
SUBMAKE = $(MAKE) --no-print-directory $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(PROCESSORS))

setup: ## install the packages that building and testing need
	@scripts/setup check

run: ## install what building needs, build, judge the embedded reference server
	@scripts/setup build
	@+$(SUBMAKE) SANITIZE= COVERAGE= all
	@$(BUILD)/default$(CC_SUFFIX)/nbdconform $(ARGS)

check: ## install what testing needs, build, run all tests, plain and with ASan and UBSan
	@scripts/setup check
	@+$(SUBMAKE) SANITIZE= COVERAGE= all unit-tests
	@+$(SUBMAKE) SANITIZE=1 COVERAGE= all unit-tests
	@+$(SUBMAKE) FUZZ=1 SANITIZE= COVERAGE= fuzz-targets
	@scripts/run-checks default=$(BUILD)/default$(CC_SUFFIX) sanitize=$(BUILD)/sanitize$(CC_SUFFIX)

check-modes: ## play the catalogue in every mode to the reference server and the real ones
	@scripts/setup check
	@+$(SUBMAKE) SANITIZE= COVERAGE= all
	@NBDCONFORM=$(abspath $(BUILD)/default$(CC_SUFFIX)/nbdconform) scripts/check-modes --all $(ARGS)

unit: $(UNIT_TESTS) ## build and run the unit tests of this variant
	@$(UNIT_TESTS)

coverage: ## run all tests with coverage counted, write .build/coverage/report/
	@scripts/setup coverage
	@+$(SUBMAKE) SANITIZE= COVERAGE=1 all unit-tests
	@find $(BUILD)/coverage$(CC_SUFFIX) -name '*.gcda' -delete
	@scripts/run-checks coverage=$(BUILD)/coverage$(CC_SUFFIX)
	@mkdir -p $(BUILD)/coverage$(CC_SUFFIX)/report
	@gcovr --root . --filter harness/ --filter servers/ --exclude harness/tests/ --txt - \
		--html-details $(BUILD)/coverage$(CC_SUFFIX)/report/index.html $(BUILD)/coverage$(CC_SUFFIX)

# $(call script,NAME): run scripts/NAME, or say plainly that it is not there.
script = @test -x scripts/$(1) || { echo "make: scripts/$(1) is not there or not executable" >&2; exit 1; }
bench: ## measure against nbdkit and a bare C loop
	$(call script,bench)
	@scripts/setup check
	@+$(SUBMAKE) SANITIZE= COVERAGE= all
	@NBDCONFORM=$(abspath $(BUILD)/default$(CC_SUFFIX)/nbdconform) scripts/bench $(ARGS)

flakes: ## repeat the catalogue under load, demand the same verdicts each time
	$(call script,flakes)
	@scripts/setup check
	@+$(SUBMAKE) SANITIZE= COVERAGE= all
	@NBDCONFORM=$(abspath $(BUILD)/default$(CC_SUFFIX)/nbdconform) scripts/flakes $(ARGS)

fuzz: ## run each fuzz target for SECONDS=60, print executions and finds
	@scripts/setup check
	@+$(SUBMAKE) SANITIZE= COVERAGE= all
	@+$(SUBMAKE) FUZZ=1 SANITIZE= COVERAGE= fuzz-targets
	@NBDCONFORM=$(abspath $(BUILD)/default$(CC_SUFFIX)/nbdconform) \
		scripts/fuzz --seconds $(or $(SECONDS),60) $(ARGS)

mutants: ## play the catalogue against each quirk of the reference server, print the score
	$(call script,mutants)
	@scripts/setup check
	@+$(SUBMAKE) SANITIZE= COVERAGE= all
	@NBDCONFORM=$(abspath $(BUILD)/default$(CC_SUFFIX)/nbdconform) scripts/mutants $(ARGS)

check-threads: ## run what has threads with ThreadSanitizer
	@scripts/setup check
	@+$(SUBMAKE) SANITIZE=thread COVERAGE= all unit-tests
	@scripts/threads $(BUILD)/threads$(CC_SUFFIX)

soak-servers: ## soak clean servers 20 times each, in full: nothing may be found (two hours)
	@scripts/setup check
	@+$(SUBMAKE) SANITIZE= COVERAGE= all
	@NBDCONFORM=$(abspath $(BUILD)/default$(CC_SUFFIX)/nbdconform) \
		scripts/check-soak --servers 20 $(ARGS)

# --- Care of the sources -----------------------------------------------------------------------

.PHONY: lint lint-sources format clean help

lint: ## clang-format, clang-tidy, cppcheck, shellcheck, pyflakes, mypy
	@scripts/setup check
	@+$(SUBMAKE) lint-sources

lint-sources: generated
	@LINT_CFLAGS='$(LANGUAGE) $(CUNIT_CFLAGS) $(TEST_DEFINES)' scripts/lint

format: ## let clang-format rewrite the C files
	@scripts/lint --format

clean: ## remove all that was built
	rm -rf $(BUILD)
	@rm -f nbdconform

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@sed -n '/^#   /s/^# *//p' $(firstword $(MAKEFILE_LIST)) | sed 's/^/  make … /'

# --- Installing --------------------------------------------------------------------------------

.PHONY: install uninstall

install: $(BINARY) ## install to DESTDIR, PREFIX=/usr/local
	install -D -m 755 $(BINARY) $(DESTDIR)$(PREFIX)/bin/nbdconform
	install -D -m 644 harness/cli/nbdconform.1 $(DESTDIR)$(PREFIX)/share/man/man1/nbdconform.1

uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(PREFIX)/bin/nbdconform $(DESTDIR)$(PREFIX)/share/man/man1/nbdconform.1
