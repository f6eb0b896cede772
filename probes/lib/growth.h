/*
 * growth.h - growth by stack, added up in the kernel.
 *
 * maps     growth          (stack, process, how) -> bytes grown, bytes freed, events; every growth program adds, memprobe
 *                          reads in batches and never resets: the differences are what happened
 *          thread_growth   per thread and kind: growth that is not yet credited to a stack
 * sampling a thread that grows fast gives one stack for knobs.growth_pages events; what came since the last one is credited
 *          to it. The first growth after a pause of knobs.growth_gap_ns has a stack of its own, and what was left of the
 *          burst before goes to that burst's stack. So slow growth is exact, fast growth is right in proportion, and the sum
 *          is always exact: nothing is scaled up.
 * losses   growth_full (the growth is added to stack 0), threads_full (every growth has its own stack then)
 * minimum  5.8
 * cost     some 60 ns per event that takes no stack
 */
#ifndef MEMPROBE_GROWTH_H
#define MEMPROBE_GROWTH_H

#include "targets.h"
#include "knobs.h"
#include "loss.h"

#define MAX_GROWTH_STACKS 16384
#define MAX_GROWING_THREADS 4096
#define GROWTH_KINDS 16

struct thread_account {
	__u64 time_ns;
	__u64 stack_id;
	__u64 bytes;		/* not yet credited */
	__u64 events;
};

struct thread_account_key {
	__u32 tid;
	__u32 how;
};

MAP(growth, HASH, struct growth_key, struct growth_total, MAX_GROWTH_STACKS);
MAP(thread_growth, HASH, struct thread_account_key, struct thread_account, MAX_GROWING_THREADS);

static __always_inline struct growth_total *growth_entry(const struct growth_key *key)
{
	struct growth_total nothing = {};
	struct growth_total *total = bpf_map_lookup_elem(&growth, key);

	if (total)
		return total;
	bpf_map_update_elem(&growth, key, &nothing, BPF_NOEXIST);
	return bpf_map_lookup_elem(&growth, key);
}

static __always_inline void add_growth(__u32 pid, __u32 how, __u64 stack_id, __s64 bytes, __u64 events)
{
	struct growth_key key = {.stack_id = stack_id, .pid = pid, .how = how};
	struct growth_total *total = growth_entry(&key);

	if (!total) {
		count_loss(LOSS_GROWTH_FULL);
		key.stack_id = 0;
		total = growth_entry(&key);
	}
	if (!total)
		return;
	if (bytes > 0)
		__sync_fetch_and_add(&total->grown_bytes, bytes);
	else
		__sync_fetch_and_add(&total->freed_bytes, -bytes);
	__sync_fetch_and_add(&total->events, events);
}

static __always_inline struct thread_account *thread_account(__u32 how)
{
	struct thread_account_key key = {.tid = (__u32)bpf_get_current_pid_tgid(), .how = how};
	struct thread_account nothing = {};
	struct thread_account *account = bpf_map_lookup_elem(&thread_growth, &key);

	if (account)
		return account;
	if (bpf_map_update_elem(&thread_growth, &key, &nothing, BPF_NOEXIST))
		count_loss(LOSS_THREADS_FULL);
	return bpf_map_lookup_elem(&thread_growth, &key);
}

static __always_inline __u64 growth_stack(struct knobs *turned)
{
	return turned->growth_stacks ? current_stack() : 0;
}

/* Growth of the current thread, of a kind that can come in floods. */
static __always_inline void grow(__u32 how, __u64 bytes)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct knobs *turned = current_knobs();
	struct thread_account *account;
	__u64 now_ns = bpf_ktime_get_ns();
	__u64 pause_ns;

	if (!turned || !turned->growth)
		return;
	account = thread_account(how);
	if (!account) {
		add_growth(pid, how, growth_stack(turned), bytes, 1);
		return;
	}
	pause_ns = now_ns - account->time_ns;
	account->time_ns = now_ns;
	if (pause_ns >= turned->growth_gap_ns && account->events) {
		add_growth(pid, how, account->stack_id, account->bytes, account->events);
		account->bytes = account->events = 0;
	}
	account->bytes += bytes;
	account->events++;
	if (pause_ns < turned->growth_gap_ns && account->events < turned->growth_pages)
		return;
	account->stack_id = growth_stack(turned);
	add_growth(pid, how, account->stack_id, account->bytes, account->events);
	account->bytes = account->events = 0;
}

/* A thread that ends: what it has not credited yet goes to its last stack. */
static __always_inline void settle_thread(__u32 pid, __u32 tid)
{
	for (__u32 how = 0; how < GROWTH_KINDS; how++) {
		struct thread_account_key key = {.tid = tid, .how = how};
		struct thread_account *account = bpf_map_lookup_elem(&thread_growth, &key);

		if (!account)
			continue;
		if (account->events)
			add_growth(pid, how, account->stack_id, account->bytes, account->events);
		bpf_map_delete_elem(&thread_growth, &key);
	}
}

#endif
