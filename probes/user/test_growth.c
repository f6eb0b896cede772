/*
 * test_growth.c - the account of memory as an ordinary program: whose growth it is, and that nothing gets lost on the way.
 */
#include "testing.h"
#include "growth.bpf.c"

#define PAGE 4096LL

static struct mm_struct memory;
static __s32 counted[MEMORY_KINDS];

static void begin(void)
{
	begin_test();
	stub_reset_map(&address_spaces);
	stub_reset_map(&space_of);
	stub_reset_map(&growth);
	stub_reset_map(&thread_growth);
	stub_reset_map(&mappings);
	stub_reset_map(&latest_mapping);
	stub_reset_map(&unmapping);
	stub_reset_map(&granules);
	stub_reset_map(&processors_found);
	memset(&memory, 0, sizeof(memory));
	memset(counted, 0, sizeof(counted));
	for (__u32 kind = 0; kind < MEMORY_KINDS; kind++)
		memory.rss_stat[kind].counters = (__s32 *)((__u8 *)&counted[kind] - STUB_PROCESSOR_OFFSET);
	memory.brk = 0x10000000;
	task.mm = leader.mm = &memory;
	stub_has_newer_helpers = true;	/* the pages of processors need it */
	turn((struct knobs){.growth = 1, .growth_stacks = 1, .growth_pages = 1, .growth_gap_ns = 1});
	enter_space(PID, &memory);
	running_stack = 1;
}

static struct growth_total total_of(__u64 stack, __u32 how)
{
	struct growth_key key = {.stack_id = stack, .pid = PID, .how = how};
	struct growth_total *total = bpf_map_lookup_elem(&growth, &key);

	return total ? *total : (struct growth_total){};
}

static __s64 net(__u64 stack, __u32 how)
{
	return total_of(stack, how).grown_bytes - total_of(stack, how).freed_bytes;
}

static __s64 net_of_all(__u32 how)
{
	__s64 sum = 0;

	for (__u64 stack = 0; stack < 16; stack++)
		sum += net(stack, how);
	return sum;
}

static void move(__u32 kind, __s64 pages)
{
	struct bpf_raw_tracepoint_args context = {.args = {(__u64)&memory, kind}};

	memory.rss_stat[kind].count += pages;
	memory_moved(&context);
}

static __s64 leave(int (*program)(struct syscall_exit_context *), __s64 result, __u64 first, __u64 second, __u64 third)
{
	struct syscall_exit_context context = {.result = result};

	registers.di = first, registers.si = second, registers.dx = third;
	program(&context);
	return result;
}

static void map(__u64 address, __u64 bytes)
{
	registers.r10 = MAP_ANONYMOUS;
	leave(mapped_by_mmap, address, 0, bytes, 3);
}

/* As the kernel does it: announced on entry, then the pages go. */
static void unmap(__u64 address, __u64 bytes, __s64 resident)
{
	struct syscall_enter_context context = {.arguments = {address, bytes}};

	registers.di = address, registers.si = bytes;
	unmapped_by_munmap(&context);
	if (resident)
		move(1, -resident);
	registers.di = 0;
}

static void test_growth_belongs_to_who_runs(void)
{
	begin();
	move(1, 5);
	running_stack = 2;
	move(1, 7);
	move(0, 1);
	CHECK(net(1, GROWTH_RSS_ANONYMOUS) == 5 * PAGE && net(2, GROWTH_RSS_ANONYMOUS) == 7 * PAGE);
	CHECK(net(2, GROWTH_RSS_FILE) == PAGE);
	running_stack = 3;
	move(1, -2);
	CHECK(net(3, GROWTH_RSS_ANONYMOUS) == -2 * PAGE);
	task.mm = NULL;	/* a thread of the kernel reclaims */
	move(1, -1);
	CHECK(net(0, GROWTH_RSS_ANONYMOUS) == -PAGE);
	move(MEMORY_KINDS - 1, 1);
	CHECK(net_of_all(GROWTH_RSS_ANONYMOUS) == 9 * PAGE);
}

static void test_others_and_off(void)
{
	struct bpf_raw_tracepoint_args context = {.args = {0x1234, 1}};

	begin();
	memory_moved(&context);
	turn((struct knobs){});
	move(1, 5);
	map(0x20000000, 4096);
	CHECK(growth.used == 0 && mappings.used == 0);
}

