// SPDX-License-Identifier: GPL-2.0-only
/* What a slot's word counts, and what it hands on (bpf/flow_count.h): nothing is lost, whatever the packets' sizes. */
#include <stdint.h>
#include <stdlib.h>

#include "flow_count.h"
#include "test.h"

static struct traffic account, sent;
static uint32_t recent;
static unsigned moves;

static void send(uint32_t packets, uint32_t bytes)
{
	struct traffic moved;

	add_recent(&recent, packets, bytes, &moved);
	sent.packets += packets;
	sent.bytes += bytes;
	if (!moved.packets)
		return;
	account.packets += moved.packets;
	account.bytes += moved.bytes;
	moves++;
}

static bool is_all_there(void)
{
	struct traffic rest = recent_traffic(recent);

	return account.packets + rest.packets == sent.packets && account.bytes + rest.bytes == sent.bytes;
}

static void begin(void)
{
	account = sent = (struct traffic){ 0 };
	recent = moves = 0;
}

int main(void)
{
	unsigned seed = 1, wrong = 0;

	begin();
	for (int i = 0; i < 4095; i++)
		send(1, 40);
	ok(!moves && is_all_there(), "4,095 packets are kept in the slot");
	send(1, 40);
	ok(moves == 1 && !recent && is_all_there(), "with the next one all of them are handed on");

	begin();
	send(1, 0xfffff - 1500);
	send(1, 1500);
	ok(!moves && is_all_there(), "1,048,575 bytes are kept");
	send(1, 0);
	ok(!moves && is_all_there(), "a packet without bytes still fits");
	send(1, 1);
	ok(moves == 1 && !recent && is_all_there(), "with one byte more all are handed on");

	begin();
	send(366, 524280);
	send(366, 524280);
	ok(!moves && is_all_there(), "two of the largest segments that the stack hands over fit");
	send(5000, 7500000);
	ok(moves == 1 && !recent && is_all_there(), "what is larger than the word is handed on at once");
	send(70000, UINT32_MAX);
	ok(moves == 2 && is_all_there(), "as is anything");

	begin();
	for (int i = 0; i < 1000000; i++) {
		send(1 + rand_r(&seed) % 50, 20 + rand_r(&seed) % 65536);
		wrong += !is_all_there();
	}
	ok(!wrong && moves > 1000, "a million packets of all sizes: none is lost, in %u moves", moves);
	return done();
}
