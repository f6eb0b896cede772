/*
 * test_handles.c - births and deaths as an ordinary program: every call, its arguments, what cannot be read, what does not fit.
 */
#include "testing.h"
#include "handles.bpf.c"

static struct syscall_exit_context result_of(__s64 number, __s64 result)
{
	return (struct syscall_exit_context){.number = number, .result = result};
}

/* A call ends, in the registers it began with. */
static void call(__s64 number, __s64 result, __u64 first, __u64 second, __u64 third)
{
	struct syscall_exit_context context = result_of(number, result);

	registers.di = first, registers.si = second, registers.dx = third;
	if (!stub_has_newer_helpers) {
		/* Before 5.15 they lie at the top of the kernel stack. */
		static __u8 kernel_stack[16384] __attribute__((aligned(16)));

		memcpy((struct pt_regs *)(kernel_stack + sizeof(kernel_stack)) - 1, &registers, sizeof(registers));
		task.stack = kernel_stack;
	}
	born(&context);
}

static void begin(void)
{
	begin_test();
	stub_reset_map(&birth_accounts);
	turn((struct knobs){.handles = 1, .stacks = 1});
	running_stack = 4711;
}

static void test_one_birth(void)
{
	struct birth_record *birth;

	begin();
	call(__NR_dup, 9, 3, 0, 0);
	CHECK(stub_record_count == 1);
	birth = RECORD(struct birth_record, 0);
	CHECK(birth->header.kind == RECORD_BIRTH && birth->header.pid == PID && birth->header.tid == TID);
	CHECK(birth->header.size_bytes == offsetof(struct birth_record, path));
	CHECK(birth->descriptor == 9 && birth->source == 3 && birth->how == BIRTH_DUP && birth->weight == 1);
	CHECK(birth->stack_id == 4711 && birth->files == (__u64)&files && birth->path_bytes == 0);
}

static void test_who_is_not_followed(void)
{
	begin();
	call(__NR_dup, -9, 3, 0, 0);
	call(__NR_read, 9, 3, 0, 0);
	run_as(PID + 1, TID);
	call(__NR_dup, 9, 3, 0, 0);
	run_as(PID, TID);
	turn((struct knobs){.stacks = 1});
	call(__NR_dup, 9, 3, 0, 0);
	CHECK(stub_record_count == 0 && lost_in_all() == 0);
}

static void test_dup_over_an_open_number(void)
{
	begin();
	call(__NR_dup2, 5, 5, 5, 0);
	CHECK(stub_record_count == 0);
	call(__NR_dup3, 5, 4, 5, 0);
	CHECK(stub_record_count == 2);
	CHECK(RECORD(struct death_record, 0)->header.kind == RECORD_DEATH);
	CHECK(RECORD(struct death_record, 0)->how == DEATH_REPLACED && RECORD(struct death_record, 0)->first == 5);
	CHECK(RECORD(struct birth_record, 1)->descriptor == 5 && RECORD(struct birth_record, 1)->source == 4);
}

static void test_pairs(void)
{
	__s32 pair[2] = {6, 8};

	begin();
	put(64, pair, sizeof(pair));
	call(__NR_pipe2, 0, BASE + 64, 0, 0);
	CHECK(stub_record_count == 2);
	CHECK(RECORD(struct birth_record, 0)->descriptor == 6 && RECORD(struct birth_record, 1)->descriptor == 8);
	CHECK(RECORD(struct birth_record, 1)->stack_id == 4711);
	call(__NR_pipe2, 0, BASE - 64, 0, 0);
	CHECK(stub_record_count == 2 && lost(LOSS_ARGUMENTS_UNREADABLE) == 1);
}

