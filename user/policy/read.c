// SPDX-License-Identifier: GPL-2.0-only
/* From files to a policy: load all, declare all names, then read what uses them. */
#include "policy/schema.h"

/* `include` is read while the files are loaded. */
static void read_include(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	(void)reader;
	(void)key;
	(void)value;
	(void)into;
}

/* Names may be used before, and in other files than, they are defined: so two passes over all documents. */
static const struct schema declarations = {
	"a policy",
	(const struct field[]){
		{ "version", true, read_version },
		{ "include", false, read_include },
		{ "defaults", false, read_defaults },
		{ "interfaces", false, NULL },
		{ "zones", false, declare_zones },
		{ "services", false, declare_services },
		{ "failsafe", false, NULL },
		{ "tiers", false, read_tiers },
		{ "rules", false, NULL },
		{ "never", false, NULL },
		{ "always", false, NULL },
		{ "tests", false, NULL },
		{ 0 },
	},
};

static const struct schema uses = {
	"a policy",
	(const struct field[]){
		{ "interfaces", false, read_interfaces },
		{ "failsafe", false, read_failsafe },
		{ "rules", false, read_rules },
		{ "never", false, read_never },
		{ "always", false, read_always },
		{ 0 },
	},
};

/* Tests name rules of any file. */
static const struct schema late_uses = {
	"a policy",
	(const struct field[]){
		{ "tests", false, read_tests },
		{ 0 },
	},
};

static void each_document(struct reader *reader, const struct schema *schema, bool first)
{
	for (size_t i = 0; i < reader->document_count && !reader->out_of_memory; i++) {
		const struct node *root;

		reader->document = reader->documents[i];
		root = yaml_tree_root(reader->document->yaml);
		if (!root || (root->kind == NODE_SCALAR && !*root->text))
			continue;
		if (first)
			schema_read(reader, schema, root, NULL);
		else if (root->kind == NODE_MAP)
			schema_read_again(reader, schema, root, NULL);
	}
}

static void add_builtin_zones(struct reader *reader)
{
	static const struct {
		const char *name;
		enum zone_kind kind;
	} zones[] = { { "any", ZONE_ANY }, { "host", ZONE_HOST }, { "world", ZONE_WORLD } };
	struct policy *policy = reader->policy;

	for (size_t i = 0; i < ARRAY_LEN(zones) && !reader->out_of_memory; i++) {
		if (failed(reader, array_grow(&policy->zones, policy->zone_count, sizeof(*policy->zones))))
			return;
		policy->zones[policy->zone_count] = (struct zone){ .name = strdup(zones[i].name),
								   .kind = zones[i].kind };
		failed(reader, policy->zones[policy->zone_count].name ? 0 : -ENOMEM);
		policy->zone_count++;
	}
}

static void finish_declarations(struct reader *reader)
{
	struct place whole = { .file = reader->document_count ? reader->documents[reader->document_count - 1]->file : -1 };
	struct policy *policy = reader->policy;

	if (!reader->has_defaults && !reader->incomplete)
		diag_error(reader->diag, &whole, "write defaults: {action: drop}", "the policy has no 'defaults'");
	if (policy->tier_count)
		return;
	if (failed(reader, array_grow(&policy->tiers, 0, sizeof(*policy->tiers))))
		return;
	policy->tiers[0] = strdup("app");
	if (failed(reader, policy->tiers[0] ? 0 : -ENOMEM))
		return;
	policy->tier_count = 1;
	/* A rule may name the default tier; after a mistake in `tiers` nothing is known of them. */
	if (!reader->has_tiers)
		failed(reader, index_add(&reader->tiers.index, policy->tiers[0], 0));
}

static void check_failsafe(struct reader *reader)
{
	if (!reader->has_failsafe && !reader->incomplete)
		add_default_failsafe(reader);
	else if (reader->failsafe_at.line && !reader->policy->failsafe.count)
		diag_warning(reader->diag, &reader->failsafe_at, NULL,
			     "'failsafe' is empty: a wrong policy can lock you out of this host");
}

