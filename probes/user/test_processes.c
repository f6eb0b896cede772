/*
 * test_processes.c - fork, exec, exit, tables of descriptors and the census as an ordinary program.
 */
#include "testing.h"
#include "processes.bpf.c"

#define CHILD 90

static struct task_struct child;
static struct files_struct child_files;
static struct signal_struct signals;
static struct mm_struct memory, child_memory;
static __s32 counted[4 * 4];	/* what the one CPU keeps of four counters */

/* A process in a namespace `level` deep, with a number in each. */
static struct {
	struct pid pid;
	struct upid deeper[4];
} ids, child_ids;
static struct pid_namespace {
	unsigned int level;
} namespaces[5];

static void number_task(struct pid *pid, __u32 level, int first)
{
	pid->level = level;
	for (__u32 at = 0; at <= level; at++) {
		struct upid *upid = (struct upid *)upid_at(pid, at);

		upid->nr = first + at;
		upid->ns = &namespaces[at];
	}
}

static void give_memory(struct mm_struct *mm, __s64 pages)
{
	memset(mm, 0, sizeof(*mm));
	mm->brk = 0x5000000;
	for (__u32 kind = 0; kind < MEMORY_KINDS; kind++) {
		mm->rss_stat[kind].count = pages;
		mm->rss_stat[kind].counters = (__s32 *)((__u8 *)&counted[kind] - STUB_PROCESSOR_OFFSET);
	}
}

static void begin(void)
{
	begin_test();
	stub_reset_map(&address_spaces);
	stub_reset_map(&space_of);
	stub_reset_map(&unsharing);
	stub_reset_map(&growth);
	stub_reset_map(&processors_found);
	memset(counted, 0, sizeof(counted));
	give_memory(&memory, 10);
	give_memory(&child_memory, 10);
	own_namespace = namespace_level = 0;
	census_tables = census_local_pid = 0;
	turn((struct knobs){.handles = 1, .growth = 1});
	signals.live.counter = 1;
	number_task(&ids.pid, 2, 1000);
	number_task(&child_ids.pid, 2, 2000);
	leader.mm = task.mm = &memory;
	leader.signal = task.signal = &signals;
	leader.thread_pid = task.thread_pid = &ids.pid;
	child_files = files;
	child = (struct task_struct){.pid = CHILD, .tgid = CHILD, .group_leader = &child, .mm = &child_memory};
	child.files = &child_files, child.signal = &signals, child.thread_pid = &child_ids.pid;
}

static struct target *target_of(__u32 pid)
{
	return bpf_map_lookup_elem(&targets, &pid);
}

static void fork_child(void)
{
	struct bpf_raw_tracepoint_args context = {.args = {(__u64)&task, (__u64)&child}};

	forked(&context);
}

static void test_fork(void)
{
	struct process_record *record;

	begin();
	set_open(3, true), set_open(200, true);
	fork_child();
	CHECK(!target_of(CHILD) && stub_record_count == 2);
	record = RECORD(struct process_record, 0);
	CHECK(record->how == PROCESS_FORK && record->other == CHILD && record->from_files == (__u64)&files);
	CHECK(record->files == (__u64)&child_files && record->other_local == 0);
	CHECK(RECORD(struct table_record, 1)->header.kind == RECORD_TABLE);
	CHECK(RECORD(struct table_record, 1)->open[0] == 8 && RECORD(struct table_record, 1)->open[3] == 1UL << 8);
	CHECK(RECORD(struct table_record, 1)->header.pid == CHILD && RECORD(struct table_record, 1)->words == 4);
	target_of(PID)->flags = TARGET_TREE;
	target_of(PID)->epoch = 5;
	fork_child();
	CHECK(target_of(CHILD)->epoch == 5 && target_of(CHILD)->flags == TARGET_TREE);
	CHECK(bpf_map_lookup_elem(&address_spaces, &(__u64){(__u64)&child_memory}));
	child.files = &files;	/* CLONE_FILES: nothing is copied */
	fork_child();
	CHECK(stub_record_count == 5);
	task.tgid = 4000;
	fork_child();
	CHECK(stub_record_count == 5);
}

static void test_a_thread_with_a_table_of_its_own(void)
{
	begin();
	child.tgid = PID;
	fork_child();
	CHECK(stub_record_count == 2 && RECORD(struct process_record, 0)->how == PROCESS_UNSHARE);
	child.files = &files;
	fork_child();
	CHECK(stub_record_count == 2);
}

static void test_a_full_map_of_targets(void)
{
	begin();
	target_of(PID)->flags = TARGET_TREE;
	targets.refuse = true;
	fork_child();
	targets.refuse = false;
	CHECK(!target_of(CHILD) && lost(LOSS_TARGETS_FULL) == 1 && stub_record_count == 2);
	address_spaces.refuse = true;
	fork_child();
	address_spaces.refuse = false;
	CHECK(lost(LOSS_ADDRESS_SPACES_FULL) == 1);
}

