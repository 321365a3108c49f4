/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TAP, for test programs whose rows are tables: one line a row, what failed below it, and a plan at the end.
 *
 *   int main(void) { ok(1 + 1 == 2, "sums are right"); return done(); }
 */
#ifndef ZW_TEST_H
#define ZW_TEST_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned test_count, test_failures;

__attribute__((format(printf, 2, 3), unused)) static bool ok(bool good, const char *format, ...)
{
	va_list args;

	printf("%sok %u - ", good ? "" : "not ", ++test_count);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	test_failures += !good;
	fflush(stdout);
	return good;
}

/* A line of explanation, below the row it explains. */
__attribute__((format(printf, 1, 2), unused)) static void note(const char *format, ...)
{
	va_list args;

	fputs("# ", stdout);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

/* The whole program, because something is missing. */
__attribute__((unused)) static _Noreturn void skip_all(const char *why)
{
	printf("1..0 # SKIP %s\n", why);
	exit(0);
}

/* A random test's command line: --seed N, and how many there are to be: `option` N. */
__attribute__((unused)) static void read_seed(int argc, char **argv, const char *option, uint64_t *seed, unsigned long *count)
{
	for (int i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--seed"))
			*seed = strtoull(argv[i + 1], NULL, 10);
		if (!strcmp(argv[i], option))
			*count = strtoul(argv[i + 1], NULL, 10);
	}
}

__attribute__((unused)) static int done(void)
{
	printf("1..%u\n", test_count);
	return test_failures ? 1 : 0;
}

/* Each line of a text, which is cut up. */
static inline __attribute__((unused)) void note_lines(char *text)
{
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		note("%s", line);
}

#endif