static void test_paths(void)
{
	struct birth_record *birth;
	char path[300];

	begin();
	for (__u32 length = 0; length < sizeof(path); length++) {
		memset(path, 'x', sizeof(path));
		path[length] = 0;
		put(USER_BYTES - length - 1, path, length + 1);	/* the last byte that can be read */
		call(__NR_openat, 3, -100, BASE + USER_BYTES - length - 1, 02000);
		birth = RECORD(struct birth_record, stub_record_count - 1);
		CHECK(birth->path_bytes == (length < MAX_PATH_BYTES ? length : MAX_PATH_BYTES - 1));
		CHECK(birth->header.size_bytes % 8 == 0 && birth->detail == 02000 && birth->how == BIRTH_OPEN);
		CHECK(!memcmp(birth->path, path, birth->path_bytes));
	}
	call(__NR_openat, 3, -100, BASE - 1, 0);
	CHECK(RECORD(struct birth_record, stub_record_count - 1)->path_bytes == 0);
}

static void test_calls_that_are_births_only_sometimes(void)
{
	begin();
	call(__NR_fcntl, 9, 3, 1, 0);			/* F_GETFD */
	call(__NR_signalfd4, 9, 9, 0, 0);		/* changes it */
	call(__NR_landlock_create_ruleset, 6, 0, 0, 1);	/* a version */
	call(__NR_seccomp, 0, 1, 0, 0);
	call(__NR_bpf, 0, 11, 0, 0);
	call(__NR_bpf, 5, 1ULL << 40, 0, 0);
	CHECK(stub_record_count == 0);
	call(__NR_fcntl, 9, 3, F_DUPFD_CLOEXEC, 0);
	call(__NR_signalfd4, 9, -1, 0, 0);
	call(__NR_landlock_create_ruleset, 6, 0, 0, 0);
	call(__NR_seccomp, 7, 1, 8, 0);
	call(__NR_bpf, 8, 5, 0, 0);
	CHECK(stub_record_count == 5);
}

static void test_deaths(void)
{
	struct syscall_enter_context close = {.arguments = {7}};
	struct death_record *death;

	begin();
	died_by_close(&close);
	close.arguments[0] = TABLE_SIZE;
	died_by_close(&close);
	close.arguments[0] = -1;
	died_by_close(&close);
	CHECK(stub_record_count == 0);
	set_open(7, true);
	close.arguments[0] = 7;
	died_by_close(&close);
	death = RECORD(struct death_record, 0);
	CHECK(stub_record_count == 1 && death->first == 7 && death->last == 7 && death->how == DEATH_CLOSE);
}

static __u32 deaths_by_range(__u64 first, __u64 last, __u64 flags)
{
	struct syscall_enter_context range = {.arguments = {first, last, flags}};
	__u32 before = stub_record_count;

	died_by_close_range(&range);
	return stub_record_count - before;
}

static void test_ranges(void)
{
	begin();
	CHECK(deaths_by_range(5, 4, 0) == 0);
	CHECK(deaths_by_range(5, 9, CLOSE_RANGE_CLOEXEC) == 0);
	CHECK(deaths_by_range(5, 0xffffffff, 0) == 1);
	CHECK(RECORD(struct death_record, 0)->first == 5 && RECORD(struct death_record, 0)->last == 0x7fffffff);
	CHECK(deaths_by_range(5, 9, CLOSE_RANGE_UNSHARE) == 1);	/* nobody else has the table: no copy */
	files.count.counter = 2;
	CHECK(deaths_by_range(5, 9, CLOSE_RANGE_UNSHARE) == 0);
}

/* Messages with control headers, at BASE. */
static __u64 write_control(__u64 at, __s32 level, __s32 type, __u32 count, __s32 first)
{
	struct user_control_header header = {.bytes = sizeof(header) + 4 * count, .level = level, .type = type};

	put(at, &header, sizeof(header));
	for (__u32 number = 0; number < count; number++) {
		__s32 descriptor = first + number;

		put(at + sizeof(header) + 4 * number, &descriptor, sizeof(descriptor));
	}
	return at + ((header.bytes + 7) & ~7ULL);
}

