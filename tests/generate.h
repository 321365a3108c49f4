/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random policies and packets, weighted to boundaries: addresses and ports at, just before and just behind the ends of
 * what the policy names. A policy stays a model until it is written as YAML, so that a test can drop parts of it.
 */
#ifndef ZW_GENERATE_H
#define ZW_GENERATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "packet.h"

struct random {
	uint64_t state;
};

uint64_t random_next(struct random *random);
unsigned random_below(struct random *random, unsigned n); /* 0..n-1; n > 0 */
bool random_percent(struct random *random, unsigned percent);

#define MODEL_TEXT 96

/* A list of words as they stand in YAML, without quotes. */
struct words {
	char (*v)[MODEL_TEXT];
	size_t count;
};

struct model_zone {
	char name[16];
	struct words addresses, except, zones;
};

struct model_rule {
	char id[24];
	char tier[8]; /* "": not said */
	struct words from, to, service;
	const char *action; /* NULL: a failsafe entry */
	bool stage;
	char limit[MODEL_TEXT]; /* what stands in its map; "": not said */
	const char *tls; /* NULL: not said */
	unsigned until; /* Unix seconds; 0: not said */
};

struct model_interface {
	struct words match;
	struct words source; /* one zone or address; empty: not said */
};

struct model {
	const char *action, *intra_zone, *non_ip, *tcp, *log; /* NULL: not said, but for action */
	struct words tiers; /* empty: not said */
	struct model_zone *zones;
	size_t zone_count;
	struct model_rule *services; /* id and service only */
	size_t service_count;
	struct model_rule *failsafe;
	size_t failsafe_count;
	bool has_failsafe;
	struct model_rule *rules;
	size_t rule_count;
	struct model_interface *interfaces;
	size_t interface_count;
	struct words host;
	bool has_host;
	struct words blocks; /* what is on the block list: see struct scene_options */
	uint64_t dense_bytes; /* for the compiler: 0, or so little that pairs of classes stand in a sparse table */
	/* Not written: what packets are drawn from. */
	struct addr *points;
	size_t point_count;
	struct {
		uint8_t protocol;
		uint16_t port;
	} *ports;
	size_t port_count;
};

struct model *model_new(struct random *random);
void model_free(struct model *model);
char *model_yaml(const struct model *model); /* the caller frees it */
char *model_host(const struct model *model); /* words with spaces between; NULL: not known */
char *model_blocks(const struct model *model); /* the same; NULL: none */

/* Removes one part; part counts from 0. False: there is no such part. (The model is changed; copy it before.) */
bool model_drop(struct model *model, size_t part);
struct model *model_copy(const struct model *model);

/* A frame: mostly a good first packet between points of the model; `odd` percent are bent in some way. */
void generate_frame(struct random *random, const struct model *model, unsigned odd, struct packet *ret_packet);

/* Unix seconds of a packet that stands alone: mostly when a rule of the model ends. */
unsigned generate_time(struct random *random, const struct model *model);
#define GENERATE_BEGIN 1000000 /* when conversations begin, about */

/* The name of an interface that some pattern of the model may match. */
const char *generate_interface(struct random *random);

/* A few ends of the model that talk to each other again and again. */
struct talk {
	const struct model *model;
	double time;
	struct talk_pair {
		char end[2][ADDR_TEXT_MAX];
		int family;
		uint8_t protocol;
		uint16_t port[2]; /* of each end; for ICMP the second is type << 8 | code */
		uint32_t next[2]; /* TCP: the sequence number that each end sends next */
		unsigned said; /* TCP: steps of a well-behaved connection so far */
	} pair[6];
	struct talk_train { /* a datagram whose first fragment was sent */
		unsigned pair, id, left; /* left: fragments to come */
		bool back;
	} train;
};
void talk_begin(struct random *random, const struct model *model, struct talk *ret_talk);
/* earlier: a frame that an ICMP error may quote; NULL: none yet. Time moves on by itself. */
void talk_next(struct random *random, struct talk *talk, const struct packet *earlier, struct packet *ret_packet);

#endif
