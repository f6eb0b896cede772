/*
 * python_thread.h - which PyThreadState belongs to the current thread of the kernel.
 *
 * pthread_self() is what CPython stores as PyThreadState.thread_id, and on x86-64 it is the fs base of the task. So the
 * state is found whether or not the thread holds the GIL:
 *
 *   1. the place remembered in `thread_states`, verified each time: the same thread_id, still linked into its
 *      interpreter's list, running a frame, and no newer interpreter exists;
 *   2. else (to 3.11) the state that holds the GIL, if it has this thread_id and a frame;
 *   3. else a search of the lists of all interpreters, the newest first, at most SEARCH_STEPS states (SEARCH_STEPS_LOOP
 *      with bpf_loop, 5.17). User space fills `thread_states` when it attaches, so the search is for new threads, and
 *      those stand first in their list.
 *
 * Ambiguity: up to 3.11 a new thread's state carries its parent's thread_id until it runs, and a sub-interpreter shares
 * that of the thread that made it. The first has no frame and is passed over; of the others the newest interpreter that
 * runs a frame wins, which is the inner one unless interpreters call each other in turns. A state that was made in one
 * thread and runs in another (_xxsubinterpreters, to 3.11) is not recognised.
 *
 * Map `thread_states`: LRU hash, struct thread_key to address; programs and user space write, programs read.
 * Minimum kernel: 5.8. Cost: 6 user reads and 2 look-ups when remembered, 2 reads per state searched.
 * Losses: thread_search_bound, thread_cache_full.
 */
#ifndef MEMPROBE_PYTHON_THREAD_H
#define MEMPROBE_PYTHON_THREAD_H

#include "targets.h"
#include "loss.h"

/* Without bpf_loop the verifier follows every step: more than these, with the walk, are more than it takes (1 M). */
#define SEARCH_STEPS 32
#define SEARCH_STEPS_LOOP 20000

MAP(layouts, ARRAY, __u32, struct python_layout, MAX_LAYOUTS);
MAP(thread_states, LRU_HASH, struct thread_key, __u64, 16384);

/* pthread_self() of the current thread; 0 where it is not known how to tell. */
static __always_inline __u64 thread_pointer(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

#if defined(__TARGET_ARCH_arm64)
	return BPF_CORE_READ((struct task_struct___arm64 *)task, thread.uw.tp_value);
#else
	return BPF_CORE_READ(task, thread.fsbase);
#endif
}

/* A word of the target, 0 if it cannot be read: every pointer that is followed here is checked for 0 anyway. */
static __always_inline __u64 user_word(__u64 address)
{
	__u64 word = 0;

	if (read_user(&word, sizeof(word), address))
		return 0;
	return word;
}

/* The frame that a thread state runs; 0 if it runs none. */
static __always_inline __u64 state_frame(const struct python_layout *layout, __u64 state)
{
	__u64 frame = user_word(state + layout->thread_frame);

	if (frame && layout->flags & LAYOUT_CFRAME)
		return user_word(frame + layout->cframe_frame);
	return frame;
}

/* PyThreadState.prev, next and interp lie side by side in every version. */
struct state_links {
	__u64 previous;
	__u64 next;
	__u64 interpreter;
};

/* A state that is still in its list: freed states keep their contents for a while, but nothing points to them. */
static __always_inline bool is_linked(const struct python_layout *layout, __u64 state, const struct state_links *links)
{
	if (links->previous)
		return user_word(links->previous + layout->thread_links + 8) == state;
	return user_word(links->interpreter + layout->interpreter_threads) == state;
}

/* The frame of a state, if the state is certainly the one of the thread `identifier`; else 0. */
static __always_inline __u64 verified_frame(const struct target *target, const struct python_layout *layout,
					    __u64 state, __u64 identifier)
{
	struct state_links links;

	if (user_word(state + layout->thread_id) != identifier)
		return 0;
	if (read_user(&links, sizeof(links), state + layout->thread_links))
		return 0;
	if (!is_linked(layout, state, &links))
		return 0;
	if (user_word(target->runtime + layout->runtime_interpreters) != links.interpreter)
		return 0;	/* a newer interpreter: it may run inside this one, so search */
	return state_frame(layout, state);
}

