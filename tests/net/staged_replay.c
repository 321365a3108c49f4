// SPDX-License-Identifier: GPL-2.0-only
/*
 * staged_replay write SEED FILE [CANDIDATE]     a random policy with staged rules; or two without, one to be staged beside
 * staged_replay run SEED INSTANCE [candidate]   packets of random conversations, through the program that decides
 *
 * Both make the same of a seed. `run` asks the oracle, too, and prints what must have been counted: a line "ID ALLOWED DROPPED
 * CHANGED" for each staged rule, sorted; of a candidate "NEWLY_ALLOWED NEWLY_DROPPED". The host has no addresses, and no
 * packet comes from anywhere else.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "generate.h"
#include "kernel/instance.h"
#include "kernel/pins.h"
#include "scene.h"

#define PACKETS 400
#define RULES_MAX 64

struct count {
	const char *id;
	unsigned long allowed, dropped, changed;
};

static struct random of_seed(const char *text)
{
	return (struct random){ strtoull(text, NULL, 10) * 0x9e3779b97f4a7c15ull + 1 };
}

/* Attached to by the test: no interface of the model is there. */
static char *text_of(struct model *model)
{
	char *yaml, *text;

	model->interface_count = 0;
	model->has_host = false;
	yaml = model_yaml(model);
	if (asprintf(&text, "%s\ninterfaces: [{match: [e0], xdp: generic}]\n", yaml) < 0)
		abort();
	free(yaml);
	return text;
}

/* Buckets fill while the oracle's time stands still; a TLS check is more than a first packet shows. */
static struct model *make_untimed(struct random *random)
{
	struct model *model = model_new(random);

	for (size_t i = 0; i < model->rule_count; i++) {
		*model->rules[i].limit = 0;
		model->rules[i].tls = NULL;
	}
	return model;
}

/* Many rules are staged, or none. */
static struct model *make_staged(struct random *random)
{
	struct model *model = make_untimed(random);

	for (size_t i = 0; i < model->rule_count; i++)
		model->rules[i].stage = random_percent(random, 40);
	return model;
}

/* Without what a candidate does not compare: failsafe's answers, and how TCP begins. */
static struct model *make_plain(struct random *random)
{
	struct model *model = make_untimed(random);

	for (size_t i = 0; i < model->rule_count; i++)
		model->rules[i].stage = false;
	model->has_failsafe = true;
	model->failsafe_count = 0;
	model->tcp = NULL;
	return model;
}

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	if (!file || fputs(text, file) < 0 || fclose(file)) {
		perror(path);
		exit(1);
	}
}

static void write_model(const char *path, struct model *model)
{
	char *text = text_of(model);

	write_text(path, text);
	free(text);
	model_free(model);
}

static int write_policies(struct random *random, char **paths, int count)
{
	write_model(paths[0], count == 1 ? make_staged(random) : make_plain(random));
	if (count == 2)
		write_model(paths[1], make_plain(random));
	return 0;
}

/* --- Packets ---------------------------------------------------------------------------------------------------------- */

static int open_program(const char *name)
{
	struct instance *instance;
	char path[4096];
	int fd;

	if (instance_open(name, &instance)) {
		fprintf(stderr, "staged_replay: nothing is published for %s\n", name);
		exit(1);
	}
	pins_path(path, name, "/gen-%u/zw_xdp", instance_current(instance));
	instance_free(instance);
	fd = bpf_obj_get(path);
	if (fd < 0) {
		perror(path);
		exit(1);
	}
	return fd;
}

/* Was it taken? The kernel's test run has no frames shorter than a header. */
static bool run_packet(int program, const struct packet *packet)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet->data, .data_size_in = packet->len, .repeat = 1);

	if (packet->len < 14)
		return false;
	if (!bpf_prog_test_run_opts(program, &options))
		return true;
	if (errno != EINVAL)
		perror("staged_replay: a packet was not run");
	return false;
}

static void ask(struct scene *scene, const struct packet *packet, double now, struct oracle_answer *ret_answer)
{
	const struct oracle_frame frame = { .data = packet->data, .len = packet->len, .time = now };

	oracle_decide(scene->oracle, &frame, ret_answer);
}

/* --- Counts ----------------------------------------------------------------------------------------------------------- */

static void count(struct count *counts, const struct oracle_answer *answer)
{
	struct count *c = counts;

	if (!answer->staged)
		return;
	while (c->id && strcmp(c->id, answer->staged))
		c++;
	if (!c->id)
		abort();
	*(answer->staged_allows ? &c->allowed : &c->dropped) += 1;
	c->changed += answer->staged_allows != answer->allow;
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct count *)a)->id, ((const struct count *)b)->id);
}

