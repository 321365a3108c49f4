// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entry: standard descriptors, global options, the command, and whether its output arrived.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/command.h"

/* With one of 0, 1, 2 closed, a map or socket would get that number and messages would be written into it. */
static int open_standard_descriptors(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
		if (fd < 0)
			return -errno;
	} while (fd <= STDERR_FILENO);
	close(fd);
	return 0;
}

static bool stdout_has_colour(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_color && *no_color) && term && strcmp(term, "dumb");
}

/*
 * A result that did not arrive is a failure. A reader that went away (`| head`) is one too, but no news to anybody.
 */
static int finish(int status)
{
	struct pollfd reader = { .fd = STDOUT_FILENO };
	bool failed = ferror(stdout) != 0;
	int error = 0;

	if (fflush(stdout))
		error = errno;
	if (!failed && !error)
		return status;
	if (poll(&reader, 1, 0) == 1 && (reader.revents & POLLERR))
		error = EPIPE; /* also if an earlier write failed, whose errno is gone */
	if (error != EPIPE)
		fprintf(stderr, "zonewall: cannot write the output%s%s\n", error ? ": " : "",
			error ? strerror(error) : "");
	return status == EXIT_DONE ? EXIT_FAILED : status;
}

static int run_command(const struct command *command, struct globals *globals, int argc, char **argv)
{
	int words_count, status;
	char **words;

	switch (command_line(command, argc, argv, globals, &words_count, &words)) {
	case 0:
		status = command->run(globals, words_count, words);
		free(words);
		return status < 0 ? EXIT_FAILED : status;
	case 'h':
		command_help(command, stdout);
		return EXIT_DONE;
	case 'V':
		return run_command(command_find("version"), globals, 1, (char *[]){ "version", NULL });
	case -ENOMEM:
		fprintf(stderr, "zonewall: out of memory\n");
		return EXIT_FAILED;
	default:
		return EXIT_USAGE;
	}
}

static int run(int argc, char **argv)
{
	struct globals globals = { .format = "text", .colour = stdout_has_colour(), .instance = "default" };
	const char *from_environment = getenv("ZONEWALL_INSTANCE");
	const struct command *command;
	int name;

	if (from_environment && *from_environment) {
		if (!command_instance_is_valid(from_environment)) {
			fprintf(stderr, "zonewall: ZONEWALL_INSTANCE is not an instance name\n");
			return EXIT_USAGE;
		}
		globals.instance = from_environment;
	}
	switch (command_line(NULL, argc, argv, &globals, &name, NULL)) {
	case 0:
		break;
	case 'h':
		command_help(NULL, stdout);
		return EXIT_DONE;
	case 'V':
		return run_command(command_find("version"), &globals, 1, (char *[]){ "version", NULL });
	case -ENOMEM:
		fprintf(stderr, "zonewall: out of memory\n");
		return EXIT_FAILED;
	default:
		return EXIT_USAGE;
	}
	if (name >= argc) {
		command_help(NULL, stderr);
		return EXIT_USAGE;
	}
	command = command_find(argv[name]);
	if (!command)
		return command_unknown(argv[name]);
	return run_command(command, &globals, argc - name, argv + name);
}

int main(int argc, char **argv)
{
	static char messages[4096];
	int error = open_standard_descriptors();

	/* Large arrays go back to the kernel when they are freed, always: else they stay, up to a fifth of what an apply takes. */
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
	setvbuf(stderr, messages, _IOLBF, sizeof(messages)); /* a thousand mistakes are not a system call a letter */
	if (error || argc < 1) {
		fprintf(stderr, "zonewall: cannot open /dev/null: %s\n", strerror(-error));
		return EXIT_FAILED;
	}
	/* A reader that goes away must not end an apply halfway: writes fail with EPIPE instead. */
	signal(SIGPIPE, SIG_IGN);
	return finish(run(argc, argv));
}
