/* SPDX-License-Identifier: GPL-2.0-only */
/* Packets without flows. See compare.h. */
#include "compare.h"

int main(int argc, char **argv)
{
	const struct compare_settings defaults = {
		.seed = 1, .policies = 700, .packets = 500, .odd = 25, .kernel = true
	};

	return compare_main(argc, argv, &defaults);
}
