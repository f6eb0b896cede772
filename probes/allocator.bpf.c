/*
 * allocator.bpf.c - the growth edges of CPython's allocator: a new arena, a new pool, a large raw block.
 *
 * hooks    uprobes, one per edge and binary, attached by address (the instruction must be one that the kernel emulates, or a hit
 *          costs ten times as much; see FACTS); the cookie says which edge and where the size is
 * maps     targets, knobs, growth, thread_growth, losses
 * sampling as growth.h: one stack for knobs.growth_pages hits of a thread, or after a pause
 * losses   growth_full, threads_full
 * minimum  5.15 (bpf_get_attach_cookie)
 * cost     0.7 to 0.9 us per hit where the instruction is emulated, 3 to 6 where the caches are cold; arenas are hit only while
 *          the heap grows, pools also where they come and go: then userspace takes them off (sources/kernel/pools.py)
 */
#include "lib/targets.h"
#include "lib/knobs.h"
#include "lib/current_stack.h"
#include "lib/growth.h"
#include "lib/cookies.h"

const char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("uprobe")
int heap_grew(struct pt_regs *context)
{
	__u64 cookie = bpf_get_attach_cookie(context);

	if (current_target())
		grow(cookie_how(cookie), cookie_number(cookie, context));
	return 0;
}
