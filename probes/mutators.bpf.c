/*
 * mutators.bpf.c - who changes a container, seen at the functions that do: for processes without debug registers.
 *
 * hooks    uprobes on the entry of CPython's functions that insert into containers or take out of them (the methods of their
 *          types, what PyDict_SetItem calls, ...), attached for some ms; the cookie says where the size is in the container
 * maps     mutated (memprobe writes, the program updates), changes (the program adds, memprobe empties), mutator_lists, mutator_window;
 *          targets and stacks as in lib/python_stack.h
 * counts   differences of the size, never hits. On entry nothing has changed yet: so what differs from the hit before is that
 *          one's, and of the last hit memprobe takes the difference itself. All this happens under the GIL.
 *          From 3.11 on, appending to a list that has room calls no function. Who makes it give its room another size is credited
 *          with all by which the room grows or shrinks.
 * losses   changes_full, watch_unreadable, and those of the stack
 * minimum  5.15 (bpf_get_attach_cookie)
 * cost     0.8 us for the trap, 0.1 us for a container that nobody looks at, else the stack (1 us and 0.2 us a frame)
 */
#include "lib/current_stack.h"
#include "lib/changes.h"
#include "lib/cookies.h"

const char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define MAX_MUTATED 64

/* From the size of a list on: the same from 3.8 to 3.15. */
struct list_words {
	__u64 size;
	__u64 items;
	__u64 allocated;
};

MAP(mutated, HASH, struct watch_key, struct mutated, MAX_MUTATED);
MAP(mutator_lists, ARRAY, __u32, struct mutator_lists, 1);
MAP(mutator_window, ARRAY, __u32, struct mutator_window, 1);

static __always_inline struct mutated *mutated_at(__u64 address)
{
	struct watch_key key = {.address = address, .pid = bpf_get_current_pid_tgid() >> 32};

	return bpf_map_lookup_elem(&mutated, &key);
}

/* What has changed since the hit before is that one's. */
static __always_inline void settle(struct mutated *one, __u64 size)
{
	if (one->last != WATCH_UNKNOWN && size != one->last)
		add_change(one->number, one->stack_id, size - one->last);
}

static __always_inline void will_change(struct mutated *one, __u64 size)
{
	settle(one, size);
	one->last = size;
	one->stack_id = current_stack();
	one->hits++;
}

static __always_inline void note_change(__u64 address)
{
	struct mutated *one = mutated_at(address);
	__u64 size = 0;

	if (read_user(&size, sizeof(size), address))
		count_loss(LOSS_WATCH_UNREADABLE);
	else if (one)
		will_change(one, size);
}

/* Where the list has its size whose room is this block; 0 if it is none of those that are looked at. */
static __always_inline __u64 list_with_room(__u64 block, __u64 *allocated)
{
	__u32 zero = 0;
	const struct mutator_lists *lists = bpf_map_lookup_elem(&mutator_lists, &zero);
	struct list_words words = {};

	for (int index = 0; lists && block && index < MOST_LISTS && lists->sizes[index]; index++) {
		if (read_user(&words, sizeof(words), lists->sizes[index]) || words.items != block)
			continue;
		*allocated = words.allocated;
		return lists->sizes[index];
	}
	return 0;
}

static __always_inline bool note_room(__u64 cookie, struct pt_regs *context)
{
	__u64 bytes = cookie_register((__u64)COOKIE_SI << 8, context), allocated = 0;
	__u64 address = list_with_room(cookie_register(cookie, context), &allocated);
	struct mutated *one = mutated_at(address);

	if (!one)
		return false;
	add_change(one->number, current_stack(), bytes / sizeof(__u64) - allocated);
	one->hits++;
	return true;
}

/* Where the container has its size: it is in the register of the cookie, or the second argument. */
static __always_inline __u64 looked_at(__u64 cookie, struct pt_regs *context)
{
	__u64 address = cookie_register(cookie, context) + (cookie >> 24);

	if (mutated_at(address))
		return address;
	address = cookie_register((__u64)COOKIE_SI << 8, context) + (cookie >> 24);
	return mutated_at(address) ? address : 0;
}

static __always_inline bool note_hit(struct pt_regs *context)
{
	__u64 cookie = bpf_get_attach_cookie(context), address;

	if (cookie_how(cookie) == MUTATOR_REALLOCATES)
		return note_room(cookie, context);
	address = looked_at(cookie, context);
	if (address)
		note_change(address);
	return address;
}

SEC("uprobe")
int container_mutates(struct pt_regs *context)
{
	__u32 zero = 0;
	struct mutator_window *window = bpf_map_lookup_elem(&mutator_window, &zero);

	if (!window)
		return 0;
	__sync_fetch_and_add(&window->hits, 1);
	if (window->is_open && note_hit(context))
		__sync_fetch_and_add(&window->taken, 1);
	return 0;
}
