/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bench's own policies (bench/scale.h), as files: oracle, tables and kernel agree on packets drawn to the ends
 * and ports of their rules, in each shape, IPv4 and IPv6, with dense and with sparse tables. What the bench
 * measures is decided right.
 *
 *   random_scale [--seed N] [--packets N] [--rules N] [--prefixes N] [--zones N] [--no-kernel]
 *
 * The oracle walks every rule and every prefix: at the size that the bench has, a decision takes it a second.
 */
#include <limits.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/scale.h"
#include "generate.h"
#include "scene.h"
#include "test.h"

static uint64_t seed = 1;
static unsigned long packets = 1500, rules = 2000, prefixes = 20000, zones = 64;
static bool kernel = true;
static char folder[] = "/tmp/zw-scale-XXXXXX";

/* --- A policy and its files -------------------------------------------------------------------------------------- */

static bool run(char *const argv[])
{
	int status = 1;
	pid_t child = fork();

	if (!child) {
		execvp(argv[0], argv);
		_exit(127);
	}
	return child > 0 && waitpid(child, &status, 0) > 0 && !status;
}

/* bench/scale_files stands beside this program's folder. */
static bool write_policy(const struct scale *scale)
{
	char program[PATH_MAX], numbers[3][24];
	ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);
	char *argv[] = { program,    "-r",
			 numbers[0], "-p",
			 numbers[1], "-z",
			 numbers[2], (char *)plan_shape_names[scale->shape],
			 folder,     scale->family == 6 ? "-6" : NULL,
			 NULL };

	if (len < 0)
		return false;
	program[len] = '\0';
	strcpy(strstr(program, "/tests/"), "/bench/scale_files");
	snprintf(numbers[0], sizeof(numbers[0]), "%zu", scale->rules);
	snprintf(numbers[1], sizeof(numbers[1]), "%zu", scale->prefixes);
	snprintf(numbers[2], sizeof(numbers[2]), "%zu", scale->zones);
	return run(argv);
}

static void remove_folder(void)
{
	run((char *[]){ "rm", "-rf", folder, NULL });
}

static int open_policy(const struct policy *policy, bool sparse, unsigned hooks, struct scene *ret_scene)
{
	const struct ranges *host = &policy->zones[ZONE_INDEX_HOST].set;
	char text[128], host_text[RANGE_TEXT_MAX];
	struct scene_options options = {
		.host = host_text, .kernel = kernel, .hooks = hooks, .dense_bytes = sparse ? 4096 : 0
	};

	range_print(host->v4_count ? 4 : 6, host->v4_count ? host->v4 : host->v6, host_text);
	snprintf(text, sizeof(text), "version: 1\ninclude: [\"%s/policy.yaml\"]\n", folder);
	return scene_open(text, &options, ret_scene);
}

/* --- Packets to a rule ------------------------------------------------------------------------------------------- */

/* An address of the zone, or the one beside an end of one of its ranges. */
static struct addr draw_address(struct random *random, const struct zone *zone)
{
	const struct ranges *set = &zone->set;
	const int family = set->v4_count ? 4 : 6;
	const size_t count = family == 4 ? set->v4_count : set->v6_count;
	const struct range *ranges = family == 4 ? set->v4 : set->v6;
	struct addr addr = { .family = family };

	if (!count)
		return addr;
	ranges += random_below(random, count);
	addr.value = random_percent(random, 50) ? ranges->first : ranges->last;
	if (random_percent(random, 10))
		addr.value += random_percent(random, 50) ? 1 : (u128)-1;
	if (family == 4)
		addr.value &= ADDR_MAX4;
	return addr;
}

static void draw_frame(struct random *random, const struct policy *policy, struct packet *ret_packet)
{
	const struct rule *rule = &policy->rules.v[random_below(random, policy->rules.count)];
	const struct selector *service = &rule->service.v[0];
	struct addr points[2] = { draw_address(random, &policy->zones[rule->from.zone[0]]),
				  draw_address(random, &policy->zones[rule->to.zone[0]]) };
	struct model model = { .points = points, .point_count = 2 };

	model.port_count = 2;
	model.ports = calloc(model.port_count, sizeof(*model.ports));
	if (!model.ports)
		abort();
	model.ports[0].protocol = model.ports[1].protocol = service->protocol;
	model.ports[0].port = service->first;
	model.ports[1].port = service->last;
	generate_frame(random, &model, 5, ret_packet);
	free(model.ports);
}

