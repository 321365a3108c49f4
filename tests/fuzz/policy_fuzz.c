// SPDX-License-Identifier: GPL-2.0-only
/*
 * Policies of any bytes: read, resolved, warned about, compiled and their mistakes printed; and what is understood, written
 * out as `show` does it and read again, is the same policy. The input is up to three files, with lines "%%" between them:
 * a.yaml, which is read, b.yaml and feed.txt beside it for it to name.
 */
#include <fcntl.h>
#include <json-c/json.h>
#include <sys/stat.h>

#include "base/util.h"
#include "base/yaml_print.h"
#include "compile/tables.h"
#include "policy/canonical.h"
#include "policy/policy.h"

static char directory[] = "/tmp/zonewall-fuzz-XXXXXX";
static const char *const names[] = { "a.yaml", "b.yaml", "feed.txt" };
static FILE *nowhere;

static void leave(void)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unlinkat(AT_FDCWD, names[i], 0);
	rmdir(directory);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libFuzzer's own paths are relative to where it was started, so the files are named from the root. */
static struct file {
	char path[64];
	int fd;
	size_t size;
} file[ARRAY_LEN(names)];

static void open_file(unsigned number)
{
	struct file *f = &file[number];

	snprintf(f->path, sizeof(f->path), "%s/%s", directory, names[number]);
	f->fd = open(f->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (f->fd < 0)
		abort();
}

static void write_file(unsigned number, const uint8_t *data, size_t size)
{
	struct file *f = &file[number];

	if (pwrite(f->fd, data, size, 0) != (ssize_t)size || (size < f->size && ftruncate(f->fd, size)))
		abort();
	f->size = size;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	nowhere = fopen("/dev/null", "w");
	if (!nowhere || !mkdtemp(directory))
		abort();
	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		open_file(i);
	return 0;
}

/* The machine's other files are no matter of this test: nothing that could name one. */
static bool may_name_files(const uint8_t *data, size_t size)
{
	if (!memmem(data, size, "include", 7) && !memmem(data, size, "file", 4))
		return false;
	if (memmem(data, size, "..", 2) || memchr(data, '\\', size))
		return true;
	for (size_t i = 1; i < size; i++)
		if (data[i] == '/' && !((data[i - 1] | 32) >= 'a' && (data[i - 1] | 32) <= 'z') &&
		    !(data[i - 1] >= '0' && data[i - 1] <= '9') && data[i - 1] != ':')
			return true;
	return false;
}

static void split(const uint8_t *data, size_t size)
{
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		const uint8_t *cut = i + 1 < ARRAY_LEN(names) ? memmem(data, size, "\n%%\n", 4) : NULL;
		size_t len = cut ? (size_t)(cut - data) + 1 : size;

		write_file(i, data, len);
		data = cut ? cut + 4 : data + size;
		size = cut ? size - len - 3 : 0;
	}
}

static void check_ranges(const struct range *range, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (range[i].first > range[i].last || (i && range[i].first <= range[i - 1].last + 1))
			abort();
}

static void check_policy(struct policy *policy, struct diag *diag)
{
	const struct compile_options options = { .analyse = true, .budget_bytes = 16u << 20 };
	struct ranges host = { 0 };
	struct tables *tables = NULL;

	if (policy_resolve(policy, NULL))
		abort();
	for (size_t i = 0; i < policy->zone_count; i++) {
		check_ranges(policy->zones[i].set.v4, policy->zones[i].set.v4_count);
		check_ranges(policy->zones[i].set.v6, policy->zones[i].set.v6_count);
	}
	policy_warn(policy, diag);
	if (ranges_add(&host, 4, 0x0a000001, 0x0a000001) || policy_resolve(policy, &host))
		abort();
	compile_policy(policy, &options, diag, &tables);
	tables_free(tables);
	ranges_clear(&host);
}

static char *write_out(const struct policy *policy, size_t *ret_len)
{
	struct json_object *object = policy_canonical(policy);
	char *text = NULL;
	FILE *to = open_memstream(&text, ret_len);

	if (!object || !to)
		abort();
	yaml_print(object, to);
	fclose(to);
	json_object_put(object);
	return text;
}

/* What they decide is the same, table for table. */
static void compare_tables(struct policy *policy, struct policy *again)
{
	const struct compile_options options = { .budget_bytes = 16u << 20 };
	struct tables *a = NULL, *b = NULL;
	struct diag *diag = diag_new();
	int r;

	if (policy_resolve(policy, NULL) || policy_resolve(again, NULL))
		abort();
	r = compile_policy(policy, &options, diag, &a);
	if (r != compile_policy(again, &options, diag, &b) ||
	    (!r && (a->len != b->len || memcmp(a->bytes, b->bytes, a->len))))
		abort();
	tables_free(a);
	tables_free(b);
	diag_free(diag);
}

static void read_again(struct policy *policy)
{
	const char *const files[] = { file[0].path };
	struct diag *diag = diag_new();
	struct policy *again = NULL;
	size_t len, len_again;
	char *text = write_out(policy, &len), *text_again = NULL;

	write_file(0, (const uint8_t *)text, len);
	if (!policy_read(files, 1, diag, &again))
		text_again = write_out(again, &len_again);
	if (!text_again || strcmp(text, text_again)) {
		fprintf(stderr, "%s---\n%s", text, text_again ? text_again : "cannot be read\n");
		diag_print(diag, stderr, false);
		abort();
	}
	compare_tables(policy, again);
	policy_free(again);
	diag_free(diag);
	free(text);
	free(text_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *const files[] = { file[0].path };
	struct diag *diag = diag_new();
	struct policy *policy = NULL;
	int err;

	if (may_name_files(data, size)) {
		diag_free(diag);
		return 0;
	}
	split(data, size);
	err = policy_read(files, 1, diag, &policy);
	if (!!err != !!diag_errors(diag) || !!err == !!policy)
		abort();
	if (policy) {
		check_policy(policy, diag);
		read_again(policy);
	}
	policy_free(policy);
	diag_print(diag, nowhere, true);
	json_object_put(diag_json(diag));
	diag_free(diag);
	return 0;
}

/* Runs at exit; libFuzzer itself ends with _Exit after a crash, which leaves the folder to look at. */
static __attribute__((destructor)) void clean(void)
{
	if (!chdir(directory))
		leave();
}
