/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every case through the loaded programs, the tables and the oracle, on XDP, TC ingress and TC egress. What the test run
 * cannot take (frames that are too short for TC, tags in metadata) is left to the wire.
 */
#include <string.h>

#include "evasion.h"
#include "scene.h"
#include "test.h"

static struct scene scene;
static bool asks_kernel;
static unsigned number; /* of the hosts */

static bool step_is_right(const struct evasion_case *c, const struct evasion_step *step, int family, enum zw_hook hook,
			  unsigned turn)
{
	enum zw_reason want = evasion_want(c, step, hook, turn);
	struct scene_frame frame = {.hook = hook, .time = 1000};
	char text[SCENE_TEXT], hex[2 * PACKET_MAX + 1];
	struct oracle_answer answer;
	struct packet packet;

	evasion_build(c, step, family, turn, number, &packet);
	memcpy(frame.mac, evasion_mac, 6);
	frame.data = packet.data;
	frame.len = packet.len;
	if (scene_agrees(&scene, &frame, &answer, text) && answer.reason == want)
		return true;
	packet_print_hex(packet.data, packet.len, hex);
	note("turn %u, step %u: wanted %s(%d); %s; frame %s", turn, (unsigned)(step - c->steps) + 1, reason_name(want), want, text,
	     hex);
	return false;
}

static void run(const struct evasion_case *c, int family, enum zw_hook hook)
{
	unsigned turns = evasion_turns(c, family);
	bool good = true;

	for (unsigned turn = 0; turn < turns; turn++) {
		number++;
		for (int i = 0; i < EVASION_STEPS && c->steps[i].reason && !c->steps[i].stripped; i++)
			good &= step_is_right(c, &c->steps[i], family, hook, turn);
	}
	if (turns && !c->steps[0].stripped)
		ok(good, "%s (IPv%d, %s)", c->trick, family, scene_hook_name(hook));
}

static void run_group(const struct evasion_group *group, bool strict)
{
	note("%s", group->title);
	for (size_t i = 0; i < group->count; i++)
		for (int family = 4; family <= 6; family += 2)
			for (int hook = 0; hook < ZW_HOOKS; hook++)
				if (group->cases[i].strict == strict)
					run(&group->cases[i], family, hook);
}

static void names_are_unique(void)
{
	unsigned twice = 0;

	for (size_t i = 0; i < evasion_group_count; i++)
		for (size_t n = 0; n < evasion_groups[i]->count; n++)
			for (size_t m = 0; m < n; m++)
				if (!strcmp(evasion_groups[i]->cases[n].trick, evasion_groups[i]->cases[m].trick)) {
					note("twice: %s", evasion_groups[i]->cases[n].trick);
					twice++;
				}
	ok(!twice, "each case has a name of its own in its group");
}

static void run_policy(const char *policy, bool strict)
{
	const struct scene_options options = {.host = EVASION_HOST, .stateful = true, .kernel = asks_kernel};

	if (!ok(!scene_open(policy, &options, &scene), "the %s policy loads", strict ? "strict" : "loose"))
		return;
	for (size_t i = 0; i < evasion_group_count; i++)
		run_group(evasion_groups[i], strict);
	scene_close(&scene);
}

int main(void)
{
	asks_kernel = scene_asks_kernel();
	names_are_unique();
	run_policy(evasion_policy_loose, false);
	run_policy(evasion_policy_strict, true);
	ok(number < 65536, "each turn had hosts of its own (%u)", number);
	note("of %lu frames the test run refused %lu", scene_kernel_asked, scene_kernel_refused);
	return done();
}
