/*
 * moves.h - an event of the exact account: the stack that a movement of memory is credited to.
 *
 * Growth belongs to the stack that runs. What a munmap or a brk gives back belongs to the stack that filled it (see
 * mappings.h, heap_break.h), whoever calls: else a function that takes and drops large blocks would seem to grow in one
 * line and to shrink in another.
 *
 * maps     address_spaces (moves the accounts on), growth, knobs, mappings, granules
 * cost     an event that is not read: some 60 ns; one that is: a stack, and 10 ns per CPU of the machine
 */
#ifndef MEMPROBE_MOVES_H
#define MEMPROBE_MOVES_H

#include "account.h"
#include "heap_break.h"
#include "mappings.h"

#define TASK_EXITING 4		/* PF_EXITING */

/* After a pause: what was left of the burst before belongs to its stack, one page to this one. */
static __always_inline __s64 settle_burst(struct address_space *space, struct memory_account *account, __u32 kind, __s64 bytes)
{
	__s64 own = bytes > 0 ? page_bytes : 0;

	if (bytes != own)
		add_growth(space->pid, GROWTH_RSS_FILE + kind, account->stack_id, bytes - own, 0);
	return own;
}

/* The stack to credit: of what goes, the one that had it; else the one that runs. The walk stands here
 * once, as it is most of the program. */
static __always_inline __u64 moving_stack(struct address_space *space, struct knobs *turned, __s64 bytes)
{
	__u64 stack_id = 0;

	if (bytes < 0 && turned->growth_stacks)
		stack_id = owner_of_unmapped();
	if (bytes < 0 && turned->growth_stacks && !stack_id)
		stack_id = owner_above_break(space->pid, space->break_address);
	if (!stack_id)
		stack_id = growth_stack(turned);
	if (bytes > 0)
		filled(stack_id);
	return stack_id;
}

static __always_inline bool runs_in(struct mm_struct *mm)
{
	struct task_struct *task = current_task();

	return BPF_CORE_READ(task, mm) == mm && !(BPF_CORE_READ(task, flags) & TASK_EXITING);
}

/* Whether this event is one of the many that are not read. */
static __always_inline bool can_wait(struct knobs *turned, struct memory_account *account, struct mm_struct *mm, __u32 kind)
{
	__s64 moved = common_pages(mm, kind) - account->common;

	return account->events < turned->growth_pages && moved < turned->growth_pages &&
	       -moved < (__s64)turned->growth_pages;
}

static __always_inline void account_memory(struct address_space *space, struct mm_struct *mm, __u32 kind)
{
	struct memory_account *account = &space->accounts[kind];
	struct knobs *turned = current_knobs();
	__u64 now_ns = bpf_ktime_get_ns();
	__u64 pause_ns = now_ns - account->time_ns;
	__u64 stack_id = 0, events;
	__s64 bytes;

	if (!turned || !turned->growth)
		return;
	account->time_ns = now_ns;
	events = ++account->events;
	if (pause_ns < turned->growth_gap_ns && can_wait(turned, account, mm, kind))
		return;
	bytes = moved_bytes(account, mm, kind);
	if (pause_ns >= turned->growth_gap_ns && events > 1)
		bytes = settle_burst(space, account, kind, bytes);
	if (runs_in(mm))
		stack_id = moving_stack(space, turned, bytes);
	account->stack_id = stack_id;
	add_growth(space->pid, GROWTH_RSS_FILE + kind, stack_id, bytes, events);
}

#endif
