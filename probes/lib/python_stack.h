/*
 * python_stack.h - the Python stack of the current thread, as an id.
 *
 * take_stack() walks the frames twice at most: the first walk only hashes, and nearly always the id is one that has been
 * sent before, which ends it. Only a new stack is walked again, straight into the ring buffer. So there is no per-CPU
 * scratch memory that a program preempted by another could find overwritten, and the common case writes nothing.
 * (The stack cannot change in between: the thread it belongs to is the one that is here.)
 *
 * With a new stack goes the top of the thread's native stack: the one of its first time, the id does not depend on it.
 *
 * Both frame designs: PyFrameObject (to 3.10) and _PyInterpreterFrame (3.11+), whose shim frames are passed over.
 *
 * Maps: `stacks_sent` (LRU hash, id to time; programs only: written after a record was submitted, so an id that is found
 * there always lies before in the ring, and one that could not be sent is sent the next time); `layouts`,
 * `thread_states` (python_thread.h), `targets`, `events`, `losses`.
 * Minimum kernel: 5.8. Cost: 3 user reads per frame (links, instruction, code object; 5 to 3.11), 0.2 us; and 1 us to begin.
 * Losses: stack_ring_full, stack_broken, stack_truncated, stack_layout_missing.
 */
#ifndef MEMPROBE_PYTHON_STACK_H
#define MEMPROBE_PYTHON_STACK_H

#include "python_thread.h"
#include "registers.h"
#include "ring.h"

/* Shims take steps too, at most one for each frame. Without bpf_loop the verifier follows every step: 2 s and 290,000
 * instructions for a program with these bounds (10,000 with bpf_loop). */
#define WALK_STEPS (MAX_PYTHON_FRAMES + 32)
#define WALK_STEPS_LOOP (2 * MAX_PYTHON_FRAMES + 2)

/* Most stacks have fewer frames than this, and then take a quarter of the room in the ring buffer. */
#define FEW_FRAMES 32

MAP(stacks_sent, LRU_HASH, __u64, __u64, 65536);

/* Mix a word into a hash: multiply-xorshift, one step per word. */
static __always_inline __u64 mix(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
	return hash ^ (hash >> 32);
}

/* Spread what was mixed over all 64 bits (the finaliser of MurmurHash3); never 0, which means "no stack". */
static __always_inline __u64 finish_hash(__u64 hash)
{
	hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccdULL;
	hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53ULL;
	hash ^= hash >> 33;
	return hash ? hash : 1;
}

struct stack_walk {
	const struct python_layout *layout;
	struct stack_record *record;	/* NULL in the walk that only hashes */
	__u64 frame;			/* the next one */
	__u64 hash;
	__u32 status;
	__u32 count;
	__u32 capacity;			/* frames that the record has room for */
	__u32 reserved;
	struct python_frame found;
};

static __always_inline __u64 choose(const __u64 *words, const __u64 *masks)
{
	return (words[0] & masks[0]) | (words[1] & masks[1]) | (words[2] & masks[2]);
}

/* _PyInterpreterFrame: the instruction and, within two words after it, the byte that says whose frame it is. */
static __always_inline int read_instruction(const struct python_layout *layout, __u64 frame, __u64 *instruction)
{
	__u64 words[3], owner;

	if (read_user(words, sizeof(words), frame + layout->frame_instruction))
		return -1;
	*instruction = words[0];
	owner = (words[1] & layout->owner_masks[0]) | (words[2] & layout->owner_masks[1]);
	return owner >> (layout->owner_shift & 63) >= layout->shim_owner;
}

/* PyFrameObject: f_lasti. */
static __always_inline int read_last_instruction(const struct python_layout *layout, __u64 frame, __u64 *instruction)
{
	__s32 last = 0;

	if (read_user(&last, sizeof(last), frame + layout->frame_instruction))
		return -1;
	*instruction = (__s64)last;
	return 0;
}

/* Three words at a time everywhere: up to 24 bytes cost half of what 32 and more do (50 and 110 ns, Zen with FSRM). */
static __always_inline int mix_words(__u64 address, __u64 *hash)
{
	__u64 words[3];

	if (read_user(words, sizeof(words), address))
		return -1;
	*hash = mix(mix(mix(*hash, words[0]), words[1]), words[2]);
	return 0;
}

/* To 3.11 a code object has no number of its own. One that is made where its predecessor was freed may get all its parts
 * at the same places, too: so the hash of its name goes in, which is known from the name's being interned. */
static __always_inline int read_identity(const struct python_layout *layout, struct python_frame *found)
{
	__u64 words[3], identity, hash;

	if (read_user(words, sizeof(words), found->code + layout->code_identity))
		return -1;
	identity = mix(mix(mix(0, words[0]), words[1]), words[2]);
	if (layout->code_identity_more != NO_OFFSET) {
		if (mix_words(found->code + layout->code_identity_more, &identity))
			return -1;
		if (read_user(&hash, sizeof(hash), words[1] + layout->name_hash))
			return -1;
		identity = mix(identity, hash);
	}
	found->identity = identity;
	return 0;
}

/* Read the frame at walk->frame and go on to the one before. 0: it is in walk->found; 1: it is a shim; -1: broken. */
static __always_inline int read_frame(const struct python_layout *layout, struct stack_walk *walk)
{
	__u64 words[3];
	__u64 frame = walk->frame;
	int shim;

	if (read_user(words, sizeof(words), frame + layout->frame_links))
		return -1;
	walk->frame = choose(words, layout->previous_masks);
	walk->found.code = choose(words, layout->code_masks);
	if (layout->flags & LAYOUT_INTERPRETER_FRAME)
		shim = read_instruction(layout, frame, &walk->found.instruction);
	else
		shim = read_last_instruction(layout, frame, &walk->found.instruction);
	if (shim)
		return shim;
	return read_identity(layout, &walk->found);
}

