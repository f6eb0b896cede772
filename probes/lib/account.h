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
