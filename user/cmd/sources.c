// SPDX-License-Identifier: GPL-2.0-only
#include "cmd/sources.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/util.h"
#include "cmd/command.h"
#include "policy/moments.h"

static int out_of_memory(const struct sources *sources)
{
	fprintf(stderr, "zonewall %s: out of memory\n", sources->command);
	return EXIT_FAILED;
}

static int add_host(struct sources *sources, const struct addr *addr)
{
	sources->has_host = true;
	if (ranges_add(&sources->host, addr->family, addr->value, addr->value))
		return out_of_memory(sources);
	return EXIT_DONE;
}

int sources_read_hosts(struct sources *sources, char *text)
{
	for (char *word = strtok(text, ","); word; word = strtok(NULL, ",")) {
		struct addr addr;

		if (addr_parse(word, &addr)) {
			fprintf(stderr, "zonewall %s: --host: '%s' is not an address\n", sources->command, word);
			return EXIT_USAGE;
		}
		if (add_host(sources, &addr))
			return EXIT_FAILED;
	}
	return EXIT_DONE;
}

int sources_read_words(struct sources *sources, int count, char **words)
{
	sources->files = array_new(count, sizeof(*sources->files));
	if (!sources->files)
		return out_of_memory(sources);
	for (int i = 0; i < count; i++) {
		struct addr addr;

		if (!sources->has_host || addr_parse(words[i], &addr))
			sources->files[sources->file_count++] = words[i];
		else if (add_host(sources, &addr))
			return EXIT_FAILED;
	}
	if (sources->file_count)
		return EXIT_DONE;
	fprintf(stderr, "zonewall %s: a policy file is needed\n", sources->command);
	return EXIT_USAGE;
}

int sources_read_at(struct sources *sources, const char *text)
{
	if (instant_read(text, &sources->at)) {
		fprintf(stderr, "zonewall %s: --at: '%s' is not an instant\nfix: --at 2026-12-31T00:00:00Z\n", sources->command, text);
		return EXIT_USAGE;
	}
	sources->has_at = true;
	return EXIT_DONE;
}

int64_t sources_time(const struct sources *sources)
{
	return sources->has_at ? sources->at : time(NULL);
}

void sources_clear(struct sources *sources)
{
	ranges_clear(&sources->host);
	free(sources->files);
}