/* Those of rules that are staged and count. */
static size_t begin_counts(const struct policy *policy, struct count *counts)
{
	size_t count = 0;

	for (size_t i = 0; i < policy->rules.count; i++)
		if (policy->rules.v[i].mode == MODE_STAGE && policy->rules.v[i].action != ACTION_PASS && count < RULES_MAX)
			counts[count++] = (struct count){ .id = policy->rules.v[i].id };
	qsort(counts, count, sizeof(*counts), compare);
	return count;
}

static void open_policy(struct model *model, bool stateful, struct scene *ret_scene)
{
	const struct scene_options options = { .host = "", .stateful = stateful };
	char *text = text_of(model);

	if (scene_open(text, &options, ret_scene))
		exit(1);
	free(text);
}

/* --- A candidate -------------------------------------------------------------------------------------------------------- */

/* A staged rule that matches everything tells which packets are first ones that policy decides. */
static void mark_first_packets(struct policy *policy)
{
	static const struct selector any = { .any_protocol = true, .last = 65535 };
	struct rule *rules = calloc(policy->rules.count + 1, sizeof(*rules));

	if (!rules)
		abort();
	memcpy(rules + 1, policy->rules.v, policy->rules.count * sizeof(*rules));
	free(policy->rules.v);
	rules[0] = (struct rule){ .id = strdup("mark"), .action = ACTION_ALLOW, .mode = MODE_STAGE };
	for (int end = 0; end < 2; end++)
		*(end ? &rules[0].to : &rules[0].from) = (struct zone_list){ calloc(1, sizeof(unsigned)), 1 }; /* any */
	rules[0].service = (struct selectors){ calloc(1, sizeof(any)), 1 };
	rules[0].service.v[0] = any;
	policy->rules.v = rules;
	policy->rules.count++;
}

struct sums {
	unsigned long allowed, dropped;
};

static void compare_verdicts(struct scene *candidate, const struct packet *packet, double now,
			     const struct oracle_answer *enforced, struct sums *sums)
{
	struct oracle_answer answer;

	if (!enforced->staged)
		return;
	ask(candidate, packet, now, &answer);
	sums->allowed += answer.allow && !enforced->allow;
	sums->dropped += !answer.allow && enforced->allow;
}

/* --- The whole ---------------------------------------------------------------------------------------------------------- */

static void draw_packet(struct random *random, const struct model *model, struct talk *talk, bool begun, struct packet *packet)
{
	struct packet earlier = *packet;

	if (random_percent(random, 30))
		generate_frame(random, model, 20, packet);
	else
		talk_next(random, talk, begun ? &earlier : NULL, packet);
}

/* candidate: NULL, or a scene without flows: the candidate's are not kept. */
static void replay(struct random *random, const struct model *model, const char *instance, struct scene *scene,
		   struct scene *candidate, struct count *counts, struct sums *sums)
{
	int program = open_program(instance);
	struct oracle_answer answer;
	struct packet packet = { 0 };
	double now = time(NULL);
	struct talk talk;

	talk_begin(random, model, &talk);
	for (int i = 0; i < PACKETS; i++) {
		draw_packet(random, model, &talk, i, &packet);
		if (!run_packet(program, &packet))
			continue;
		ask(scene, &packet, now, &answer);
		if (candidate)
			compare_verdicts(candidate, &packet, now, &answer, sums);
		else
			count(counts, &answer);
	}
	close(program);
}

static int run(struct random *random, const char *instance, bool has_candidate)
{
	struct model *model = has_candidate ? make_plain(random) : make_staged(random), *other = NULL;
	struct count counts[RULES_MAX + 1] = { 0 };
	struct scene scene, candidate = { 0 };
	struct sums sums = { 0 };
	size_t rules;

	open_policy(model, true, &scene);
	rules = begin_counts(scene.policy, counts);
	if (has_candidate) {
		other = make_plain(random);
		open_policy(other, false, &candidate);
		mark_first_packets(scene.policy);
	}
	/* Of a candidate's, packets are drawn as well from its own ends. */
	replay(random, other && random_percent(random, 50) ? other : model, instance, &scene, has_candidate ? &candidate : NULL,
	       counts, &sums);
	for (size_t i = 0; i < rules; i++)
		printf("%s %lu %lu %lu\n", counts[i].id, counts[i].allowed, counts[i].dropped, counts[i].changed);
	if (has_candidate)
		printf("%lu %lu\n", sums.allowed, sums.dropped);
	scene_close(&scene);
	scene_close(&candidate);
	model_free(model);
	model_free(other);
	return 0;
}

int main(int argc, char **argv)
{
	struct random random;

	if (argc >= 4 && argc <= 5 && !strcmp(argv[1], "write")) {
		random = of_seed(argv[2]);
		return write_policies(&random, argv + 3, argc - 3);
	}
	if (argc >= 4 && argc <= 5 && !strcmp(argv[1], "run")) {
		random = of_seed(argv[2]);
		return run(&random, argv[3], argc == 5);
	}
	fprintf(stderr, "staged_replay write SEED FILE [CANDIDATE] | run SEED INSTANCE [candidate]\n");
	return 2;
}
