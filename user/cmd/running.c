// SPDX-License-Identifier: GPL-2.0-only
#include "cmd/running.h"

#include "base/files.h"
#include "base/util.h"
#include "cmd/view.h"
#include "kernel/edge.h"
#include "kernel/host.h"
#include "kernel/instance.h"

void running_close(struct running *running)
{
	ranges_clear(&running->host);
	files_free(running->files);
	generation_free(running->generation);
	instance_free(running->instance);
}

static int open_generation(struct running *running, uint32_t number)
{
	int error = generation_open(running->instance, number, &running->generation);

	if (error)
		return edge_error(error, "cannot open generation %u", number);
	error = generation_files(running->instance, number, &running->files);
	if (error == -ENOENT)
		return edge_error(0, "generation %u was applied by a version that did not keep the policy\n"
				     "fix: apply it again", number);
	return error ? edge_error(error, "cannot read the policy of generation %u", number) : 0;
}

static void take_tables(struct running *running)
{
	const struct generation *g = running->generation;

	running->tables = (struct tables){
		.bytes = (void *)g->tables,
		.len = g->tables_len,
		.layout = g->layout,
		.names = g->names,
	};
}

int running_open_if_any(const struct globals *globals, struct running *ret_running)
{
	_cleanup_(running_close) struct running running = { 0 };
	int error = instance_open(globals->instance, &running.instance);
	uint32_t number = error ? 0 : instance_current(running.instance);

	if (error && error != -ENOENT)
		edge_error(error, "cannot read what is published for instance %s", globals->instance);
	if (!number)
		return error == -ENOENT ? EXIT_DONE : edge_exit_status(error);
	error = open_generation(&running, number);
	if (error)
		return edge_exit_status(error);
	error = host_addresses(&running.host);
	if (error)
		return edge_exit_status(edge_error(error, "cannot read the addresses of this host"));
	take_tables(&running);
	*ret_running = running;
	running = (struct running){ 0 };
	return EXIT_DONE;
}

int running_open(const struct globals *globals, struct running *ret_running)
{
	int status = running_open_if_any(globals, ret_running);

	return status || ret_running->instance ? status : view_nothing_published(globals->instance);
}
