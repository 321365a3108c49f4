# SPDX-License-Identifier: GPL-2.0-only
# zonewall: make help lists the targets. Outputs are in build/. V=1 shows commands, SAN=1 adds sanitizers.

VERSION := 0.1.0
BUILD   := build
INCLUDE := include
ifeq ($(origin CC),default)
CC      := gcc
endif
CLANG   ?= clang
# Another major, whose programs `make vm` loads on those kernels, too.
OTHER_CLANG ?= clang-16
BPFTOOL ?= $(shell command -v bpftool || echo /usr/sbin/bpftool)
PREFIX  ?= /usr/local
JOBS    ?= $(shell nproc)
ifdef SAN
BUILD   := build/san
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer \
	-Wno-format-truncation # which gcc guesses worse with sanitizers
endif
Q := $(if $(V),,@)
say = $(if $(V),,@echo "  $(1)	$(2)")

WARN    := -Wall -Wextra $(if $(WERROR),-Werror)
CFLAGS  ?= -O2 -g
CFLAGS_ALL = -std=gnu11 $(WARN) -D_GNU_SOURCE -DZW_VERSION='"$(VERSION)"' -I$(INCLUDE) -Iuser -Ibpf -I$(BUILD) \
	$(SANFLAGS) $(CFLAGS)
# See user/base/json_memory.c.
JSON_WRAPS := new_object new_array new_boolean new_int new_int64 new_uint64 new_double new_string new_string_len \
	to_json_string_ext object_add array_add
LIBS    := -lbpf -lelf -lz -lyaml -ljson-c -lsmartcols -lmnl $(JSON_WRAPS:%=-Wl,--wrap=json_object_%)
MACHINE := $(shell uname -m)-linux-gnu
BPF_CFLAGS := -O2 -g -target bpf -mcpu=v3 $(WARN) -Wno-unused-parameter -I$(INCLUDE) -Ibpf -I/usr/include/$(MACHINE)

