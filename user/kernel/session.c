// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/session.h"

#include <arpa/inet.h>

#include "base/util.h"
#include "kernel/process.h"
#include "kernel/sockets.h"

struct search {
	struct session *sessions;
	size_t count;
	struct {
		uint32_t *inodes; /* of all ancestors, one after the other */
		size_t count;
		long pid[64];
		size_t end[64]; /* where the sockets of each end */
		size_t pids;
	} ancestors;
	struct live named; /* by SSH_CONNECTION; family 0: it names none */
};

/* Not the first process: what it holds is everybody's. */
static int find_ancestors(struct search *search)
{
	char pid[24] = "self";
	long parent = process_parent(pid);
	int error = 0;

	while (parent > 1 && search->ancestors.pids < ARRAY_LEN(search->ancestors.pid) && !error) {
		snprintf(pid, sizeof(pid), "%ld", parent);
		error = process_sockets(pid, &search->ancestors.inodes, &search->ancestors.count);
		search->ancestors.pid[search->ancestors.pids] = parent;
		search->ancestors.end[search->ancestors.pids++] = search->ancestors.count;
		parent = process_parent(pid);
	}
	return error;
}

static int read_address(const char *text, __u32 *ret_address)
{
	char plain[INET6_ADDRSTRLEN + 1];

	snprintf(plain, sizeof(plain), "%.*s", (int)strcspn(text, "%"), text); /* without its scope */
	if (inet_pton(AF_INET, plain, ret_address) == 1)
		return 4;
	return inet_pton(AF_INET6, plain, ret_address) == 1 ? 6 : 0;
}

/* "CLIENT PORT SERVER PORT" */
static void read_variable(struct live *ret_live)
{
	const char *value = getenv("SSH_CONNECTION");
	char client[64], server[64];
	unsigned sport, dport;
	struct live live = { .ends.protocol = PROTO_TCP };

	if (!value || sscanf(value, "%63s %u %63s %u", client, &sport, server, &dport) != 4)
		return;
	live.family = read_address(client, live.ends.source);
	if (!live.family || read_address(server, live.ends.destination) != live.family)
		return;
	live.ends.sport = htons(sport);
	live.ends.dport = htons(dport);
	*ret_live = live;
}

static bool is_same(const struct live *a, const struct live *b)
{
	return a->family == b->family && a->ends.protocol == b->ends.protocol && a->ends.sport == b->ends.sport &&
	       a->ends.dport == b->ends.dport && is_same_address(a->ends.source, b->ends.source) &&
	       is_same_address(a->ends.destination, b->ends.destination);
}

static bool is_named(const struct search *search, const struct live *live)
{
	struct live reversed = *live;

	live_reverse(&reversed);
	return search->named.family && (is_same(live, &search->named) || is_same(&reversed, &search->named));
}

/* Whose socket it is: the nearest ancestor's; 0: no ancestor's. */
static long owner_of(const struct search *search, __u32 inode)
{
	size_t i = 0, ancestor = 0;

	while (i < search->ancestors.count && search->ancestors.inodes[i] != inode)
		i++;
	if (i == search->ancestors.count)
		return 0;
	while (search->ancestors.end[ancestor] <= i)
		ancestor++;
	return search->ancestors.pid[ancestor];
}

static bool take(const struct live *live, void *data)
{
	struct search *search = data;
	long owner = live->inode ? owner_of(search, live->inode) : 0;
	struct session *session = &search->sessions[search->count];
	char pid[24];

	if (live->ends.protocol != PROTO_TCP || (!owner && !is_named(search, live)))
		return true;
	*session = (struct session){ .live = *live, .pid = owner };
	snprintf(pid, sizeof(pid), "%ld", owner);
	if (owner)
		process_name(pid, session->name, sizeof(session->name));
	return ++search->count < SESSIONS_MAX;
}

int sessions_find(struct session ret_sessions[SESSIONS_MAX], size_t *ret_count)
{
	struct search search = { .sessions = ret_sessions };
	int error = find_ancestors(&search);

	read_variable(&search.named);
	if (!error && (search.ancestors.count || search.named.family))
		error = sockets_walk(take, &search);
	free(search.ancestors.inodes);
	*ret_count = search.count;
	return error;
}
