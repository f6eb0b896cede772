/*
 * test_python_stack.c - the stack walk as an ordinary program: made-up interpreters, then hostile memory.
 */
#include "lib/bpf.h"
#include "lib/python_stack.h"
#include <stdio.h>
#include <stdlib.h>

#define BASE 0x7f0000000000ULL
#define WORDS 65536
static __u64 image[WORDS];
static __u64 hostility;	/* not 0: the state of a generator that answers all reads */

#define CHECK(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			exit(1); \
		} \
	} while (0)

static __u64 next_random(void)
{
	hostility ^= hostility << 13;
	hostility ^= hostility >> 7;
	hostility ^= hostility << 17;
	return hostility;
}

/* Plausible garbage: small numbers, pointers into the image, any bits, and now and then a fault. */
static __u64 hostile_word(void)
{
	__u64 random = next_random();

	switch (random & 7) {
	case 0: return next_random();
	case 1: return 0;
	case 2: return 0x1234;	/* the thread's own identifier */
	default: return BASE + next_random() % sizeof(image);
	}
}

static int read_image(void *destination, __u32 size, __u64 address)
{
	__u64 words[MAX_NATIVE_WORDS];

	if (hostility) {
		if (next_random() % 61 == 0)
			return -1;
		for (__u32 index = 0; index < MAX_NATIVE_WORDS; index++)
			words[index] = hostile_word();
		CHECK(size <= sizeof(words));
		memcpy(destination, words, size);
		return 0;
	}
	if (address < BASE || address + size > BASE + sizeof(image))
		return -1;
	memcpy(destination, (__u8 *)image + (address - BASE), size);
	return 0;
}

static void put(__u64 address, __u64 value)
{
	memcpy((__u8 *)image + (address - BASE), &value, sizeof(value));
}

/* Shaped like 3.14: tagged references, shims, the frame directly in the thread state. */
static const struct python_layout modern = {
	.flags = LAYOUT_INTERPRETER_FRAME, .runtime_interpreters = 16, .runtime_current_thread = NO_OFFSET,
	.interpreter_next = 8, .interpreter_threads = 24, .thread_links = 0, .thread_id = 152, .thread_frame = 72,
	.cframe_frame = NO_OFFSET, .frame_links = 0, .frame_instruction = 56, .owner_shift = 16, .shim_owner = 3,
	.code_identity = 88, .code_identity_more = NO_OFFSET, .code_masks = {~3ULL}, .previous_masks = {0, ~0ULL},
	.owner_masks = {0, 0xff0000},
};

/* Shaped like 3.8: PyFrameObject, f_lasti. */
static const struct python_layout classic = {
	.runtime_interpreters = 16, .runtime_current_thread = 40, .interpreter_next = 8, .interpreter_threads = 24,
	.thread_links = 0, .thread_id = 176, .thread_frame = 24, .cframe_frame = NO_OFFSET, .frame_links = 24,
	.frame_instruction = 104, .shim_owner = 256, .code_identity = 104, .code_identity_more = 40,
	.name_hash = 24,
	.code_masks = {0, ~0ULL}, .previous_masks = {~0ULL},
};

#define RUNTIME BASE
#define INTERPRETER(n) (BASE + 0x1000 + 0x100 * (n))
#define THREAD(n) (BASE + 0x2000 + 0x200 * (n))
#define FRAME(n) (BASE + 0x10000 + 0x100 * (n))
#define CODE(n) (BASE + 0x40000 + 0x100 * (n))
#define NAME(n) (CODE(n) + 0xc0)
#define PID 77

static struct thread_struct unused_thread;
static struct task_struct task;
static struct target target = {.runtime = RUNTIME, .layout = 0, .epoch = 1};
static struct pt_regs at_entry[1];	/* lie at the top of the kernel stack: there a kernel before 5.15 has them */

static void begin(const struct python_layout *layout, __u64 identifier)
{
	__u32 zero = 0;

	(void)unused_thread;
	memset(image, 0, sizeof(image));
	stub_reset_ring();
	stub_reset_map(&stacks_sent);
	stub_reset_map(&thread_states);
	stub_reset_map(&losses);
	bpf_map_update_elem(&layouts, &zero, layout, BPF_ANY);
	stub_read_user = read_image;
	stub_ring_room = UINT32_MAX;
	stub_task = &task;
	task.thread.fsbase = identifier;
	task.stack = (void *)((__u64)(at_entry + 1) - stack_bytes);
	stub_registers = at_entry;
	stub_pid_tgid = (__u64)PID << 32 | 78;
}

static __u64 lost(__u32 loss)
{
	return *(__u64 *)bpf_map_lookup_elem(&losses, &loss);
}

