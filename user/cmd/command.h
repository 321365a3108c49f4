/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The shape of a subcommand. Each file here defines one `const struct command cmd_NAME`; main.c lists them in one
 * table, which also feeds help and completion.
 */
#ifndef ZW_COMMAND_H
#define ZW_COMMAND_H

#include <stdbool.h>
#include <stdio.h>
#include <getopt.h>

enum exit_status {
	EXIT_DONE = 0,
	EXIT_FAILED = 1, /* failed, differs, or an expectation not met */
	EXIT_USAGE = 2,
	EXIT_POLICY = 3, /* the policy has errors */
	EXIT_NOT_RUNNING = 4,
	EXIT_PERMISSION = 5, /* the message names the group or capability */
	EXIT_UNSUPPORTED = 6, /* the kernel or device lacks something; the message names it */
};

/* Options that every command takes, before or after its name. */
struct globals {
	const char *format; /* of -o: "text", "json", or one of the command's own */
	bool json; /* -o json */
	bool colour; /* stdout is a terminal, NO_COLOR is not set */
	const char *instance; /* --instance NAME, or ZONEWALL_INSTANCE; default "default" */
};

struct option_help {
	struct option option; /* getopt_long; val is the short letter, or a number >= 256 */
	const char *argument; /* "ADDR", NULL if none */
	const char *help;
};

struct command {
	const char *name;
	const char *arguments; /* "FILE..." */
	const char *summary; /* one line */
	const struct option_help *options; /* ends with option.name NULL; NULL: none */
	const char *const *formats; /* what -o takes besides text and json: ends with NULL; NULL: nothing */
	/* argv[0] is the command's name; options are parsed by command_getopt. Returns an exit status. */
	int (*run)(const struct globals *globals, int argc, char **argv);
};

/*
 * getopt_long over the command's own table (global options were taken out by main). Returns the option's val, -1 at
 * the end (optind is the first argument), or '?' after having printed what is wrong: then return EXIT_USAGE.
 */
int command_getopt(const struct command *command, int argc, char **argv);

/*
 * Reads a command line up to its end: takes the global options into globals, and leaves in ret_argv (from malloc, as
 * its strings' storage; free() it once) the command's name, its own options as "--name=value", "--" and its arguments.
 * Returns 0; 'h' if help was asked for, 'V' if the version; '?' after having printed what is wrong; -ENOMEM.
 * command NULL: what stands before the command's name; then *ret_argc is that name's index in argv, ret_argv unused.
 */
int command_line(const struct command *command, int argc, char **argv, struct globals *globals, int *ret_argc,
		 char ***ret_argv);

extern const struct command cmd_check, cmd_show, cmd_test, cmd_explain, cmd_diff, cmd_simulate, cmd_promote, cmd_apply, cmd_confirm,
	cmd_rollback, cmd_restore, cmd_down, cmd_run,
	cmd_block, cmd_unblock, cmd_drops, cmd_flows, cmd_rules, cmd_status, cmd_audit, cmd_help, cmd_version;

/* Those that every command takes, as in struct command. One without help is another spelling of one that has it. */
extern const struct option_help command_global_options[];

/* Every command, in the order of help; ends with NULL. */
extern const struct command *const commands[];

const struct command *command_find(const char *name); /* NULL: there is none */
int command_unknown(const char *name); /* says what is wrong with the name; returns an exit status */
bool command_instance_is_valid(const char *name);
double command_duration(const char *text); /* "90", "30s", "10m", "2h", "1d" in seconds; -1: none of these */

/* The text of `zonewall help [name]`; command NULL: of all. */
void command_help(const struct command *command, FILE *out);

#endif
