// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/opener.h"

#include "variant.h"

/* As before any rule ended: the connection may be older. */
static __u32 ask_policy(__u32 source, __u32 destination, __u32 protocol, __u32 port)
{
	struct asked asked = { 0 };

	return policy_cell(source, destination, protocol, port, &asked);
}

enum opener tables_opener(const void *tables, const struct zw_layout *layout, int family, uint8_t protocol,
			  const struct end *first, const struct end *second)
{
	__u32 (*const asks[])(__u32, __u32, __u32, __u32) = { zw_failsafe_cell, ask_policy };
	uint16_t port1 = bpf_ntohs(first->port), port2 = bpf_ntohs(second->port);
	__u32 atom1, atom2;

	zw_tables_bytes = tables;
	zw_layout = *layout;
	atom1 = find_atom(family, first->address);
	atom2 = find_atom(family, second->address);
	for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
		if (asks[i](atom1, atom2, protocol, port2) & ZW_CELL_ALLOW)
			return OPENER_FIRST;
		if (asks[i](atom2, atom1, protocol, port1) & ZW_CELL_ALLOW)
			return OPENER_SECOND;
	}
	return OPENER_NEITHER;
}