static void test_exec_and_exit(void)
{
	struct bpf_raw_tracepoint_args context = {.args = {(__u64)&task}};
	__u64 old = (__u64)&memory, new = (__u64)&child_memory;

	begin();
	enter_space(PID, &memory);
	task.mm = &child_memory;
	executed(&context);
	CHECK(target_of(PID)->runtime == 0 && target_of(PID)->epoch == 1);
	CHECK(!bpf_map_lookup_elem(&address_spaces, &old) && bpf_map_lookup_elem(&address_spaces, &new));
	CHECK(RECORD(struct process_record, 0)->how == PROCESS_EXEC && stub_record_count == 2);
	exited(&context);	/* one of several threads, which share the table */
	files.count.counter = 2;
	exited(&context);
	CHECK(stub_record_count == 3 && RECORD(struct process_record, 2)->how == PROCESS_TABLE_END);
	signals.live.counter = 0;
	exited(&context);
	CHECK(RECORD(struct process_record, 3)->how == PROCESS_EXIT && !target_of(PID));
	CHECK(!bpf_map_lookup_elem(&address_spaces, &new));
	exited(&context);
	executed(&context);
	CHECK(stub_record_count == 4);
}

static void test_unshare(void)
{
	struct syscall_enter_context enter = {.arguments = {CLONE_FILES, 0, CLOSE_RANGE_UNSHARE}};
	struct syscall_exit_context leave = {};

	begin();
	unshare_begins(&enter);
	task.files = &child_files;
	unshare_ends(&leave);
	CHECK(stub_record_count == 2 && RECORD(struct process_record, 0)->how == PROCESS_UNSHARE);
	CHECK(RECORD(struct process_record, 0)->from_files == (__u64)&files);
	unshare_ends(&leave);	/* of another kind */
	CHECK(stub_record_count == 2);
	close_range_begins(&enter);
	close_range_ends(&leave);	/* nobody had to be left */
	CHECK(stub_record_count == 3 && RECORD(struct table_record, 2)->header.kind == RECORD_TABLE);
	enter.arguments[0] = enter.arguments[2] = 0;
	unshare_begins(&enter), close_range_begins(&enter);
	unshare_ends(&leave), close_range_ends(&leave);
	CHECK(stub_record_count == 3);
}

static struct task_row *take_census(struct task_struct *of)
{
	static struct bpf_iter_meta meta;
	struct bpf_iter__task context = {.meta = &meta, .task = of};
	__u32 before = stub_record_count;

	census(&context);
	return stub_record_count > before ? stub_records[before] : NULL;
}

static void test_census(void)
{
	struct task_row *row;

	begin();
	task.thread.fsbase = 0x7f12;
	row = take_census(&task);	/* memprobe runs in the same namespace here, two levels down */
	CHECK(row && row->pid == PID && row->tid == TID && row->thread_pointer == 0x7f12);
	CHECK(row->local_pid == 1002 && row->local_tid == 1002 && row->address_space == (__u64)&memory);
	CHECK(take_census(NULL) == NULL && take_census(&child) == NULL);
	census_tables = 1;
	CHECK(stub_record_count == 1);
	take_census(&task);		/* its table is the leader's */
	CHECK(stub_record_count == 2);
	take_census(&leader);
	CHECK(stub_record_count == 4 && RECORD(struct table_record, 3)->header.kind == RECORD_TABLE);
	task.files = &child_files;
	take_census(&task);
	CHECK(stub_record_count == 6);
	census_local_pid = 2002;
	CHECK(take_census(&task) == NULL);
	row = take_census(&child);	/* not followed yet, but asked for */
	CHECK(row && row->pid == CHILD && row->local_pid == 2002);
}

/* Without iterators: task by task, each known by its number. */
static struct task_row *count_singly(struct task_struct *of, __u32 tid)
{
	struct bpf_raw_tracepoint_args context = {.args = {(__u64)of, tid}};
	__u32 zero = 0;

	task_counted(&context);
	return bpf_map_lookup_elem(&counted_row, &zero);
}

static void test_counted_singly(void)
{
	struct task_row *row;

	begin();
	task.thread.fsbase = 0x7f12;
	row = count_singly(&task, TID);
	CHECK(row->pid == PID && row->tid == TID && row->thread_pointer == 0x7f12 && row->local_tid == 1002);
	CHECK(count_singly(&task, TID + 1)->tid == 0);		/* another one is there by now */
	CHECK(count_singly(&child, CHILD)->tid == 0);		/* not followed */
	census_tables = 1;
	count_singly(&leader, PID);
	CHECK(stub_record_count == 1 && RECORD(struct table_record, 0)->header.kind == RECORD_TABLE);
}

