// SPDX-License-Identifier: GPL-2.0-only
/* A snapshot of flows: its lines byte for byte, its filters, its orders, its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "fill.h"
#include "flow_count.h"
#include "kernel/jiffies.h"
#include "policy/policy.h"
#include "watch/flow_line.h"
#include "watch/flow_stream.h"

#define NOW 1000000000ull
#define ROOM 65536

static const char policy[] =
	"version: 1\n"
	"defaults: {action: drop, intra-zone: allow}\n"
	"failsafe: [{from: any, to: web, service: tcp/22}]\n"
	"zones:\n"
	"  web: [10.1.0.0/24, \"fd00:1::/64\"]\n"
	"  db: [10.2.0.0/24, \"fd00:2::/64\"]\n"
	"  all: {zones: [web, db]}\n"
	"rules:\n"
	"  - {id: web-to-db, from: web, to: db, service: [tcp/5432, udp/53], action: allow}\n"
	"  - {id: ping, from: all, to: all, service: [icmp, icmpv6], action: allow}\n";

static struct policy *read_policy;
static struct tables *tables;
static struct generation generation;
static struct flow_source source;
static unsigned hz;

static void put(const char *from, const char *to, __u8 protocol, __u16 sport, __u16 dport, struct opening opening)
{
	struct ends ends = { .protocol = protocol, .sport = bpf_htons(sport), .dport = bpf_htons(dport), .port = dport };
	struct addr source_address, destination;
	struct choice choice;

	assert_int_equal(addr_parse(from, &source_address), 0);
	assert_int_equal(addr_parse(to, &destination), 0);
	addr_to_bytes(&source_address, ends.source);
	addr_to_bytes(&destination, ends.destination);
	if (protocol == PROTO_ICMP || protocol == PROTO_ICMPV6)
		ends.echo = ECHO_REQUEST;
	opening.port = ends.echo == ECHO_NONE ? dport : (protocol == PROTO_ICMP ? 8 : 128) << 8;
	assert_true(fill_open(&source.tables[source_address.family == 6], &ends, &opening, &choice));
}

static struct opening by(uint32_t rule, uint32_t state, unsigned age_s, unsigned bytes)
{
	return (struct opening){ .now = NOW - (uint64_t)age_s * hz - hz / 2, .generation = 7, .cell = ZW_CELL_ALLOW | rule,
				 .state = state, .recent = recent_word(2, bytes) };
}

static int compile(void)
{
	char path[] = "/tmp/zonewall-test-XXXXXX";
	const char *file = path;
	struct diag *diag = diag_new();
	struct ranges host = { 0 };
	int fd = mkstemp(path), r;

	assert_int_equal(write(fd, policy, strlen(policy)), strlen(policy));
	close(fd);
	assert_int_equal(ranges_add(&host, 4, 0x0a010001, 0x0a010001), 0);
	r = policy_read(&file, 1, diag, &read_policy);
	if (!r)
		r = policy_resolve(read_policy, &host);
	if (!r)
		r = compile_policy(read_policy, NULL, diag, &tables);
	unlink(path);
	ranges_clear(&host);
	diag_free(diag);
	return r;
}

static int set_up(void **state)
{
	struct opening opening;

	(void)state;
	hz = jiffies_hz();
	if (compile())
		return -1;
	generation = (struct generation){ .number = 7, .tables = tables->bytes, .tables_len = tables->len,
					  .layout = tables->layout, .names = tables->names };
	source = (struct flow_source){ .tables = { fill_new(4, 64), fill_new(6, 64) }, .jiffies = NOW, .hz = hz,
				       .current = 7, .generations = { &generation } };
	put("10.1.0.7", "10.2.0.9", PROTO_TCP, 40000, 5432, by(1, ZW_FLOW_TCP_SYN, 10, 120));
	put("10.1.0.8", "10.2.0.9", PROTO_UDP, 40001, 53, by(1, ZW_FLOW_UDP, 20, 400));
	put("10.1.0.7", "10.2.0.9", PROTO_ICMP, 77, 77, by(2, ZW_FLOW_ICMP, 5, 168));
	put("192.0.2.1", "10.1.0.1", PROTO_TCP, 50000, 22, by(3, ZW_FLOW_TCP_SYN_ACK, 3, 60));
	put("10.1.0.2", "10.1.0.3", 47, 0, 0, by(ZW_CELL_INTRA, ZW_FLOW_OTHER, 100, 99));
	put("fd00:1::7", "fd00:2::9", PROTO_TCP, 40002, 5432, by(1, ZW_FLOW_TCP_ESTABLISHED, 4000, 1000000));
	opening = by(1, ZW_FLOW_TCP_PICKED_UP, 1, 1);
	opening.generation = 6;
	put("10.1.0.20", "10.2.0.20", PROTO_TCP, 1, 5432, opening);
	opening.generation = 0;
	put("10.1.0.21", "10.2.0.21", PROTO_TCP, 1, 5432, opening);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++)
		free((void *)source.tables[i].memory);
	tables_free(tables);
	policy_free(read_policy);
	return 0;
}

static int start(const char *request, char why[256], struct flow_stream **ret_stream)
{
	const struct filter_error error = { why, 256 };
	struct json_object *object = json_tokener_parse(request);
	int r;

	assert_non_null(object);
	r = flow_stream_new(&source, object, &error, ret_stream);
	json_object_put(object);
	return r;
}

/* The whole answer, taken in pieces of `slots`; free it. */
static char *answer(const char *request, uint64_t slots)
{
	struct buffer out = { 0 };
	struct flow_stream *stream;
	char why[256] = "";
	unsigned turns = 0;

	if (start(request, why, &stream))
		fail_msg("%s: %s", request, why);
	while (flow_stream_add(stream, &out, SIZE_MAX, slots))
		assert_in_range(++turns, 1, 2 * 64 * 8 + 2);
	flow_stream_free(stream);
	assert_false(out.failed);
	return out.data ? out.data : strdup("");
}

