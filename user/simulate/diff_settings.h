/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What two policies say besides which packets rules and defaults allow: see diff.h.
 */
#ifndef ZW_DIFF_SETTINGS_H
#define ZW_DIFF_SETTINGS_H

#include "simulate/joint.h"

int diff_settings(const struct diff_source sources[DIFF_SIDES], const struct joint *joint,
		  struct diff *diff); /* 0 or -ENOMEM */

#endif
