// SPDX-License-Identifier: GPL-2.0-only
/* The loader's socket, its clients good and bad, in one process: the server is turned by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "fill.h"
#include "kernel/instance.h"
#include "watch/server.h"
#include "watch/store.h"

static char folder[] = "/tmp/zonewall-test-XXXXXX";
static struct store *store;
static struct server *server;

int instance_run_path(const char *name, const char *file, char *ret_path)
{
	(void)name;
	snprintf(ret_path, PATH_MAX, "%s/%s", folder, file);
	return 0;
}

static struct json_object *answer(void *context, const char *request)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "asked", json_object_new_string(request));
	json_object_object_add(object, "context", json_object_new_string(context));
	return object;
}

/* A table with FLOWS flows, which "flows" shows. */
#define FLOWS 3000
static struct flow_source flows_source;

static void fill_flows(void)
{
	struct opening opening = { .now = 1000000000, .state = ZW_FLOW_TCP_ESTABLISHED, .alone = 1 };
	struct choice choice;
	unsigned opened = 0;

	flows_source = (struct flow_source){ .tables = { fill_new(4, 4096) }, .jiffies = opening.now, .hz = 250 };
	for (unsigned i = 0; opened < FLOWS; i++) {
		struct ends ends = { .protocol = PROTO_TCP, .source[0] = i, .dport = 443 };
		struct flow flow;

		if (!fill_open(&flows_source.tables[0], &ends, &opening, &choice) ||
		    !fill_find(&flows_source.tables[0], &ends, opening.now, &flow))
			continue;
		flow.slot->head |= FLOW_CONFIRMED;
		opened++;
	}
}

static int open_flows(void *context, struct json_object *request, const struct filter_error *error,
		      struct flow_stream **ret_stream)
{
	(void)context;
	return flow_stream_new(&flows_source, request, error, ret_stream);
}

static void add_events(unsigned count, const char *rule)
{
	static unsigned number;
	struct event event = { .interface = "eth0", .rule = rule, .staged = "", .cgroup = "", .from_zones = "a", .to_zones = "b", .block_reason = "",
			       .key = { .family = 4, .reason = ZW_DROP_RULE, .protocol = 6 } };

	while (count--) {
		event.count = ++number;
		assert_int_equal(store_add(store, &event), 0);
	}
	server_pump(server);
}

static int connect_client(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/sock", folder);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	server_handle(server);
	return fd;
}

static int ask(const char *request)
{
	int fd = connect_client();

	assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
	server_handle(server);
	return fd;
}

/* What has come and still comes while the server is turned, until it has no more. */
static char *take(int fd, bool *ret_closed)
{
	size_t len = 0, room = 1 << 16;
	char *text = malloc(room);
	int idle = 0;

	*ret_closed = false;
	while (idle < 20) {
		ssize_t got = recv(fd, text + len, room - len - 1, 0);

		server_handle(server);
		if (got == 0) {
			*ret_closed = true;
			break;
		}
		idle = got < 0 ? idle + 1 : 0;
		len += got > 0 ? got : 0;
		if (room - len < 4096)
			assert_non_null(text = realloc(text, room *= 2));
	}
	text[len] = '\0';
	return text;
}

