/*
 * targets.h - which processes are observed.
 *
 * Map `targets`: hash of struct target by pid (as the initial pid namespace numbers it). User space writes; the fork
 * program copies. Every program looks here first: for all other processes that look-up is the whole cost.
 * Minimum kernel: 5.8. Cost: one hash look-up.
 */
#ifndef MEMPROBE_TARGETS_H
#define MEMPROBE_TARGETS_H

#include "bpf.h"
#include "../abi.h"

MAP(targets, HASH, __u32, struct target, MAX_TARGETS);

/* The current process as a target, or NULL. */
static __always_inline struct target *current_target(void)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;

	return bpf_map_lookup_elem(&targets, &pid);
}

#endif
