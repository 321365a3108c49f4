// SPDX-License-Identifier: GPL-2.0-only
/* Slots of attach points and the table that the programs look them up in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/jiffies.h"
#include "kernel/points.h"

struct fixture {
	struct gate gate;
	struct book book;
	struct zw_point points[ZW_POINT_ENTRIES];
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->gate.book = &f->book;
	f->gate.points = f->points;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	free(*state);
	return 0;
}

static struct netdev device(unsigned ifindex, const char *name)
{
	struct netdev d = { .ifindex = ifindex, .is_ethernet = true, .mac = { 2, 0, 0, 0, 0, 1 } };

	snprintf(d.name, sizeof(d.name), "%s", name);
	return d;
}

/* As the programs do it. */
static const struct zw_point *look_up(const struct fixture *f, unsigned ifindex)
{
	for (unsigned i = 0; i < ZW_POINT_PROBES; i++) {
		const struct zw_point *point = &f->points[(ifindex + i) & (ZW_POINT_ENTRIES - 1)];

		if (point->ifindex == ifindex)
			return point;
	}
	return NULL;
}

static void an_attach_point_gets_a_slot_and_an_entry(void **state)
{
	struct fixture *f = *state;
	const struct netdev eth = device(7, "eth7");
	unsigned xdp = points_take(&f->gate, &eth, ZW_HOOK_XDP, ATTACH_XDP_NATIVE);
	unsigned egress = points_take(&f->gate, &eth, ZW_HOOK_EGRESS, ATTACH_TCX);

	assert_int_equal(xdp, 1);
	assert_int_equal(egress, 2);
	assert_int_equal(points_find(&f->book, 7, ZW_HOOK_XDP), xdp);
	assert_int_equal(points_find(&f->book, 7, ZW_HOOK_INGRESS), 0);
	assert_int_equal(look_up(f, 7)->slot[ZW_HOOK_XDP], xdp);
	assert_int_equal(look_up(f, 7)->slot[ZW_HOOK_EGRESS], egress);
	assert_memory_equal(look_up(f, 7)->mac, eth.mac, 6);
}

static void the_entry_goes_with_the_last_attach_point(void **state)
{
	struct fixture *f = *state;
	const struct netdev eth = device(7, "eth7");
	unsigned xdp = points_take(&f->gate, &eth, ZW_HOOK_XDP, ATTACH_XDP_NATIVE);
	unsigned egress = points_take(&f->gate, &eth, ZW_HOOK_EGRESS, ATTACH_TCX);

	points_release(&f->gate, xdp);
	assert_non_null(look_up(f, 7));
	points_release(&f->gate, egress);
	assert_null(look_up(f, 7));
	assert_string_equal(f->book.slot[egress].ifname, "eth7"); /* events of it keep their name */
}

static void colliding_interfaces_are_found_also_after_one_is_gone(void **state)
{
	struct fixture *f = *state;
	const struct netdev a = device(9, "a"), b = device(9 + ZW_POINT_ENTRIES, "b");
	unsigned slot_a = points_take(&f->gate, &a, ZW_HOOK_EGRESS, ATTACH_TCX);
	unsigned slot_b = points_take(&f->gate, &b, ZW_HOOK_EGRESS, ATTACH_TCX);

	assert_int_equal(look_up(f, a.ifindex)->slot[ZW_HOOK_EGRESS], slot_a);
	points_release(&f->gate, slot_a);
	assert_int_equal(look_up(f, b.ifindex)->slot[ZW_HOOK_EGRESS], slot_b);
	/* Entering b again must find its entry, not the free one before it. */
	points_take(&f->gate, &b, ZW_HOOK_INGRESS, ATTACH_TCX);
	assert_int_equal(look_up(f, b.ifindex)->slot[ZW_HOOK_EGRESS], slot_b);
}

