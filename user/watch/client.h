/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A command's side of the loader's socket (server.h).
 */
#ifndef ZW_CLIENT_H
#define ZW_CLIENT_H

#include <stdbool.h>
#include <stdio.h>

#include "watch/buffer.h"

struct json_object;

/*
 * Connects and sends the request. Returns the stream of the answer, or NULL with errno: ENOENT or ECONNREFUSED (nobody
 * listens), EACCES, others. Unless patient, a loader that says nothing for three seconds counts as one that is stopped.
 */
FILE *client_ask(const char *instance, struct json_object *request, bool patient);

/* A word on standard error about errno of client_ask, and the exit status that goes with it. */
int client_refused(const char *instance, int error);

/*
 * An answer of one object. 0, the caller owns it; -EPIPE: the loader went away; -ETIMEDOUT: it is stopped; -EPROTO: it
 * answered with an error, which has been told.
 */
int client_object(FILE *answer, struct json_object **ret_object);

/*
 * Hands on lines, whole ones and as many at a time as have come, until the answer's end (0). -EPIPE, -ETIMEDOUT,
 * -EPROTO as above; what `take` returns if that is not 0. The stream is not to be read otherwise.
 */
int client_lines(FILE *answer, int (*take)(void *context, const char *lines, size_t len), void *context);

/* Copies lines to stdout until the answer's end (0). -EPIPE, -ETIMEDOUT, -EPROTO as above; -errno: of stdout. */
int client_copy(FILE *answer);

/* Exit status of a command whose answer ended with this, 0 or as above. Tells if it is the loader that went away or is silent. */
int client_ended(int error);
extern const char client_is_silent[]; /* a sentence */

#endif
