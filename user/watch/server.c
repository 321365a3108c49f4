// SPDX-License-Identifier: GPL-2.0-only
#include "watch/server.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "kernel/edge.h"
#include "watch/filter.h"

#define REQUEST_MAX 65536
#define CLIENTS_MAX 512
#define LINES_ROOM 65536 /* bytes waiting for a client above which no events are added */
#define SCAN_MAX 4096 /* events looked at for one client before others have their turn */
#define SNAPSHOTS_MAX 8 /* clients that take flows: each may hold a generation's tables */
#define SLOTS_MAX 4096 /* slots looked at for one client before others have their turn */
#define QUEUED_MAX (64u << 20) /* bytes waiting for all clients */
#define REQUEST_TICKS 10 /* seconds in which a request must come */
#define STALL_TICKS 60 /* seconds in which some of an answer that has an end must be taken */

struct client {
	struct client *next;
	int fd;
	uint32_t interest;
	unsigned ticks; /* since something came or went */
	bool asked, streaming, follow, finished, gone;
	bool text, colour;
	struct filter filter;
	uint64_t wants; /* number of the next event */
	struct flow_stream *flows; /* NULL: it takes none (any more) */
	struct buffer in, out;
};

struct server {
	int listener, epoll;
	const struct store *store;
	server_answer answer;
	server_flows flows;
	void *context;
	struct client *clients;
	unsigned client_count;
	gid_t group; /* -1: there is no such group */
	char path[PATH_MAX];
};

static gid_t find_group(void)
{
	struct group *group = getgrnam(SERVER_GROUP);

	return group ? group->gr_gid : (gid_t)-1;
}

static int bind_socket(struct server *server)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	mode_t before;
	int r;

	if (strlen(server->path) >= sizeof(address.sun_path))
		return edge_error(ENAMETOOLONG, "cannot make the socket %s", server->path);
	strcpy(address.sun_path, server->path);
	server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (server->listener < 0)
		return edge_error(errno, "cannot make a socket");
	unlink(server->path); /* of a loader that was killed: the caller holds the lock */
	before = umask(0177);
	r = bind(server->listener, (struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
	umask(before);
	if (r)
		return edge_error(r, "cannot make the socket %s", server->path);
	/* First the group, then its right: nobody else has it in between. */
	if (server->group != (gid_t)-1 &&
	    (chown(server->path, (uid_t)-1, server->group) || chmod(server->path, 0660)))
		edge_warn("cannot give %s to the group %s: only root can ask", server->path, SERVER_GROUP);
	return listen(server->listener, 64) ? edge_error(errno, "cannot listen on %s", server->path) : 0;
}

static int watch(struct server *server, int operation, int fd, uint32_t events, void *what)
{
	struct epoll_event event = { .events = events, .data.ptr = what };

	return epoll_ctl(server->epoll, operation, fd, &event) ? -errno : 0;
}

int server_new(const char *instance, const struct store *store, server_answer answer, server_flows flows, void *context,
	       struct server **ret_server)
{
	struct server *server = calloc(1, sizeof(*server));
	int r;

	if (!server)
		return -ENOMEM;
	server->listener = -1;
	server->store = store;
	server->answer = answer;
	server->flows = flows;
	server->context = context;
	server->group = find_group();
	server->epoll = epoll_create1(EPOLL_CLOEXEC);
	r = server->epoll < 0 ? edge_error(errno, "cannot make an epoll descriptor") :
				instance_run_path(instance, SERVER_SOCKET, server->path);
	if (!r)
		r = bind_socket(server);
	if (!r)
		r = watch(server, EPOLL_CTL_ADD, server->listener, EPOLLIN, NULL);
	if (r) {
		server_free(server);
		return r;
	}
	*ret_server = server;
	return 0;
}

static void client_free(struct client *client)
{
	close(client->fd);
	flow_stream_free(client->flows);
	buffer_free(&client->in);
	buffer_free(&client->out);
	free(client);
}

void server_free(struct server *server)
{
	if (!server)
		return;
	while (server->clients) {
		struct client *client = server->clients;

		server->clients = client->next;
		client_free(client);
	}
	if (server->listener >= 0) {
		close(server->listener);
		unlink(server->path);
	}
	if (server->epoll >= 0)
		close(server->epoll);
	free(server);
}

int server_fd(const struct server *server)
{
	return server->epoll;
}

unsigned server_clients(const struct server *server)
{
	return server->client_count;
}

/* The socket's mode says so already; this also holds for a socket whose mode somebody has changed. */
static bool may_ask(const struct server *server, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	gid_t groups[1024];

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		return false;
	if (peer.uid == 0)
		return true;
	if (server->group == (gid_t)-1)
		return false;
	if (peer.gid == server->group)
		return true;
	len = sizeof(groups);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len))
		return false;
	for (size_t i = 0; i < len / sizeof(groups[0]); i++)
		if (groups[i] == server->group)
			return true;
	return false;
}