static unsigned count_lines(const char *text)
{
	unsigned lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

static void assert_lines(const char *request, const char *wanted)
{
	char *got = answer(request, UINT64_MAX);

	assert_string_equal(got, wanted);
	free(got);
}

static void lines_of_json(void **state)
{
	(void)state;
	assert_lines("{\"filters\":{\"state\":\"syn\"}}",
		     "{\"schema\":\"zonewall.flow/1\",\"from\":\"10.1.0.7\",\"to\":\"10.2.0.9\",\"sport\":40000,\"dport\":5432,"
		     "\"icmp\":null,\"id\":null,\"protocol\":\"tcp\",\"state\":\"syn\",\"protected\":false,"
		     "\"from_zones\":[\"web\",\"all\"],\"to_zones\":[\"db\",\"all\"],\"reason\":\"rule\","
		     "\"rule\":\"web-to-db\",\"staged\":null,\"generation\":7,\"stale\":false,\"age\":10.500,\"idle\":10.500,"
		     "\"from_opener\":{\"packets\":2,\"bytes\":120},\"to_opener\":{\"packets\":0,\"bytes\":0}}\n");
	assert_lines("{\"filters\":{\"protocol\":\"icmp\"}}",
		     "{\"schema\":\"zonewall.flow/1\",\"from\":\"10.1.0.7\",\"to\":\"10.2.0.9\",\"sport\":null,\"dport\":null,"
		     "\"icmp\":[8,0],\"id\":77,\"protocol\":\"icmp\",\"state\":\"open\",\"protected\":false,"
		     "\"from_zones\":[\"web\",\"all\"],\"to_zones\":[\"db\",\"all\"],\"reason\":\"rule\",\"rule\":\"ping\",\"staged\":null,"
		     "\"generation\":7,\"stale\":false,\"age\":5.500,\"idle\":5.500,"
		     "\"from_opener\":{\"packets\":2,\"bytes\":168},\"to_opener\":{\"packets\":0,\"bytes\":0}}\n");
	assert_lines("{\"filters\":{\"protocol\":\"47\"}}",
		     "{\"schema\":\"zonewall.flow/1\",\"from\":\"10.1.0.2\",\"to\":\"10.1.0.3\",\"sport\":null,\"dport\":null,"
		     "\"icmp\":null,\"id\":null,\"protocol\":\"proto/47\",\"state\":\"open\",\"protected\":false,"
		     "\"from_zones\":[\"web\",\"all\"],\"to_zones\":[\"web\",\"all\"],\"reason\":\"intra-zone\",\"rule\":null,\"staged\":null,"
		     "\"generation\":7,\"stale\":false,\"age\":100.500,\"idle\":100.500,"
		     "\"from_opener\":{\"packets\":2,\"bytes\":99},\"to_opener\":{\"packets\":0,\"bytes\":0}}\n");
	/* Of a generation that is gone: a rule's number says nothing now. */
	assert_lines("{\"filters\":{\"from\":\"10.1.0.20\"}}",
		     "{\"schema\":\"zonewall.flow/1\",\"from\":\"10.1.0.20\",\"to\":\"10.2.0.20\",\"sport\":1,\"dport\":5432,"
		     "\"icmp\":null,\"id\":null,\"protocol\":\"tcp\",\"state\":\"picked-up\",\"protected\":false,"
		     "\"from_zones\":[\"web\",\"all\"],\"to_zones\":[\"db\",\"all\"],\"reason\":null,\"rule\":null,\"staged\":null,"
		     "\"generation\":6,\"stale\":true,\"age\":1.500,\"idle\":1.500,"
		     "\"from_opener\":{\"packets\":2,\"bytes\":1},\"to_opener\":{\"packets\":0,\"bytes\":0}}\n");
}

static void rows_for_a_table(void **state)
{
	(void)state;
	assert_lines("{\"text\":true,\"filters\":{\"rule\":\"failsafe-1\"}}",
		     "tcp\tsyn-ack\t192.0.2.1:50000\tworld\t10.1.0.1:22\tweb,all,host\tfailsafe-1\t3500\t3500\t2\t60\t0\t0\t\n");
	assert_lines("{\"text\":true,\"filters\":{\"family\":\"6\"}}",
		     "tcp\testablished\t[fd00:1::7]:40002\tweb,all\t[fd00:2::9]:5432\tdb,all\tweb-to-db\t4000500\t4000500\t2\t"
		     "1000000\t0\t0\t\n");
	assert_lines("{\"text\":true,\"filters\":{\"from\":\"10.1.0.20\"}}",
		     "tcp\tpicked-up\t10.1.0.20:1\tweb,all\t10.2.0.20:5432\tdb,all\t-\t1500\t1500\t2\t1\t0\t0\tof generation 6\n");
	assert_lines("{\"text\":true,\"filters\":{\"from\":\"10.1.0.21\"}}",
		     "tcp\tpicked-up\t10.1.0.21:1\tweb,all\t10.2.0.21:5432\tdb,all\t-\t1500\t1500\t2\t1\t0\t0\tnot yet decided\n");
}

static void filters_choose(void **state)
{
	static const struct { const char *filters; unsigned flows; } rows[] = {
		{ "{}", 8 },
		{ "{\"family\":\"4\"}", 7 },
		{ "{\"zone\":\"web\"}", 8 },
		{ "{\"zone\":\"host\"}", 1 },
		{ "{\"from\":\"world\"}", 1 },
		{ "{\"to\":\"db\"}", 6 },
		{ "{\"from\":\"db\"}", 0 }, /* the opener's zone, not the other's */
		{ "{\"from\":\"10.1.0.0/28\"}", 4 },
		{ "{\"from\":\"fd00:1::7\"}", 1 },
		{ "{\"to\":\"10.2.0.9\",\"protocol\":\"tcp\"}", 1 },
		{ "{\"port\":\"5432\"}", 4 },
		{ "{\"port\":\"40000\"}", 0 }, /* the source's */
		{ "{\"port\":\"77\"}", 0 }, /* an identifier is no port */
		{ "{\"protocol\":\"proto/47\"}", 1 },
		{ "{\"protocol\":\"sctp\"}", 0 },
		{ "{\"state\":\"unanswered\"}", 1 },
		{ "{\"state\":\"open\"}", 2 },
		{ "{\"rule\":\"web-to-db\"}", 3 },
		{ "{\"rule\":\"intra-zone\"}", 1 },
		{ "{\"rule\":\"default\"}", 0 },
		{ "{\"rule\":\"web-to-db\",\"protocol\":\"udp\",\"zone\":\"db\",\"from\":\"web\",\"port\":\"53\"}", 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char request[256], wanted[128], *got;

		snprintf(request, sizeof(request), "{\"filters\":%s}", rows[i].filters);
		got = answer(request, UINT64_MAX);
		if (count_lines(got) != rows[i].flows)
			fail_msg("%s: %u lines, not %u", rows[i].filters, count_lines(got), rows[i].flows);
		free(got);
		snprintf(request, sizeof(request), "{\"count\":true,\"filters\":%s}", rows[i].filters);
		snprintf(wanted, sizeof(wanted), "{\"schema\":\"zonewall.flow-count/1\",\"flows\":%u,\"changing\":0}\n",
			 rows[i].flows);
		assert_lines(request, wanted);
	}
}

static void what_cannot_be_is_a_mistake(void **state)
{
	static const struct { const char *request, *why; } rows[] = {
		{ "{\"filters\":{\"zone\":\"wep\"}}", "the policy has no such zone: 'wep'\nfix: did you mean 'web'?" },
		{ "{\"filters\":{\"from\":\"wrld\"}}", "the policy has no such zone: 'wrld'\nfix: did you mean 'world'?" },
		{ "{\"filters\":{\"to\":\"nothing-like-it\"}}", "the policy has no such zone: 'nothing-like-it'" },
		{ "{\"filters\":{\"rule\":\"web-to-bd\"}}",
		  "no published policy has such a rule: 'web-to-bd'\nfix: did you mean 'web-to-db'?" },
		{ "{\"filters\":{\"state\":\"establishd\"}}", "there is no such state: 'establishd'\nfix: did you mean 'established'?" },
		{ "{\"filters\":{\"state\":\"\"}}", "there is no such state: ''" },
		{ "{\"filters\":{\"protocol\":\"256\"}}", "not a protocol (tcp, udp, icmp, icmpv6, sctp, or a number): '256'" },
		{ "{\"filters\":{\"port\":\"65536\"}}", "not a port: '65536'" },
		{ "{\"filters\":{\"from\":\"10.0.0.0/33\"}}", "not an address, CIDR or zone: '10.0.0.0/33'" },
		{ "{\"filters\":{\"family\":\"5\"}}", "not a family (4, 6): '5'" },
		{ "{\"filters\":{\"reason\":\"rule\"}}", "there is no such filter: 'reason'" },
		{ "{\"filters\":[]}", "not an object: '[ ]'" },
		{ "{\"sort\":\"size\"}", "not an order (bytes, packets, age, idle): 'size'" },
		{ "{\"sort\":null}", "not an order (bytes, packets, age, idle): ''" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct flow_stream *stream = NULL;
		char why[256] = "";

		assert_int_equal(start(rows[i].request, why, &stream), -EINVAL);
		assert_string_equal(why, rows[i].why);
	}
}

static void a_limit_is_kept(void **state)
{
	char *got = answer("{\"limit\":3}", UINT64_MAX);

	(void)state;
	assert_int_equal(count_lines(got), 3);
	free(got);
	assert_lines("{\"limit\":0}", "");
}

/* A pass in small steps gives the same lines as one without a pause. */
static void steps_may_be_small(void **state)
{
	char *whole = answer("{\"text\":true}", UINT64_MAX), *pieces = answer("{\"text\":true}", 1);

	(void)state;
	assert_int_equal(count_lines(whole), 8);
	assert_string_equal(whole, pieces);
	free(whole);
	free(pieces);
}

static void a_full_buffer_gets_no_more(void **state)
{
	struct flow_stream *stream;
	struct buffer out = { 0 };
	char why[256];

	(void)state;
	assert_int_equal(start("{}", why, &stream), 0);
	assert_true(flow_stream_add(stream, &out, 1, UINT64_MAX));
	assert_int_equal(count_lines(out.data), 1);
	assert_true(flow_stream_add(stream, &out, 1, UINT64_MAX));
	assert_int_equal(count_lines(out.data), 1);
	flow_stream_free(stream);
	buffer_free(&out);
}

static int descending(const void *a, const void *b)
{
	return -strcmp(*(char *const *)a, *(char *const *)b);
}

/* The addresses of the openers, in the order of the keys. */
static void assert_order(const char *sort, const char *wanted)
{
	char request[128], got[512] = "", *text, *lines[16], *save = NULL;
	size_t count = 0;

	snprintf(request, sizeof(request), "{\"text\":true,\"limit\":1,\"sort\":\"%s\"}", sort);
	text = answer(request, UINT64_MAX);
	for (char *line = strtok_r(text, "\n", &save); line && count < 16; line = strtok_r(NULL, "\n", &save))
		lines[count++] = line;
	assert_int_equal(count, 8); /* a limit is of what is sorted */
	qsort(lines, count, sizeof(lines[0]), descending);
	for (size_t i = 0; i < 4; i++) {
		char from[64];

		assert_int_equal(sscanf(lines[i], "%*16[0-9a-f]\t%*s\t%*s\t%63s", from), 1);
		strcat(strcat(got, i ? " " : ""), from);
	}
	assert_string_equal(got, wanted);
	free(text);
}

static void keys_sort(void **state)
{
	(void)state;
	assert_order("bytes", "[fd00:1::7]:40002 10.1.0.8:40001 10.1.0.7 10.1.0.7:40000");
	assert_order("age", "[fd00:1::7]:40002 10.1.0.2 10.1.0.8:40001 10.1.0.7:40000");
	assert_order("idle", "10.1.0.21:1 10.1.0.20:1 192.0.2.1:50000 10.1.0.7");
}

/* A slot that is being written all the time is said to be so, at the end, and is not counted as a flow. */
static void what_could_not_be_read_is_told(void **state)
{
	__u8 *memory = (__u8 *)source.tables[0].memory;
	const struct bucket bucket = bucket_at(memory, &source.tables[0].layout, 0, false);
	struct zw_flow_slot *slot = slot_at(&bucket, 0, false);
	char *got, *last;
	uint64_t before;

	(void)state;
	for (int i = 1; slot->head; i++)
		slot = slot_at(&bucket, i, false);
	before = slot->head;
	slot->head = FLOW_BUSY | 1ull << 48;
	got = answer("{\"text\":true}", UINT64_MAX);
	last = strstr(got, "{");
	assert_int_equal(count_lines(got), 9);
	assert_string_equal(last, "{\"schema\":\"zonewall.changing/1\",\"flows\":1}\n");
	free(got);
	assert_lines("{\"count\":true}", "{\"schema\":\"zonewall.flow-count/1\",\"flows\":8,\"changing\":1}\n");
	slot->head = before;
}

/* Everything passes, since the first policy was not confirmed in time: flows without names. */
static void without_a_generation_there_are_no_names(void **state)
{
	struct flow_stream *stream = NULL;
	char why[256];

	(void)state;
	source.current = 0;
	source.generations[0] = NULL;
	assert_lines("{\"text\":true,\"filters\":{\"protocol\":\"udp\"}}",
		     "udp\tunanswered\t10.1.0.8:40001\t-\t10.2.0.9:53\t-\t-\t20500\t20500\t2\t400\t0\t0\tof generation 7\n");
	assert_int_equal(start("{\"filters\":{\"zone\":\"web\"}}", why, &stream), -EINVAL);
	assert_string_equal(why, "no policy decides now, so there is no zone: 'web'");
	source.current = 7;
	source.generations[0] = &generation;
}

/* A flow that the generation before decided has its rule by that one's names. */
static void an_older_generation_names_its_rules(void **state)
{
	struct generation older = generation;

	(void)state;
	older.number = 6;
	source.generations[1] = &older;
	assert_lines("{\"text\":true,\"filters\":{\"from\":\"10.1.0.20\"}}",
		     "tcp\tpicked-up\t10.1.0.20:1\tweb,all\t10.2.0.20:5432\tdb,all\tweb-to-db\t1500\t1500\t2\t1\t0\t0\t"
		     "of generation 6\n");
	source.generations[1] = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_json),
		cmocka_unit_test(rows_for_a_table),
		cmocka_unit_test(filters_choose),
		cmocka_unit_test(what_cannot_be_is_a_mistake),
		cmocka_unit_test(a_limit_is_kept),
		cmocka_unit_test(steps_may_be_small),
		cmocka_unit_test(a_full_buffer_gets_no_more),
		cmocka_unit_test(keys_sort),
		cmocka_unit_test(what_could_not_be_read_is_told),
		cmocka_unit_test(without_a_generation_there_are_no_names),
		cmocka_unit_test(an_older_generation_names_its_rules),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