/* (to 3.11) The frame of the state that holds the GIL, if it is that of the thread `identifier`; else 0. */
static __always_inline __u64 holder_frame(const struct target *target, const struct python_layout *layout,
					  __u64 identifier, __u64 *state)
{
	if (layout->runtime_current_thread == NO_OFFSET)
		return 0;
	*state = user_word(target->runtime + layout->runtime_current_thread);
	if (!*state || user_word(*state + layout->thread_id) != identifier)
		return 0;
	return state_frame(layout, *state);
}

struct thread_search {
	__u64 identifier;
	__u64 interpreter;	/* the next one to look into */
	__u64 state;		/* where the search is; on success the state found */
	__u64 frame;		/* not 0: found */
	__u32 seen_without_frame;
	__u32 ended;
	__u32 interpreter_next;
	__u32 interpreter_threads;
	__u32 next;
	__u32 thread_id;
	__u32 thread_frame;
	__u32 cframe_frame;	/* NO_OFFSET without LAYOUT_CFRAME */
};

/* One step: the next interpreter, or the next state of its list. Returns 1 to end the search (as bpf_loop wants it). */
static long search_step(__u32 index, void *context)
{
	struct thread_search *search = context;
	__u64 frame;

	if (!search->state) {
		if (!search->interpreter) {
			search->ended = 1;
			return 1;
		}
		search->state = user_word(search->interpreter + search->interpreter_threads);
		search->interpreter = user_word(search->interpreter + search->interpreter_next);
		return 0;
	}
	if (user_word(search->state + search->thread_id) == search->identifier) {
		frame = user_word(search->state + search->thread_frame);
		if (frame && search->cframe_frame != NO_OFFSET)
			frame = user_word(frame + search->cframe_frame);
		if (frame) {
			search->frame = frame;
			search->ended = 1;
			return 1;
		}
		search->seen_without_frame = 1;
	}
	search->state = user_word(search->state + search->next);
	return 0;
}

static __always_inline void run_search(struct thread_search *search)
{
	if (HAS_HELPER(loop)) {
		bpf_loop(SEARCH_STEPS_LOOP, search_step, search, 0);
		return;
	}
	for (__u32 index = 0; index < SEARCH_STEPS; index++)
		if (search_step(index, search))
			return;
}

/* Search the lists of all interpreters; the outcome is in `search`. */
static __noinline int search_thread(const struct target *target, const struct python_layout *layout,
				    struct thread_search *search)
{
	if (!target || !layout || !search)
		return 0;
	search->interpreter = user_word(target->runtime + layout->runtime_interpreters);
	search->state = 0;
	search->frame = 0;
	search->seen_without_frame = 0;
	search->ended = 0;
	search->interpreter_next = layout->interpreter_next;
	search->interpreter_threads = layout->interpreter_threads;
	search->next = layout->thread_links + 8;
	search->thread_id = layout->thread_id;
	search->thread_frame = layout->thread_frame;
	search->cframe_frame = layout->flags & LAYOUT_CFRAME ? layout->cframe_frame : NO_OFFSET;
	run_search(search);
	if (!search->ended)
		count_loss(LOSS_THREAD_SEARCH_BOUND);
	return 0;
}

static __always_inline void remember_state(const struct thread_key *key, __u64 state)
{
	if (bpf_map_update_elem(&thread_states, key, &state, BPF_ANY))
		count_loss(LOSS_THREAD_CACHE_FULL);
}

/* The frame that the current thread runs, and in *status why there is none. */
static __always_inline __u64 current_frame(const struct target *target, const struct python_layout *layout, __u32 *status)
{
	struct thread_key key = {.thread_pointer = thread_pointer(), .pid = bpf_get_current_pid_tgid() >> 32};
	struct thread_search search = {.identifier = key.thread_pointer};
	__u64 *remembered = bpf_map_lookup_elem(&thread_states, &key);
	__u64 state, frame = 0;

	if (remembered)
		frame = verified_frame(target, layout, *remembered, key.thread_pointer);
	if (frame)
		return frame;
	frame = holder_frame(target, layout, key.thread_pointer, &state);
	if (frame) {
		remember_state(&key, state);
		return frame;
	}
	search_thread(target, layout, &search);
	if (search.frame) {
		remember_state(&key, search.state);
		return search.frame;
	}
	*status = search.seen_without_frame ? STACK_NO_FRAME : STACK_NO_THREAD_STATE;
	return 0;
}

#endif
