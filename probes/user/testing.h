/*
 * testing.h - what the tests of the programs share: checks, chance, made-up user memory, a followed process.
 *
 * Included before the program under test, which is included as source. Stacks have a test of their own (test_python_stack.c):
 * here the stack of what runs is what the test says.
 */
#ifndef MEMPROBE_TESTING_H
#define MEMPROBE_TESTING_H

#include "lib/bpf.h"
#include "lib/targets.h"
#include "lib/knobs.h"
#include "lib/ring.h"
#include "lib/kernel_tables.h"
#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			exit(1); \
		} \
	} while (0)

#define MEMPROBE_CURRENT_STACK_H
static __u64 running_stack;

static inline __u64 current_stack(void)
{
	return running_stack;
}

#define BASE 0x7f0000000000ULL
#define USER_BYTES 16384
#define PID 77
#define TID 78
#define TABLE_SIZE 256

static __u8 user[USER_BYTES];	/* at BASE in the process */
static __u64 hostility;		/* not 0: the state of a generator that answers all reads */
static __u64 chance = 88172645463325252ULL;

static struct task_struct task, leader;
static struct pt_regs registers;
static struct files_struct files;
static struct fdtable table;
static struct file *open_files[TABLE_SIZE];
static unsigned long open_bits[TABLE_SIZE / 64];

static inline __u64 next_of(__u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static inline __u64 any(__u64 below)
{
	return next_of(&chance) % below;
}

static int read_memory(void *destination, __u32 size, __u64 address)
{
	__u8 *bytes = destination;

	if (hostility) {
		if (next_of(&hostility) % 31 == 0)
			return -1;
		for (__u32 index = 0; index < size; index++)
			bytes[index] = next_of(&hostility) % 3 ? next_of(&hostility) % 5 : next_of(&hostility);
		return 0;
	}
	if (address < BASE || size > USER_BYTES || address - BASE > USER_BYTES - size)
		return -1;
	memcpy(destination, user + (address - BASE), size);
	return 0;
}

static inline void put(__u64 offset, const void *data, __u32 size)
{
	CHECK(offset + size <= USER_BYTES);
	memcpy(user + offset, data, size);
}

static inline void set_open(__u32 descriptor, bool is_open)
{
	open_files[descriptor] = is_open ? (struct file *)&files : NULL;
	if (is_open)
		open_bits[descriptor / 64] |= 1UL << descriptor % 64;
	else
		open_bits[descriptor / 64] &= ~(1UL << descriptor % 64);
}

/* Everything off but what the test turns on. */
static inline void turn(struct knobs turned)
{
	__u32 zero = 0;

	bpf_map_update_elem(&knobs, &zero, &turned, BPF_ANY);
}

static inline void run_as(__u32 pid, __u32 tid)
{
	stub_pid_tgid = (__u64)pid << 32 | tid;
}

static inline void begin_test(void)
{
	struct target target = {.runtime = 1};
	__u32 pid = PID;

	memset(user, 0, sizeof(user));
	memset(open_files, 0, sizeof(open_files));
	memset(open_bits, 0, sizeof(open_bits));
	memset(&registers, 0, sizeof(registers));
	stub_reset_ring();
	stub_reset_map(&targets);
	stub_reset_map(&losses);
	bpf_map_update_elem(&targets, &pid, &target, BPF_ANY);
	table = (struct fdtable){.max_fds = TABLE_SIZE, .fd = open_files, .open_fds = open_bits};
	files = (struct files_struct){.count = {1}, .fdt = &table};
	leader = (struct task_struct){.pid = PID, .tgid = PID, .group_leader = &leader, .files = &files};
	task = leader;
	task.pid = TID;
	stub_task = &task;
	stub_registers = &registers;
	stub_read_user = read_memory;
	stub_ring_room = UINT32_MAX;
	hostility = 0;
	run_as(PID, TID);
}

static inline __u64 lost(__u32 loss)
{
	return *(__u64 *)bpf_map_lookup_elem(&losses, &loss);
}

static inline __u64 lost_in_all(void)
{
	__u64 sum = 0;

	for (__u32 loss = 0; loss < LOSS_COUNT; loss++)
		sum += lost(loss);
	return sum;
}

#define RECORD(type, number) ((type *)stub_records[number])

/* Both ways: with the helpers of newer kernels and without. */
#define RUN_BOTH_WAYS(run) \
	do { \
		for (int newer = 0; newer < 2; newer++) { \
			stub_has_newer_helpers = newer; \
			run(); \
		} \
	} while (0)

#endif