size_t server_waiting(const struct server *server)
{
	size_t sum = 0;

	for (const struct client *client = server->clients; client; client = client->next)
		sum += client->out.len;
	return sum;
}

static void finish(struct client *client)
{
	buffer_put(&client->out, "\n");
	client->finished = true;
}

static void refuse(struct client *client, const char *why)
{
	buffer_put(&client->out, "{\"error\":");
	buffer_json_string(&client->out, why);
	buffer_put(&client->out, "}\n");
	finish(client);
}

/* Room for a client that wants its answer now; else it is refused in a line, or not at all. */
static void welcome(struct server *server, int fd)
{
	static const char full[] = "{\"error\":\"too many clients\"}\n\n";
	static const char stranger[] = "{\"error\":\"permission denied: not root and not in the group " SERVER_GROUP "\"}\n\n";
	struct client *client = server->client_count < CLIENTS_MAX ? calloc(1, sizeof(*client)) : NULL;
	bool allowed = may_ask(server, fd);

	if (!client || !allowed || watch(server, EPOLL_CTL_ADD, fd, EPOLLIN, client)) {
		if (send(fd, allowed ? full : stranger, allowed ? sizeof(full) - 1 : sizeof(stranger) - 1, MSG_NOSIGNAL) < 0)
			errno = 0; /* it may have gone already */
		close(fd);
		free(client);
		return;
	}
	client->fd = fd;
	client->interest = EPOLLIN;
	client->next = server->clients;
	server->clients = client;
	server->client_count++;
}

