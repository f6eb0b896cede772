/*
 * bpf.h - the one seam between the probes and what runs them.
 *
 * The same C is compiled three ways: for the kernel through libbpf (the default), as an ordinary program against stub
 * helpers for unit tests, sanitizers and the tracer of the engine ptrace (-DMEMPROBE_USER, see stubs.h), and by bcc on the
 * machine where it is to run (-DMEMPROBE_BCC, see bcc.h).
 * Nothing else under probes/ may include a libbpf or libc header. Maps are declared by the macros below and used with
 * bpf_map_lookup_elem and its siblings in all three.
 * Minimum kernel: 5.8 (ring buffer, bpf_probe_read_user). Newer helpers are used only behind HAS_HELPER.
 */
#ifndef MEMPROBE_BPF_H
#define MEMPROBE_BPF_H

#ifdef MEMPROBE_USER

#include "stubs.h"
#include "kernel.h"

#else

#ifdef MEMPROBE_BCC

#include "bcc.h"
#include "kernel.h"

#else

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#endif

/* Is this helper known to the running kernel? Settled on load: the branch not taken is removed. */
enum bpf_func_id___relocated { BPF_FUNC_loop___relocated = 181 };
#define HAS_HELPER(name) \
	bpf_core_enum_value_exists(enum bpf_func_id___relocated, BPF_FUNC_##name##___relocated)

#define MAP(name_, kind_, key_, value_, entries_) \
	struct { \
		__uint(type, BPF_MAP_TYPE_##kind_); \
		__uint(max_entries, entries_); \
		__type(key, key_); \
		__type(value, value_); \
	} name_ SEC(".maps")

#define RING(name_, bytes_) \
	struct { \
		__uint(type, BPF_MAP_TYPE_RINGBUF); \
		__uint(max_entries, bytes_); \
	} name_ SEC(".maps")

#endif

/* A kernel pointer as a number: the verifier allows no free arithmetic on pointers that it knows. */
static __always_inline __u64 as_number(void *pointer)
{
	__u64 number = 0;

	bpf_probe_read_kernel(&number, sizeof(number), &pointer);
	return number;
}

/* Read a value of the current process; not 0 if its page is not present or the address makes no sense. */
#define read_user(destination, size, address) bpf_probe_read_user(destination, size, (const void *)(address))

#endif
