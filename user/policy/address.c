// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "policy/address.h"

#define TEXT_MAX 120

static int fail(struct address_problem *problem, const char *fix, const char *text, const char *why)
{
	snprintf(problem->what, sizeof(problem->what), "'%.60s' %s", text, why);
	snprintf(problem->fix, sizeof(problem->fix), "%s", fix);
	return -EINVAL;
}

/* A decimal number without leading zeros, at most 3 digits; -1 if it is none. */
static int read_length(const char *text)
{
	int value = 0;

	if (!*text || strlen(text) > 3 || (text[0] == '0' && text[1]))
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		value = value * 10 + *text - '0';
	}
	return value;
}

static int read_prefix(const char *text, const char *base, const char *length, struct address_range *range,
		       struct address_problem *problem)
{
	struct addr addr;
	int bits, len = read_length(length);
	char network[ADDR_TEXT_MAX], fix[ADDRESS_TEXT_MAX];
	u128 host;

	if (addr_parse(base, &addr))
		return fail(problem, "", text, "is not a CIDR: what stands before the '/' is not an address");
	bits = addr.family == 4 ? 32 : 128;
	if (len < 0 || len > bits)
		return fail(problem, bits == 32 ? "a length is a number from 0 to 32" : "a length is a number from 0 to 128",
			    text, "has a prefix length that does not exist");
	host = len == bits ? 0 : len ? ((u128)1 << (bits - len)) - 1 : bits == 32 ? ADDR_MAX4 : ADDR_MAX6;
	if (addr.value & host) {
		addr.value &= ~host;
		addr_print(&addr, network);
		snprintf(fix, sizeof(fix), "write %s/%d, or %.60s for that address alone", network, len, base);
		return fail(problem, fix, text, "has host bits set");
	}
	*range = (struct address_range){ addr.family, addr.value, addr.value | host };
	return 0;
}

static int read_range(const char *text, const char *from, const char *to, struct address_range *range,
		      struct address_problem *problem)
{
	struct addr first, last;
	char fix[ADDRESS_TEXT_MAX];

	if (addr_parse(from, &first) || addr_parse(to, &last))
		return fail(problem, "", text, "is not a range: both ends must be addresses");
	if (first.family != last.family)
		return fail(problem, "", text, "is not a range: its ends are of different families");
	if (first.value > last.value) {
		snprintf(fix, sizeof(fix), "write %.60s-%.60s", to, from);
		return fail(problem, fix, text, "is an empty range");
	}
	*range = (struct address_range){ first.family, first.value, last.value };
	return 0;
}

int address_read(const char *text, struct address_range *ret_range, struct address_problem *ret_problem)
{
	char part[TEXT_MAX], *cut;
	struct addr addr;

	if (!addr_parse(text, &addr)) {
		*ret_range = (struct address_range){ addr.family, addr.value, addr.value };
		return 0;
	}
	if (strlen(text) >= sizeof(part))
		return fail(ret_problem, "", text, "is not an address, a CIDR or a range");
	strcpy(part, text);
	cut = strpbrk(part, "/-");
	if (!cut)
		return fail(ret_problem, "", text, "is not an address, a CIDR or a range");
	if (*cut == '/') {
		*cut = 0;
		return read_prefix(text, part, cut + 1, ret_range, ret_problem);
	}
	*cut = 0;
	return read_range(text, part, cut + 1, ret_range, ret_problem);
}

bool address_is_meant(const char *text)
{
	return strpbrk(text, ":/") || (*text && !text[strspn(text, "0123456789.-")]);
}
