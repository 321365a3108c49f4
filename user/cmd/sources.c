// SPDX-License-Identifier: GPL-2.0-only
#include "cmd/sources.h"

#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "cmd/command.h"

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

void sources_refuse_until(const struct sources *sources, const struct policy *policy, struct diag *diag)
{
	for (size_t i = 0; i < policy->rules.count; i++)
		if (policy->rules.v[i].expires)
			diag_error(diag, &policy->rules.v[i].place, NULL, "until is not built in this version: %s has no answer",
				   sources->command);
}

void sources_clear(struct sources *sources)
{
	ranges_clear(&sources->host);
	free(sources->files);
}
