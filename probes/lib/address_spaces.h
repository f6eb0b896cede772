/*
 * address_spaces.h - whose memory is it: the kernel's mm_struct of every followed process, and its exact account.
 *
 * Why: kmem:rss_stat fires for an address space, not for a process: pages are also taken away by the kernel's own threads
 * (reclaim, khugepaged) and by other processes (process_madvise). The pointer tells a target's from all others with one
 * look-up, where the tracepoint's own mm_id is a hash that memprobe could not compute.
 *
 * maps     address_spaces  mm -> process, and the account as it was last seen; by processes.bpf.c (census, fork, exec,
 *                          exit), whose counters growth.bpf.c moves on
 *          space_of        process -> mm, so that exec and exit can end the old entry
 * vfork and CLONE_VM children run in their parent's space: the first owner keeps it.
 * minimum  5.8; from 6.2 the counters are per CPU and are added up here
 * losses   address_spaces_full
 */
#ifndef MEMPROBE_ADDRESS_SPACES_H
#define MEMPROBE_ADDRESS_SPACES_H

#include "kernel_tables.h"
#include "loss.h"

#define MEMORY_KINDS 4		/* file, anonymous, swap, shared: the kernel's MM_*PAGES */
#define MAX_PROCESSORS 512

/* How many CPUs the kernel may have; memprobe writes it before the load. */
const volatile __u32 processors = 1;

struct processor_offsets {
	__u64 bytes[MAX_PROCESSORS];
};

/*
 * Where each CPU keeps its copy of a per-CPU variable, relative to the variable's own pointer. Found with a per-CPU map: a
 * look-up tells where a CPU's copy of it lies, and the map what that is relative to. (The kernel's symbol for
 * it cannot be had: many kernels list no data symbols.)
 */
MAP(processor_base, PERCPU_ARRAY, __u32, __u64, 1);
MAP(processors_found, ARRAY, __u32, struct processor_offsets, 1);

enum bpf_func_id___processor { BPF_FUNC_map_lookup_percpu_elem___processor = 195 };

struct memory_account {
	__s64 pages;		/* as last added up */
	__s64 common;		/* the part of it that no single CPU keeps */
	__u64 time_ns;		/* of the last event */
	__u64 stack_id;		/* that the last growth was credited to */
	__u64 events;		/* since pages was added up */
};

struct address_space {
	__u32 pid;
	__u32 reserved;
	__u64 break_address;
	struct memory_account accounts[MEMORY_KINDS];
};

MAP(address_spaces, HASH, __u64, struct address_space, MAX_TARGETS);
MAP(space_of, HASH, __u32, __u64, MAX_TARGETS);

static __noinline __s64 pages_before_6_2(struct mm_struct *mm, __u32 kind)
{
	struct mm_struct___before_6_2 *old = (void *)mm;
	__s64 pages = 0;

	bpf_probe_read_kernel(&pages, sizeof(pages), (void *)&old->rss_stat.count + kind * sizeof(pages));
	return pages;
}

/* Writes down where each CPU keeps its copies; the same for as long as the kernel runs. */
static __noinline int find_processors(void)
{
	__u32 zero = 0;
	struct processor_offsets *offsets = bpf_map_lookup_elem(&processors_found, &zero);
	__u64 base = 0;

	if (!offsets || offsets->bytes[0] ||
	    !bpf_core_enum_value_exists(enum bpf_func_id___processor, BPF_FUNC_map_lookup_percpu_elem___processor))
		return 0;
	bpf_probe_read_kernel(&base, sizeof(base),
			      (void *)(as_number(&processor_base) + bpf_core_field_offset(struct bpf_array, pptrs)));
	for (__u32 cpu = 0; cpu < MAX_PROCESSORS && cpu < processors; cpu++) {
		void *copy = bpf_map_lookup_percpu_elem(&processor_base, &zero, cpu);

		if (!copy)
			break;
		offsets->bytes[cpu] = as_number(copy) - base;
	}
	return 0;
}

/* What single CPUs have counted and not yet given to the common counter. */
static __always_inline __s64 pages_of_processors(struct percpu_counter *counter)
{
	__u32 zero = 0;
	struct processor_offsets *offsets = bpf_map_lookup_elem(&processors_found, &zero);
	__u64 counters = (__u64)BPF_CORE_READ(counter, counters);
	__s64 pages = 0;

	for (__u32 cpu = 0; offsets && cpu < MAX_PROCESSORS && cpu < processors; cpu++) {
		__s32 own = 0;

		if (!offsets->bytes[cpu])
			break;
		bpf_probe_read_kernel(&own, sizeof(own), (void *)(counters + offsets->bytes[cpu]));
		pages += own;
	}
	return pages;
}

static __always_inline struct percpu_counter *counter_of(struct mm_struct *mm, __u32 kind)
{
	return (void *)&mm->rss_stat + kind * bpf_core_type_size(struct percpu_counter);
}

/* Cheap and nearly right: off by what each CPU keeps to itself, 32 pages or twice as many as there are CPUs. */
static __always_inline __s64 common_pages(struct mm_struct *mm, __u32 kind)
{
	if (bpf_core_type_exists(struct mm_rss_stat___before_6_2))
		return pages_before_6_2(mm, kind);
	return BPF_CORE_READ(counter_of(mm, kind), count);
}

static __always_inline __s64 resident_pages(struct mm_struct *mm, __u32 kind)
{
	if (bpf_core_type_exists(struct mm_rss_stat___before_6_2))
		return pages_before_6_2(mm, kind);
	return common_pages(mm, kind) + pages_of_processors(counter_of(mm, kind));
}

/* From now on changes of this space are counted for this process; twice does no harm. */
static __always_inline void enter_space(__u32 pid, struct mm_struct *mm)
{
	struct address_space space = {.pid = pid};
	__u64 key = (__u64)mm;
	long failed;

	if (!mm || bpf_map_lookup_elem(&address_spaces, &key))
		return;
	find_processors();
	space.break_address = BPF_CORE_READ(mm, brk);
	for (__u32 kind = 0; kind < MEMORY_KINDS; kind++)
		space.accounts[kind].pages = resident_pages(mm, kind);
	for (__u32 kind = 0; kind < MEMORY_KINDS; kind++)
		space.accounts[kind].common = common_pages(mm, kind);
	failed = bpf_map_update_elem(&address_spaces, &key, &space, BPF_ANY);
	if (failed || bpf_map_update_elem(&space_of, &pid, &key, BPF_ANY))
		count_loss(LOSS_ADDRESS_SPACES_FULL);
}

static __always_inline void leave_space(__u32 pid)
{
	__u64 *mm = bpf_map_lookup_elem(&space_of, &pid);
	struct address_space *space;
	__u64 key;

	if (!mm)
		return;
	key = *mm;
	space = bpf_map_lookup_elem(&address_spaces, &key);
	if (space && space->pid == pid)
		bpf_map_delete_elem(&address_spaces, &key);
	bpf_map_delete_elem(&space_of, &pid);
}

#endif
