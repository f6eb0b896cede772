/*
 * watch.bpf.c - who changes a word of the target: the size of a container, a reference count.
 *
 * hooks    perf events of hardware breakpoints on writes, one per thread and word, period 1
 * maps     watches (memprobe writes, the program updates), changes (the program adds, memprobe reads and never resets:
 *          the differences are what happened); stacks as in lib/python_stack.h
 * counts   differences of the word, never hits: list.sort writes 0 and then N, a full deque N+1 and then N, dict.update may
 *          write once for many. What is watched is written under the GIL, so that no two hits of one word overlap
 * storms   64 hits within 0.1 s of a watch that stays armed wake memprobe, which takes it away
 * limit    memprobe has the kernel disarm an event after so many hits, which counts per thread; `limit` counts for all of
 *          them: once it is reached no thread's changes are taken any more, so that none is favoured. For the
 *          kernel to count the program must return 1
 * losses   changes_full, watch_unreadable, and those of the stack
 * minimum  5.8; cost: 21 us a hit in a VM, 5.5 us of it the program with its stack
 */
#include "lib/current_stack.h"
#include "lib/changes.h"

const char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define MAX_WATCHES 64

#define TAKEN 1

/* So many hits in so long are a storm: no watch that stays armed is allowed so many. */
#define STORM_HITS 64
#define STORM_NS 100000000ULL

MAP(watches, HASH, struct watch_key, struct watch, MAX_WATCHES);

/* The word as it is now; -1 if it cannot be read, which no size and no count is. */
static __always_inline __u64 watched_word(const struct watch *watch, __u64 address)
{
	__u64 word = 0;
	long failed;

	if (watch->width == 4)
		failed = read_user(&word, 4, address);
	else
		failed = read_user(&word, 8, address);
	return failed ? WATCH_UNKNOWN : word;
}

static __always_inline void note_hit(struct watch *watch)
{
	watch->last_ns = bpf_ktime_get_ns();
	if (!watch->hits++)
		watch->first_ns = watch->last_ns;
}

/* A watch that stays armed may come upon a storm: memprobe, which looks several times a second, then looks at once. */
static __always_inline void call_in_storm(struct watch *watch)
{
	void *nothing;

	if (watch->limit)
		return;
	if (watch->last_ns - watch->window_ns >= STORM_NS) {
		watch->window_ns = watch->last_ns;
		watch->window_hits = 0;
	}
	if (++watch->window_hits != STORM_HITS)
		return;
	nothing = bpf_ringbuf_reserve(&events, sizeof(struct record_header), 0);
	if (nothing)
		bpf_ringbuf_discard(nothing, BPF_RB_FORCE_WAKEUP);
}

static __always_inline void take_change(struct watch *watch, __u64 address)
{
	__u64 word = watched_word(watch, address);
	__u64 before = watch->last;

	if (word == WATCH_UNKNOWN) {
		count_loss(LOSS_WATCH_UNREADABLE);
		return;
	}
	watch->last = word;
	if (before != WATCH_UNKNOWN && word != before)
		add_change(watch->number, current_stack(), word - before);
}

SEC("perf_event")
int word_changed(struct watchpoint_context *context)
{
	struct watch_key key = {.address = context->address, .pid = bpf_get_current_pid_tgid() >> 32};
	struct watch *watch = bpf_map_lookup_elem(&watches, &key);

	if (!watch || (watch->limit && watch->hits >= watch->limit))
		return TAKEN;
	note_hit(watch);
	call_in_storm(watch);
	take_change(watch, key.address);
	return TAKEN;
}
