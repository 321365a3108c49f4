// SPDX-License-Identifier: GPL-2.0-only
#include "watch/client.h"

#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cmd/command.h"
#include "kernel/instance.h"
#include "watch/server.h"

static int connect_to(const char *instance, bool patient)
{
	const struct timeval timeout = { .tv_sec = 3 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char path[PATH_MAX];
	int fd, r;

	r = instance_run_path(instance, SERVER_SOCKET, path);
	if (r)
		return r;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (!patient) {
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)); /* for connect too */
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	}
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		r = errno == EAGAIN ? -ETIMEDOUT : -errno;
		close(fd);
		return r;
	}
	return fd;
}

static int send_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t sent = send(fd, data, len, MSG_NOSIGNAL);

		if (sent < 0 && errno != EINTR)
			return -errno;
		if (sent > 0) {
			data += sent;
			len -= sent;
		}
	}
	return 0;
}

FILE *client_ask(const char *instance, struct json_object *request, bool patient)
{
	const char *line = json_object_to_json_string_ext(request, JSON_C_TO_STRING_PLAIN);
	FILE *answer;
	int fd = connect_to(instance, patient), r = 0;

	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	/* A loader that refuses us before it has read has closed already; what it said can still be read. */
	r = send_all(fd, line, strlen(line));
	if (!r)
		r = send_all(fd, "\n", 1);
	if (r && r != -EPIPE) {
		close(fd);
		errno = -r;
		return NULL;
	}
	answer = fdopen(fd, "r");
	if (!answer)
		close(fd);
	return answer;
}

const char client_is_silent[] = "'zonewall run' does not answer: it is stopped, or has a large policy or feed to take";

int client_ended(int error)
{
	if (error == -EPIPE && !ferror(stdout)) {
		fprintf(stderr, "zonewall: 'zonewall run' has stopped\n");
		return EXIT_NOT_RUNNING;
	}
	if (error == -ETIMEDOUT)
		fprintf(stderr, "zonewall: %s\n", client_is_silent);
	return error ? EXIT_FAILED : EXIT_DONE;
}

int client_refused(const char *instance, int error)
{
	const char *name = strcmp(instance, "default") ? instance : NULL;

	switch (error) {
	case ENOENT:
	case ENOTDIR:
	case ECONNREFUSED:
		fprintf(stderr, "zonewall: 'zonewall run' is not running%s%s\nfix: start it, as root: zonewall%s%s run\n",
			name ? " for instance " : "", name ? name : "", name ? " --instance " : "", name ? name : "");
		return EXIT_NOT_RUNNING;
	case EACCES:
	case EPERM:
		fprintf(stderr, "zonewall: permission denied: only root and members of the group '%s' may ask\n"
				"fix: adduser USER %s, and log in again; if there is no such group: addgroup --system %s, "
				"and start 'zonewall run' again\n",
			SERVER_GROUP, SERVER_GROUP, SERVER_GROUP);
		return EXIT_PERMISSION;
	default:
		fprintf(stderr, "zonewall: cannot ask 'zonewall run': %s\n", strerror(error));
		return EXIT_FAILED;
	}
}

/* True if the line is {"error":"..."}: then it has been told. */
static bool is_error(const char *line)
{
	struct json_object *object, *value;
	bool error = false;

	if (strncmp(line, "{\"error\":", 9))
		return false;
	object = json_tokener_parse(line);
	if (object && json_object_object_get_ex(object, "error", &value)) {
		fprintf(stderr, "zonewall: %s\n", json_object_get_string(value));
		error = true;
	}
	json_object_put(object);
	return error;
}

int client_object(FILE *answer, struct json_object **ret_object)
{
	struct json_object *object;
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	int r = 0;

	errno = 0;
	len = getline(&line, &room, answer);
	if (len <= 0 || line[len - 1] != '\n')
		r = errno == EAGAIN ? -ETIMEDOUT : -EPIPE;
	else if (is_error(line))
		r = -EPROTO;
	object = r ? NULL : json_tokener_parse(line);
	free(line);
	if (r)
		return r;
	if (!object)
		return -EPIPE;
	*ret_object = object;
	return 0;
}

/* The bytes of `in` that are whole lines, up to the empty line that ends the answer, which is not among them. */
static size_t whole_lines(const struct buffer *in, bool *ret_ends)
{
	const char *last = in->len ? memrchr(in->data, '\n', in->len) : NULL;
	const char *end = in->len ? memmem(in->data, in->len, "\n\n", 2) : NULL;

	*ret_ends = true;
	if (in->len && in->data[0] == '\n')
		return 0;
	if (end)
		return end + 1 - in->data;
	*ret_ends = false;
	return last ? last + 1 - in->data : 0;
}

/* An error is a line by itself, the first one that comes. */
static int hand_on(struct buffer *in, size_t len, int (*take)(void *context, const char *lines, size_t len), void *context)
{
	int r;

	if (!len)
		return 0;
	r = is_error(in->data) ? -EPROTO : take(context, in->data, len);
	buffer_consume(in, len);
	return r;
}

int client_lines(FILE *answer, int (*take)(void *context, const char *lines, size_t len), void *context)
{
	struct buffer in = { 0 };
	bool ends = false;
	int r = 0;

	while (!r && !ends) {
		char data[65536];
		ssize_t len = read(fileno(answer), data, sizeof(data));

		if (len < 0 && errno == EINTR)
			continue;
		if (len <= 0) {
			r = len < 0 && errno == EAGAIN ? -ETIMEDOUT : -EPIPE;
			break;
		}
		buffer_add(&in, data, len);
		if (in.failed)
			r = -ENOMEM;
		else
			r = hand_on(&in, whole_lines(&in, &ends), take, context);
	}
	buffer_free(&in);
	return r;
}

/* What has come goes out: a stream must not wait for a buffer to fill. */
static int copy(void *context, const char *lines, size_t len)
{
	(void)context;
	if (fwrite(lines, 1, len, stdout) != len || fflush(stdout))
		return errno ? -errno : -EIO;
	return 0;
}

int client_copy(FILE *answer)
{
	return client_lines(answer, copy, NULL);
}
