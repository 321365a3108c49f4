// SPDX-License-Identifier: GPL-2.0-only
#include "cmd/stage.h"

#include "base/diag.h"
#include "base/files.h"
#include "base/util.h"
#include "cmd/running.h"
#include "compile/candidate.h"
#include "kernel/edge.h"

DEFINE_CLEANUP(struct policy *, policy_free)

/* The policy that decides, as it was read when it was applied, for the addresses that the host has now. */
static int read_enforced(const struct running *running, struct diag *diag, struct policy **ret_policy)
{
	size_t count;
	const char *const *paths = files_named(running->files, &count);
	int error = policy_read_from(running->files, paths, count, NULL, diag, ret_policy);

	return error ? error : policy_resolve(*ret_policy, &running->host);
}

/* The enforced policy's files stay what is kept with the generation, and what the next boot restores. */
static int pack(const struct running *running, struct publication *publication)
{
	size_t count;
	const char *const *paths = files_named(running->files, &count);

	return files_pack(running->files, paths, count, &publication->pack, &publication->pack_len);
}

static int make(const struct running *running, struct publication *candidate, uint64_t budget_bytes,
		struct publication *publication)
{
	const struct compile_options options = { .budget_bytes = budget_bytes };
	_cleanup_(policy_freep) struct policy *enforced = NULL;
	int error = read_enforced(running, candidate->diag, &enforced);

	if (!error)
		error = policy_resolve(candidate->policy, &running->host);
	if (!error)
		error = candidate_compile(enforced, candidate->policy, &options, candidate->diag, &publication->tables);
	if (!error)
		error = pack(running, publication);
	if (!error)
		publication->flows = enforced->flows;
	return error;
}

int stage_compile(const struct globals *globals, struct publication *candidate, uint64_t budget_bytes,
		  struct publication *ret_publication)
{
	_cleanup_(publication_clear) struct publication publication = { 0 };
	_cleanup_(running_close) struct running running = { 0 };
	int status = running_open(globals, &running), error;

	if (status)
		return status;
	error = make(&running, candidate, budget_bytes, &publication);
	if (error == -EINVAL) {
		diag_print(candidate->diag, stderr, globals->colour);
		edge_error(0, "the candidate and the policy that decides do not fit into one");
		return EXIT_POLICY;
	}
	if (error)
		return edge_exit_status(edge_error(error, "cannot stage the candidate beside the policy that decides"));
	*ret_publication = publication;
	publication = (struct publication){ 0 };
	return EXIT_DONE;
}
