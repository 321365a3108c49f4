/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libpcap's functions, from the library that is loaded when a capture is first opened. Linking it would bring D-Bus', systemd's
 * and others' libraries into every run of a program that holds a firewall's rights.
 */
#ifndef ZW_LIBPCAP_H
#define ZW_LIBPCAP_H

#include <pcap/pcap.h>

struct libpcap {
	__typeof__(pcap_fopen_offline_with_tstamp_precision) *open;
	__typeof__(pcap_close) *close;
	__typeof__(pcap_datalink) *datalink;
	__typeof__(pcap_datalink_val_to_name) *datalink_name;
	__typeof__(pcap_datalink_val_to_description) *datalink_text;
	__typeof__(pcap_next_ex) *next;
	__typeof__(pcap_geterr) *error;
};

/* NULL, with why in ret_error (size bytes), if it cannot be loaded. Stays loaded. Not for several threads at once. */
const struct libpcap *libpcap(char *ret_error, size_t size);

#endif
