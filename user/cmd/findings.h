/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The outcomes of a policy's tests, never and always, as texts: what `zonewall test` prints, and with what `apply` and
 * `run` refuse.
 */
#ifndef ZW_FINDINGS_H
#define ZW_FINDINGS_H

#include "base/diag.h"
#include "simulate/prove.h"
#include "watch/buffer.h"

/* All borrowed. */
struct findings {
	const struct policy *policy;
	const struct tables *tables;
	const struct diag *diag; /* knows the policy's files by name */
	const struct outcomes *outcomes;
};

/* Each appends to the text. findings_text: what does not hold, then one line that counts. */
void findings_text(const struct findings *findings, struct buffer *text);
void findings_json(const struct findings *findings, struct buffer *text); /* schema zonewall.test/1, one line */
void findings_tap(const struct findings *findings, struct buffer *text); /* TAP version 13 */
void findings_junit(const struct findings *findings, struct buffer *text); /* JUnit XML */

/* A policy with errors: the same, without outcomes. */
void findings_json_errors(const struct diag *diag, struct buffer *text);
void findings_junit_errors(const char *messages, struct buffer *text);

/* "2 of 6 tests, never and always do not hold". */
void findings_count(const struct outcomes *outcomes, struct buffer *text);

/* Parts of an outcome, for the formats. */
void finding_name(const struct findings *findings, const struct outcome *outcome, struct buffer *text); /* "never 'x'" */
void finding_place(const struct findings *findings, const struct outcome *outcome, struct buffer *text); /* "x.yaml:3:5" */
void finding_message(const struct findings *findings, const struct outcome *outcome, struct buffer *text);
void finding_packet(const struct findings *findings, const struct outcome *outcome, struct buffer *text);
void finding_decider(const struct findings *findings, const struct outcome *outcome, struct buffer *text);

/*
 * Before a policy is published: runs everything it says of itself, and tells on standard error what does not hold.
 * Returns an exit status; EXIT_DONE: all holds.
 */
int findings_check(const struct policy *policy, const struct tables *tables, const struct diag *diag);

/* The same where it is published all the same. */
void findings_warn(const struct policy *policy, const struct tables *tables, const struct diag *diag);

#endif
