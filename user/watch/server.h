/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The loader's Unix socket, /run/zonewall/NAME/sock. A connection carries one request, a JSON object in one line, and
 * its answer: lines, then an empty line. Requests:
 *
 *   {"request":"drops","follow":true,"last":100,"since":600,"filters":{...},"text":true,"colour":true}
 *       events that match the filters (filter.h), oldest first; the last N, of the last so many seconds; with "follow"
 *       for ever, and without an end. As JSON lines (event.h), or with "text" as lines for people. A client that is too
 *       slow is told how many events it has missed: {"schema":"zonewall.skipped/1","events":N}
 *   {"request":"rules"}   {"request":"status"}   {"request":"blocks"}
 *       one JSON object
 *   {"request":"flows",...}
 *       the flows there are, a line each, made as they are taken (flow_stream.h); a few clients at a time
 *   anything else: {"error":"..."}
 *
 * Uid 0 and members of the group `zonewall` may ask. Nobody can change anything through it. No client can hold the
 * loader up: nothing here waits, and a client's memory is one request, one buffer of lines and a number into the store or
 * the flow tables.
 */
#ifndef ZW_SERVER_H
#define ZW_SERVER_H

#include "watch/flow_stream.h"
#include "watch/store.h"

#define SERVER_GROUP "zonewall"
#define SERVER_SOCKET "sock"

struct json_object;
struct server;

/* Answers "rules", "status" and "blocks": the caller owns the object. NULL: out of memory. */
typedef struct json_object *(*server_answer)(void *context, const char *request);

/* Answers "flows": the server frees the stream. 0, or -errno with the error's text. */
typedef int (*server_flows)(void *context, struct json_object *request, const struct filter_error *error,
			    struct flow_stream **ret_stream);

/* Takes the place of a socket that a killed loader left. Tells what is wrong. 0 or -errno. */
int server_new(const char *instance, const struct store *store, server_answer answer, server_flows flows, void *context,
	       struct server **ret_server);
void server_free(struct server *server); /* also removes the socket */

int server_fd(const struct server *server); /* readable: call server_handle() */
void server_handle(struct server *server);
void server_pump(struct server *server); /* the store has new events */
void server_tick(struct server *server); /* once a second */
unsigned server_clients(const struct server *server);
size_t server_waiting(const struct server *server); /* bytes that clients have not taken yet */

#endif
