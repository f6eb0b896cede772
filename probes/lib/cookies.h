/*
 * cookies.h - what an uprobe's cookie says about its hit.
 *
 * One program serves every place that means the same: which place, and where the number of interest is at that instruction (a
 * register, or a constant), comes with the attachment (enum cookie_register in abi.h). So a build that keeps a size in
 * another register needs no other program.
 * No maps. Minimum kernel: 5.15 (bpf_get_attach_cookie).
 */
#ifndef MEMPROBE_COOKIES_H
#define MEMPROBE_COOKIES_H

#include "bpf.h"
#include "../abi.h"

static __always_inline __u32 cookie_how(__u64 cookie)
{
	return cookie & 0xff;
}

#define SAVED_REGISTERS 21	/* words of struct pt_regs on x86-64 */

/* Copied as a whole, because a program may not compute a place in its context. */
static __noinline __u64 cookie_register(__u64 cookie, void *registers)
{
	__u64 words[SAVED_REGISTERS] = {};
	__u64 place = (cookie >> 8 & 0xff) - 1;

	if (!registers || place >= SAVED_REGISTERS)
		return 0;
	bpf_probe_read_kernel(words, sizeof(words), registers);
	return words[place];
}

/* The number that the cookie points to; 0 if its memory cannot be read. */
static __always_inline __s64 cookie_number(__u64 cookie, struct pt_regs *registers)
{
	__u64 number = cookie_register(cookie, registers) + ((__s64)cookie >> 24);

	if (cookie & COOKIE_IN_MEMORY) {
		__u64 address = number;

		number = 0;
		read_user(&number, sizeof(number), address);
	}
	return (cookie >> 16 & 0xf) == 4 ? (__s64)(__s32)number : (__s64)number;
}

#endif