static void write_message(__u64 at, __u64 control, __u64 bytes)
{
	struct user_message_header header = {.control = BASE + control, .control_bytes = bytes};

	put(at, &header, sizeof(header));
}

static void receive(__s64 result, __u64 message, bool many)
{
	struct syscall_exit_context context = result_of(0, result);

	registers.di = 11, registers.si = message;
	if (many)
		born_by_recvmmsg(&context);
	else
		born_by_recvmsg(&context);
}

static void test_received(void)
{
	__u64 end;

	begin();
	stub_has_newer_helpers = true;
	end = write_control(1024, SOL_SOCKET, 2, 3, 0);	/* credentials */
	end = write_control(end, SOL_SOCKET, SCM_RIGHTS, 3, 20);
	end = write_control(end, SOL_SOCKET, SCM_RIGHTS, 253, 300);
	write_message(0, 1024, end - 1024);
	receive(1, BASE, false);
	CHECK(stub_record_count == 256 && lost_in_all() == 0);
	CHECK(RECORD(struct birth_record, 2)->descriptor == 22 && RECORD(struct birth_record, 255)->descriptor == 552);
	CHECK(RECORD(struct birth_record, 2)->source == 11 && RECORD(struct birth_record, 2)->how == BIRTH_RECEIVED);
	CHECK(RECORD(struct birth_record, 255)->stack_id == 4711);
	stub_has_newer_helpers = false;	/* so many steps need bpf_loop */
	task.stack = (__u8 *)&registers + sizeof(registers) - 16384;
	receive(1, BASE, false);
	CHECK(stub_record_count < 256 + 64 && lost(LOSS_CONTROL_CUT) == 1);
}

static void test_several_messages(void)
{
	begin();
	stub_has_newer_helpers = true;
	for (__u32 number = 0; number < 3; number++) {
		__u64 end = write_control(1024 + 512 * number, SOL_SOCKET, SCM_RIGHTS, number + 1, 10 * number);

		write_message(sizeof(struct user_messages_header) * number, 1024 + 512 * number, end - 1024 - 512 * number);
	}
	receive(3, BASE, true);
	CHECK(stub_record_count == 6 && lost_in_all() == 0);
	receive(0, BASE, true);
	receive(-11, BASE, true);
	CHECK(stub_record_count == 6);
	receive(3, BASE - 8, true);
	CHECK(stub_record_count == 6 && lost(LOSS_ARGUMENTS_UNREADABLE) > 0);
}

static void test_broken_control(void)
{
	struct user_control_header header = {.level = SOL_SOCKET, .type = SCM_RIGHTS};
	__u64 sizes[] = {0, 1, 15, 17, 4096, 1ULL << 32, ~0ULL, ~0ULL - 7};

	stub_has_newer_helpers = true;
	for (__u32 number = 0; number < sizeof(sizes) / sizeof(*sizes); number++) {
		begin();
		header.bytes = sizes[number];
		put(1024, &header, sizeof(header));
		write_message(0, 1024, 64);
		receive(1, BASE, false);
		CHECK(stub_record_count == 0 && lost(LOSS_CONTROL_CUT) == 0);
	}
}

static void test_children_with_descriptor(void)
{
	struct syscall_exit_context context = result_of(0, 500);
	__u64 arguments[2] = {CLONE_PIDFD, BASE + 256};
	__s32 descriptor = 31;

	begin();
	stub_has_newer_helpers = true;
	put(256, &descriptor, sizeof(descriptor));
	put(512, arguments, sizeof(arguments));
	registers.di = 0;
	born_by_clone(&context);
	registers.di = CLONE_PIDFD, registers.dx = BASE + 256;
	born_by_clone(&context);
	registers.di = BASE + 512;
	born_by_clone3(&context);
	CHECK(stub_record_count == 2 && RECORD(struct birth_record, 1)->descriptor == 31);
	registers.di = BASE - 1;
	born_by_clone3(&context);
	CHECK(lost(LOSS_ARGUMENTS_UNREADABLE) == 1);
}

