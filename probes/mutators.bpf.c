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

/* More than so many at once are no number of entries, but an address. */
#define MOST_ENTRIES_MORE (1 << 20)

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

static __always_inline bool note_change(__u64 address)
{
	struct mutated *one = mutated_at(address);
	__u64 size = 0;

	if (!one)
		return false;
	if (read_user(&size, sizeof(size), address))
		count_loss(LOSS_WATCH_UNREADABLE);
	else
		will_change(one, size);
	return true;
}

/* Of the functions that are called for one change of the room the first counts. */
static __always_inline void change_room(struct mutated *one, __u64 before, __u64 after)
{
	if (one->room == before)
		return;
	one->room = before;
	add_change(one->number, current_stack(), after - before);
	one->hits++;
}

/* Where the list has its size whose room is this block; 0 if it is none of those that are looked at. */
static __always_inline __u64 list_with_room(__u64 block, struct list_words *words)
{
	__u32 zero = 0;
	const struct mutator_lists *lists = bpf_map_lookup_elem(&mutator_lists, &zero);

	for (int index = 0; lists && block && index < MOST_LISTS && lists->sizes[index]; index++)
		if (!read_user(words, sizeof(*words), lists->sizes[index]) && words->items == block)
			return lists->sizes[index];
	return 0;
}

static __always_inline bool note_room(__u64 block, __u64 bytes)
{
	struct list_words words = {};
	struct mutated *one = mutated_at(list_with_room(block, &words));

	if (one)
		change_room(one, words.allocated, bytes / sizeof(__u64));
	return one;
}

/* What list_resize does; other functions that get here have something else for a number of entries. */
static __always_inline bool note_resize(__u64 address, __u64 wanted)
{
	struct mutated *one = mutated_at(address);
	struct list_words words = {};

	if (!one || read_user(&words, sizeof(words), address) || wanted > words.size + MOST_ENTRIES_MORE)
		return false;
	if (wanted > words.allocated || wanted < words.allocated >> 1)
		change_room(one, words.allocated, (wanted + (wanted >> 3) + 6) & ~3ULL);
	return true;
}

static __always_inline bool note_hit(struct pt_regs *context)
{
	__u64 cookie = bpf_get_attach_cookie(context);
	__u64 first = cookie_register(cookie, context), second = cookie_register((__u64)COOKIE_SI << 8, context);

	if (cookie_how(cookie) == MUTATOR_REALLOCATES)
		return note_room(first, second);
	if (cookie_how(cookie) == MUTATOR_RESIZES)
		return note_resize(first + (cookie >> 24), second);
	return note_change(first + (cookie >> 24)) || note_change(second + (cookie >> 24));
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