USER_SRC := $(wildcard user/*/*.c)
USER_OBJ := $(USER_SRC:%.c=$(BUILD)/%.o)
SKELS    := $(BUILD)/zonewall.skel.h $(BUILD)/gate.skel.h

# tests/*.c is what tests share, except tests/random*.c, which are programs. The folders hold one program a file.
HELP_SRC  := $(filter-out tests/random%,$(wildcard tests/*.c))
HELP_OBJ  := $(HELP_SRC:%.c=$(BUILD)/%.o)
RANDOM    := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/random*.c))
UNIT      := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/*.c))
BPF_TESTS := $(patsubst %.c,$(BUILD)/%,$(filter-out %.bpf.c,$(wildcard tests/bpf/*.c)))
NET_TOOLS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/net/*.c))
# What is loaded into programs of others.
PRELOADS  := $(patsubst %.c,$(BUILD)/%.so,$(wildcard tests/net/preload/*.c))
VM_TOOLS  := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/vm/*.c))
# Of tests/evasion/, these are programs; the rest are the cases.
EVASION_SRC := $(filter-out $(wildcard tests/evasion/run_*.c),$(wildcard tests/evasion/*.c))
EVASION_OBJ := $(EVASION_SRC:%.c=$(BUILD)/%.o)
EVASION   := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/evasion/run_*.c))
EVASION_RUN := $(BUILD)/tests/evasion/run_programs tests/evasion/hooks.sh
FUZZERS   := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))
TESTS     := $(UNIT) $(RANDOM) $(BPF_TESTS) $(NET_TOOLS) $(VM_TOOLS)
GOLDEN    := $(wildcard tests/golden/*.sh tests/golden/*.py)
NET       := $(wildcard tests/net/*.sh)
# Of these, some measure rates, or keep all processors busy while they look at the time; the rest mostly waits.
NET_ALONE := $(patsubst %,tests/net/%.sh,events flood limits publish_alternate publish_flood publish_kill real_apply real_reuse)
BENCHES   := $(addprefix $(BUILD)/bench/,apply_cost blocked clocks compile_scale figures floods flow_lru limits live scale_files series \
	terms two_cpus verdicts)
MODELS    := $(wildcard tests/model/*.sh)
INSTALL_TESTS := $(wildcard tests/install/*.sh)
COMPLETIONS := $(addprefix $(BUILD)/completion/zonewall.,bash zsh fish)
UNITS     := $(patsubst systemd/%.in,$(BUILD)/systemd/%,$(wildcard systemd/*.in))
MAN       := $(patsubst %.scd,$(BUILD)/%,$(wildcard man/*.scd))

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all deb tests others benches fuzzers demo check check-unit check-golden check-model check-bpf check-net check-install check-evasion \
	check-random check-san check-fuzz vm coverage mutants bench bench-quick bench-report lint both-compilers man man-tools install \
	install-man deps build-tools help clean

all: $(BUILD)/zonewall ## build build/zonewall (the default)

$(BUILD)/zonewall: $(BUILD)/user/main.o $(BUILD)/libzonewall.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $^ $(LIBS)

# A library, so that a test links only what it uses.
$(BUILD)/libzonewall.a: $(USER_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/libtests.a: $(HELP_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/user/%.o: user/%.c | build-tools $(SKELS)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(BUILD)/tests/%.o: tests/%.c | build-tools $(SKELS)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -I. -Itests $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(BUILD)/tests/bpf/two_cpus.o: $(BUILD)/tests/bpf/two_cpus.skel.h

# Each access of these calls out, to the scheduler of tests/schedule.c. Nothing is linked for that.
$(BUILD)/tests/unit/flow_schedules.o $(BUILD)/tests/unit/limit_schedules.o $(BUILD)/tests/unit/tls_schedules.o: private SANFLAGS := -fsanitize=thread
$(BUILD)/tests/schedule.o: private SANFLAGS :=

$(BUILD)/tests/unit/figures: $(BUILD)/bench/figure.o $(BUILD)/bench/aims.o | $(BUILD)/bench/figures
$(BUILD)/tests/random_scale: $(BUILD)/bench/scale.o | $(BUILD)/bench/scale_files
$(TESTS): %: %.o $(BUILD)/libtests.a $(BUILD)/libzonewall.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) -lcmocka -lpthread -lm $(LIBS)

$(BUILD)/libevasion.a: $(EVASION_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(PRELOADS): $(BUILD)/%.so: %.c | build-tools
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS) -shared -fPIC -MMD -MP -o $@ $<

$(EVASION): %: %.o $(BUILD)/libevasion.a $(BUILD)/libtests.a $(BUILD)/libzonewall.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $^ -lm $(LIBS)

$(FUZZERS): %: %.o $(BUILD)/libtests.a $(BUILD)/libzonewall.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_ALL) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ $(LIBS)

define compile_bpf
$(call say,BPF,$<)
@mkdir -p $(@D)
$(Q)$(CLANG) -I$(<D) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<
endef
$(BUILD)/%.bpf.o: bpf/%.bpf.c | build-tools
	$(compile_bpf)
# Programs of tests and benches.
$(BUILD)/tests/%.bpf.o: tests/%.bpf.c | build-tools
	$(compile_bpf)
$(BUILD)/bench/%.bpf.o: bench/%.bpf.c | build-tools
	$(compile_bpf)

$(BUILD)/%.skel.h: $(BUILD)/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $(notdir $*)_bpf > $@

$(BUILD)/bench/%.o: bench/%.c | build-tools
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -I. $(CFLAGS_ALL) -MMD -MP -c -o $@ $<
# What the benches share.
BENCH_OBJ := $(addprefix $(BUILD)/bench/,aims.o drive.o figure.o filter.o gate.o pairs.o peer.o published.o rounds.o scale.o \
	sender.o)
$(BENCHES): $(BUILD)/bench/%: $(BUILD)/bench/%.o $(BENCH_OBJ) $(BUILD)/libzonewall.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(LIBS)
$(BUILD)/bench/flow_lru.o: $(BUILD)/bench/flow_lru.skel.h
$(BUILD)/bench/drive.o: $(BUILD)/bench/traffic.skel.h
$(BUILD)/bench/peer.o: $(BUILD)/bench/pipeline.skel.h
$(BUILD)/bench/sender.o: $(BUILD)/bench/traffic.skel.h $(BUILD)/bench/live.skel.h

build-tools: # says early what is missing
	@tools/deps.sh --list build

deps: ## install the Debian packages that build, man, check, vm, bench and demo need (root)
	@tools/deps.sh build man check vm bench report demo

demo: ## four hosts on this machine, segmented before your eyes (root; KEEP=1 leaves them up)
	@tools/deps.sh build demo
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@ZONEWALL=$(abspath $(BUILD)/zonewall) KEEP=$(KEEP) demo/demo.sh

# This zonewall of other ABIs, for tests/net/upgrade.sh: with the same layout of everything, and with other layouts.
OTHERS := $(addprefix $(BUILD)/other/,same changed)
$(BUILD)/other/same/%.h: OTHER = -e 's/^\(.define ZW_ABI\) .*/\1 1001/'
$(BUILD)/other/changed/%.h: OTHER = -e 's/^\(.define ZW_ABI\) .*/\1 1002/' \
	-e '/define ZW_PART_NUMBERS/s/{ \([0-9]*\).*}/{ \1, 1001, 1001, 1001, 1001, 1001, 1001 }/' -e '/^struct zw_layout {/,/^};/s/__u8 simulate;/& __u8 more[8];/' \
	-e 's/^\(.define ZW_FLOW_SEEDS\) .*/\1 32/' -e 's/^\(.define ZW_POINT_ENTRIES\) .*/\1 4096/' \
	-e 's/^\(.define ZW_EVENT_ENTRIES\) .*/\1 512/' -e 's/^\(.define ZW_LIMIT_RULE_SETS\) .*/\1 16384/' \
	-e 's/^\(.define ZW_BLOCK_BUCKETS\) .*/\1 32768/'
$(OTHERS:%=%/include/zonewall.h): include/zonewall.h Makefile
	@mkdir -p $(@D)
	$(Q)sed $(OTHER) $< > $@
others: $(OTHERS:%=%/include/zonewall.h) build-tools
	@for other in $(OTHERS); do \
		$(MAKE) --no-print-directory BUILD=$$other INCLUDE=$$other/include CFLAGS=-O1 $$other/zonewall || exit; done

tests: $(TESTS) $(EVASION) $(PRELOADS)
fuzzers: $(FUZZERS)

# Each part can be run alone. RUN prints what failed and why something was skipped, and one line of totals.
RUN := perl tests/run.pl
VM := tests/vm/kernels.sh
# What only computes or mostly waits runs at once; what fills the machine and measures it, one after the other.
parts_in = --jobs $(JOBS) --build $(1) --group vm $(VM) --group model $(MODELS) --group unit $(UNIT:$(BUILD)/%=$(1)/%) \
	--group golden $(GOLDEN) --group install $(INSTALL_TESTS) --group evasion tests/evasion/readme.sh \
	--root --group random $(RANDOM:$(BUILD)/%=$(1)/%) \
	$(NET_PARTS) --group bpf $(BPF_TESTS:$(BUILD)/%=$(1)/%) --group evasion $(EVASION_RUN:$(BUILD)/%=$(1)/%)
NET_PARTS = --jobs $(JOBS) --group net $(filter-out $(NET_ALONE),$(NET)) --jobs 1 --group net $(NET_ALONE)
# Not the schema: its many runs of check are those of the golden cases and the fuzzer's corpus.
SAN_PARTS = --jobs $(JOBS) --build build/san --group sanitized $(UNIT:$(BUILD)/%=build/san/%) $(filter-out %/schema.py,$(GOLDEN))
FUZZ_PARTS = --jobs $(JOBS) --build build/fuzz --group fuzz $(wildcard tests/fuzz/run.sh)
sub_make = $(MAKE) --no-print-directory -j$(JOBS)
make_san = $(sub_make) SAN=1 BUILD=build/san CFLAGS='-O1 -g'
make_fuzz = $(sub_make) BUILD=build/fuzz CC=$(CLANG) CFLAGS='-O1 -g' \
	SANFLAGS='-fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=undefined'

# One other kernel, and what is quick there. Without qemu or a kernel the rest is checked all the same.
check: export KERNELS = 6.1
check: export VM_TESTS = insns bpf/packets bpf/conversations bpf/terms vm/attach vm/until
check: export FUZZ_SECONDS ?= 10
check: ## everything: both compilers, tests, sanitizers, fuzzers' smoke run, the oldest kernel (root)
	@tools/deps.sh build check
	@tools/deps.sh vm || echo "  the group 'vm' will be skipped"
	@$(MAKE) --no-print-directory both-compilers
	@$(sub_make) BUILD=build/gcc others
	@$(make_san) all $(UNIT:$(BUILD)/%=build/san/%)
	@$(make_fuzz) fuzzers
	@$(RUN) $(FUZZ_PARTS) $(SAN_PARTS) $(call parts_in,build/gcc)

check-unit: $(UNIT) ## unit tests
	@$(RUN) --build $(BUILD) --group unit $(UNIT)
check-golden: all ## what check prints, byte for byte
	@$(RUN) --build $(BUILD) --group golden $(GOLDEN)
check-install: all ## what make install puts where: units, completion, the Debian package
	@$(RUN) --build $(BUILD) --group install $(INSTALL_TESTS)
check-model: ## the flow tables' protocol, in every order (spin)
	@$(RUN) --group model $(MODELS)
check-bpf: all $(BPF_TESTS) ## packets through the loaded programs (root)
	@$(RUN) --build $(BUILD) --root --group bpf $(BPF_TESTS)
check-random: all $(RANDOM) ## oracle, tables and kernel on random policies (root)
	@$(RUN) --build $(BUILD) --root --group random $(RANDOM)
check-net: all $(NET_TOOLS) $(PRELOADS) others ## real clients and servers in network namespaces (root)
	@$(RUN) --build $(BUILD) --root $(NET_PARTS)
check-evasion: all $(EVASION) ## tricks that get packets around firewalls, before each of the four hooks (root)
	@$(RUN) --build $(BUILD) --group evasion tests/evasion/readme.sh --root --group evasion $(EVASION_RUN)
check-san: ## unit and golden tests with address and undefined sanitizers
	@$(make_san) all $(UNIT:$(BUILD)/%=build/san/%)
	@$(RUN) $(SAN_PARTS)
check-fuzz: ## a short run of each fuzzer
	@$(make_fuzz) fuzzers
	@$(RUN) $(FUZZ_PARTS)

vm: export TEST_TIMEOUT ?= 3600
vm: all $(BPF_TESTS) $(VM_TOOLS) others ## tests on other kernels, in QEMU (KERNELS="6.1 6.12 newest"; UPDATE=1 keeps the verifier's numbers)
	@OTHER_CLANG=$(OTHER_CLANG) tools/deps.sh build vm other-clang
	@$(sub_make) BUILD=build/other-clang CLANG=$(OTHER_CLANG) all $(BPF_TESTS:$(BUILD)/%=build/other-clang/%) \
		$(VM_TOOLS:$(BUILD)/%=build/other-clang/%)
	@$(RUN) --build $(BUILD) --group vm $(VM) tests/vm/system.sh --build build/other-clang --group $(OTHER_CLANG) $(VM)

benches: $(BENCHES)
bench: all benches $(BUILD)/tests/net/publish_traffic ## measure the list of aims, P1 to P16, and print it; build/bench.json has all figures (root)
	@tools/deps.sh --list bench
	@bench/run.sh $(BUILD)
bench-quick: all benches $(BUILD)/tests/net/publish_traffic ## the same in some two minutes, with fewer rounds (root)
	@tools/deps.sh --list bench
	@bench/run.sh $(BUILD) --quick
bench-report: all benches ## what grows with rules, prefixes, zones, flows and interfaces: tables and plots in bench/report (root)
	@tools/deps.sh --list report
	@bench/report.sh $(BUILD) bench/report

mutants: tests ## does the suite notice each condition of design section 5 that is taken out? (ONLY=words; root for some)
	@BUILD=$(BUILD) JOBS=$(JOBS) perl tests/mutants/run.pl $(ONLY)

coverage: ## what the fuzzers' corpora take; fails if a way through the packets' parser is missing and not explained
	@tools/deps.sh build check coverage
	@$(sub_make) BUILD=build/coverage CC=$(CLANG) CFLAGS='-O1 -g' \
		SANFLAGS='-fprofile-instr-generate -fcoverage-mapping -fsanitize=fuzzer-no-link' \
		fuzzers
	@tools/coverage.sh build/coverage/tests/fuzz

both-compilers: # all warnings are errors
	@$(sub_make) BUILD=build/gcc CC=gcc WERROR=1 CFLAGS='-O2 -g' all tests benches
	@$(sub_make) BUILD=build/clang CC=$(CLANG) WERROR=1 CFLAGS='-O2 -g' all tests benches

lint: both-compilers ## both compilers with -Werror, scripts, licence lines, what the programs may call
	@BUILD=build/gcc tools/lint.sh

man: $(MAN) ## build the manual pages (scdoc)

$(BUILD)/man/%: man/%.scd | man-tools
	$(call say,MAN,$@)
	@mkdir -p $(@D)
	$(Q)scdoc < $< > $@

man-tools:
	@tools/deps.sh --list man

# From the table of commands, which the command itself tells.
$(BUILD)/completion/zonewall.%: tools/completion.py $(BUILD)/zonewall
	$(call say,GEN,$@)
	@mkdir -p $(@D)
	$(Q)$(BUILD)/zonewall help -o json | tools/completion.py $* > $@

# Always: PREFIX may be another one.
.PHONY: always
$(BUILD)/systemd/%: systemd/%.in systemd/hardening always
	@mkdir -p $(@D)
	$(Q)sed -e '/^@hardening@$$/{r systemd/hardening' -e 'd}' -e 's,@sbindir@,$(PREFIX)/sbin,' $< > $@

SHARE = $(DESTDIR)$(PREFIX)/share
ZSHDIR ?= $(PREFIX)/share/zsh/site-functions
UNITDIR ?= $(PREFIX)/lib/systemd/system
LIBDIR = $(DESTDIR)$(PREFIX)/lib
install: all $(COMPLETIONS) $(UNITS) ## install all of it below PREFIX (/usr/local), or DESTDIR and PREFIX
	install -D -m 0755 $(BUILD)/zonewall $(DESTDIR)$(PREFIX)/sbin/zonewall
	install -D -m 0644 README.md $(SHARE)/doc/zonewall/README.md
	install -d $(SHARE)/doc/zonewall/policies/common $(SHARE)/doc/zonewall/policies/feeds
	install -m 0644 policies/*.* $(SHARE)/doc/zonewall/policies
	install -m 0644 policies/common/* $(SHARE)/doc/zonewall/policies/common
	install -m 0644 policies/feeds/* $(SHARE)/doc/zonewall/policies/feeds
	install -D -m 0644 $(BUILD)/completion/zonewall.bash $(SHARE)/bash-completion/completions/zonewall
	install -D -m 0644 $(BUILD)/completion/zonewall.zsh $(DESTDIR)$(ZSHDIR)/_zonewall
	install -D -m 0644 $(BUILD)/completion/zonewall.fish $(SHARE)/fish/vendor_completions.d/zonewall.fish
	install -d $(DESTDIR)$(UNITDIR)
	install -m 0644 $(UNITS) $(DESTDIR)$(UNITDIR)
	install -D -m 0644 systemd/zonewall.sysusers $(LIBDIR)/sysusers.d/zonewall.conf
	install -D -m 0644 systemd/zonewall.tmpfiles $(LIBDIR)/tmpfiles.d/zonewall.conf
	@if command -v scdoc >/dev/null; then $(MAKE) --no-print-directory install-man; \
	else echo "left out: the manual pages, since scdoc is missing (Debian package scdoc)"; fi

install-man: man
	$(foreach page,$(MAN),install -D -m 0644 $(page) \
		$(SHARE)/man/man$(patsubst .%,%,$(suffix $(page)))/$(notdir $(page)) &&) true

deb: ## build the Debian package into build/deb, and let lintian look at it (debhelper, lintian)
	@tools/deps.sh --list build man deb
	@tools/deb.sh $(abspath $(BUILD))/deb

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1	\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18
	@echo "variables: V=1 show commands, SAN=1 sanitizers, KEEP=1 keep the demo, BUILD=, CC=, CLANG=, PREFIX=, JOBS="

clean: ## remove build/
	$(Q)rm -rf build

-include $(shell find $(BUILD) -type f -name '*.d' 2>/dev/null)
