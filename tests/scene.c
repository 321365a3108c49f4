/* SPDX-License-Identifier: GPL-2.0-only */
#include "scene.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "kernel/blocks.h"
#include "test.h"

#define ZONES_MAX 128

unsigned long scene_kernel_asked, scene_kernel_refused;

const char *scene_hook_name(enum zw_hook hook)
{
	static const char *const names[ZW_HOOKS] = {"xdp", "tc-ingress", "tc-egress"};

	return names[hook];
}

bool scene_asks_kernel(void)
{
	if (getenv("TABLES_ONLY"))
		return false;
	if (geteuid() != 0)
		skip_all("loading the programs needs root");
	return true;
}

/* The policy reader reads files. */
static int write_file(const char *text, char path[32])
{
	size_t len = strlen(text);
	int fd, r = 0;

	strcpy(path, "/tmp/zw-scene-XXXXXX");
	fd = mkstemp(path);
	if (fd < 0)
		return -errno;
	if (write(fd, text, len) != (ssize_t)len)
		r = -EIO;
	close(fd);
	return r;
}

static void show_diagnostics(const struct diag *diag)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return;
	diag_print(diag, out, false);
	fclose(out);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		printf("# %s\n", line);
	free(text);
}

static int read_host(const char *text, struct ranges *host)
{
	_cleanup_free_ char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
		struct addr addr;

		if (addr_parse(word, &addr) || ranges_add(host, addr.family, addr.value, addr.value))
			return -EINVAL;
	}
	return ranges_normalise(host);
}

static int compile(struct scene *scene, const char *path, uint64_t dense_bytes)
{
	const struct compile_options options = {.dense_bytes = dense_bytes};
	struct diag *diag = diag_new();
	int r;

	if (!diag)
		return -ENOMEM;
	r = policy_read(&path, 1, diag, &scene->policy);
	if (!r)
		r = policy_resolve(scene->policy, scene->has_host ? &scene->host : NULL);
	if (!r)
		r = compile_policy(scene->policy, &options, diag, &scene->tables);
	if (r)
		show_diagnostics(diag);
	diag_free(diag);
	return r;
}

static int add_deciders(struct scene *scene, const struct scene_options *options)
{
	const struct testrun_options kernel = {.stateful = options->stateful, .hooks = options->hooks};
	const struct ranges *host = scene->has_host ? &scene->host : NULL;
	int r;

	scene->oracle = oracle_new(scene->policy, host, options->stateful);
	if (!scene->oracle)
		return -ENOMEM;
	r = decider_new(scene->tables->bytes, &scene->tables->layout, options->stateful, &scene->decider);
	if (!r && options->kernel)
		r = testrun_new(scene->tables, &kernel, &scene->testrun);
	if (!r && scene->testrun) {
		scene->staged = calloc(names_rule_count(scene->tables->names) + 1, sizeof(*scene->staged));
		r = scene->staged ? 0 : -ENOMEM;
	}
	return r;
}

int scene_block(struct scene *scene, char *word, bool stateful)
{
	char *until = strchr(word, '='), *length = strchr(word, '/');
	struct blocked blocked = { .until = ZW_BLOCK_FOR_EVER };
	struct addr first;
	double seconds = 0;

	if (until)
		*until++ = '\0';
	if (!length)
		return -EINVAL;
	*length++ = '\0';
	if (addr_parse(word, &first))
		return -EINVAL;
	if (until && stateful) {
		seconds = atof(until);
		blocked.until = seconds * SIMULATED_HZ;
	}
	blocked.family = first.family;
	blocked.first = first.value;
	blocked.length = atoi(length);
	oracle_block(scene->oracle, &first, blocked.length, seconds);
	if (scene->testrun && blocks_put(testrun_blocks(scene->testrun), &blocked, 0))
		return -ENOSPC;
	return blocks_put(scene->blocks, &blocked, 0);
}

static int add_blocks(struct scene *scene, const struct scene_options *options)
{
	_cleanup_free_ char *copy = strdup(options->blocks);
	int r;

	scene->blocks = calloc(1, sizeof(*scene->blocks));
	if (!copy || !scene->blocks)
		return -ENOMEM;
	r = blocks_init(scene->blocks);
	for (char *word = strtok(copy, " "); word && !r; word = strtok(NULL, " "))
		r = scene_block(scene, word, options->stateful);
	decider_block(scene->decider, scene->blocks);
	return r;
}

int scene_open(const char *policy, const struct scene_options *options, struct scene *scene)
{
	char path[32];
	int r;

	*scene = (struct scene){.has_host = options->host};
	r = options->host ? read_host(options->host, &scene->host) : 0;
	if (!r)
		r = write_file(policy, path);
	if (!r) {
		r = compile(scene, path, options->dense_bytes);
		unlink(path);
	}
	if (!r)
		r = add_deciders(scene, options);
	if (!r && options->blocks)
		r = add_blocks(scene, options);
	if (r)
		scene_close(scene);
	return r;
}

void scene_close(struct scene *scene)
{
	oracle_free(scene->oracle);
	decider_free(scene->decider);
	testrun_free(scene->testrun);
	free(scene->staged);
	free(scene->blocks);
	tables_free(scene->tables);
	policy_free(scene->policy);
	ranges_clear(&scene->host);
	*scene = (struct scene){0};
}

