// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random policies, and captures of random conversations and frames: in each format and link type, of whole packets or of their
 * first bytes, with time that goes back. What is replayed is decided, packet for packet, as the oracle decides the frame that
 * was captured, whole; totals and dropped conversations are what one counts by hand.
 *
 *   random_replay [--seed N] [--policies N] [--packets N] [--no-kernel]
 *
 * Loading takes most of the time, so one policy in KERNEL_EVERY is also loaded into the kernel. Policy number i of seed s is the
 * only one of seed s + i.
 */
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "generate.h"
#include "record.h"
#include "scene.h"
#include "simulate/replay.h"
#include "test.h"

#define KERNEL_EVERY 15
#define COOKED_MAX 20

static const enum record_link link_types[] = { LINK_ETHERNET, LINK_SLL, LINK_SLL2, LINK_RAW, LINK_IPV4, LINK_IPV6 };

static struct {
	uint64_t seed;
	unsigned policies, packets;
	bool kernel;
} settings = { 1, 300, 300, true };

static struct {
	unsigned long packets, cut, dropped, late, asked_kernel, refused, staged, by_link[ARRAY_LEN(link_types)];
} seen;

/* A packet as it was, and what the capture holds of it. */
struct shot {
	struct packet packet;
	bool egress;
	double time;
	size_t captured; /* of the frame */
	bool whole;
};

struct film {
	struct record_format format;
	bool knows_host; /* the replay is told who the host is */
	struct shot *shots;
	size_t count;
	char *file;
	size_t len;
};

static bool is_cooked(enum record_link link)
{
	return link == LINK_SLL || link == LINK_SLL2;
}

static bool is_to_bridges(const struct packet *packet)
{
	return packet->len >= 6 && !memcmp(packet->data, "\1\x80\xc2\0\0", 5) && packet->data[5] < 16;
}

/* Writes the shot, or forgets it if this link type cannot show such a frame. */
static void write_shot(struct random *random, struct film *film, FILE *file, struct shot *shot)
{
	uint8_t bytes[PACKET_MAX + COOKED_MAX];
	struct record_cooked cooked = { .type = shot->egress ? 4 : random_below(random, 2) ? 0 : 3 };
	size_t len, head, captured;

	/* Of what leaves, no cooked capture says who it was for: to the bridges' group goes only what enters. */
	if (is_to_bridges(&shot->packet) && is_cooked(film->format.link)) {
		cooked.type = 2;
		shot->egress = false;
	}
	len = record_convert(film->format.link, &cooked, shot->packet.data, shot->packet.len, bytes);
	if (!len)
		return;
	head = film->format.link == LINK_ETHERNET ? 0 : len > shot->packet.len ? len - shot->packet.len + 14 : 0;
	captured = random_percent(random, 40) ? random_below(random, len + 1) : len;
	if (random_percent(random, 20) && captured > 128)
		captured = 128;
	shot->whole = captured == len;
	shot->captured = captured < head ? 0 : captured - head;
	record_packet(file, &film->format, shot->time, bytes, captured, len);
	film->count++;
}

static void shoot(struct random *random, const struct model *model, struct film *film)
{
	FILE *file = open_memstream(&film->file, &film->len);
	struct talk talk;

	film->shots = calloc(settings.packets, sizeof(*film->shots));
	if (!file || !film->shots)
		abort();
	record_begin(file, &film->format);
	talk_begin(random, model, &talk);
	for (unsigned i = 0; i < settings.packets; i++) {
		struct shot *shot = &film->shots[film->count];
		const struct packet *earlier = film->count ? &shot[-1].packet : NULL;

		talk_next(random, &talk, earlier, &shot->packet);
		if (random_percent(random, 15))
			generate_frame(random, model, 60, &shot->packet);
		shot->egress = random_percent(random, 30);
		shot->time = talk.time - (random_percent(random, 10) ? random_below(random, 100) : 0);
		write_shot(random, film, file, shot);
	}
	fclose(file);
}

/* What one counts by hand. */
struct count {
	enum zw_reason reason;
	const char *rule;
	struct addr end[2]; /* of a dropped packet: its addresses, the smaller first */
	unsigned long packets;
};