static void test_bursts_and_settling(void)
{
	begin();
	turn((struct knobs){.growth = 1, .growth_stacks = 1, .growth_pages = 64, .growth_gap_ns = 1000000});
	stub_time_ns += 10000000;
	move(1, 1);	/* after a pause: has a stack of its own */
	for (int page = 0; page < 50; page++)
		move(1, 1);
	CHECK(net_of_all(GROWTH_RSS_ANONYMOUS) == PAGE);
	settle_space(&memory);
	CHECK(net(1, GROWTH_RSS_ANONYMOUS) == 51 * PAGE);
	for (int page = 0; page < 50; page++)
		move(1, 1);
	stub_time_ns += 10000000;
	running_stack = 2;	/* what was left of the burst is not this one's */
	move(1, 1);
	CHECK(net(1, GROWTH_RSS_ANONYMOUS) == 101 * PAGE && net(2, GROWTH_RSS_ANONYMOUS) == PAGE);
	counted[1] = 3;
	settle_space(&memory);
	CHECK(net_of_all(GROWTH_RSS_ANONYMOUS) == 105 * PAGE);
}

static void test_mappings(void)
{
	begin();
	map(0x20000000, 10000);
	CHECK(net(1, GROWTH_MMAP) == 3 * PAGE);
	leave(mapped_by_mmap, 0x30000000, 0, 4096, PROT_NONE);
	leave(mapped_by_mmap, -12, 0, 4096, 3);
	registers.r10 = 2;
	leave(mapped_by_mmap, 0x40000000, 0, 4096, 1);
	CHECK(net(1, GROWTH_MMAP) == 3 * PAGE && net(1, GROWTH_MMAP_FILE) == PAGE);
	running_stack = 2;
	unmap(0x20000000, 4096, 0);	/* its beginning; the rest is still who mapped it */
	unmap(0x20001000, 8192, 0);
	CHECK(net(1, GROWTH_MMAP) == 0 && net(2, GROWTH_MMAP) == 0);
	unmap(0x50000000, 4096, 0);
	CHECK(net(0, GROWTH_MMAP) == -PAGE);
}

static void test_mappings_that_are_resized(void)
{
	begin();
	map(0x20000000, 4096);
	running_stack = 2;
	registers.r10 = 1;
	leave(mapped_by_mremap, 0x60000000, 0x20000000, 4096, 40960);
	CHECK(net(1, GROWTH_MMAP) == 0 && net(2, GROWTH_MMAP) == 10 * PAGE);
	registers.r10 = MREMAP_DONTUNMAP;
	leave(mapped_by_mremap, 0x70000000, 0x60000000, 40960, 40960);
	CHECK(net(2, GROWTH_MMAP) == 20 * PAGE);
	leave(mapped_by_mremap, -14, 0x60000000, 40960, 40960);
	CHECK(net(2, GROWTH_MMAP) == 20 * PAGE);
}

static void test_what_is_unmapped_is_taken_off_who_filled_it(void)
{
	begin();
	map(0x20000000, 100 * PAGE);
	running_stack = 2;
	move(1, 100);
	running_stack = 3;
	unmap(0x20000000, 100 * PAGE, 100);
	CHECK(net(1, GROWTH_RSS_ANONYMOUS) == 0 && net(2, GROWTH_RSS_ANONYMOUS) == 0);
	CHECK(net(3, GROWTH_RSS_ANONYMOUS) == 0);
	map(0x30000000, 10 * PAGE);	/* never seen to be filled: who mapped it */
	unmap(0x30000000, 10 * PAGE, 10);
	CHECK(net(3, GROWTH_RSS_ANONYMOUS) == -10 * PAGE);
	running_stack = 4;
	move(1, -5);	/* of another call */
	CHECK(net(4, GROWTH_RSS_ANONYMOUS) == -5 * PAGE);
}

static void set_break(__u64 to, __s64 resident)
{
	registers.di = to;
	if (resident)
		move(1, resident);
	leave(moved_by_brk, to, to, 0, 0);
	registers.di = 0;
}

static void test_what_is_trimmed_is_taken_off_who_had_it(void)
{
	__u64 start = 0x10000000, piece = 33 * PAGE;

	begin();
	set_break(start + piece, 0);
	move(1, 33);
	running_stack = 2;
	set_break(start + 4 * piece, 0);
	move(1, 99);
	CHECK(net(1, GROWTH_BRK) == (__s64)piece && net(2, GROWTH_BRK) == 3 * (__s64)piece);
	running_stack = 3;
	set_break(start + piece, -99);
	CHECK(net(3, GROWTH_BRK) == 0 && net(3, GROWTH_RSS_ANONYMOUS) == 0);
	CHECK(net(2, GROWTH_RSS_ANONYMOUS) == 0 && net(1, GROWTH_RSS_ANONYMOUS) == 33 * PAGE);
	CHECK(net(1, GROWTH_BRK) + net(2, GROWTH_BRK) == (__s64)piece);
	CHECK(llabs(net(2, GROWTH_BRK)) < 1 << GRANULE_BITS);	/* one granule is both's */
	set_break(start + piece, 0);	/* asking where it is */
	set_break(start - 10 * piece, 0);	/* older than the attach: who frees it */
	CHECK(net_of_all(GROWTH_BRK) == -10 * (__s64)piece && net(3, GROWTH_BRK) < 0);
}

