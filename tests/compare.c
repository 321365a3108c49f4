/* SPDX-License-Identifier: GPL-2.0-only */
#include "compare.h"

#include <getopt.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "generate.h"
#include "scene.h"
#include "test.h"

struct shot {
	struct packet packet;
	enum zw_hook hook;
	double time;
	uint8_t mac[6];
	const char *interface; /* NULL: not said */
};

/* Shared with the workers. */
struct progress {
	unsigned long policies, decisions, refused, failures, unread, sparse, staged;
	unsigned long reason[ZW_REASONS];
};

static struct compare_settings settings;
static struct progress *progress;

static void show_shot(const struct shot *shot)
{
	char hex[2 * PACKET_MAX + 1];

	packet_print_hex(shot->packet.data, shot->packet.len, hex);
	printf("# frame %s at %.0f s on %s of %s\n", hex, shot->time, scene_hook_name(shot->hook),
	       shot->interface ? shot->interface : "no known interface");
}

static bool shoot(struct scene *scene, const struct shot *shot, char text[SCENE_TEXT])
{
	struct scene_frame frame = {
		.data = shot->packet.data, .len = shot->packet.len, .hook = shot->hook, .time = shot->time,
		.interface = shot->interface
	};
	struct oracle_answer answer;
	bool agree;

	memcpy(frame.mac, shot->mac, 6);
	agree = scene_agrees(scene, &frame, &answer, text);
	__atomic_add_fetch(&progress->reason[answer.reason], 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&progress->staged, answer.staged != NULL, __ATOMIC_RELAXED);
	return agree;
}

/* Does anyone disagree over these packets under this policy? A policy that cannot be read disagrees with nobody. */
static bool disagrees(const struct model *model, const struct shot *shots, size_t count, bool kernel,
		      char text[SCENE_TEXT])
{
	char *yaml = model_yaml(model), *host = model_host(model), *blocks = model_blocks(model);
	struct scene_options options = { .host = host,
					 .blocks = blocks,
					 .stateful = settings.stateful,
					 .kernel = kernel,
					 .dense_bytes = model->dense_bytes };
	struct scene scene;
	bool found = false;

	if (!scene_open(yaml, &options, &scene)) {
		for (size_t i = 0; i < count && !found; i++)
			found = !shoot(&scene, &shots[i], text);
		scene_close(&scene);
	}
	free(yaml);
	free(host);
	free(blocks);
	return found;
}

static size_t shrink_shots(const struct model *model, struct shot *shots, size_t count, bool kernel)
{
	char text[SCENE_TEXT];

	for (size_t i = count; i--;) {
		struct shot dropped = shots[i];

		memmove(shots + i, shots + i + 1, (count - i - 1) * sizeof(*shots));
		if (disagrees(model, shots, count - 1, kernel, text)) {
			count--;
			continue;
		}
		memmove(shots + i + 1, shots + i, (count - i - 1) * sizeof(*shots));
		shots[i] = dropped;
	}
	return count;
}

/* Drops one part after the other while the rest still disagrees. Takes the model, returns a smaller one. */
static struct model *shrink(struct model *model, struct shot *shots, size_t *count, bool kernel)
{
	char text[SCENE_TEXT];
	bool smaller = true;

	*count = shrink_shots(model, shots, *count, kernel);
	while (smaller) {
		smaller = false;
		for (size_t part = 0;;) {
			struct model *less = model_copy(model);

			if (!model_drop(less, part)) {
				model_free(less);
				break;
			}
			if (disagrees(less, shots, *count, kernel, text)) {
				model_free(model);
				model = less;
				smaller = true;
			} else {
				model_free(less);
				part++;
			}
		}
	}
	return model;
}