static void accept_clients(struct server *server)
{
	int fd;

	while ((fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		welcome(server, fd);
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

/* The number of the event with which the last `count` matching ones begin. */
static uint64_t last_matching(const struct server *server, const struct client *client, uint64_t count)
{
	uint64_t number = store_end(server->store), first = store_first(server->store);

	while (count && number > first)
		if (filter_matches(&client->filter, store_get(server->store, --number)))
			count--;
	return number;
}

static void begin_drops(struct server *server, struct client *client, struct json_object *request)
{
	struct json_object *filters = NULL, *value;
	char why[256];

	json_object_object_get_ex(request, "filters", &filters);
	if (filter_read(filters, &client->filter, why, sizeof(why))) {
		refuse(client, why);
		return;
	}
	if (json_object_object_get_ex(request, "since", &value))
		client->filter.since_ns = now_ns() - (int64_t)(json_object_get_double(value) * 1e9);
	client->follow = json_object_object_get_ex(request, "follow", &value) && json_object_get_boolean(value);
	client->text = json_object_object_get_ex(request, "text", &value) && json_object_get_boolean(value);
	client->colour = json_object_object_get_ex(request, "colour", &value) && json_object_get_boolean(value);
	client->wants = store_first(server->store);
	if (json_object_object_get_ex(request, "last", &value)) {
		int64_t last = json_object_get_int64(value);

		client->wants = last_matching(server, client, last > 0 ? last : 0);
	}
	client->streaming = true;
}

static unsigned snapshots(const struct server *server)
{
	unsigned count = 0;

	for (const struct client *client = server->clients; client; client = client->next)
		count += !!client->flows;
	return count;
}

static void begin_flows(struct server *server, struct client *client, struct json_object *request)
{
	char why[256];
	const struct filter_error error = { why, sizeof(why) };

	if (snapshots(server) >= SNAPSHOTS_MAX)
		refuse(client, "too many others are looking at the flows: try again");
	else if (server->flows(server->context, request, &error, &client->flows))
		refuse(client, why);
}

static void one_answer(struct server *server, struct client *client, const char *name)
{
	struct json_object *answer;

	if (server_waiting(server) > QUEUED_MAX) {
		refuse(client, "too many answers are waiting to be taken: try again");
		return;
	}
	answer = server->answer(server->context, name);
	if (!answer) {
		refuse(client, "out of memory");
		return;
	}
	buffer_put(&client->out, json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN |
									JSON_C_TO_STRING_NOSLASHESCAPE));
	buffer_put(&client->out, "\n");
	json_object_put(answer);
	finish(client);
}

static void begin(struct server *server, struct client *client, const char *line)
{
	struct json_object *request = json_tokener_parse(line), *value;
	const char *name = NULL;

	client->asked = true;
	if (request && json_object_is_type(request, json_type_object) &&
	    json_object_object_get_ex(request, "request", &value) && json_object_is_type(value, json_type_string))
		name = json_object_get_string(value);
	if (!name)
		refuse(client, "not a request");
	else if (!strcmp(name, "drops"))
		begin_drops(server, client, request);
	else if (!strcmp(name, "flows"))
		begin_flows(server, client, request);
	else if (!strcmp(name, "rules") || !strcmp(name, "status") || !strcmp(name, "blocks"))
		one_answer(server, client, name);
	else
		refuse(client, "there is no such request");
	json_object_put(request);
}

static void read_request(struct server *server, struct client *client)
{
	char data[4096], *newline;
	ssize_t len = read(client->fd, data, sizeof(data));

	if (len < 0) {
		client->gone = errno != EAGAIN && errno != EINTR;
		return;
	}
	if (len == 0) {
		/* It will not ask (more). An answer on its way still goes out. */
		client->gone = !client->asked;
		client->interest &= ~EPOLLIN;
		return;
	}
	if (client->asked)
		return;
	client->ticks = 0;
	buffer_add(&client->in, data, len);
	if (client->in.failed) {
		client->gone = true;
		return;
	}
	newline = memchr(client->in.data, '\n', client->in.len);
	if (newline) {
		*newline = '\0';
		begin(server, client, client->in.data);
		buffer_free(&client->in);
	} else if (client->in.len > REQUEST_MAX) {
		client->asked = true;
		refuse(client, "the request is too long");
	}
}

static void tell_skipped(struct client *client, uint64_t events)
{
	if (client->text)
		buffer_printf(&client->out, "... %llu events are missing here: this reader is too slow\n",
			      (unsigned long long)events);
	else
		buffer_printf(&client->out, "{\"schema\":\"zonewall.skipped/1\",\"events\":%llu}\n",
			      (unsigned long long)events);
}

/* Adds lines while there is room. Returns whether there is more to look at. */
static bool add_events(struct server *server, struct client *client)
{
	uint64_t first = store_first(server->store), end = store_end(server->store);

	if (client->wants < first) {
		tell_skipped(client, first - client->wants);
		client->wants = first;
	}
	for (unsigned seen = 0; client->wants < end && seen < SCAN_MAX && client->out.len < LINES_ROOM; seen++) {
		const struct event *event = store_get(server->store, client->wants++);

		if (!filter_matches(&client->filter, event))
			continue;
		if (client->text)
			event_text(event, client->colour, &client->out);
		else
			event_json(event, &client->out);
		buffer_put(&client->out, "\n");
	}
	if (client->wants == end && !client->follow) {
		client->streaming = false;
		finish(client);
	}
	return client->streaming && client->wants < end;
}

/* The same for flows. A client that takes nothing is not looked at any slot for: its buffer is full. */
static bool add_flows(struct client *client)
{
	if (flow_stream_add(client->flows, &client->out, LINES_ROOM, SLOTS_MAX))
		return true;
	flow_stream_free(client->flows);
	client->flows = NULL;
	finish(client);
	return false;
}

static void send_lines(struct client *client)
{
	ssize_t len;

	if (client->out.failed) {
		client->gone = true;
		return;
	}
	if (!client->out.len)
		return;
	len = send(client->fd, client->out.data, client->out.len, MSG_NOSIGNAL);
	if (len < 0) {
		client->gone = errno != EAGAIN && errno != EINTR;
		return;
	}
	client->ticks = 0;
	buffer_consume(&client->out, len);
}

/* One turn of a client. It has another as soon as it can take more, if there is more. */
static void serve(struct server *server, struct client *client)
{
	bool more = false;
	uint32_t interest;

	if (client->streaming)
		more = add_events(server, client);
	if (client->flows)
		more = add_flows(client);
	send_lines(client);
	if (client->finished && !client->out.len)
		client->gone = true;
	if (client->gone)
		return;
	interest = (client->interest & EPOLLIN) | (more || client->out.len ? EPOLLOUT : 0);
	if (interest != client->interest || !(interest & EPOLLIN))
		client->gone = watch(server, EPOLL_CTL_MOD, client->fd, interest, client) != 0;
	client->interest = interest;
}

static void bury(struct server *server)
{
	struct client **link = &server->clients;

	while (*link) {
		struct client *client = *link;

		if (!client->gone) {
			link = &client->next;
			continue;
		}
		*link = client->next;
		server->client_count--;
		client_free(client);
	}
}

void server_handle(struct server *server)
{
	struct epoll_event events[64];
	int count = epoll_wait(server->epoll, events, 64, 0);

	for (int i = 0; i < count; i++) {
		struct client *client = events[i].data.ptr;

		if (!client) {
			accept_clients(server);
			continue;
		}
		if (events[i].events & (EPOLLERR | EPOLLHUP))
			client->gone = true;
		else if (events[i].events & EPOLLIN)
			read_request(server, client);
		if (!client->gone)
			serve(server, client);
	}
	bury(server);
}

void server_pump(struct server *server)
{
	for (struct client *client = server->clients; client; client = client->next)
		if (client->streaming && client->out.len < LINES_ROOM)
			serve(server, client);
	bury(server);
}

void server_tick(struct server *server)
{
	for (struct client *client = server->clients; client; client = client->next) {
		client->ticks++;
		if (!client->asked && client->ticks > REQUEST_TICKS)
			client->gone = true;
		if ((client->finished || client->flows) && client->ticks > STALL_TICKS)
			client->gone = true;
	}
	bury(server);
}