static void test_a_large_trim_ends(void)
{
	begin();
	set_break(0x10000000 + (1ULL << 32), 0);
	running_stack = 2;
	set_break(0x10000000, 0);
	CHECK(net_of_all(GROWTH_BRK) == 0 && net(1, GROWTH_BRK) > 0);
	begin();
	stub_has_newer_helpers = false;	/* no bpf_loop, and the registers at the top of the kernel stack */
	task.stack = (__u8 *)(&registers + 1) - 16384;
	set_break(0x10000000 + (1 << 21), 0);
	running_stack = 2;
	set_break(0x10000000, 0);
	CHECK(net(1, GROWTH_BRK) == 0 && net(2, GROWTH_BRK) == 0);
}

static void test_advice(void)
{
	begin();
	leave(returned_by_madvise, 0, 0x20000000, 5000, MADV_DONTNEED);
	leave(returned_by_madvise, 0, 0x20000000, 5000, 1);
	leave(returned_by_madvise, -22, 0x20000000, 5000, MADV_DONTNEED);
	CHECK(net(1, GROWTH_ADVISED) == -2 * PAGE);
}

static void test_faults(void)
{
	begin();
	turn((struct knobs){.growth = 1, .growth_stacks = 1, .growth_pages = 64, .growth_gap_ns = 1000000});
	for (int fault = 0; fault < 1000; fault++)
		page_faulted(NULL);
	settle_thread(PID, TID);
	CHECK(net(1, GROWTH_FAULT) == 1000 * PAGE && thread_growth.used == 0);
	thread_growth.refuse = true;
	page_faulted(NULL);
	thread_growth.refuse = false;
	CHECK(lost(LOSS_THREADS_FULL) == 1 && net(1, GROWTH_FAULT) == 1001 * PAGE);
}

static void test_full_maps(void)
{
	begin();
	mappings.refuse = true;
	map(0x20000000, 4096);
	mappings.refuse = false;
	CHECK(lost(LOSS_MAPPINGS_FULL) == 1 && net(1, GROWTH_MMAP) == PAGE);
	running_stack = 0;
	move(1, 1);
	growth.refuse = true;
	running_stack = 9;
	move(1, 7);
	growth.refuse = false;
	CHECK(lost(LOSS_GROWTH_FULL) == 1 && net(0, GROWTH_RSS_ANONYMOUS) == 8 * PAGE);
}

/* Whatever happens in whatever order: once settled, the stacks add up to the counters, to the byte. */
static void test_the_account_closes(void)
{
	begin();
	turn((struct knobs){.growth = 1, .growth_stacks = 1, .growth_pages = 16, .growth_gap_ns = 50});
	for (int round = 0; round < 200000; round++) {
		__u64 address = 0x20000000 + any(50) * 0x100000, heap = 0x10000000 + any(4000) * PAGE;

		running_stack = any(8);
		stub_time_ns += any(100);
		task.mm = any(10) ? &memory : NULL;
		counted[any(MEMORY_KINDS)] += (__s32)any(5) - 2;
		switch (any(8)) {
		case 0: map(address, any(1 << 20)); break;
		case 1: unmap(address, any(1 << 20), any(100)); break;
		case 2: set_break(heap, (__s64)any(60) - 30); break;
		case 3: leave(mapped_by_mremap, address, 0x20000000 + any(50) * 0x100000, any(1 << 20), any(1 << 20)); break;
		default: move(any(MEMORY_KINDS), (__s64)any(200) - 100);
		}
		task.mm = &memory;
	}
	settle_space(&memory);
	for (__u32 kind = 0; kind < MEMORY_KINDS; kind++)
		CHECK(net_of_all(GROWTH_RSS_FILE + kind) == (memory.rss_stat[kind].count + counted[kind]) * PAGE);
	CHECK(lost_in_all() == 0);
}

int main(void)
{
	test_growth_belongs_to_who_runs();
	test_others_and_off();
	test_bursts_and_settling();
	test_mappings();
	test_mappings_that_are_resized();
	test_what_is_unmapped_is_taken_off_who_filled_it();
	test_what_is_trimmed_is_taken_off_who_had_it();
	test_a_large_trim_ends();
	test_advice();
	test_faults();
	test_full_maps();
	test_the_account_closes();
	begin();
	puts("ok");
	return 0;
}
