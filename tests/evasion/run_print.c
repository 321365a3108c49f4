/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * run_print table          the cases as the README shows them: trick, verdict, reason
 * run_print loose|strict   the policy that they run under, without interfaces
 */
#include <string.h>

#include "evasion.h"
#include "simulate/decision.h"

static const char *verdict(enum zw_reason reason)
{
	return ZW_REASON_IS_DROP(reason) ? "drop" : "allow";
}

static void print_flags(const struct evasion_step *trick)
{
	printf("SYN: %s, SYN+ACK: %s, ACK, FIN+ACK, RST, RST+ACK: %s; all others: drop | `%s`, `%s`, `%s`; `tcp-state` |\n",
	       verdict(trick->syn), verdict(trick->syn_ack), verdict(trick->reason), reason_name(trick->syn),
	       reason_name(trick->syn_ack), reason_name(trick->reason));
}

static void print_case(const struct evasion_case *c)
{
	const struct evasion_step *trick = evasion_trick(c);

	printf("| %s | ", c->trick);
	if (c->sweep == SWEEP_FLAGS) {
		print_flags(trick);
		return;
	}
	printf("%s", verdict(trick->reason));
	if (trick->leaving)
		printf(" (leaving: %s)", verdict(trick->leaving));
	printf(" | `%s`", reason_name(trick->reason));
	if (trick->leaving)
		printf(" (leaving: `%s`)", reason_name(trick->leaving));
	if (trick->xdp)
		printf(" (on XDP: `%s`)", reason_name(trick->xdp));
	puts(" |");
}

static int print_table(void)
{
	for (size_t i = 0; i < evasion_group_count; i++) {
		printf("%s\n| %s | verdict | reason |\n|---|---|---|\n", i ? "" : "<!-- the cases of tests/evasion -->",
		       evasion_groups[i]->title);
		for (size_t n = 0; n < evasion_groups[i]->count; n++)
			print_case(&evasion_groups[i]->cases[n]);
	}
	puts("<!-- end -->");
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc == 2 ? argv[1] : "";

	if (!strcmp(what, "table"))
		return print_table();
	if (!strcmp(what, "loose") || !strcmp(what, "strict"))
		return fputs(!strcmp(what, "loose") ? evasion_policy_loose : evasion_policy_strict, stdout) < 0;
	fprintf(stderr, "usage: run_print table|loose|strict\n");
	return 2;
}
