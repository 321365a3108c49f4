/* SPDX-License-Identifier: GPL-2.0-only */
/* What this kernel lacks, found out by trying: asked only after it has refused something. */
#ifndef ZW_PROBE_H
#define ZW_PROBE_H

#include <stddef.h>

/* Names the first thing that is missing, "bpf(2)" or "the BPF ring buffer (kernel 5.8)"; NULL if it has all that we use.
 * tables_len: of the largest map's value, 0 if it does not matter. */
const char *probe_missing(size_t tables_len);

#endif