static unsigned count_lines(const char *text)
{
	unsigned lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

static void assert_answer(int fd, const char *wanted)
{
	bool closed;
	char *text = take(fd, &closed);

	assert_string_equal(text, wanted);
	assert_true(closed);
	free(text);
	close(fd);
}

static void questions_without_sense_get_an_answer(void **state)
{
	static const struct { const char *request, *answer; } rows[] = {
		{ "x\n", "{\"error\":\"not a request\"}\n\n" },
		{ "\n", "{\"error\":\"not a request\"}\n\n" },
		{ "[]\n", "{\"error\":\"not a request\"}\n\n" },
		{ "{\"request\":7}\n", "{\"error\":\"not a request\"}\n\n" },
		{ "{\"request\":\"apply\"}\n", "{\"error\":\"there is no such request\"}\n\n" },
		{ "{\"request\":\"drops\",\"filters\":{\"port\":\"\\\"\\n\"}}\n",
		  "{\"error\":\"not a port: '\\\"\\u000a'\"}\n\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_answer(ask(rows[i].request), rows[i].answer);
}

static void reports_come_whole(void **state)
{
	(void)state;
	assert_answer(ask("{\"request\":\"status\"}\n"), "{\"asked\":\"status\",\"context\":\"here\"}\n\n");
	assert_answer(ask("{\"request\":\"rules\"}\nmore"), "{\"asked\":\"rules\",\"context\":\"here\"}\n\n");
}

static void a_request_may_come_in_pieces(void **state)
{
	int fd = connect_client();

	(void)state;
	for (const char *piece = "{\"request\":\"status\"}\n"; *piece; piece++) {
		assert_int_equal(send(fd, piece, 1, 0), 1);
		server_handle(server);
	}
	assert_answer(fd, "{\"asked\":\"status\",\"context\":\"here\"}\n\n");
}

static void a_client_may_stop_sending_before_its_answer(void **state)
{
	int fd = connect_client();

	(void)state;
	assert_int_equal(send(fd, "{\"request\":\"status\"}\n", 21, 0), 21);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	server_handle(server);
	assert_answer(fd, "{\"asked\":\"status\",\"context\":\"here\"}\n\n");
}

static void history_is_filtered_and_ends(void **state)
{
	bool closed;
	char *text;
	int fd;

	(void)state;
	add_events(20, "one");
	add_events(30, "two");
	fd = ask("{\"request\":\"drops\",\"filters\":{\"rule\":\"one\"}}\n");
	text = take(fd, &closed);
	assert_true(closed);
	assert_int_equal(count_lines(text), 20 + 1);
	assert_null(strstr(text, "two"));
	free(text);
	close(fd);
	fd = ask("{\"request\":\"drops\",\"filters\":{\"rule\":\"one\"},\"last\":3}\n");
	text = take(fd, &closed);
	assert_int_equal(count_lines(text), 3 + 1);
	assert_non_null(strstr(text, "\"count\":20,"));
	free(text);
	close(fd);
	fd = ask("{\"request\":\"drops\",\"last\":0}\n");
	assert_answer(fd, "\n");
}

static void followers_get_what_comes(void **state)
{
	bool closed;
	char *text;
	int fd = ask("{\"request\":\"drops\",\"follow\":true,\"last\":0,\"text\":true}\n");

	(void)state;
	text = take(fd, &closed);
	assert_string_equal(text, "");
	assert_false(closed);
	free(text);
	add_events(2, "three");
	text = take(fd, &closed);
	assert_int_equal(count_lines(text), 2);
	assert_non_null(strstr(text, " drop 0.0.0.0 → 0.0.0.0:0/tcp a → b rule three on eth0"));
	assert_false(closed);
	free(text);
	close(fd);
	server_handle(server);
	assert_int_equal(server_clients(server), 0);
}

/* The store holds 1000 events. A client that reads nothing costs no more than its buffer, and learns what it missed. */
static void a_slow_follower_is_told_what_it_missed(void **state)
{
	bool closed;
	char *text, *skipped;
	unsigned missed;
	int fd = ask("{\"request\":\"drops\",\"follow\":true,\"last\":0}\n");

	(void)state;
	for (int i = 0; i < 100; i++)
		add_events(200, "flood");
	text = take(fd, &closed);
	assert_false(closed);
	skipped = strstr(text, "{\"schema\":\"zonewall.skipped/1\",\"events\":");
	assert_non_null(skipped);
	missed = atoi(strrchr(skipped, ':') ? strstr(skipped, "\"events\":") + 9 : "0");
	assert_int_equal(missed + count_lines(text) - 1, 20000);
	free(text);
	close(fd);
	server_handle(server);
}

static void flows_come_each_once(void **state)
{
	bool closed;
	char *text;
	int fd = ask("{\"request\":\"flows\"}\n");

	(void)state;
	text = take(fd, &closed);
	assert_true(closed);
	assert_int_equal(count_lines(text), FLOWS + 1);
	for (const char *line = text; *line != '\n'; line = strchr(line, '\n') + 1)
		assert_memory_equal(line, "{\"schema\":\"zonewall.flow/1\"", 26);
	free(text);
	close(fd);
	assert_answer(ask("{\"request\":\"flows\",\"count\":true}\n"),
		      "{\"schema\":\"zonewall.flow-count/1\",\"flows\":3000,\"changing\":0}\n\n");
	assert_answer(ask("{\"request\":\"flows\",\"filters\":{\"state\":\"x\"}}\n"),
		      "{\"error\":\"there is no such state: 'x'\"}\n\n");
}

/* Nothing is made that nobody takes, and who takes nothing for a minute is shown out. */
static void a_slow_taker_of_flows_has_one_buffer(void **state)
{
	bool closed;
	char *text;
	int fd = ask("{\"request\":\"flows\"}\n");

	(void)state;
	for (int i = 0; i < 1000; i++)
		server_handle(server);
	assert_in_range(server_waiting(server), 0, 2 * 65536);
	assert_int_equal(server_clients(server), 1);
	for (int i = 0; i < 61; i++)
		server_tick(server);
	assert_int_equal(server_clients(server), 0);
	text = take(fd, &closed);
	assert_true(closed);
	assert_in_range(count_lines(text), 1, FLOWS - 1);
	free(text);
	close(fd);
}

static void few_take_flows_at_a_time(void **state)
{
	int fds[9];
	bool closed;
	char *text;

	(void)state;
	for (int i = 0; i < 8; i++)
		fds[i] = ask("{\"request\":\"flows\"}\n");
	assert_answer(ask("{\"request\":\"flows\"}\n"),
		      "{\"error\":\"too many others are looking at the flows: try again\"}\n\n");
	for (int i = 0; i < 8; i++) {
		text = take(fds[i], &closed);
		assert_int_equal(count_lines(text), FLOWS + 1);
		assert_true(closed);
		free(text);
		close(fds[i]);
	}
	fds[8] = ask("{\"request\":\"flows\"}\n");
	text = take(fds[8], &closed);
	assert_int_equal(count_lines(text), FLOWS + 1);
	free(text);
	close(fds[8]);
}

static void too_long_a_request_is_refused(void **state)
{
	static char spaces[4096];
	int fd = connect_client();

	(void)state;
	memset(spaces, ' ', sizeof(spaces));
	for (int i = 0; i < 20; i++) {
		(void)!send(fd, spaces, sizeof(spaces), MSG_NOSIGNAL);
		server_handle(server);
	}
	assert_answer(fd, "{\"error\":\"the request is too long\"}\n\n");
}

static void too_many_clients_are_refused(void **state)
{
	enum { MANY = 600 };
	static int fds[MANY];
	unsigned refused = 0;

	(void)state;
	for (int i = 0; i < MANY; i++)
		fds[i] = connect_client();
	assert_true(server_clients(server) >= 500);
	for (int i = 0; i < MANY; i++) {
		char text[64];

		refused += recv(fds[i], text, sizeof(text), 0) > 0;
		close(fds[i]);
	}
	assert_int_equal(refused + server_clients(server), MANY);
	for (int i = 0; i < 20; i++)
		server_handle(server);
	assert_int_equal(server_clients(server), 0);
}

static void who_asks_nothing_is_shown_out(void **state)
{
	int fd = connect_client();
	char byte;

	(void)state;
	for (int i = 0; i < 11; i++)
		server_tick(server);
	assert_int_equal(server_clients(server), 0);
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	close(fd);
}

static int set_up(void **state)
{
	struct stat status;
	char path[PATH_MAX];

	(void)state;
	if (geteuid())
		return 0;
	store = store_new(1000);
	fill_flows();
	if (!mkdtemp(folder) || !store || server_new("test", store, answer, open_flows, (void *)"here", &server))
		return -1;
	instance_run_path("test", "sock", path);
	return stat(path, &status) || (status.st_mode & 0007);
}

static int tear_down(void **state)
{
	(void)state;
	server_free(server);
	store_free(store);
	free((void *)flows_source.tables[0].memory);
	rmdir(folder); /* empty: the socket is gone */
	return geteuid() ? 0 : access(folder, F_OK) == 0;
}

/* Only root and the group may ask, so only root can test the rest. */
static int need_root(void **state)
{
	(void)state;
	if (geteuid()) {
		print_message("# needs root\n");
		skip();
	}
	return 0;
}

#define needs_root(test) cmocka_unit_test_setup(test, need_root)

int main(void)
{
	const struct CMUnitTest tests[] = {
		needs_root(questions_without_sense_get_an_answer),
		needs_root(reports_come_whole),
		needs_root(a_request_may_come_in_pieces),
		needs_root(a_client_may_stop_sending_before_its_answer),
		needs_root(history_is_filtered_and_ends),
		needs_root(followers_get_what_comes),
		needs_root(a_slow_follower_is_told_what_it_missed),
		needs_root(flows_come_each_once),
		needs_root(a_slow_taker_of_flows_has_one_buffer),
		needs_root(few_take_flows_at_a_time),
		needs_root(too_long_a_request_is_refused),
		needs_root(too_many_clients_are_refused),
		needs_root(who_asks_nothing_is_shown_out),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
