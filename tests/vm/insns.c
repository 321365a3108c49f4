// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many instructions the verifier of this kernel processes for each program, under one fixed policy: a line
 * "PROGRAM INSTRUCTIONS" each, on standard output. tests/vm/insns.txt keeps them.
 */
#include <stdio.h>
#include <string.h>

#include <linux/bpf.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "kernel/load.h"
#include "scene.h"
#include "zonewall.h"

#include "gate.skel.h" /* these know no types but those above */
#include "zonewall.skel.h"

/* Something of each kind. What it holds is constant to the verifier, so a change here needs new numbers. */
static const char policy[] =
	"version: 1\n"
	"defaults: {action: drop}\n"
	"interfaces: [{match: [v0], source: red}]\n"
	"zones:\n"
	"  red: [10.1.0.0/16, \"fd00:1::/64\"]\n"
	"  blue: [10.2.0.0/16, \"fd00:2::/64\"]\n"
	/* A step for each 16 bits of an address. */
	"  in32: [\"fd00:3::/32\"]\n"
	"  in48: [\"fd00:3:1::/48\", \"fd00:3:7::/48\", \"fd00:3:9::/48\"]\n"
	"  in64: [\"fd00:3:1:1::/64\", \"fd00:3:1:7::/64\", \"fd00:3:1:9::/64\"]\n"
	"  in80: [\"fd00:3:1:1:1::/80\", \"fd00:3:1:1:7::/80\", \"fd00:3:1:1:9::/80\"]\n"
	"  in96: [\"fd00:3:1:1:1:1::/96\", \"fd00:3:1:1:1:7::/96\", \"fd00:3:1:1:1:9::/96\"]\n"
	"  in112: [\"fd00:3:1:1:1:1:1::/112\", \"fd00:3:1:1:1:1:7::/112\", \"fd00:3:1:1:1:1:9::/112\"]\n"
	"  in128: [\"fd00:3:1:1:1:1:1:1\", \"fd00:3:1:1:1:1:1:7\", \"fd00:3:1:1:1:1:1:9\"]\n"
	"failsafe: [{id: way-in, from: 10.9.0.0/24, to: blue, service: tcp/22}]\n"
	"rules:\n"
	"  - {id: web, from: red, to: blue, service: [tcp/80, tcp/8000-8099], action: allow}\n"
	"  - {id: names, from: blue, to: red, service: udp/53, action: allow, limit: {rate: 9/s, per: source, ban: 1m}}\n"
	"  - {id: guests, from: blue, to: red, service: tcp/80, action: allow, until: 2038-01-01T00:00:00Z}\n"
	"  - {id: try, from: red, to: blue, service: tcp/443, action: allow, mode: stage}\n"
	"  - {id: ping, from: any, to: any, service: icmp/echo-request, action: allow}\n";

/* False, and says so: not known. */
static bool print_programs(const struct bpf_object *object)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, object) {
		struct bpf_prog_info info = {0};
		__u32 len = sizeof(info);

		if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &len)) {
			perror(bpf_program__name(program));
			return false;
		}
		printf("%s %u\n", bpf_program__name(program), info.verified_insns);
	}
	return true;
}

static bool print_generation(void)
{
	const struct load_options options = {.generation = 1, .flows = 4096, .fragment_buckets = 16};
	const struct scene_options no_options = {0};
	struct zonewall_bpf *skel = NULL;
	struct scene scene;
	bool good;

	if (scene_open(policy, &no_options, &scene))
		return false;
	good = !load_open(scene.tables, &options, &skel) && !load_finish(skel, scene.tables) && print_programs(skel->obj);
	zonewall_bpf__destroy(skel);
	scene_close(&scene);
	return good;
}

static bool print_gate(void)
{
	struct gate_bpf *skel = gate_bpf__open_and_load();
	bool good = skel && print_programs(skel->obj);

	gate_bpf__destroy(skel);
	return good;
}

int main(void)
{
	return print_generation() && print_gate() ? 0 : 1;
}
