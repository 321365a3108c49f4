// SPDX-License-Identifier: GPL-2.0-only
/* Where the loader writes events: a file, a pipe that nobody reads, a device that is full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "watch/output.h"

static char folder[] = "/tmp/zonewall-test-XXXXXX";
static char path[64], moved[64];

static const struct event event = {
	.count = 3, .interface = "eth0", .rule = "guests", .staged = "", .cgroup = "", .from_zones = "a", .to_zones = "b",
	.block_reason = "",
	.key = { .family = 4, .reason = ZW_DROP_RULE, .protocol = 6 },
};

static char *read_file(const char *name)
{
	static char text[4096];
	int fd = open(name, O_RDONLY);
	ssize_t len = read(fd, text, sizeof(text) - 1);

	close(fd);
	assert_true(len >= 0);
	text[len] = '\0';
	return text;
}

static unsigned count(const char *text, const char *word)
{
	unsigned found = 0;

	while ((text = strstr(text, word))) {
		text += strlen(word);
		found++;
	}
	return found;
}

static void a_file_grows_and_may_be_moved_away(void **state)
{
	struct output *output;
	struct stat status;

	(void)state;
	assert_int_equal(output_open(path, true, false, &output), 0);
	output_add(output, &event);
	output_flush(output);
	assert_int_equal(count(read_file(path), "\"rule\":\"guests\""), 1);
	assert_int_equal(rename(path, moved), 0);
	output_add(output, &event);
	output_reopen(output);
	output_add(output, &event);
	output_free(output);
	assert_int_equal(count(read_file(moved), "\n"), 2);
	assert_int_equal(count(read_file(path), "\n"), 1);
	assert_int_equal(output_open(path, false, true, &output), 0);
	output_add(output, &event);
	output_free(output);
	assert_int_equal(count(read_file(path), "\n"), 2);
	assert_int_equal(count(read_file(path), "\033"), 0);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0027, 0);
}

static void a_file_that_cannot_be_opened_is_told(void **state)
{
	struct output *output = NULL;

	(void)state;
	assert_true(output_open("/nowhere/at/all", true, false, &output) < 0);
	assert_null(output);
	assert_int_equal(output_open("none", true, false, &output), 0);
	output_add(output, &event);
	output_free(output);
}

static void a_full_device_does_not_stop_us(void **state)
{
	struct output *output;

	(void)state;
	assert_int_equal(output_open("/dev/full", true, false, &output), 0);
	for (int i = 0; i < 100; i++) {
		output_add(output, &event);
		output_flush(output);
	}
	output_free(output);
}

/* What the pipe does not take is kept up to a bound, then left out, and every packet is accounted for. */
static void a_pipe_that_nobody_reads_does_not_stop_us(void **state)
{
	enum { EVENTS = 20000 };
	struct output *output;
	int ends[2], standard = dup(STDOUT_FILENO);
	static char text[8 << 20];
	unsigned long long left_out = 0, packets = 0;
	size_t len = 0;
	ssize_t got;
	char *skipped;

	(void)state;
	fflush(stdout);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(dup2(ends[1], STDOUT_FILENO), STDOUT_FILENO);
	assert_int_equal(output_open("stdout", true, false, &output), 0);
	for (int i = 0; i < EVENTS; i++) {
		output_add(output, &event);
		output_flush(output);
	}
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	while ((got = read(ends[0], text + len, sizeof(text) - len)) > 0) {
		len += got;
		output_flush(output);
	}
	output_add(output, &event); /* now it says what is missing */
	output_flush(output);
	while ((got = read(ends[0], text + len, sizeof(text) - len - 1)) > 0)
		len += got;
	output_free(output);
	dup2(standard, STDOUT_FILENO);
	close(standard);
	close(ends[0]);
	close(ends[1]);
	text[len] = '\0';
	skipped = strstr(text, "{\"schema\":\"zonewall.skipped/1\"");
	assert_non_null(skipped);
	assert_int_equal(sscanf(strstr(skipped, "\"events\""), "\"events\":%llu,\"packets\":%llu", &left_out, &packets), 2);
	assert_int_equal(count(text, "\"rule\":\"guests\"") + left_out, EVENTS + 1);
	assert_int_equal(packets, left_out * event.count);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/log", folder);
	snprintf(moved, sizeof(moved), "%s/log.1", folder);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	unlink(moved);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_grows_and_may_be_moved_away),
		cmocka_unit_test(a_file_that_cannot_be_opened_is_told),
		cmocka_unit_test(a_full_device_does_not_stop_us),
		cmocka_unit_test(a_pipe_that_nobody_reads_does_not_stop_us),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