/* --- One policy -------------------------------------------------------------------------------------------------- */

struct tally {
	unsigned long decisions, reason[ZW_REASONS];
};

/* Of all hooks whose programs are loaded; tables and oracle are asked for each. */
static bool all_agree(struct scene *scene, const struct policy *policy, unsigned hooks, struct tally *tally)
{
	struct random random = { .state = seed * 0x2545f4914f6cdd1dull };
	struct oracle_answer answer;
	char text[SCENE_TEXT], hex[2 * PACKET_MAX + 1];
	struct packet packet;

	for (unsigned long i = 0; i < packets; i++) {
		draw_frame(&random, policy, &packet);
		for (int hook = 0; hook < ZW_HOOKS; hook++) {
			const struct scene_frame frame = {
				.data = packet.data, .len = packet.len, .hook = hook, .mac = { 2, 0, 0, 0, 0, 10 }
			};

			if (!(hooks & 1u << hook))
				continue;
			tally->decisions++;
			if (!scene_agrees(scene, &frame, &answer, text)) {
				packet_print_hex(packet.data, packet.len, hex);
				note("%s: frame %s\n# %s", scene_hook_name(hook), hex, text);
				return false;
			}
			tally->reason[answer.reason]++;
		}
	}
	return true;
}

static void try_policy(const struct scale *scale, bool sparse, unsigned hooks)
{
	struct policy *policy = scale_policy(scale);
	struct tally tally = { 0 };
	struct scene scene;
	bool opened, agree = false;

	opened = write_policy(scale) && !open_policy(policy, sparse, hooks, &scene);
	if (opened) {
		agree = all_agree(&scene, policy, hooks, &tally);
		sparse = scene.tables->stats.sparse;
		scene_close(&scene);
	}
	ok(agree, "%s, IPv%d, %s tables: oracle, tables%s agree on %lu decisions", plan_shape_names[scale->shape],
	   scale->family, sparse ? "sparse" : "dense", kernel ? " and kernel" : "", tally.decisions);
	ok(tally.reason[ZW_ALLOW_RULE] && tally.reason[ZW_DROP_RULE] && tally.reason[ZW_DROP_DEFAULT],
	   "and rules allowed %lu of them, dropped %lu, the default %lu", tally.reason[ZW_ALLOW_RULE],
	   tally.reason[ZW_DROP_RULE], tally.reason[ZW_DROP_DEFAULT]);
	policy_free(policy);
}

static void read_options(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		kernel = kernel && strcmp(argv[i], "--no-kernel");
	read_seed(argc, argv, "--packets", &seed, &packets);
	read_seed(argc, argv, "--rules", &seed, &rules);
	read_seed(argc, argv, "--prefixes", &seed, &prefixes);
	read_seed(argc, argv, "--zones", &seed, &zones);
}

int main(int argc, char **argv)
{
	read_options(argc, argv);
	kernel = kernel && scene_asks_kernel();
	if (!mkdtemp(folder))
		return 1;
	atexit(remove_folder);
	note("seed %llu, %lu rules, %lu prefixes, %lu zones, %lu packets each", (unsigned long long)seed, rules,
	     prefixes, zones, packets);
	for (int shape = 0; shape < PLAN_SHAPES; shape++)
		for (int family = 4; family <= 6; family += 2) {
			const struct scale scale = { .shape = shape,
						     .family = family,
						     .rules = rules,
						     .prefixes = prefixes,
						     .zones = zones,
						     .cidr_bits = 4,
						     .open_port = OPEN_PORT };
			const bool sparse = (shape + family / 2) % 2;

			try_policy(&scale, sparse,
				   1u << ZW_HOOK_XDP | 1u << (sparse ? ZW_HOOK_INGRESS : ZW_HOOK_EGRESS));
		}
	return done();
}