static void a_name_gets_its_slot_back(void **state)
{
	struct fixture *f = *state;
	const struct netdev old = device(5, "veth-db"), other = device(6, "veth-x"), new = device(8, "veth-db");
	unsigned slot = points_take(&f->gate, &old, ZW_HOOK_INGRESS, ATTACH_TCX);

	points_release(&f->gate, slot);
	assert_int_not_equal(points_take(&f->gate, &other, ZW_HOOK_INGRESS, ATTACH_TCX), slot);
	assert_int_equal(points_take(&f->gate, &new, ZW_HOOK_INGRESS, ATTACH_TCX), slot);
}

static void released_slots_are_given_away_oldest_first(void **state)
{
	struct fixture *f = *state;
	struct netdev d;
	char name[16];

	for (unsigned i = 1; i < ZW_POINT_SLOTS; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		d = device(i, name);
		assert_int_equal(points_take(&f->gate, &d, ZW_HOOK_EGRESS, ATTACH_TCX), i);
	}
	d = device(5000, "full");
	assert_int_equal(points_take(&f->gate, &d, ZW_HOOK_EGRESS, ATTACH_TCX), 0);
	points_release(&f->gate, 30);
	points_release(&f->gate, 20);
	assert_int_equal(points_take(&f->gate, &d, ZW_HOOK_EGRESS, ATTACH_TCX), 30);
}

static void an_interface_without_ethernet_header_needs_its_entry(void **state)
{
	struct fixture *f = *state;
	struct netdev last = device(7 + 2 * ZW_POINT_ENTRIES, "wg0");

	for (unsigned i = 0; i < ZW_POINT_PROBES; i++) {
		struct netdev d = device(7 + i, "veth");

		points_take(&f->gate, &d, ZW_HOOK_EGRESS, ATTACH_TCX);
	}
	assert_int_equal(points_take(&f->gate, &last, ZW_HOOK_EGRESS, ATTACH_TCX), ZW_POINT_PROBES + 1);
	points_release(&f->gate, ZW_POINT_PROBES + 1);
	last.is_ethernet = false;
	assert_int_equal(points_take(&f->gate, &last, ZW_HOOK_EGRESS, ATTACH_TCX), 0);
	assert_int_equal(points_find(&f->book, last.ifindex, ZW_HOOK_EGRESS), 0);
}

static void an_attach_point_that_stays_is_entered_once_there_is_room(void **state)
{
	struct fixture *f = *state;
	struct netdev last = device(7 + 2 * ZW_POINT_ENTRIES, "wg0");
	unsigned slot;

	for (unsigned i = 0; i < ZW_POINT_PROBES; i++) {
		struct netdev d = device(7 + i, "veth");

		points_take(&f->gate, &d, ZW_HOOK_EGRESS, ATTACH_TCX);
	}
	slot = points_take(&f->gate, &last, ZW_HOOK_EGRESS, ATTACH_TCX);
	assert_true(points_keep(&f->gate, &last, slot)); /* it can do without */
	assert_null(look_up(f, last.ifindex));
	last.is_ethernet = false;
	assert_false(points_keep(&f->gate, &last, slot));
	points_release(&f->gate, 3);
	assert_true(points_keep(&f->gate, &last, slot));
	assert_int_equal(look_up(f, last.ifindex)->slot[ZW_HOOK_EGRESS], slot);
}

static void a_refresh_brings_name_and_mac_up_to_date(void **state)
{
	struct fixture *f = *state;
	struct netdev eth = device(7, "eth7");
	unsigned slot = points_take(&f->gate, &eth, ZW_HOOK_EGRESS, ATTACH_TCX);

	eth.mac[5] = 9;
	strcpy(eth.name, "wan");
	points_refresh(&f->gate, &eth);
	assert_string_equal(f->book.slot[slot].ifname, "wan");
	assert_int_equal(look_up(f, 7)->mac[5], 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_attach_point_gets_a_slot_and_an_entry, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_entry_goes_with_the_last_attach_point, set_up, tear_down),
		cmocka_unit_test_setup_teardown(colliding_interfaces_are_found_also_after_one_is_gone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_name_gets_its_slot_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(released_slots_are_given_away_oldest_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_interface_without_ethernet_header_needs_its_entry, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_attach_point_that_stays_is_entered_once_there_is_room, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_refresh_brings_name_and_mac_up_to_date, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
