/* SPDX-License-Identifier: GPL-2.0-only */
/* Keys of the pipelines that pipeline.bpf.c has, as their maps are filled. */
#ifndef ZW_PIPELINE_H
#define ZW_PIPELINE_H

struct trie_key4 {
	__u32 length;
	__u32 address; /* wire order */
};

struct trie_key6 {
	__u32 length;
	__u32 address[4];
};

/* A rule; zones by number, 0: of no zone. */
struct rule_key {
	__u32 from, to;
	__u16 port; /* wire order */
	__u8 protocol;
	__u8 pad;
};

struct rule_value {
	__u32 rule;
	__u32 allow;
};

#define PIPELINE_RULES 1024 /* counters of rules: a power of two */

#endif
