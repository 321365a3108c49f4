/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sequence numbers of well-behaved TCP senders: what `seq` and `ack` of a line are when it does not say them
 * (design section 11). Without memory each line is a conversation of its own.
 */
#ifndef ZW_CONVERSATION_H
#define ZW_CONVERSATION_H

#include "simulate/input.h"

struct conversations;

int conversations_new(bool remember, struct conversations **ret_conversations); /* 0 or -ENOMEM */
void conversations_free(struct conversations *conversations);

/* Fills in the seq and ack that the line left out, and remembers what was sent. No effect on other protocols. 0 or -ENOMEM. */
int conversations_follow(struct conversations *conversations, struct input *input);

#endif