struct counts {
	struct count *v;
	size_t count;
};

static void count(struct counts *counts, const struct count *what)
{
	size_t i = 0;

	for (; i < counts->count; i++)
		if (counts->v[i].reason == what->reason &&
		    !strcmp(counts->v[i].rule ? counts->v[i].rule : "", what->rule ? what->rule : "") &&
		    counts->v[i].end[0].family == what->end[0].family &&
		    counts->v[i].end[0].value == what->end[0].value && counts->v[i].end[1].value == what->end[1].value)
			break;
	if (i == counts->count) {
		if (array_grow(&counts->v, counts->count, sizeof(*counts->v)))
			abort();
		counts->v[counts->count] = *what;
		counts->v[counts->count++].packets = 0;
	}
	counts->v[i].packets += what->packets;
}

static void sort_ends(struct addr end[2], const struct addr *one, const struct addr *other)
{
	bool turned = one->value > other->value;

	end[turned] = *one;
	end[!turned] = *other;
}

struct stage {
	struct scene scene;
	struct oracle *plain; /* without state: says who sent a frame */
	struct capture *capture;
	struct replay *replay;
	struct counts totals, pairs; /* pairs: packets dropped between two addresses */
	unsigned long unread; /* dropped, without addresses */
	struct replay_staged *staged; /* by rule */
	double clock;
};

static const char *rule_of(const struct stage *stage, const struct decision *decision)
{
	const struct rule_name *rule =
		reason_shows_rule(decision->reason) ? names_rule(stage->scene.tables->names, decision->rule) : NULL;

	return rule ? rule->id : "";
}

static bool same(const struct stage *stage, const struct oracle_answer *answer, const struct decision *decision,
		 const char *who, size_t number)
{
	if (answer->reason == decision->reason && !strcmp(answer->rule ? answer->rule : "", rule_of(stage, decision)))
		return true;
	note("packet %zu: the oracle says %s %s, %s %s %s", number, reason_name(answer->reason),
	     answer->rule ? answer->rule : "", who, reason_name(decision->reason), rule_of(stage, decision));
	return false;
}

static void count_answer(struct stage *stage, const struct oracle_answer *answer)
{
	struct count total = { .reason = answer->reason, .rule = answer->rule, .packets = 1 }, pair = { .packets = 1 };

	count(&stage->totals, &total);
	if (answer->allow)
		return;
	seen.dropped++;
	if (!answer->read_addresses) {
		stage->unread++;
		return;
	}
	sort_ends(pair.end, &answer->from, &answer->to);
	count(&stage->pairs, &pair);
}

/* Which way it went: as the capture says, or else, if the host is known, by who sent it. */
static bool leaves(const struct film *film, const struct stage *stage, const struct shot *shot)
{
	struct oracle_frame frame = { .data = shot->packet.data, .len = shot->packet.len };
	struct oracle_answer answer;

	if (is_cooked(film->format.link))
		return shot->egress;
	oracle_decide(stage->plain, &frame, &answer);
	return film->knows_host && answer.read_addresses && ranges_contain(&stage->scene.host, &answer.from);
}

static void count_staged(struct stage *stage, const struct oracle_answer *answer)
{
	struct replay_staged *staged;

	if (!answer->staged)
		return;
	staged = &stage->staged[names_find_rule(stage->scene.tables->names, answer->staged)];
	*(answer->staged_allows ? &staged->allowed : &staged->dropped) += 1;
	staged->changed += answer->staged_allows != answer->allow;
	seen.staged++;
}