static __always_inline void hash_frame(struct stack_walk *walk)
{
	walk->hash = mix(walk->hash, walk->found.code);
	walk->hash = mix(walk->hash, walk->found.instruction);
	walk->hash = mix(walk->hash, walk->found.identity);
}

static __always_inline void record_frame(const struct stack_walk *walk, struct stack_record *record)
{
	__u32 index = record->python_count;

	if (index >= walk->capacity)
		return;
	record->python[index] = walk->found;
	record->python_count = index + 1;
}

/* Take the next frame: hash it and, in the second walk, record it as well. Returns 1 at the end (as bpf_loop wants it). */
static long walk_step(__u32 index, void *context)
{
	struct stack_walk *walk = context;
	int outcome;

	if (!walk->frame)
		return 1;
	outcome = read_frame(walk->layout, walk);
	if (outcome < 0) {
		walk->status = STACK_BROKEN;
		return 1;
	}
	if (outcome)
		return 0;
	if (walk->count >= MAX_PYTHON_FRAMES) {
		walk->status = STACK_TRUNCATED;
		return 1;
	}
	hash_frame(walk);
	walk->count++;
	if (walk->record)
		record_frame(walk, walk->record);
	return 0;
}

/* Walk to the end; a stack that still goes on then is said to be truncated. */
static __noinline int walk_frames(struct stack_walk *walk)
{
	if (!walk)
		return 0;
	if (HAS_HELPER(loop)) {
		bpf_loop(WALK_STEPS_LOOP, walk_step, walk, 0);
	} else {
		for (__u32 step = 0; step < WALK_STEPS; step++)
			if (walk_step(step, walk))
				break;
	}
	if (walk->frame && walk->status == STACK_COMPLETE)
		walk->status = STACK_TRUNCATED;
	return 0;
}

/* Always 0, but the verifier does not know it: with a known count it would follow every pair of step and count. */
__u32 unknown_zero;

static __always_inline void begin_walk(struct stack_walk *walk, const struct target *target, __u32 pid, __u64 frame,
				       __u32 status)
{
	walk->frame = frame;
	walk->hash = mix((__u64)pid << 32 | target->epoch, status);
	walk->status = status;
	walk->count = unknown_zero;
}

/* Where native code was, and the top of its stack: how it got there is among these words, and user space finds it. */
static __always_inline __u32 read_native(struct stack_record *record)
{
	struct pt_regs *registers = user_registers();
	__u64 stack;

	if (!registers)
		return 0;
#if defined(__TARGET_ARCH_arm64)
	record->native_instruction = BPF_CORE_READ((struct user_pt_regs *)registers, pc);
	stack = BPF_CORE_READ((struct user_pt_regs *)registers, sp);
#else
	record->native_instruction = BPF_CORE_READ(registers, ip);
	stack = BPF_CORE_READ(registers, sp);
#endif
	return read_user(record->native, sizeof(record->native), stack) ? 0 : MAX_NATIVE_WORDS;
}

static __always_inline void count_status(__u32 status)
{
	if (status == STACK_BROKEN)
		count_loss(LOSS_STACK_BROKEN);
	if (status == STACK_TRUNCATED)
		count_loss(LOSS_STACK_TRUNCATED);
}

/* Fill and submit a record with room for `capacity` frames; only a stack that was sent is remembered. */
static __always_inline void send_stack(struct stack_walk *walk, __u64 id, __u32 capacity)
{
	__u32 size = sizeof(struct stack_record) - (MAX_PYTHON_FRAMES - capacity) * sizeof(struct python_frame);
	struct stack_record *record = reserve(RECORD_STACK, size, LOSS_STACK_RING_FULL);
	__u64 now;

	if (!record)
		return;
	record->stack_id = id;
	record->python_count = 0;
	record->native_count = read_native(record);
	walk->record = record;
	walk->capacity = capacity;
	walk_frames(walk);
	record->status = walk->status;
	now = record->header.time_ns;
	submit_urgent(record);	/* its code objects may not live long */
	bpf_map_update_elem(&stacks_sent, &id, &now, BPF_ANY);
}

/*
 * The id of the current thread's Python stack, which has been sent when this returns (or the loss is counted and it is
 * sent the next time); 0 if no stack can be taken from this target yet.
 */
static __noinline __u64 take_stack(const struct target *target)
{
	const struct python_layout *layout;
	struct stack_walk walk = {};
	__u32 index, pid, status = STACK_COMPLETE;
	__u64 frame, id;

	if (!target)
		return 0;
	index = target->layout;
	layout = bpf_map_lookup_elem(&layouts, &index);
	if (!layout || !target->runtime) {
		count_loss(LOSS_STACK_LAYOUT_MISSING);
		return 0;
	}
	pid = bpf_get_current_pid_tgid() >> 32;
	frame = current_frame(target, layout, &status);
	walk.layout = layout;
	begin_walk(&walk, target, pid, frame, status);
	walk_frames(&walk);
	if (!walk.count && walk.status == STACK_COMPLETE)
		walk.status = STACK_NO_FRAME;	/* shims only: Python code is not running */
	id = finish_hash(mix(walk.hash, walk.status));
	count_status(walk.status);
	if (bpf_map_lookup_elem(&stacks_sent, &id))
		return id;
	status = walk.status;
	index = walk.count;
	begin_walk(&walk, target, pid, frame, status);
	if (index <= FEW_FRAMES)
		send_stack(&walk, id, FEW_FRAMES);
	else
		send_stack(&walk, id, MAX_PYTHON_FRAMES);
	return id;
}

#endif
