// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/edge.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "cmd/command.h"

int edge_error(int error, const char *format, ...)
{
	char why[128];
	va_list args;

	fflush(stdout);
	fprintf(stderr, "zonewall: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	if (error) {
		libbpf_strerror(error, why, sizeof(why)); /* knows its own errors besides the system's */
		fprintf(stderr, ": %s", why);
	}
	fputc('\n', stderr);
	return error ? -abs(error) : -EINVAL;
}

void edge_warn(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "zonewall: warning: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

static unsigned long long effective_capabilities(void)
{
	unsigned long long capabilities = ~0ull;
	char line[256];
	FILE *status = fopen("/proc/self/status", "re");

	if (!status)
		return capabilities; /* nothing to say then */
	while (fgets(line, sizeof(line), status))
		if (sscanf(line, "CapEff: %llx", &capabilities) == 1)
			break;
	fclose(status);
	return capabilities;
}

/* Rights in a user namespace of its own are none over BPF, whatever /proc/self/status lists. */
static bool is_in_user_namespace(void)
{
	unsigned long inside, outside, count;
	FILE *map = fopen("/proc/self/uid_map", "re");
	bool partly;

	if (!map)
		return false; /* the kernel has none */
	partly = fscanf(map, "%lu %lu %lu", &inside, &outside, &count) == 3 &&
		 (inside || outside || count != 0xffffffff);
	fclose(map);
	return partly;
}

const char *edge_missing_rights(void)
{
	enum { NET_ADMIN = 12, SYS_ADMIN = 21, PERFMON = 38, BPF = 39 };
	static char text[64];
	unsigned long long have = effective_capabilities();

	if (is_in_user_namespace())
		return "rights outside of this user namespace";
	if (have >> SYS_ADMIN & 1)
		have |= 1ull << PERFMON | 1ull << BPF; /* it stands for both */
	snprintf(text, sizeof(text), "%s%s%s", have >> BPF & 1 ? "" : " CAP_BPF",
		 have >> NET_ADMIN & 1 ? "" : " CAP_NET_ADMIN", have >> PERFMON & 1 ? "" : " CAP_PERFMON");
	return text[0] ? text + 1 : text;
}

/* The end of a verifier's log is what tells the reason, so the last bytes are what is kept. */
static char captured[6000];
static pthread_mutex_t capturing = PTHREAD_MUTEX_INITIALIZER; /* objects may be loaded at once (load.c) */

static void keep_tail(const char *text, size_t len)
{
	size_t have = strlen(captured), room = sizeof(captured) - 1;

	if (len > room) {
		text += len - room;
		len = room;
	}
	if (have + len > room) {
		memmove(captured, captured + have + len - room, room - len);
		have = room - len;
	}
	memcpy(captured + have, text, len);
	captured[have + len] = '\0';
}

static int capture(enum libbpf_print_level level, const char *format, va_list args)
{
	char *text;
	int len;

	if (level > LIBBPF_WARN)
		return 0;
	len = vasprintf(&text, format, args);
	if (len < 0)
		return 0;
	pthread_mutex_lock(&capturing);
	keep_tail(text, len);
	pthread_mutex_unlock(&capturing);
	free(text);
	return 0;
}

void edge_capture_libbpf(void)
{
	captured[0] = '\0';
	libbpf_set_print(capture);
}

void edge_print_captured(void)
{
	fputs(captured, stderr);
	captured[0] = '\0';
}

int edge_exit_status(int error)
{
	switch (error < 0 ? -error : error) {
	case 0:
		return EXIT_DONE;
	case EPERM:
	case EACCES:
		return EXIT_PERMISSION;
	case ENOSYS:
	case EOPNOTSUPP:
		return EXIT_UNSUPPORTED;
	case ENOENT:
		return EXIT_NOT_RUNNING;
	default:
		return EXIT_FAILED;
	}
}
