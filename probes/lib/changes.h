/*
 * changes.h - by whom a word was changed, and by how much: sums by stack.
 *
 * Map `changes`: hash of struct change_total; the program adds, memprobe takes differences of two readings or takes entries out.
 * Losses: changes_full. Minimum kernel: 5.8. Cost: a hash look-up.
 */
#ifndef MEMPROBE_CHANGES_H
#define MEMPROBE_CHANGES_H

#include "bpf.h"
#include "loss.h"
#include "../abi.h"

#define MAX_CHANGES 8192

MAP(changes, HASH, struct change_key, struct change_total, MAX_CHANGES);

static __always_inline struct change_total *change_entry(const struct change_key *key)
{
	struct change_total nothing = {};
	struct change_total *total = bpf_map_lookup_elem(&changes, key);

	if (total)
		return total;
	bpf_map_update_elem(&changes, key, &nothing, BPF_NOEXIST);
	return bpf_map_lookup_elem(&changes, key);
}

static __always_inline void add_change(__u32 number, __u64 stack_id, __s64 difference)
{
	struct change_key key = {.stack_id = stack_id, .number = number};
	struct change_total *total = change_entry(&key);

	if (!total) {
		count_loss(LOSS_CHANGES_FULL);
		key.stack_id = 0;
		total = change_entry(&key);
	}
	if (!total)
		return;
	if (difference > 0)
		__sync_fetch_and_add(&total->added, difference);
	else
		__sync_fetch_and_add(&total->removed, -difference);
	__sync_fetch_and_add(&total->hits, 1);
}

#endif