static void report(struct model *model, struct shot *shots, size_t count, uint64_t seed, const char *text)
{
	char shrunk[SCENE_TEXT] = "";
	/* The programs load slowly: without them if the tables alone disagree. */
	bool kernel = settings.kernel && !disagrees(model, shots, count, false, shrunk);
	char *yaml, *host, *blocks;

	printf("# disagreement: --seed %llu --policies 1 --packets %u --odd %u%s\n# %s\n",
	       (unsigned long long)seed, settings.packets, settings.odd,
	       settings.stateful ? " --stateful" : "", text);
	model = shrink(model_copy(model), shots, &count, kernel);
	disagrees(model, shots, count, kernel, shrunk);
	printf("# shrunk to: %s\n", shrunk);
	yaml = model_yaml(model);
	for (char *line = strtok(yaml, "\n"); line; line = strtok(NULL, "\n"))
		printf("#   %s\n", line);
	host = model_host(model);
	blocks = model_blocks(model);
	printf("# host %s; blocked %s; dense_bytes %llu\n", host ? host : "(not known)", blocks ? blocks : "nothing",
	       (unsigned long long)model->dense_bytes);
	for (size_t i = 0; i < count; i++)
		show_shot(&shots[i]);
	fflush(stdout);
	free(blocks);
	free(host);
	free(yaml);
	model_free(model);
}

static void make_shot(struct random *random, const struct model *model, struct shot *shot)
{
	memset(shot, 0, sizeof(*shot));
	generate_frame(random, model, settings.odd, &shot->packet);
	shot->time = generate_time(random, model);
	shot->hook = random_below(random, ZW_HOOKS);
	shot->mac[0] = 2;
	shot->mac[5] = random_below(random, 2) ? 2 : 10;
	if (random_percent(random, 60))
		shot->interface = generate_interface(random);
}

/* Packets are independent without flows: each is tried on each hook. */
static bool try_packets(struct random *random, struct model *model, struct scene *scene, uint64_t seed)
{
	char text[SCENE_TEXT];
	struct shot shot;

	for (unsigned i = 0; i < settings.packets; i++) {
		make_shot(random, model, &shot);
		for (int hook = 0; hook < ZW_HOOKS; hook++) {
			shot.hook = hook;
			__atomic_add_fetch(&progress->decisions, 1, __ATOMIC_RELAXED);
			if (shoot(scene, &shot, text))
				continue;
			report(model, &shot, 1, seed, text);
			return false;
		}
	}
	return true;
}

/* Few ends that talk again and again, on hooks in turn: flows are shared by all. A disagreement shrinks to its history. */
static bool try_conversations(struct random *random, struct model *model, struct scene *scene, uint64_t seed)
{
	struct shot *shots = calloc(settings.packets, sizeof(*shots));
	struct talk talk;
	char text[SCENE_TEXT];
	bool good = true;

	if (!shots)
		abort();
	talk_begin(random, model, &talk);
	for (unsigned i = 0; i < settings.packets && good; i++) {
		shots[i].mac[0] = 2;
		shots[i].mac[5] = 10;
		talk_next(random, &talk, i ? &shots[random_below(random, i)].packet : NULL, &shots[i].packet);
		shots[i].hook = random_below(random, ZW_HOOKS);
		shots[i].time = talk.time;
		if (random_percent(random, 20))
			shots[i].interface = generate_interface(random);
		__atomic_add_fetch(&progress->decisions, 1, __ATOMIC_RELAXED);
		good = shoot(scene, &shots[i], text);
		if (!good)
			report(model, shots, i + 1, seed, text);
	}
	free(shots);
	return good;
}

static bool counters_agree(struct scene *scene, uint64_t seed)
{
	char text[SCENE_TEXT];

	if (scene_counters_agree(scene, text))
		return true;
	printf("# disagreement: --seed %llu --policies 1 --packets %u --odd %u%s\n# %s\n", (unsigned long long)seed,
	       settings.packets, settings.odd, settings.stateful ? " --stateful" : "", text);
	return false;
}

