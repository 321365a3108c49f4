// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/capture.h"

#include <linux/if_arp.h>
#include <pcap/sll.h>
#include <sys/param.h>

#include "base/util.h"
#include "simulate/libpcap.h"

#define ETHERNET_LEN 14

struct capture {
	const struct libpcap *lib;
	pcap_t *pcap;
	int link;
	uint8_t frame[FRAME_MAX];
};

/* Link types and what they are for people; the order of the help that the error gives. */
static const struct link {
	int type;
	const char *text;
} links[] = {
	{ DLT_EN10MB, "Ethernet" },    { DLT_LINUX_SLL, "Linux cooked" }, { DLT_LINUX_SLL2, "Linux cooked v2" },
	{ DLT_RAW, "raw IP" },	       { DLT_IPV4, "raw IPv4" },	  { DLT_IPV6, "raw IPv6" },
};

static const struct link *find_link(int type)
{
	for (size_t i = 0; i < ARRAY_LEN(links); i++)
		if (links[i].type == type)
			return &links[i];
	return NULL;
}

static int refuse_link(const struct libpcap *lib, int type, char *error)
{
	const char *name = lib->datalink_name(type), *text = lib->datalink_text(type);

	if (name)
		snprintf(error, CAPTURE_ERROR_MAX, "its link type is %s (%s), which cannot be replayed", name,
			 text ? text : "no description");
	else
		snprintf(error, CAPTURE_ERROR_MAX, "its link type is %d, which cannot be replayed", type);
	return -EINVAL;
}

int capture_open(FILE *file, struct capture **ret_capture, char ret_error[CAPTURE_ERROR_MAX])
{
	const struct libpcap *lib = libpcap(ret_error, CAPTURE_ERROR_MAX);
	char why[PCAP_ERRBUF_SIZE] = "";
	struct capture *capture;

	if (!lib) {
		fclose(file);
		return -EINVAL;
	}
	capture = calloc(1, sizeof(*capture));
	if (!capture) {
		fclose(file);
		return -ENOMEM;
	}
	capture->lib = lib;
	capture->pcap = lib->open(file, PCAP_TSTAMP_PRECISION_NANO, why);
	if (!capture->pcap) {
		fclose(file);
		free(capture);
		snprintf(ret_error, CAPTURE_ERROR_MAX, "%s", why);
		return -EINVAL;
	}
	capture->link = lib->datalink(capture->pcap);
	if (!find_link(capture->link)) {
		int r = refuse_link(lib, capture->link, ret_error);

		capture_free(capture);
		return r;
	}
	*ret_capture = capture;
	return 0;
}

void capture_free(struct capture *capture)
{
	if (!capture)
		return;
	capture->lib->close(capture->pcap);
	free(capture);
}

const char *capture_link(const struct capture *capture)
{
	return capture->lib->datalink_name(capture->link);
}

const char *capture_link_text(const struct capture *capture)
{
	return find_link(capture->link)->text;
}

/* What stands before the IP packet in a record, and the Ethernet header instead of it. */
struct link_header {
	size_t len; /* of what goes */
	uint8_t ethernet[ETHERNET_LEN];
	bool whole; /* it was captured */
};

static const struct link_header plain = {
	.ethernet = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1 }, /* as frame_build() has them */
	.whole = true,
};

static void set_type(struct link_header *header, unsigned type)
{
	header->ethernet[12] = type >> 8;
	header->ethernet[13] = type;
}

static unsigned get16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

/* The packet itself says which IP it is; of neither it is as malformed as it would be of this one. */
static struct link_header raw_header(int link, const uint8_t *bytes, size_t captured, size_t len)
{
	struct link_header header = plain;
	bool six = link == DLT_IPV6 || (link == DLT_RAW && captured && bytes[0] >> 4 == 6);

	header.whole = captured || !len;
	set_type(&header, six ? 0x86dd : 0x0800);
	return header;
}

/* The fields of both cooked headers that matter stand at different places (pcap-linktype(7)). */
static struct link_header cooked_header(int link, const uint8_t *bytes, size_t captured,
					struct captured *ret_captured)
{
	static const uint8_t bridges[6] = { 1, 0x80, 0xc2, 0, 0, 0x0e };
	const bool v2 = link == DLT_LINUX_SLL2;
	struct link_header header = plain;
	unsigned type, device;

	header.len = v2 ? SLL2_HDR_LEN : SLL_HDR_LEN;
	header.whole = captured >= header.len;
	if (!header.whole)
		return header;
	type = v2 ? bytes[10] : get16(bytes);
	device = get16(bytes + (v2 ? 8 : 2));
	set_type(&header, get16(bytes + (v2 ? 0 : 14)));
	if (type == LINUX_SLL_MULTICAST)
		memcpy(header.ethernet, bridges, sizeof(bridges));
	ret_captured->direction = type == LINUX_SLL_OUTGOING  ? DIRECTION_OUT :
				  type <= LINUX_SLL_OTHERHOST ? DIRECTION_IN :
								DIRECTION_UNKNOWN;
	ret_captured->loopback = device == ARPHRD_LOOPBACK || device == ARPHRD_NETLINK;
	return header;
}

/* A record of the file to an Ethernet frame. len is never below captured, whatever the file says. */
static void make_frame(struct capture *capture, const uint8_t *bytes, size_t captured, size_t len,
		       struct captured *ret)
{
	struct link_header header;
	uint8_t *at = capture->frame;

	if (capture->link == DLT_EN10MB) {
		header = (struct link_header){ .whole = true };
	} else {
		header = capture->link == DLT_LINUX_SLL || capture->link == DLT_LINUX_SLL2 ?
				 cooked_header(capture->link, bytes, captured, ret) :
				 raw_header(capture->link, bytes, captured, len);
		memcpy(at, header.ethernet, ETHERNET_LEN);
		at += ETHERNET_LEN;
	}
	ret->bytes = capture->frame;
	ret->captured = ret->len = at - capture->frame;
	if (!header.whole) {
		ret->captured = 0;
		return;
	}
	bytes += header.len;
	captured = MIN(captured - header.len, FRAME_MAX - ret->len);
	len = MIN(len - header.len, FRAME_MAX - ret->len);
	memcpy(at, bytes, captured);
	memset(at + captured, 0, len - captured);
	ret->captured += captured;
	ret->len += len;
}

int capture_next(struct capture *capture, struct captured *ret_captured, char ret_error[CAPTURE_ERROR_MAX])
{
	struct pcap_pkthdr *header;
	const uint8_t *bytes;
	int got = capture->lib->next(capture->pcap, &header, &bytes);

	if (got == PCAP_ERROR_BREAK)
		return 0;
	if (got != 1) {
		snprintf(ret_error, CAPTURE_ERROR_MAX, "%s", capture->lib->error(capture->pcap));
		return -EINVAL;
	}
	/* Nanoseconds stand in tv_usec: it was opened so. */
	*ret_captured = (struct captured){ .time = header->ts.tv_sec + header->ts.tv_usec / 1e9 };
	make_frame(capture, bytes, header->caplen, MAX(header->len, header->caplen), ret_captured);
	return 1;
}