static void add_thread(const struct python_layout *layout, int number, int interpreter, __u64 identifier, __u64 frame)
{
	__u64 head = image[(INTERPRETER(interpreter) + layout->interpreter_threads - BASE) / 8];

	put(THREAD(number), 0);
	put(THREAD(number) + 8, head);
	put(THREAD(number) + 16, INTERPRETER(interpreter));
	put(THREAD(number) + layout->thread_id, identifier);
	put(THREAD(number) + layout->thread_frame, frame);
	if (head)
		put(head, THREAD(number));
	put(INTERPRETER(interpreter) + layout->interpreter_threads, THREAD(number));
}

static void add_interpreter(const struct python_layout *layout, int number)
{
	put(INTERPRETER(number) + layout->interpreter_next, image[(RUNTIME + 16 - BASE) / 8]);
	put(RUNTIME + 16, INTERPRETER(number));
}

static void add_modern_frame(int number, int code, __u64 owner, __u64 previous)
{
	put(FRAME(number), CODE(code) | 1);
	put(FRAME(number) + 8, previous);
	put(FRAME(number) + 56, CODE(code) + 200);
	put(FRAME(number) + 72, owner << 16);
	put(CODE(code) + 88, (__u64)code << 32);
}

static void add_classic_frame(int number, int code, __s32 last, __u64 previous)
{
	put(FRAME(number) + 24, previous);
	put(FRAME(number) + 32, CODE(code));
	put(FRAME(number) + 104, (__u32)last);
	put(CODE(code) + 40, code);
	put(CODE(code) + 112, NAME(code));
}

static struct stack_record *last_record(void)
{
	CHECK(stub_record_count > 0);
	return stub_records[stub_record_count - 1];
}

static void test_shims_are_passed_over(void)
{
	struct stack_record *record;
	__u64 id;

	begin(&modern, 0x1234);
	add_interpreter(&modern, 0);
	add_thread(&modern, 0, 0, 0x9999, FRAME(9));
	add_thread(&modern, 1, 0, 0x1234, FRAME(0));
	add_modern_frame(0, 0, 0, FRAME(1));
	add_modern_frame(1, 7, 3, FRAME(2));
	add_modern_frame(2, 2, 1, FRAME(3));
	add_modern_frame(3, 7, 4, 0);
	id = take_stack(&target);
	record = last_record();
	CHECK(id && record->stack_id == id && stub_record_count == 1);
	CHECK(record->status == STACK_COMPLETE && record->python_count == 2);
	CHECK(record->python[0].code == CODE(0) && record->python[1].code == CODE(2));
	CHECK(record->python[0].instruction == CODE(0) + 200);
	CHECK(record->header.pid == PID && record->header.tid == 78);
	CHECK(take_stack(&target) == id && stub_record_count == 1);
	put(CODE(2) + 88, 5);	/* another code object at the same address */
	CHECK(take_stack(&target) != id && stub_record_count == 2);
	target.epoch++;
	CHECK(take_stack(&target) != last_record()->stack_id || stub_record_count == 3);
}

static void test_classic_frames(void)
{
	struct stack_record *record;

	begin(&classic, 0x1234);
	add_interpreter(&classic, 0);
	add_thread(&classic, 0, 0, 0x1234, FRAME(0));
	add_classic_frame(0, 0, -1, FRAME(1));
	add_classic_frame(1, 1, 42, 0);
	add_thread(&classic, 1, 0, 0x1234, 0);	/* a new thread that still has its parent's identifier */
	CHECK(take_stack(&target));
	record = last_record();
	CHECK(record->status == STACK_COMPLETE && record->python_count == 2);
	CHECK(record->python[0].instruction == (__u64)-1 && record->python[1].instruction == 42);
}

/* All its parts at the same addresses, another name: another code object. */
static void test_name_tells_code_objects_apart(void)
{
	__u64 id;

	begin(&classic, 0x1234);
	add_interpreter(&classic, 0);
	add_thread(&classic, 0, 0, 0x1234, FRAME(0));
	add_classic_frame(0, 0, 8, 0);
	put(NAME(0) + classic.name_hash, 1111);
	id = take_stack(&target);
	CHECK(take_stack(&target) == id && stub_record_count == 1);
	put(NAME(0) + classic.name_hash, 2222);
	CHECK(take_stack(&target) != id && stub_record_count == 2);
}

/* The first words of the native stack; none if they cannot be read. */
static void test_native_stack(void)
{
	begin(&modern, 0x1234);
	add_interpreter(&modern, 0);
	add_thread(&modern, 1, 0, 0x1234, FRAME(0));
	add_modern_frame(0, 0, 0, 0);
	*stub_registers = (struct pt_regs){.ip = 0x1111, .sp = BASE + 0x60000};
	put(BASE + 0x60000 + 8 * (MAX_NATIVE_WORDS - 1), 0x2222);
	CHECK(take_stack(&target));
	CHECK(last_record()->native_instruction == 0x1111 && last_record()->native_count == MAX_NATIVE_WORDS);
	CHECK(last_record()->native[MAX_NATIVE_WORDS - 1] == 0x2222);
	target.epoch++;
	stub_registers->sp = BASE + sizeof(image) - 8;
	CHECK(take_stack(&target) && last_record()->native_count == 0);
}

