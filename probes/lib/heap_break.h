/*
 * heap_break.h - whose is the heap below the break: which stack moved it there, for every 256 KiB.
 *
 * glibc takes blocks of up to 32 MB from the heap once a large one has been freed, and gives its end back when that is free.
 * Credited to whoever frees, one line would grow and another shrink by the same amount for ever; so what is
 * given back is taken off the stacks that had it. The break moves like a stack of plates, which makes it exact
 * but for the pages: who moved the break is taken for who fills it.
 *
 * maps     granules (own): process and granule -> stack
 * cost     per granule moved 0.1 us
 */
#ifndef MEMPROBE_HEAP_BREAK_H
#define MEMPROBE_HEAP_BREAK_H

#include "address_spaces.h"
#include "growth.h"
#include "system_call.h"

#define GRANULE_BITS 18
#define MAX_GRANULES_MOVED 128		/* 32 MB at once; more has no owner */
#define MAX_GRANULES_UNROLLED 16		/* where the kernel has no bpf_loop (before 5.17) */
#define MAX_GRANULES 8192

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

/* A part of the heap that is gone through granule by granule. */
struct granule_walk {
	__u64 from;		/* what is left of it */
	__u64 to;
	__u64 stack_id;
	__u32 pid;
	__u32 reserved;
};

/* From below. The first granule may be somebody's already. */
static long take_granule(__u32 step, struct granule_walk *walk)
{
	struct granule_key key = {.number = walk->from >> GRANULE_BITS, .pid = walk->pid};
	__u64 stack_id = walk->stack_id;

	if (walk->from >= walk->to)
		return 1;
	bpf_map_update_elem(&granules, &key, &stack_id, step ? BPF_ANY : BPF_NOEXIST);
	walk->from = (key.number + 1) << GRANULE_BITS;
	return 0;
}

/* From above: takes off its owner what lies in the last granule; without an owner it is the caller's. */
static long give_granule_back(__u32 step, struct granule_walk *walk)
{
	__u64 begin = (walk->to - 1) >> GRANULE_BITS << GRANULE_BITS, owner;

	if (walk->from >= walk->to)
		return 1;
	owner = granule_owner(walk->pid, begin);
	begin = begin < walk->from ? walk->from : begin;
	add_growth(walk->pid, GROWTH_BRK, owner ? owner : walk->stack_id, -(__s64)(walk->to - begin), 1);
	walk->to = begin;
	return 0;
}

static __always_inline void take_granules(__u32 pid, __u64 from, __u64 to, __u64 stack_id)
{
	struct granule_walk walk = {.from = from, .to = to, .stack_id = stack_id, .pid = pid};

	if (HAS_HELPER(loop)) {
		bpf_loop(MAX_GRANULES_MOVED, take_granule, &walk, 0);
	} else {
		for (__u32 step = 0; step < MAX_GRANULES_UNROLLED; step++)
			take_granule(step, &walk);
	}
}

static __always_inline void give_granules_back(__u32 pid, __u64 to, __u64 from, __u64 stack_id)
{
	struct granule_walk walk = {.from = to, .to = from, .stack_id = stack_id, .pid = pid};

	if (HAS_HELPER(loop)) {
		bpf_loop(MAX_GRANULES_MOVED, give_granule_back, &walk, 0);
	} else {
		for (__u32 step = 0; step < MAX_GRANULES_UNROLLED; step++)
			give_granule_back(step, &walk);
	}
	if (walk.to > walk.from)
		add_growth(pid, GROWTH_BRK, stack_id, -(__s64)(walk.to - walk.from), 1);
}

/* The owner of what the current call gives back, if it is a brk; asked before the break is noted. A global
 * function: the verifier looks at it once. */
__noinline __u64 owner_above_break(__u32 pid, __u64 from)
{
	__u64 to = argument(0);

	return to < from ? granule_owner(pid, to + (from - to) / 2) : 0;
}

#endif
