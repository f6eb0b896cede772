/*
 * heap_break.h - whose is the heap below the break: which stack moved it there, for every 128 KiB.
 *
 * glibc takes blocks of up to 32 MB from the heap once a large one has been freed, and gives its end back when that is free.
 * Credited to whoever frees, one line would grow and another shrink by the same amount for ever; so what is
 * given back is taken off the stacks that had it. The break moves like a stack of plates, which makes it exact
 * but for the pages: who moved the break is taken for who fills it.
 *
 * maps     granules (own): process and granule -> stack
 * cost     per granule moved 0.1 us; glibc moves at least one at a time
 */
#ifndef MEMPROBE_HEAP_BREAK_H
#define MEMPROBE_HEAP_BREAK_H

#include "address_spaces.h"
#include "growth.h"
#include "system_call.h"

#define GRANULE_BITS 17
#define MAX_GRANULES_MOVED 256		/* 32 MB at once; more has no owner */
#define MAX_GRANULES 16384

struct granule_key {
	__u64 number;
	__u32 pid;
	__u32 reserved;
};

MAP(granules, LRU_HASH, struct granule_key, __u64, MAX_GRANULES);

static __always_inline __u64 granule_owner(__u32 pid, __u64 address)
{
	struct granule_key key = {.number = address >> GRANULE_BITS, .pid = pid};
	__u64 *owner = bpf_map_lookup_elem(&granules, &key);

	return owner ? *owner : 0;
}

/* The first granule may be somebody's already. */
static __noinline int take_granules(__u32 pid, __u64 from, __u64 to, __u64 stack_id)
{
	struct granule_key key = {.number = from >> GRANULE_BITS, .pid = pid};

	for (__u32 step = 0; step < MAX_GRANULES_MOVED && key.number << GRANULE_BITS < to; step++) {
		bpf_map_update_elem(&granules, &key, &stack_id, step ? BPF_ANY : BPF_NOEXIST);
		key.number++;
	}
	return 0;
}

/* Takes off their owners what lies between the new break and the old one; granules without an owner are the caller's. */
static __noinline int give_granules_back(__u32 pid, __u64 to, __u64 from, __u64 stack_id)
{
	__u64 end = from;

	for (__u32 step = 0; step < MAX_GRANULES_MOVED && end > to; step++) {
		__u64 begin = (end - 1) >> GRANULE_BITS << GRANULE_BITS;
		__u64 owner = granule_owner(pid, begin);

		begin = begin < to ? to : begin;
		add_growth(pid, GROWTH_BRK, owner ? owner : stack_id, -(__s64)(end - begin), 1);
		end = begin;
	}
	if (end > to)
		add_growth(pid, GROWTH_BRK, stack_id, -(__s64)(end - to), 1);
	return 0;
}

/* The owner of what the current call gives back, if it is a brk; asked before the break is noted. */
static __always_inline __u64 owner_above_break(struct address_space *space)
{
	__u64 to = argument(0), from = space->break_address;

	return to < from ? granule_owner(space->pid, to + (from - to) / 2) : 0;
}

#endif