static void test_sampling(void)
{
	__u64 sampled = 0, represented = 0;

	begin();
	turn((struct knobs){.handles = 1, .stacks = 1, .stack_every = 10, .seed = 5});
	for (int number = 0; number < 20000; number++)
		call(__NR_dup, 9, 3, 0, 0);
	for (__u32 number = 0; number < stub_record_count; number++) {
		struct birth_record *birth = RECORD(struct birth_record, number);

		CHECK(birth->weight == 0 || birth->weight == 10);
		CHECK((birth->stack_id != 0) == (birth->weight != 0));
		sampled += birth->weight != 0;
	}
	CHECK(stub_record_count == 20000 && sampled > 1800 && sampled < 2200);
	begin();
	turn((struct knobs){.handles = 1, .stacks = 1, .stack_burst_ns = 1600});
	for (int number = 0; number < 20000; number++)
		call(__NR_dup, 9, 3, 0, 0);
	for (__u32 number = 0; number < stub_record_count; number++)
		represented += RECORD(struct birth_record, number)->weight;
	CHECK(RECORD(struct birth_record, 1599)->weight == 1 && represented > 15000 && represented < 25000);
}

static void test_a_full_ring(void)
{
	struct syscall_enter_context close = {.arguments = {7}};

	begin();
	set_open(7, true);
	stub_ring_room = 1;
	call(__NR_dup, 9, 3, 0, 0);
	call(__NR_dup, 9, 3, 0, 0);
	died_by_close(&close);
	CHECK(stub_record_count == 1 && lost(LOSS_BIRTH_RING_FULL) == 1 && lost(LOSS_DEATH_RING_FULL) == 1);
}

static void check_records(void)
{
	for (__u32 number = 0; number < stub_record_count; number++) {
		struct birth_record *birth = RECORD(struct birth_record, number);

		CHECK(birth->header.kind == RECORD_BIRTH || birth->header.kind == RECORD_DEATH);
		if (birth->header.kind != RECORD_BIRTH)
			continue;
		CHECK(birth->path_bytes < MAX_PATH_BYTES && birth->header.size_bytes <= sizeof(*birth));
		CHECK(birth->header.size_bytes >= offsetof(struct birth_record, path) + birth->path_bytes);
		CHECK(birth->how && birth->how <= BIRTH_OTHER);
	}
	stub_reset_ring();
}

/* Any call with any arguments on memory that answers anything. */
static void test_hostile(void)
{
	begin();
	stub_has_newer_helpers = true;
	hostility = 362436069362436069ULL;
	for (int round = 0; round < 30000; round++) {
		struct syscall_exit_context context = result_of(next_of(&hostility), next_of(&hostility) % 2000);
		__u64 *words = (__u64 *)&registers;

		for (__u32 word = 0; word < sizeof(registers) / 8; word++)
			words[word] = next_of(&hostility) % 2 ? next_of(&hostility) : next_of(&hostility) % 64;
		switch (round % 16) {
		case 0: born_by_recvmsg(&context); break;
		case 1: context.result %= 5, born_by_recvmmsg(&context); break;
		case 2: born_by_clone(&context); break;
		case 3: born_by_clone3(&context); break;
		case 4: died_by_close((struct syscall_enter_context *)words); break;
		case 5: died_by_close_range((struct syscall_enter_context *)words); break;
		default: context.number %= 512, born(&context);
		}
		check_records();
	}
}

static void run_all(void)
{
	test_one_birth();
	test_who_is_not_followed();
	test_dup_over_an_open_number();
	test_pairs();
	test_paths();
	test_calls_that_are_births_only_sometimes();
	test_sampling();
	test_a_full_ring();
}

int main(void)
{
	RUN_BOTH_WAYS(run_all);
	test_deaths();
	test_ranges();
	test_received();
	test_several_messages();
	test_broken_control();
	test_children_with_descriptor();
	test_hostile();
	begin();
	puts("ok");
	return 0;
}
