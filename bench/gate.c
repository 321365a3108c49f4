// SPDX-License-Identifier: GPL-2.0-only
#include "bench/gate.h"

#include <limits.h>

#include <bpf/bpf.h>

#include "base/files.h"
#include "base/util.h"
#include "compile/tables.h"
#include "kernel/instance.h"
#include "kernel/pins.h"
#include "kernel/publish.h"

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "error: bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

void gate_publish(const char *instance, const struct policy *policy, uint64_t flows)
{
	struct publish_options options = { .flows = flows, .quiet = true };
	const struct compile_options compile = { 0 };
	struct publish_report report = { 0 };
	struct files *files = files_new();
	struct diag *diag = diag_new();
	struct tables *tables;
	void *pack;

	if (compile_policy(policy, &compile, diag, &tables) || files_pack(files, NULL, 0, &pack, &options.pack_len)) {
		diag_print(diag, stderr, false);
		exit(1);
	}
	options.pack = pack;
	if (publish(instance, tables, &options, &report))
		exit(1);
	publish_report_clear(&report);
	tables_free(tables);
	diag_free(diag);
	files_free(files);
	free(pack);
}

int gate_program(const char *instance)
{
	char path[PATH_MAX];
	int fd;

	pins_path(path, instance, "/gate/zw_gate_xdp");
	fd = bpf_obj_get(path);
	if (fd < 0)
		fail(path);
	return fd;
}

uint64_t gate_count(const char *instance, enum zw_reason reason)
{
	struct zw_count counts[ZW_REASONS];
	struct attach_point *points;
	struct instance *in;
	uint64_t found = 0;
	size_t n;

	if (instance_open(instance, &in) || instance_attach_points(in, &points, &n))
		fail("counters");
	for (size_t i = 0; i < n; i++) {
		if (points[i].hook != ZW_HOOK_XDP)
			continue;
		instance_count(in, points[i].slot, counts);
		found += counts[reason].packets;
	}
	free(points);
	instance_free(in);
	return found;
}
