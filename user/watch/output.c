// SPDX-License-Identifier: GPL-2.0-only
#include "watch/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "kernel/edge.h"

#define WAITING_MAX (1u << 20)

struct output {
	int fd; /* -1: none */
	bool owned, json, colour;
	bool may_block; /* a pipe, a terminal, a socket */
	bool failed; /* and said so */
	const char *path; /* of a file */
	struct buffer lines;
	uint64_t left_out_events, left_out_packets;
};

static int open_file(const char *path)
{
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
}

int output_open(const char *where, bool json, bool colour, struct output **ret_output)
{
	struct output *output = calloc(1, sizeof(*output));
	struct stat status;

	if (!output)
		return edge_error(ENOMEM, "cannot keep the output of events");
	output->fd = -1;
	output->json = json;
	output->colour = colour;
	if (!strcmp(where, "stdout")) {
		output->fd = STDOUT_FILENO;
	} else if (strcmp(where, "none")) {
		output->fd = open_file(where);
		if (output->fd < 0) {
			int r = edge_error(errno, "cannot open %s", where);

			free(output);
			return r;
		}
		output->owned = true;
		output->path = where;
		output->colour = false;
	}
	output->may_block = output->fd >= 0 && !fstat(output->fd, &status) && !S_ISREG(status.st_mode);
	*ret_output = output;
	return 0;
}

void output_free(struct output *output)
{
	if (!output)
		return;
	output_flush(output);
	if (output->owned)
		close(output->fd);
	buffer_free(&output->lines);
	free(output);
}

void output_reopen(struct output *output)
{
	int fd;

	if (!output->path)
		return;
	fd = open_file(output->path);
	if (fd < 0) {
		edge_error(errno, "cannot open %s again", output->path);
		return;
	}
	output_flush(output);
	close(output->fd);
	output->fd = fd;
	output->failed = false;
}

static void tell_left_out(struct output *output)
{
	const char *format = output->json ? "{\"schema\":\"zonewall.skipped/1\",\"events\":%llu,\"packets\":%llu}\n" :
					    "... %llu events of %llu packets are missing here: nobody read them\n";

	buffer_printf(&output->lines, format, (unsigned long long)output->left_out_events,
		      (unsigned long long)output->left_out_packets);
	output->left_out_events = output->left_out_packets = 0;
}

void output_add(struct output *output, const struct event *event)
{
	if (output->fd < 0)
		return;
	if (output->lines.len > WAITING_MAX)
		output_flush(output);
	if (output->lines.len > WAITING_MAX) {
		output->left_out_events++;
		output->left_out_packets += event->count;
		return;
	}
	if (output->left_out_events)
		tell_left_out(output);
	if (output->json)
		event_json(event, &output->lines);
	else
		event_text(event, output->colour, &output->lines);
	buffer_put(&output->lines, "\n");
}

void output_note(struct output *output, const char *schema, const char *what)
{
	time_t now = time(NULL);
	char when[32];
	struct tm tm;

	if (output->fd < 0 || output->lines.len > WAITING_MAX)
		return;
	gmtime_r(&now, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (output->json) {
		buffer_printf(&output->lines, "{\"schema\":\"%s\",\"time\":\"%s\",\"what\":", schema, when);
		buffer_json_string(&output->lines, what);
		buffer_put(&output->lines, "}\n");
	} else {
		buffer_printf(&output->lines, "%s ", when);
		buffer_plain(&output->lines, what);
		buffer_put(&output->lines, "\n");
	}
}

/* A pipe that is ready takes PIPE_BUF bytes without waiting, whatever its flags, which it may share with others. */
static size_t room_now(const struct output *output)
{
	struct pollfd ready = { .fd = output->fd, .events = POLLOUT };

	if (!output->may_block)
		return output->lines.len;
	if (poll(&ready, 1, 0) <= 0)
		return 0;
	return output->lines.len < PIPE_BUF ? output->lines.len : PIPE_BUF;
}

void output_flush(struct output *output)
{
	size_t done = 0, room;
	ssize_t len;

	while (output->fd >= 0 && done < output->lines.len && (room = room_now(output))) {
		if (room > output->lines.len - done)
			room = output->lines.len - done;
		len = write(output->fd, output->lines.data + done, room);
		if (len < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (len < 0) {
			if (!output->failed)
				edge_error(errno, "cannot write events to %s", output->path ? output->path : "standard output");
			output->failed = true;
			done = output->lines.len;
			break;
		}
		output->failed = false;
		done += len;
	}
	buffer_consume(&output->lines, done);
}
