/* SPDX-License-Identifier: GPL-2.0-only */
/* tai SECONDS - tells the kernel how far CLOCK_TAI is ahead, as a time server does. Only for a machine of the test's own. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/timex.h>

int main(int argc, char **argv)
{
	struct timex tai = { .modes = ADJ_TAI, .constant = argc == 2 ? atoi(argv[1]) : 0 };

	if (argc != 2 || adjtimex(&tai) < 0) {
		perror("tai");
		return 1;
	}
	return 0;
}