static void test_statuses(void)
{
	begin(&modern, 0x1234);
	add_interpreter(&modern, 0);
	take_stack(&target);
	CHECK(last_record()->status == STACK_NO_THREAD_STATE && last_record()->python_count == 0);
	add_thread(&modern, 1, 0, 0x1234, 0);
	take_stack(&target);
	CHECK(last_record()->status == STACK_NO_FRAME);
	put(THREAD(1) + modern.thread_frame, FRAME(0));
	add_modern_frame(0, 0, 3, 0);
	take_stack(&target);
	CHECK(last_record()->status == STACK_NO_FRAME && last_record()->python_count == 0);
	add_modern_frame(0, 0, 0, BASE - 4096);
	take_stack(&target);
	CHECK(last_record()->status == STACK_BROKEN && last_record()->python_count == 1 && lost(LOSS_STACK_BROKEN) == 1);
	target.runtime = 0;
	CHECK(take_stack(&target) == 0 && lost(LOSS_STACK_LAYOUT_MISSING) == 1);
	target.runtime = RUNTIME;
}

static void test_depths(void)
{
	begin(&modern, 0x1234);
	add_interpreter(&modern, 0);
	add_thread(&modern, 1, 0, 0x1234, FRAME(0));
	for (int depth = 1; depth <= 140; depth++) {
		for (int number = 0; number < depth; number++)
			add_modern_frame(number, number, 0, FRAME(number + 1));
		add_modern_frame(depth, 7, 3, 0);
		take_stack(&target);
		CHECK(last_record()->python_count == (depth < 128 ? depth : 128));
		CHECK(last_record()->status == (depth <= 128 ? STACK_COMPLETE : STACK_TRUNCATED));
	}
	add_modern_frame(139, 7, 0, FRAME(0));	/* a circle ends */
	take_stack(&target);
	CHECK(last_record()->status == STACK_TRUNCATED);
}

static void test_lost_stack_is_sent_again(void)
{
	__u64 id;

	begin(&modern, 0x1234);
	add_interpreter(&modern, 0);
	add_thread(&modern, 1, 0, 0x1234, FRAME(0));
	add_modern_frame(0, 0, 0, 0);
	stub_ring_room = 0;
	id = take_stack(&target);
	CHECK(id && !stub_record_count && lost(LOSS_STACK_RING_FULL) == 1);
	stub_ring_room = 9;
	CHECK(take_stack(&target) == id && stub_record_count == 1);
}

static void test_inner_interpreter_wins(void)
{
	begin(&modern, 0x1234);
	add_interpreter(&modern, 0);
	add_thread(&modern, 1, 0, 0x1234, FRAME(0));
	add_modern_frame(0, 0, 0, 0);
	add_modern_frame(1, 1, 0, 0);
	take_stack(&target);	/* remembered */
	add_interpreter(&modern, 1);
	add_thread(&modern, 2, 1, 0x1234, FRAME(1));
	take_stack(&target);
	CHECK(last_record()->python[0].code == CODE(1));
	put(THREAD(2) + modern.thread_frame, 0);
	CHECK(take_stack(&target) == ((struct stack_record *)stub_records[0])->stack_id);
}

static void test_freed_state_is_not_believed(void)
{
	begin(&modern, 0x1234);
	add_interpreter(&modern, 0);
	add_thread(&modern, 1, 0, 0x1234, FRAME(0));
	add_modern_frame(0, 0, 0, 0);
	take_stack(&target);
	put(INTERPRETER(0) + modern.interpreter_threads, 0);	/* unlinked, its contents untouched */
	take_stack(&target);
	CHECK(last_record()->status == STACK_NO_THREAD_STATE);
}

static void test_hostile_memory(const struct python_layout *layout)
{
	begin(layout, 0x1234);
	hostility = 88172645463325252ULL;
	for (int round = 0; round < 20000; round++) {
		take_stack(&target);
		for (__u32 index = 0; index < stub_record_count; index++) {
			struct stack_record *record = stub_records[index];

			CHECK(record->python_count <= MAX_PYTHON_FRAMES && record->status <= STACK_BROKEN);
			CHECK(record->header.size_bytes <= sizeof(*record));
		}
		stub_reset_ring();
	}
	hostility = 0;
}

int main(void)
{
	for (int newer = 0; newer < 2; newer++) {
		stub_has_newer_helpers = newer;
		test_shims_are_passed_over();
		test_classic_frames();
		test_name_tells_code_objects_apart();
		test_native_stack();
		test_statuses();
		test_depths();
		test_lost_stack_is_sent_again();
		test_inner_interpreter_wins();
		test_freed_state_is_not_believed();
		test_hostile_memory(&modern);
		test_hostile_memory(&classic);
	}
	begin(&modern, 0);
	stub_reset_map(&layouts);
	stub_reset_map(&losses);
	puts("ok");
	return 0;
}