static void test_namespaces(void)
{
	begin();
	take_census(&task);
	CHECK(namespace_level == 2 && own_namespace == (__u64)&namespaces[2]);
	number_task(&child_ids.pid, 4, 2000);	/* deeper than memprobe */
	CHECK(local_number(&child) == 2002);
	number_task(&child_ids.pid, 1, 2000);	/* above: it has no number here */
	CHECK(local_number(&child) == 0);
	number_task(&child_ids.pid, 2, 2000);
	((struct upid *)upid_at(&child_ids.pid, 2))->ns = &namespaces[3];	/* beside */
	CHECK(local_number(&child) == 0);
	child.thread_pid = NULL;
	CHECK(local_number(&child) == 0);
}

static void test_large_tables(void)
{
	static unsigned long bits[TABLE_WORDS * (MAX_TABLE_PARTS + 1)];
	__u32 descriptors[] = {64, 4096, 4160, 8192, 65536, 65600};

	for (__u32 at = 0; at < sizeof(descriptors) / sizeof(*descriptors); at++) {
		__u32 words = descriptors[at] / 64, told = 0;

		begin();
		memset(bits, 0xff, sizeof(bits));
		table.max_fds = descriptors[at], table.open_fds = bits;
		send_table(&files, PID, TID);
		for (__u32 part = 0; part < stub_record_count; part++) {
			struct table_record *record = RECORD(struct table_record, part);

			CHECK(record->first == told * 64 && record->words <= TABLE_WORDS && record->table_words == words);
			told += record->words;
		}
		CHECK(told == (words < 1024 ? words : 1024));
		CHECK(lost(LOSS_TABLE_CUT) == (words > 1024));
	}
}

static void test_a_full_ring(void)
{
	begin();
	stub_ring_room = 0;
	fork_child();
	CHECK(lost(LOSS_PROCESS_RING_FULL) == 1 && lost(LOSS_TABLE_RING_FULL) == 1 && !stub_record_count);
}

/* The account of a space begins with what is there: by CPU, and in common. */
static void test_pages_of_processors(void)
{
	__u64 key = (__u64)&memory;
	struct address_space *space;

	begin();
	stub_has_newer_helpers = true;
	counted[2] = -3;
	enter_space(PID, &memory);
	space = bpf_map_lookup_elem(&address_spaces, &key);
	CHECK(space->accounts[1].pages == 10 && space->accounts[2].pages == 7 && space->accounts[2].common == 10);
	CHECK(space->break_address == 0x5000000 && space->pid == PID);
	enter_space(CHILD, &memory);	/* vfork: the first owner keeps it */
	CHECK(space->pid == PID);
	leave_space(CHILD);
	CHECK(bpf_map_lookup_elem(&address_spaces, &key));
	stub_before_6_2 = true;
	CHECK(resident_pages((struct mm_struct *)(__u64[4]){5, 6, 7, 8}, 2) == 7);
	stub_before_6_2 = false;
}

/* Processes that come and go at random: whoever has ended is in no map. */
static void test_chance(void)
{
	static struct task_struct family[64];
	static struct mm_struct memories[64];
	struct bpf_raw_tracepoint_args context;

	begin();
	target_of(PID)->flags = TARGET_TREE;
	for (int round = 0; round < 20000; round++) {
		struct task_struct *one = &family[any(64)];

		switch (any(4)) {
		case 0:
			if (one->pid && target_of(one->pid))
				break;
			give_memory(&memories[one - family], any(100));
			*one = child;
			one->pid = one->tgid = 1000 + round;
			one->mm = &memories[one - family];
			context = (struct bpf_raw_tracepoint_args){.args = {(__u64)&task, (__u64)one}};
			forked(&context);
			break;
		case 1:
			if (!one->pid)
				break;
			run_as(one->pid, one->pid);
			context = (struct bpf_raw_tracepoint_args){.args = {(__u64)one}};
			executed(&context);
			run_as(PID, TID);
			break;
		default:
			if (!one->pid)
				break;
			signals.live.counter = 0;
			context = (struct bpf_raw_tracepoint_args){.args = {(__u64)one}};
			exited(&context);
			CHECK(!target_of(one->pid) && !bpf_map_lookup_elem(&space_of, &one->pid));
			one->pid = 0;
		}
		CHECK(targets.used <= 65 && address_spaces.used <= 65 && space_of.used <= 65);
		stub_reset_ring();
	}
	CHECK(lost_in_all() == 0);
}

static void run_all(void)
{
	test_fork();
	test_a_thread_with_a_table_of_its_own();
	test_a_full_map_of_targets();
	test_exec_and_exit();
	test_unshare();
	test_census();
	test_counted_singly();
	test_namespaces();
	test_large_tables();
	test_a_full_ring();
	test_chance();
}

int main(void)
{
	RUN_BOTH_WAYS(run_all);
	test_pages_of_processors();
	begin();
	puts("ok");
	return 0;
}
