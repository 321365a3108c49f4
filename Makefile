# SPDX-License-Identifier: GPL-2.0-only
# zonewall: make help lists the targets. Outputs are in build/. V=1 shows commands, SAN=1 adds sanitizers.

BUILD   := build
CC      ?= gcc
CLANG   ?= clang
BPFTOOL ?= $(shell command -v bpftool || echo /usr/sbin/bpftool)
ifdef SAN
BUILD   := build/san
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined
endif
Q := $(if $(V),,@)
say = $(if $(V),,@echo "  $(1)	$(2)")

WARN    := -Wall -Wextra
CFLAGS  ?= -O2 -g
CFLAGS_ALL = -std=gnu11 $(WARN) -D_GNU_SOURCE -Iinclude -Iuser -Ibpf -I$(BUILD) $(SANFLAGS) $(CFLAGS)
LIBS    := -lbpf -lelf -lz -lyaml -ljson-c -lsmartcols -lmnl
BPF_CFLAGS := -O2 -g -target bpf -mcpu=v3 $(WARN) -Wno-unused-parameter -Iinclude -Ibpf \
	-I/usr/include/$(shell $(CC) -dumpmachine)

USER_SRC := $(wildcard user/*/*.c)
USER_OBJ := $(USER_SRC:%.c=$(BUILD)/%.o)
SKELS    := $(BUILD)/zonewall.skel.h $(BUILD)/gate.skel.h

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all clean

all: $(BUILD)/zonewall

$(BUILD)/zonewall: $(BUILD)/user/main.o $(BUILD)/libzonewall.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $^ $(LIBS)

# A library, so that a test links only what it uses.
$(BUILD)/libzonewall.a: $(USER_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/user/%.o: user/%.c | $(SKELS)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(BUILD)/%.bpf.o: bpf/%.bpf.c
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/%.skel.h: $(BUILD)/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@

clean:
	$(Q)rm -rf build

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
