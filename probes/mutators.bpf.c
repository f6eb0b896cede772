/*
 * mutators.bpf.c - who changes a container, seen at the functions that do: for processes without debug registers.
 *
 * hooks    uprobes on the entry of CPython's functions that insert into containers or take out of them (the methods of their
 *          types, what PyDict_SetItem calls, ...), attached for some ms; the cookie says where the size is in the container
 * maps     mutated (memprobe writes, the program updates), changes (the program adds, memprobe empties), mutator_window;
 *          targets and stacks as in lib/python_stack.h
 * counts   differences of the size, never hits. On entry nothing has changed yet: so what differs from the hit before is that
 *          one's, and of the last hit memprobe takes the difference itself. All this happens under the GIL.
 *          From 3.11 on, appending to a list that has room calls no function. One that is full does; of all appends it stands for
 *          as many as the list will take until it is full again.
 * losses   changes_full, watch_unreadable, and those of the stack
 * minimum  5.15 (bpf_get_attach_cookie)
 * cost     0.8 us for the trap, 0.1 us for a container that nobody looks at, else the stack (1 us and 0.2 us a frame)
 */
#include "lib/current_stack.h"
#include "lib/changes.h"
#include "lib/cookies.h"

const char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define MAX_MUTATED 64
#define LIST_ALLOCATED 16	/* bytes from the size of a list on: the same from 3.8 to 3.15 */

MAP(mutated, HASH, struct watch_key, struct mutated, MAX_MUTATED);
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

/* How many appends a list takes, from one that finds it full to the next: as list_resize has it from 3.9 on. */
static __always_inline __u64 appends_until_full(__u64 size)
{
	__u64 wanted = size + 1;

	return ((wanted + (wanted >> 3) + 6) & ~3ULL) - size;
}

static __always_inline void append_to_full(struct mutated *one, __u64 address, __u64 size)
{
	__u64 allocated = 0;

	if (read_user(&allocated, sizeof(allocated), address + LIST_ALLOCATED) || allocated != size)
		return;
	/* Of the functions that are called for one append the first counts; and a method that is seen by itself counts. */
	if (one->full_size == size || one->last == size)
		return;
	one->full_size = size;
	settle(one, size);
	add_change(one->number, current_stack(), appends_until_full(size));
	one->last = WATCH_UNKNOWN;
	one->hits++;
}

static __always_inline void will_change(struct mutated *one, __u64 size)
{
	settle(one, size);
	one->last = size;
	one->stack_id = current_stack();
	one->hits++;
}

static __always_inline void take(struct mutated *one, __u64 address, __u32 how)
{
	__u64 size = 0;

	if (read_user(&size, sizeof(size), address))
		count_loss(LOSS_WATCH_UNREADABLE);
	else if (how == MUTATOR_FULL_LIST)
		append_to_full(one, address, size);
	else
		will_change(one, size);
}

/* Where the container of an argument would have its size. */
static __always_inline __u64 size_in(enum cookie_register argument, __u64 cookie, struct pt_regs *context)
{
	return cookie_register((__u64)argument << 8, context) + (cookie >> 24);
}

SEC("uprobe")
int container_mutates(struct pt_regs *context)
{
	__u64 cookie = bpf_get_attach_cookie(context);
	__u64 address = size_in(COOKIE_DI, cookie, context);
	__u32 zero = 0;
	struct mutator_window *window = bpf_map_lookup_elem(&mutator_window, &zero);
	struct mutated *one;

	if (!window)
		return 0;
	__sync_fetch_and_add(&window->hits, 1);
	if (!window->is_open)
		return 0;
	one = mutated_at(address);
	if (!one) {
		address = size_in(COOKIE_SI, cookie, context);
		one = mutated_at(address);
	}
	if (!one)
		return 0;
	__sync_fetch_and_add(&window->taken, 1);
	take(one, address, cookie_how(cookie));
	return 0;
}