/* Asks all three about a packet that the replay decides. */
static bool decide(const struct film *film, struct stage *stage, const struct shot *shot, const struct frame *frame)
{
	struct oracle_frame whole = { .data = shot->packet.data,
				      .len = shot->packet.len,
				      .egress = leaves(film, stage, shot),
				      .time = stage->clock };
	struct decision decision[REPLAY_SIDES], kernel;
	struct oracle_answer answer;
	size_t number = shot - film->shots;
	int r = stage->scene.testrun ? testrun_decide(stage->scene.testrun, frame, &kernel) : -EINVAL;

	if (stage->scene.testrun && r) { /* as the command does: nobody decides it */
		seen.refused++;
		replay_refuse(stage->replay);
		return r == -EINVAL;
	}
	seen.asked_kernel += !r;
	oracle_decide(stage->scene.oracle, &whole, &answer);
	decider_decide(stage->scene.decider, frame, &decision[REPLAY_NEW]);
	if (replay_take(stage->replay, decision))
		abort();
	count_answer(stage, &answer);
	count_staged(stage, &answer);
	if ((frame->hook == ZW_HOOK_EGRESS) != whole.egress) {
		note("packet %zu: which way it goes is wrong", number);
		return false;
	}
	return same(stage, &answer, &decision[REPLAY_NEW], "the tables", number) &&
	       (r || same(stage, &answer, &kernel, "the kernel", number));
}

/* Enough of it was captured in any case: the longest headers, of an ICMP error and of what it quotes. */
static bool must_be_decided(const struct shot *shot)
{
	return shot->whole || shot->captured >= 14 + 8 + 704;
}

static bool play(const struct film *film, struct stage *stage)
{
	char error[CAPTURE_ERROR_MAX] = "";
	struct captured captured;
	struct frame frame;
	bool good = true;

	for (size_t i = 0; i < film->count && good; i++) {
		const struct shot *shot = &film->shots[i];

		if (capture_next(stage->capture, &captured, error) != 1 || captured.time != shot->time) {
			note("packet %zu is not read: %s", i, error);
			return false;
		}
		seen.packets++;
		seen.late += shot->time < stage->clock;
		if (shot->time > stage->clock)
			stage->clock = shot->time;
		if (replay_prepare(stage->replay, &captured, &frame)) {
			good = decide(film, stage, shot, &frame);
		} else {
			seen.cut++;
			good = !must_be_decided(shot);
			if (!good)
				note("packet %zu was captured far enough, and is not decided", i);
		}
	}
	return good && capture_next(stage->capture, &captured, error) == 0;
}

static bool check_staged(const struct stage *stage)
{
	for (uint32_t rule = 1; rule <= names_rule_count(stage->scene.tables->names); rule++) {
		struct replay_staged got = replay_staged(stage->replay, REPLAY_NEW, rule), want = stage->staged[rule];

		if (got.allowed != want.allowed || got.dropped != want.dropped || got.changed != want.changed)
			return false;
	}
	return true;
}

static bool check_totals(const struct stage *stage)
{
	const struct replay_counts *counts = replay_counts(stage->replay);
	uint64_t sum = 0;

	for (size_t i = 0; i < stage->totals.count; i++) {
		const struct count *total = &stage->totals.v[i];
		uint32_t rule = total->rule ? names_find_rule(stage->scene.tables->names, total->rule) : 0;

if (replay_total(stage->replay, REPLAY_NEW, total->reason, rule) != total->packets)
			return false;
		sum += total->packets;
	}
	return counts->allowed[0] + counts->dropped[0] == sum &&
	       counts->packets == sum + counts->cut + counts->refused;
}

/* Rows between two addresses together have the packets that were dropped between them. */
static bool check_rows(struct stage *stage)
{
	const struct replay_counts *counts = replay_counts(stage->replay);
	struct replay_row *rows;
	size_t row_count;
	bool good = counts->dropped_unlisted == stage->unread;

	if (replay_rows(stage->replay, REPLAY_DROPPED, &rows, &row_count))
		abort();
	for (size_t i = 0; i < row_count; i++) {
		struct count pair = { .packets = -rows[i].packets };

		sort_ends(pair.end, &rows[i].from, &rows[i].to);
		count(&stage->pairs, &pair);
		good &= !i || rows[i - 1].packets >= rows[i].packets;
	}
	for (size_t i = 0; i < stage->pairs.count; i++)
		good &= !stage->pairs.v[i].packets;
	free(rows);
	return good;
}

