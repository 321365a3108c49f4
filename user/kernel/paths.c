// SPDX-License-Identifier: GPL-2.0-only
/* Where an instance's files are; by themselves, so that a test can say otherwise. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "kernel/instance.h"

int instance_run_path(const char *name, const char *file, char *ret_path)
{
	int len = snprintf(ret_path, PATH_MAX, "/run/zonewall/%s/%s", name, file);

	return len < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int instance_state_path(const char *name, const char *file, char *ret_path)
{
	int len = snprintf(ret_path, PATH_MAX, "/var/lib/zonewall/%s/%s", name, file);

	return len < PATH_MAX ? 0 : -ENAMETOOLONG;
}
