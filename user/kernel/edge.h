/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the system refuses: each refusal is told once, on standard error, where the object and the action are known;
 * callers pass the code up and stay silent.
 */
#ifndef ZW_EDGE_H
#define ZW_EDGE_H

/* Prints "zonewall: ..." and, unless error is 0, ": " and its text. Returns -|error|, or -EINVAL for 0. */
int edge_error(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));
void edge_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Names the capabilities or other rights that this process lacks for publishing, or "" if it has them all. */
const char *edge_missing_rights(void);

/* libbpf's messages are kept, not printed: a refusal of a later fallback is no news. The last of them on demand. */
void edge_capture_libbpf(void);
void edge_print_captured(void);

/* The exit status of a command that failed with -errno, as design section 10 lists them. */
int edge_exit_status(int error);

#endif