static void open_stage(const struct film *film, struct stage *stage)
{
	const struct replay_options options = {
		.host = film->knows_host ? &stage->scene.host : NULL,
		.rule_count = { names_rule_count(stage->scene.tables->names) },
		.has_tls = stage->scene.tables->layout.has_tls,
	};
	char error[CAPTURE_ERROR_MAX];
	FILE *file = fmemopen(film->file, film->len, "r");

	stage->plain = oracle_new(stage->scene.policy, stage->scene.has_host ? &stage->scene.host : NULL, false);
	stage->staged = calloc(options.rule_count[REPLAY_NEW] + 1, sizeof(*stage->staged));
	if (!file || !stage->plain || !stage->staged || replay_new(&options, &stage->replay) ||
	    capture_open(file, &stage->capture, error))
		abort();
}

static void close_stage(struct stage *stage)
{
	free(stage->staged);
	free(stage->totals.v);
	free(stage->pairs.v);
	replay_free(stage->replay);
	capture_free(stage->capture);
	oracle_free(stage->plain);
	scene_close(&stage->scene);
}

static bool try_policy(uint64_t seed)
{
	struct random random = { .state = seed * 0x2545f4914f6cdd1dull };
	struct model *model = model_new(&random);
	char *yaml = model_yaml(model), *host = model_host(model);
	const struct scene_options options = {
		.host = host, .stateful = true, .kernel = settings.kernel && seed % KERNEL_EVERY == 0
	};
	struct film film = {
		.format = { .link = link_types[seed % ARRAY_LEN(link_types)],
			    .ng = random_percent(&random, 50),
			    .nano = random_percent(&random, 50),
			    .swapped = random_percent(&random, 50) },
		.knows_host = host && random_percent(&random, 50),
	};
	struct stage stage = { 0 };
	bool good = !scene_open(yaml, &options, &stage.scene);

	if (good) {
		shoot(&random, model, &film);
		open_stage(&film, &stage);
		seen.by_link[seed % ARRAY_LEN(link_types)] += film.count;
		good = play(&film, &stage);
		if (good && !check_totals(&stage)) {
			good = false;
			note("the totals are wrong");
		}
		if (good && !check_staged(&stage)) {
			good = false;
			note("what staged rules would have done is wrong");
		}
		if (good && !check_rows(&stage)) {
			good = false;
			note("the dropped conversations are wrong");
		}
		close_stage(&stage);
	}
	if (!good)
		note("seed %llu: link type %d%s%s%s", (unsigned long long)seed, film.format.link,
		     film.format.ng ? ", pcapng" : "", film.format.nano ? ", nanoseconds" : "",
		     film.format.swapped ? ", swapped" : "");
	free(film.shots);
	free(film.file);
	free(yaml);
	free(host);
	model_free(model);
	return good;
}

static void read_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },    { "policies", required_argument, NULL, 'p' },
		{ "packets", required_argument, NULL, 'n' }, { "no-kernel", no_argument, NULL, 'k' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		unsigned long long number = optarg ? strtoull(optarg, NULL, 0) : 0;

		if (option == 's')
			settings.seed = number;
		else if (option == 'p')
			settings.policies = number;
		else if (option == 'n')
			settings.packets = number;
		else if (option == 'k')
			settings.kernel = false;
		else
			exit(2);
	}
}

int main(int argc, char **argv)
{
	unsigned failures = 0;

	read_options(argc, argv);
	if (settings.kernel && geteuid() != 0)
		skip_all("loading the programs needs root; --no-kernel compares oracle and tables alone");
	for (unsigned i = 0; i < settings.policies && failures < 5; i++)
		failures += !try_policy(settings.seed + i);
	ok(!failures, "replayed under %u policies, %lu packets are decided as the oracle does, and counted right",
	   settings.policies, seen.packets);
	note("%lu dropped, %lu not captured far enough, %lu late, %lu counted by staged rules; the kernel was asked about %lu, and "
	     "refused %lu", seen.dropped, seen.cut, seen.late, seen.staged, seen.asked_kernel, seen.refused);
	for (size_t i = 0; i < ARRAY_LEN(link_types); i++)
		ok(seen.by_link[i] || settings.policies < ARRAY_LEN(link_types), "link type %d: %lu packets", link_types[i],
		   seen.by_link[i]);
	return done();
}
