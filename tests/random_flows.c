/* SPDX-License-Identifier: GPL-2.0-only */
/* Conversations, whose packets leave flows. See compare.h. */
#include "compare.h"

int main(int argc, char **argv)
{
	const struct compare_settings defaults = {
		.seed = 1, .policies = 250, .packets = 3000, .odd = 25, .stateful = true, .kernel = true
	};

	return compare_main(argc, argv, &defaults);
}