static bool try_policy(uint64_t seed)
{
	struct random random = { .state = seed * 0x2545f4914f6cdd1dull };
	struct model *model = model_new(&random);
	char *yaml = model_yaml(model), *host = model_host(model), *blocks = model_blocks(model);
	struct scene_options options = {
		.host = host,
		.blocks = blocks,
		.stateful = settings.stateful,
		.kernel = settings.kernel,
		.dense_bytes = model->dense_bytes,
		.hooks = settings.stateful ? 0 : 1u << ZW_HOOK_XDP | 1u << (ZW_HOOK_INGRESS + seed % 2)
	};
	struct scene scene;
	bool good = false;
	int r = scene_open(yaml, &options, &scene);

	if (r) {
		printf("# the policy of seed %llu is not accepted (%d)\n# %s\n", (unsigned long long)seed, r,
		       yaml);
		__atomic_add_fetch(&progress->unread, 1, __ATOMIC_RELAXED);
	} else {
		__atomic_add_fetch(&progress->sparse, scene.tables->stats.sparse, __ATOMIC_RELAXED);
		good = settings.stateful ? try_conversations(&random, model, &scene, seed)
					 : try_packets(&random, model, &scene, seed);
		good = good && counters_agree(&scene, seed);
	}
	if (!r)
		scene_close(&scene);
	__atomic_add_fetch(&progress->policies, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&progress->failures, !r && !good, __ATOMIC_RELAXED);
	free(yaml);
	free(host);
	free(blocks);
	model_free(model);
	return good;
}

static void work(unsigned worker)
{
	for (unsigned i = worker; i < settings.policies; i += settings.jobs) {
		try_policy(settings.seed + i);
		if (__atomic_load_n(&progress->failures, __ATOMIC_RELAXED) >= 5)
			break;
	}
	__atomic_add_fetch(&progress->refused, scene_kernel_refused, __ATOMIC_RELAXED);
}

static bool run_workers(void)
{
	bool good = true;

	fflush(stdout);
	for (unsigned worker = 0; worker < settings.jobs; worker++) {
		pid_t pid = fork();

		if (pid < 0)
			abort();
		if (pid == 0) {
			work(worker);
			fflush(stdout);
			_exit(0);
		}
	}
	for (unsigned worker = 0; worker < settings.jobs; worker++) {
		int status;

		if (wait(&status) < 0 || status)
			good = false;
	}
	return good;
}

static void read_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },    { "policies", required_argument, NULL, 'p' },
		{ "packets", required_argument, NULL, 'n' }, { "odd", required_argument, NULL, 'o' },
		{ "jobs", required_argument, NULL, 'j' },    { "stateful", no_argument, NULL, 'f' },
		{ "no-kernel", no_argument, NULL, 'k' },     { NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		unsigned long long number = optarg ? strtoull(optarg, NULL, 0) : 0;

		switch (option) {
		case 's':
			settings.seed = number;
			break;
		case 'p':
			settings.policies = number;
			break;
		case 'n':
			settings.packets = number;
			break;
		case 'o':
			settings.odd = number;
			break;
		case 'j':
			settings.jobs = number;
			break;
		case 'f':
			settings.stateful = true;
			break;
		case 'k':
			settings.kernel = false;
			break;
		default:
			exit(2);
		}
	}
	if (!settings.jobs)
		settings.jobs = sysconf(_SC_NPROCESSORS_ONLN);
}

static void report_all(bool finished, time_t seconds)
{
	ok(finished, "the workers ran to their end");
	ok(progress->policies == settings.policies || progress->failures, "every policy was tried");
	ok(progress->unread == 0, "every generated policy is accepted");
	ok(progress->failures == 0, "oracle, tables%s agree on %lu decisions under %lu policies%s",
	   settings.kernel ? " and kernel" : "", progress->decisions, progress->policies,
	   settings.stateful ? ", with flows" : "");
	note("%ld s; %lu policies with sparse tables; %lu frames were not taken by the kernel's test run",
	     (long)seconds, progress->sparse, progress->refused);
	note("staged rules would have decided %lu first packets", progress->staged);
	for (int reason = 1; reason < ZW_REASONS; reason++)
		if (progress->reason[reason])
			note("%s %s: %lu", ZW_REASON_IS_DROP(reason) ? "drop" : "allow", reason_name(reason),
			     progress->reason[reason]);
}

int compare_main(int argc, char **argv, const struct compare_settings *defaults)
{
	time_t begin = time(NULL);
	bool finished;

	settings = *defaults;
	read_options(argc, argv);
	if (settings.kernel && geteuid() != 0)
		skip_all("loading the programs needs root; --no-kernel compares oracle and tables alone");
	progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (progress == MAP_FAILED)
		abort();
	note("seed %llu, %u policies, %u packets each", (unsigned long long)settings.seed, settings.policies,
	     settings.packets);
	finished = run_workers();
	report_all(finished, time(NULL) - begin);
	return done();
}
