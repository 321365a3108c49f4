/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The few words that differ between the two places where decide() runs: in the kernel (clang -target bpf) and
 * natively in user space, where `simulate`, the fuzzers and the tests compile the same headers. Everything else
 * in this folder, but the maps, the accounts and the entry points, is written once.
 */
#ifndef ZW_PLATFORM_H
#define ZW_PLATFORM_H

#include "zonewall.h"

#ifdef __bpf__

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

/* A rare or heavy path: a global function, which the verifier checks once instead of at every call. */
#define ZW_GLOBAL __attribute__((noinline))

#else

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif
#define ZW_GLOBAL static __attribute__((noinline, unused))
#define bpf_ntohs(x) be16toh(x)
#define bpf_htons(x) htobe16(x)
#define bpf_ntohl(x) be32toh(x)
#define bpf_htonl(x) htobe32(x)
#define barrier_var(x) asm volatile("" : "+r"(x))

#endif

/*
 * Words at any address, in the byte order in which they stand there. The machines that programs run on read them at once;
 * clang, which cannot know that, would put them together from bytes. (__BPF__: the fuzzers, which compile the programs
 * natively, claim __bpf__ alone.)
 */
#ifdef __BPF__
#define ZW_READ(name, type)                                         \
	static __always_inline type name(const __u8 *at)            \
	{                                                           \
		return *(const type *)at;                          \
	}
#else
#define ZW_READ(name, type)                                         \
	static __always_inline type name(const __u8 *at)            \
	{                                                           \
		type word;                                          \
                                                                    \
		memcpy(&word, at, sizeof(word));                    \
		return word;                                        \
	}
#endif
ZW_READ(read16, __u16)
ZW_READ(read32, __u32)
ZW_READ(read64, __u64)

/* The compiler reads again what it needs, instead of keeping it on the stack, which is small. */
#define forget_memory() asm volatile("" ::: "memory")

/*
 * n + 1, in a loop. Linux 6.1 takes none that leads back by anything but a jump; clang makes such of some, unless it is kept
 * from adding after it has compared.
 */
static __always_inline __u64 turn_after(__u64 n)
{
	n++;
	barrier_var(n);
	return n;
}

/*
 * Calls body(i, context) for i below n, until it returns 1. The verifier follows it for one i, which it does not know, where it
 * follows a loop for each. A turn costs a call: for what is rare.
 */
#ifdef __BPF__
#define call_each(n, body, context) bpf_loop(n, body, context, 0)
#else
static inline void call_each(__u64 n, long (*body)(__u64 i, void *context), void *context)
{
	for (__u64 i = 0; i < n && !body(i, context); i++)
		;
}
#endif

/* Load-time constants: .rodata of the programs, set before load; plain globals in user space. */
#ifdef __bpf__
#define ZW_CONSTANT const volatile
#else
#define ZW_CONSTANT static __attribute__((unused))
#endif

#endif
