/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The connections over which this process was started: TCP connections of its ancestors (an sshd's, also through sudo),
 * and the one that SSH_CONNECTION names, as far as they end in this network namespace.
 */
#ifndef ZW_SESSION_H
#define ZW_SESSION_H

#include "kernel/live.h"

#define SESSIONS_MAX 8

struct session {
	struct live live; /* who opened it is known, or its source is this host */
	long pid; /* of the ancestor that has it; 0: only SSH_CONNECTION tells of it */
	char name[16]; /* of that process */
};

/* 0 or -errno, silent. */
int sessions_find(struct session ret_sessions[SESSIONS_MAX], size_t *ret_count);

#endif
