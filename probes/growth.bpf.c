/*
 * growth.bpf.c - where the memory of the followed processes grows, seen from the kernel.
 *
 * hooks    raw_tp rss_stat (the exact account; optional: 5.5+), perf_event on PERF_COUNT_SW_PAGE_FAULTS with period 1 for each
 *          thread (only where rss_stat does not exist), tracepoints sys_exit of mmap, mremap, brk, madvise and sys_enter
 *          of munmap (a mapping is taken out before the kernel can give its address away again)
 * maps     targets, knobs, address_spaces (read and moved on), mappings, latest_mapping, unmapping, granules (own),
 *          growth, thread_growth, losses
 * account  lib/account.h
 * blind    kernel memory of the process (page tables, sockets); hugetlb pages
 * losses   growth_full, mappings_full, threads_full
 * minimum  5.8; cost: 0.12 us per rss_stat event that takes no stack
 */
#include "lib/targets.h"
#include "lib/knobs.h"
#include "lib/current_stack.h"
#include "lib/descriptors.h"
#include "lib/system_call.h"
#include "lib/address_spaces.h"
#include "lib/growth.h"
#include "lib/account.h"
#include "lib/moves.h"

const char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* linux/mman.h, which is not there for BPF */
#define PROT_NONE 0
#define MAP_ANONYMOUS 0x20
#define MREMAP_DONTUNMAP 4
#define MADV_DONTNEED 4
#define MADV_FREE 8
#define MADV_REMOVE 9
#define MADV_DONTNEED_LOCKED 24

static __always_inline struct knobs *growth_wanted(void)
{
	struct knobs *turned;

	if (!current_target())
		return 0;
	turned = current_knobs();
	return turned && turned->growth ? turned : 0;
}

SEC("raw_tp/rss_stat")
int memory_moved(struct bpf_raw_tracepoint_args *context)
{
	__u64 key = context->args[0];
	__u32 kind = context->args[1];
	struct address_space *space = bpf_map_lookup_elem(&address_spaces, &key);

	if (space && kind < MEMORY_KINDS)
		account_memory(space, (struct mm_struct *)key, kind);
	return 0;
}

/* Page faults: the next best where rss_stat does not exist. One fault is taken for one page. */
SEC("perf_event")
int page_faulted(void *context)
{
	if (current_target())
		grow(GROWTH_FAULT, page_bytes);
	return 0;
}

/* Mappings ----------------------------------------------------------------------------------------------------- */

static __always_inline __u64 whole_pages(__u64 bytes)
{
	return (bytes + page_bytes - 1) & ~((__u64)page_bytes - 1);
}

static __always_inline void mapped(__u64 address, __u64 bytes, __u32 how, __u64 stack_id)
{
	struct mapping_key key = {.address = address, .pid = current_pid()};
	struct mapping mapping = {.bytes = bytes, .stack_id = stack_id, .how = how};

	if (bpf_map_update_elem(&mappings, &key, &mapping, BPF_ANY))
		count_loss(LOSS_MAPPINGS_FULL);
	add_growth(key.pid, how, stack_id, bytes, 1);
	remember_mapping(address);
}

/* Credits the release to the stack that mapped it; a piece from the middle, or of an unknown mapping, to stack 0. */
static __always_inline __u32 unmapped(__u64 address, __u64 bytes)
{
	struct mapping_key key = {.address = address, .pid = current_pid()};
	struct mapping *mapping = bpf_map_lookup_elem(&mappings, &key);
	struct mapping rest = {};
	__u32 how = GROWTH_MMAP;

	if (!mapping) {
		add_growth(key.pid, how, 0, -(__s64)bytes, 1);
		return how;
	}
	rest = *mapping;
	how = rest.how;
	bpf_map_delete_elem(&mappings, &key);
	add_growth(key.pid, how, rest.stack_id, -(__s64)(bytes < rest.bytes ? bytes : rest.bytes), 1);
	if (rest.bytes > bytes) {
		key.address += bytes;
		rest.bytes -= bytes;
		bpf_map_update_elem(&mappings, &key, &rest, BPF_ANY);
	}
	return how;
}

static __always_inline bool is_error(__s64 result)
{
	return result < 0 && result > -4096;
}

/* Address space without access (reservations, guards) is not growth. */
SEC("tracepoint/syscalls/sys_exit_mmap")
int mapped_by_mmap(struct syscall_exit_context *context)
{
	struct knobs *turned;

	if (is_error(context->result))
		return 0;
	turned = growth_wanted();
	if (!turned || argument(2) == PROT_NONE)
		return 0;
	mapped(context->result, whole_pages(argument(1)), argument(3) & MAP_ANONYMOUS ? GROWTH_MMAP : GROWTH_MMAP_FILE,
	       growth_stack(turned));
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_munmap")
int unmapped_by_munmap(struct syscall_enter_context *context)
{
	if (!growth_wanted())
		return 0;
	announce_unmapping(context->arguments[0]);
	unmapped(context->arguments[0], whole_pages(context->arguments[1]));
	return 0;
}

/* A mapping that was resized is new growth of the stack that resized it: a list that doubles moves its items like this. */
SEC("tracepoint/syscalls/sys_exit_mremap")
int mapped_by_mremap(struct syscall_exit_context *context)
{
	struct knobs *turned;
	__u32 how = GROWTH_MMAP;

	if (is_error(context->result))
		return 0;
	turned = growth_wanted();
	if (!turned)
		return 0;
	if (!(argument(3) & MREMAP_DONTUNMAP))
		how = unmapped(argument(0), whole_pages(argument(1)));
	mapped(context->result, whole_pages(argument(2)), how, growth_stack(turned));
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_brk")
int moved_by_brk(struct syscall_exit_context *context)
{
	struct knobs *turned = growth_wanted();
	__u64 key = (__u64)BPF_CORE_READ(current_task(), mm), now = context->result, before, stack_id;
	struct address_space *space;

	if (!turned)
		return 0;
	space = bpf_map_lookup_elem(&address_spaces, &key);
	if (!space)
		return 0;
	before = __sync_lock_test_and_set(&space->break_address, now);
	if (now == before)
		return 0;
	stack_id = growth_stack(turned);
	if (now < before) {
		give_granules_back(space->pid, now, before, stack_id);
		return 0;
	}
	add_growth(space->pid, GROWTH_BRK, stack_id, now - before, 1);
	take_granules(space->pid, before, now, stack_id);
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_madvise")
int returned_by_madvise(struct syscall_exit_context *context)
{
	struct knobs *turned;
	__u64 advice;

	if (context->result)
		return 0;
	turned = growth_wanted();
	if (!turned)
		return 0;
	advice = argument(2);
	if (advice == MADV_DONTNEED || advice == MADV_FREE || advice == MADV_REMOVE || advice == MADV_DONTNEED_LOCKED)
		add_growth(current_pid(), GROWTH_ADVISED, growth_stack(turned), -(__s64)whole_pages(argument(1)), 1);
	return 0;
}
