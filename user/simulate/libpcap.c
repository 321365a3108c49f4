// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/libpcap.h"

#include <dlfcn.h>

#include "base/util.h"

#define LIBRARY "libpcap.so.0.8" /* Debian's name for the ABI of all libpcap 1.x */

static struct libpcap functions;

static const struct {
	const char *name;
	void **function;
} wanted[] = {
	{ "pcap_fopen_offline_with_tstamp_precision", (void **)&functions.open },
	{ "pcap_close", (void **)&functions.close },
	{ "pcap_datalink", (void **)&functions.datalink },
	{ "pcap_datalink_val_to_name", (void **)&functions.datalink_name },
	{ "pcap_datalink_val_to_description", (void **)&functions.datalink_text },
	{ "pcap_next_ex", (void **)&functions.next },
	{ "pcap_geterr", (void **)&functions.error },
};

const struct libpcap *libpcap(char *ret_error, size_t size)
{
	static void *library;

	if (!library)
		library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	for (size_t i = 0; library && i < ARRAY_LEN(wanted); i++) {
		*wanted[i].function = dlsym(library, wanted[i].name);
		if (!*wanted[i].function)
			library = NULL;
	}
	if (library)
		return &functions;
	snprintf(ret_error, size, "libpcap is needed for captures (Debian: libpcap0.8): %s", dlerror());
	return NULL;
}
