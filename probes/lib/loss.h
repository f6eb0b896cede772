/*
 * loss.h - every way to lose data is counted under its name.
 *
 * Names and sentences are in losses.json, from which loss_ids.h is generated.
 * Map `losses`: per-CPU array of counters by enum loss_id; programs write, memprobe reads and adds up.
 * Minimum kernel: 5.8. Cost: one array look-up, only when something is lost.
 */
#ifndef MEMPROBE_LOSS_H
#define MEMPROBE_LOSS_H

#include "bpf.h"
#include "../abi.h"
#include "loss_ids.h"

MAP(losses, PERCPU_ARRAY, __u32, __u64, LOSS_COUNT);

static __always_inline void count_loss(__u32 loss)
{
	__u64 *count = bpf_map_lookup_elem(&losses, &loss);

	if (count)
		__sync_fetch_and_add(count, 1); /* a program can be preempted by one that loses the same way */
}

#endif
