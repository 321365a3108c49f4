/* SPDX-License-Identifier: GPL-2.0-only */
/* The addresses of this host: what policy_resolve() makes the zones `host` and `world` of. */
#ifndef ZW_HOST_H
#define ZW_HOST_H

#include "base/addr.h"

/* Adds all addresses of all interfaces of this network namespace. 0 or -errno, silent. */
int host_addresses(struct ranges *ret_addresses);

#endif