static void read_all(struct reader *reader, const char *const *files, size_t count)
{
	add_builtin_zones(reader);
	load_files(reader, files, count);
	each_document(reader, &declarations, true);
	finish_declarations(reader);
	if (reader->out_of_memory)
		return;
	read_zones(reader);
	if (!reader->out_of_memory)
		read_services(reader);
	each_document(reader, &uses, false);
	if (!reader->out_of_memory)
		check_failsafe(reader);
	each_document(reader, &late_uses, false);
}

static void clear(struct reader *reader)
{
	for (size_t i = 0; reader->service && i < reader->services.count; i++)
		free(reader->service[i].selectors.v);
	for (size_t i = 0; i < reader->document_count; i++)
		document_free(reader->documents[i]);
	free(reader->documents);
	free(reader->ids);
	free(reader->service);
	free(reader->zone_bad);
	definitions_clear(&reader->zones);
	definitions_clear(&reader->services);
	definitions_clear(&reader->tiers);
	definitions_clear(&reader->ids_given);
	index_clear(&reader->literals);
}

/* A word of the command line as a document of its own: its mistakes are shown as a file's are. */
static struct node word_node(struct reader *reader, const char *option, const char *text)
{
	size_t len = strlen(text);
	int file = diag_file(reader->diag, option, text, len);

	failed(reader, file < 0 ? file : 0);
	return (struct node){ .kind = NODE_SCALAR,
			      .text = text,
			      .place = { .file = file, .line = 1, .column = 1, .length = len } };
}

static void read_end(struct reader *reader, const char *option, const char *text, unsigned *ret_zone)
{
	struct node node = word_node(reader, option, text);
	int zone = reader->out_of_memory ? -1 : read_zone(reader, &node);

	*ret_zone = zone < 0 ? 0 : zone;
}

/* Several services with commas between them are a list: text is cut up, parts holds a node for each. */
static struct node list_node(const struct node *word, char *text, struct node *parts)
{
	struct node list = { .kind = NODE_LIST, .place = word->place, .child = parts };

	for (char *at = text, *comma; at; at = comma ? comma + 1 : NULL) {
		struct node *part = &parts[list.count++];

		comma = strchr(at, ',');
		if (comma)
			*comma = 0;
		*part = *word;
		part->text = at;
		part->place.column = at - text + 1;
		part->place.length = strlen(at);
		part->next = comma ? part + 1 : NULL;
	}
	return list;
}

static void read_word_service(struct reader *reader, const char *option, const char *text, struct selectors *selectors)
{
	_cleanup_free_ struct node *parts = array_new(strlen(text) + 1, sizeof(*parts));
	_cleanup_free_ char *copy = strdup(text);
	struct node word = word_node(reader, option, text), list;

	failed(reader, parts && copy ? 0 : -ENOMEM);
	if (reader->out_of_memory)
		return;
	list = strchr(text, ',') ? list_node(&word, copy, parts) : word;
	read_service(reader, &list, selectors, NULL);
}

static void read_question(struct reader *reader, struct question *question)
{
	size_t errors = diag_errors(reader->diag);

	read_end(reader, "--from", question->from, &question->from_zone);
	read_end(reader, "--to", question->to, &question->to_zone);
	read_word_service(reader, "--service", question->service, &question->selectors);
	question->errors = diag_errors(reader->diag) - errors;
}

void question_clear(struct question *question)
{
	free(question->selectors.v);
	question->selectors = (struct selectors){ 0 };
}

int policy_read_from(struct files *files, const char *const *paths, size_t count, struct question *question,
		     struct diag *diag, struct policy **ret_policy)
{
	_cleanup_(clear) struct reader reader = { .diag = diag, .files = files };
	size_t errors = diag_errors(diag);

	reader.policy = calloc(1, sizeof(*reader.policy));
	if (!reader.policy)
		return -ENOMEM;
	read_all(&reader, paths, count);
	if (question && !reader.out_of_memory)
		read_question(&reader, question);
	if (!reader.out_of_memory)
		keep_services(&reader);
	if (!reader.out_of_memory && !reader.incomplete && diag_errors(diag) == errors) {
		*ret_policy = reader.policy;
		return 0;
	}
	policy_free(reader.policy);
	return reader.out_of_memory ? -ENOMEM : -EINVAL;
}

int policy_read(const char *const *paths, size_t count, struct diag *diag, struct policy **ret_policy)
{
	return policy_read_from(NULL, paths, count, NULL, diag, ret_policy);
}
