/*
 * account.h - the exact account of an address space, by the stack that moved it.
 *
 * kmem:rss_stat says that a counter moved, not by how much. The counter is added up (from 6.2 on: over the CPUs) once in
 * knobs.growth_pages events or pages, after a pause, and at every census; the difference since the last time is credited to
 * the stack that runs then (a census: to the last one). So the differences add up to the counter exactly, whatever was skipped. Net, not gross:
 * what grew and was freed between two readings is not seen.
 * The raw tracepoint is used, because the ordinary one adds up all CPUs at every page fault of every process of the machine.
 *
 * maps     address_spaces (moves the accounts on), growth, knobs
 * cost     an event that is not read: some 60 ns; one that is: a stack, and 10 ns per CPU of the machine
 */
#ifndef MEMPROBE_ACCOUNT_H
#define MEMPROBE_ACCOUNT_H

#include "address_spaces.h"
#include "descriptors.h"
#include "growth.h"

#define TASK_EXITING 4		/* PF_EXITING */

/* The kernel's page size; memprobe writes it before the load. */
const volatile __u32 page_bytes = 4096;

/* What the counter has moved by since it was last added up; concurrent readings share it between them. */
static __always_inline __s64 moved_bytes(struct memory_account *account, struct mm_struct *mm, __u32 kind)
{
	__s64 pages = resident_pages(mm, kind);

	account->events = 0;
	account->common = common_pages(mm, kind);
	return (pages - (__s64)__sync_lock_test_and_set(&account->pages, pages)) * page_bytes;
}

/* After a pause: what was left of the burst before belongs to its stack, one page to this one. */
static __always_inline __s64 settle_burst(struct address_space *space, struct memory_account *account, __u32 kind, __s64 bytes)
{
	__s64 own = bytes > 0 ? page_bytes : 0;

	if (bytes != own)
		add_growth(space->pid, GROWTH_RSS_FILE + kind, account->stack_id, bytes - own, 0);
	return own;
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

static __always_inline void account_memory(struct address_space *space, struct mm_struct *mm, __u32 kind, void *context)
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
		stack_id = growth_stack(turned, context);
	account->stack_id = stack_id;
	add_growth(space->pid, GROWTH_RSS_FILE + kind, stack_id, bytes, events);
}

/* Closes the account at this instant. */
static __always_inline void settle_space(struct mm_struct *mm)
{
	__u64 key = (__u64)mm;
	struct address_space *space = bpf_map_lookup_elem(&address_spaces, &key);

	for (__u32 kind = 0; space && kind < MEMORY_KINDS; kind++) {
		struct memory_account *account = &space->accounts[kind];
		__u64 events = account->events;
		__s64 bytes = moved_bytes(account, mm, kind);

		if (bytes)
			add_growth(space->pid, GROWTH_RSS_FILE + kind, account->stack_id, bytes, events);
	}
}

#endif