/* "drop reason=rule rule=x from=[a b] to=[c] staged=+y": the staged rule y would have allowed it. */
static void describe(enum zw_reason reason, const char *rule, const char *const *from, size_t from_count,
		     const char *const *to, size_t to_count, const char *staged, bool staged_allows, char *text, size_t size)
{
	FILE *out = fmemopen(text, size, "w");

	if (!out)
		abort();
	fprintf(out, "%s reason=%s(%d) rule=%s from=[", ZW_REASON_IS_DROP(reason) ? "drop" : "allow",
		reason_name(reason), reason, rule ? rule : "-");
	for (size_t i = 0; i < from_count; i++)
		fprintf(out, "%s%s", i ? " " : "", from[i]);
	fputs("] to=[", out);
	for (size_t i = 0; i < to_count; i++)
		fprintf(out, "%s%s", i ? " " : "", to[i]);
	fputs("]", out);
	if (staged)
		fprintf(out, " staged=%c%s", staged_allows ? '+' : '-', staged);
	fclose(out);
	text[size - 1] = 0;
}

static const char *rule_id(const struct scene *scene, uint32_t number)
{
	const struct rule_name *name = number ? names_rule(scene->tables->names, number) : NULL;

	return name ? name->id : NULL;
}

void scene_describe(const struct scene *scene, const struct decision *decision, char *ret_text, size_t size)
{
	const struct names *names = scene->tables->names;
	const char *const *from = NULL, *const *to = NULL;
	size_t from_count = 0, to_count = 0;

	if (decision->atom[0] != ZW_NO_ATOM)
		from_count = names_zones(names, decision->atom[0], &from);
	if (decision->atom[1] != ZW_NO_ATOM)
		to_count = names_zones(names, decision->atom[1], &to);
	describe(decision->reason, rule_id(scene, decision->rule), from, from_count, to, to_count,
		 rule_id(scene, decision->staged & ZW_CELL_RULE), decision->staged & ZW_CELL_ALLOW, ret_text, size);
}

static void describe_answer(const struct oracle *oracle, const struct oracle_answer *answer, char *text, size_t size)
{
	const char *from[ZONES_MAX], *to[ZONES_MAX];
	size_t from_count = 0, to_count = 0;

	if (answer->read_addresses) {
		from_count = oracle_zones(oracle, &answer->from, from, ZONES_MAX);
		to_count = oracle_zones(oracle, &answer->to, to, ZONES_MAX);
	}
	describe(answer->reason, answer->rule, from, from_count, to, to_count, answer->staged, answer->staged_allows, text,
		 size);
}

static void expect_counted(struct scene *scene, const struct oracle_answer *answer)
{
	struct zw_staged_counters *counters;

	if (!answer->staged)
		return;
	counters = &scene->staged[names_find_rule(scene->tables->names, answer->staged)];
	counters->allowed += answer->staged_allows;
	counters->dropped += !answer->staged_allows;
	counters->changed += answer->staged_allows != answer->allow;
}

bool scene_counters_agree(struct scene *scene, char ret_text[SCENE_TEXT])
{
	const struct names *names = scene->tables->names;

	for (uint32_t number = 1; scene->testrun && number <= names_rule_count(names); number++) {
		const struct zw_staged_counters *want = &scene->staged[number];
		struct zw_staged_counters counted;

		if (!names_rule(names, number)->staged)
			continue;
		testrun_count_rule(scene->testrun, number, (struct zw_rule_counters *)&counted);
		if (counted.allowed == want->allowed && counted.dropped == want->dropped && counted.changed == want->changed)
			continue;
		snprintf(ret_text, SCENE_TEXT, "staged rule %s: oracle allowed %llu dropped %llu changed %llu; kernel %llu, %llu, %llu",
			 names_rule(names, number)->id, want->allowed, want->dropped, want->changed, counted.allowed,
			 counted.dropped, counted.changed);
		return false;
	}
	return true;
}

bool scene_agrees(struct scene *scene, const struct scene_frame *frame, struct oracle_answer *ret_answer,
		  char ret_text[SCENE_TEXT])
{
	struct oracle_frame asked = {.data = frame->data, .len = frame->len, .egress = frame->hook == ZW_HOOK_EGRESS,
				     .time = frame->time};
	struct frame shown = {.data = frame->data, .len = frame->len, .hook = frame->hook, .time = frame->time};
	char oracle[1024], tables[1024], kernel[1024] = "not asked";
	struct decision decision;
	bool agree;
	int r;

	memcpy(asked.mac, frame->mac, 6);
	memcpy(shown.mac, frame->mac, 6);
	asked.interface = frame->interface;
	if (frame->interface)
		shown.source_set = names_source_set(scene->tables->names, frame->interface);
	oracle_decide(scene->oracle, &asked, ret_answer);
	describe_answer(scene->oracle, ret_answer, oracle, sizeof(oracle));
	decider_decide(scene->decider, &shown, &decision);
	scene_describe(scene, &decision, tables, sizeof(tables));
	agree = !strcmp(oracle, tables);
	if (scene->testrun) {
		r = testrun_decide(scene->testrun, &shown, &decision);
		scene_kernel_asked += r != -ENOENT;
		scene_kernel_refused += r == -EINVAL;
		if (r == -EINVAL || r == -ENOENT) {
			; /* not asked */
		} else if (r) {
			snprintf(kernel, sizeof(kernel), "%s", r == -EPROTO ? "return value and reason differ" :
									       strerror(-r));
			agree = false;
		} else {
			scene_describe(scene, &decision, kernel, sizeof(kernel));
			expect_counted(scene, ret_answer);
			agree = agree && !strcmp(oracle, kernel);
		}
	}
	snprintf(ret_text, SCENE_TEXT, "%s: oracle %s; tables %s; kernel %s", scene_hook_name(frame->hook), oracle,
		 tables, kernel);
	return agree;
}
