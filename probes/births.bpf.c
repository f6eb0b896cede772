/*
 * births.bpf.c - every block that CPython's object allocator hands out, for the few milliseconds of a burst.
 *
 * hooks    uprobes on the entry of the allocator's functions, attached for a burst only; the cookie says where the size is.
 *          What the function will return is known on entry: the head of the free list of the first pool of that size
 *          class, which nobody can change meanwhile, as the caller holds the GIL. So no return probe is needed.
 *          Of which type an object is that is born, the birth after it tells.
 * maps     birth_watch (what to look at, written before a burst), birth_counts (what the burst has met), births (own ring),
 *          targets, layouts, thread_states, stacks_sent, events (stacks)
 * sampling none inside a burst: the trap costs as much as the rest. After birth_watch.limit births the program only counts.
 * losses   none of the table: birth_counts says how many births were not sent
 * minimum  5.15 (bpf_get_attach_cookie)
 * cost     0.8 us for the trap, 0.3 us for the address (without the look at the block before), 1 us and 0.2 us a frame for the stack
 */
#include "lib/targets.h"
#include "lib/current_stack.h"
#include "lib/cookies.h"

const char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define POOL_FREE_BLOCK 8	/* struct pool_header: the same from 3.8 to 3.15 */
#define POOL_NEXT 16
#define LARGEST_SMALL 512
#define SIZE_CLASS_SHIFT 4

RING(births, 2 * 1024 * 1024);
MAP(birth_watch, ARRAY, __u32, struct birth_watch, 1);
MAP(birth_counts, ARRAY, __u32, struct birth_counts, 1);

/* What the allocator hands out next of a size class; 0 if it first needs another pool, or memory cannot be read. */
static __always_inline __u64 next_block(const struct birth_watch *watch, __u32 size_class)
{
	__u64 entry = watch->used_pools + size_class * 16;
	__u64 pool, block = 0;

	if (read_user(&pool, sizeof(pool), entry) || pool == entry - POOL_NEXT)
		return 0;
	if (read_user(&block, sizeof(block), pool + POOL_FREE_BLOCK))
		return 0;
	return block;
}

/* What has become of the block that was handed out before: by now it is initialised, and not yet another one. */
static __always_inline void add_block_before(struct block_record *record, __u64 before)
{
	record->before = before;
	if (!before || read_user(record->words, sizeof(record->words), before))
		record->before = 0;
}

/* Not 0 if the ring had no room. */
static __always_inline int send_birth(struct birth_counts *counts, __u64 address, __u64 size)
{
	__u64 stack_id = current_stack();
	struct block_record *record = bpf_ringbuf_reserve(&births, sizeof(*record), 0);

	if (!record)
		return -1;
	fill_header(&record->header, RECORD_BLOCK, sizeof(*record));
	record->address = address;
	record->size_bytes = size;
	record->stack_id = stack_id;
	add_block_before(record, counts->last);
	counts->last = address;
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	return 0;
}

/* What is asked for: the number that the cookie names, or the product of calloc's two arguments. */
static __always_inline __u64 asked_for(struct pt_regs *context)
{
	__u64 cookie = bpf_get_attach_cookie(context);
	__u64 size = cookie_number(cookie, context);

	return cookie_how(cookie) == BLOCK_CALLOC ? size * cookie_register((__u64)COOKIE_DX << 8, context) : size;
}

SEC("uprobe")
int block_born(struct pt_regs *context)
{
	__u64 size = asked_for(context);
	__u32 zero = 0, size_class;
	struct birth_watch *watch = bpf_map_lookup_elem(&birth_watch, &zero);
	struct birth_counts *counts = bpf_map_lookup_elem(&birth_counts, &zero);
	__u64 address;

	if (!watch || !counts)
		return 0;
	__sync_fetch_and_add(&counts->hits, 1);
	size_class = (size - 1) >> SIZE_CLASS_SHIFT;
	if (size - 1 >= LARGEST_SMALL || !(watch->classes >> size_class & 1))
		return 0;
	if (__sync_fetch_and_add(&counts->wanted, 1) >= watch->limit)
		return 0;
	address = next_block(watch, size_class);
	if (!address)
		__sync_fetch_and_add(&counts->unknown, 1);
	else if (send_birth(counts, address, size))
		__sync_fetch_and_add(&counts->unsent, 1);
	return 0;
}
