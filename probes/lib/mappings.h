/*
 * mappings.h - live mappings: who made them, who filled them, and which one goes away now.
 *
 * Who filled it is the first stack that was seen to grow in the thread that made it: a large block is filled as soon as it
 * is there, often by another line than the one that took it (numpy.ones, a buffer that is made here and written there).
 *
 * maps     mappings         by process and address; growth.bpf.c alone
 *          latest_mapping   by thread: where its last mapping begins
 *          unmapping        by thread: what its last munmap takes away
 * minimum  5.8
 * losses   mappings_full
 */
#ifndef MEMPROBE_MAPPINGS_H
#define MEMPROBE_MAPPINGS_H

#include "system_call.h"
#include "loss.h"

#define MAX_MAPPINGS 65536
#define MAX_MAPPING_THREADS 1024

struct mapping_key {
	__u64 address;
	__u32 pid;
	__u32 reserved;
};

struct mapping {
	__u64 bytes;
	__u64 stack_id;		/* that made it */
	__u64 filled_by;	/* the stack that filled it; 0: not seen */
	__u32 how;
	__u32 reserved;
};

struct unmapping {
	__u64 address;
	__u64 owner;		/* a stack; 0: not known */
};

MAP(mappings, HASH, struct mapping_key, struct mapping, MAX_MAPPINGS);
MAP(latest_mapping, LRU_HASH, __u32, __u64, MAX_MAPPING_THREADS);
MAP(unmapping, LRU_HASH, __u32, struct unmapping, MAX_MAPPING_THREADS);

static __always_inline __u32 current_pid(void)
{
	return bpf_get_current_pid_tgid() >> 32;
}

static __always_inline struct mapping *mapping_at(__u64 address)
{
	struct mapping_key key = {.address = address, .pid = current_pid()};

	return bpf_map_lookup_elem(&mappings, &key);
}

static __always_inline void remember_mapping(__u64 address)
{
	__u32 tid = bpf_get_current_pid_tgid();

	bpf_map_update_elem(&latest_mapping, &tid, &address, BPF_ANY);
}

/* This stack has grown. A global function: the verifier looks at it once, not on every path to it. */
__noinline int filled(__u64 stack_id)
{
	__u32 tid = bpf_get_current_pid_tgid();
	__u64 *address = bpf_map_lookup_elem(&latest_mapping, &tid);
	struct mapping *mapping = address ? mapping_at(*address) : 0;

	if (mapping && !mapping->filled_by)
		mapping->filled_by = stack_id;
	return 0;
}

static __always_inline void announce_unmapping(__u64 address)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct mapping *mapping = mapping_at(address);
	struct unmapping now = {.address = address};

	if (mapping)
		now.owner = mapping->filled_by ? mapping->filled_by : mapping->stack_id;
	bpf_map_update_elem(&unmapping, &tid, &now, BPF_ANY);
}

/* The stack whose growth the current system call takes back; 0 if that is not what happens, or not known. */
static __always_inline __u64 owner_of_unmapped(void)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct unmapping *now = bpf_map_lookup_elem(&unmapping, &tid);

	return now && argument(0) == now->address ? now->owner : 0;
}

#endif
