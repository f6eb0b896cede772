/*
 * test_mutators.c - changes of containers seen at the functions that make them: whose a difference is, rooms of lists, hostile memory.
 */
#include "testing.h"
#include "mutators.bpf.c"

#define CONTAINER 64		/* from BASE on */
#define SIZE_AT 16
#define OTHER_STACK 9
#define FIRST_ARGUMENT ((__u64)SIZE_AT << 24 | COOKIE_DI << 8)
#define CHANGES (FIRST_ARGUMENT | MUTATOR_CHANGES)

static struct watch_key key = {.address = BASE + CONTAINER + SIZE_AT, .pid = PID};

static struct mutator_window *window(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&mutator_window, &zero);
}

static struct mutated *looked_at_now(void)
{
	return bpf_map_lookup_elem(&mutated, &key);
}

static void has(__u64 size)
{
	put(CONTAINER + SIZE_AT, &size, 8);
}

static void begin(void)
{
	struct mutated unknown = {.last = WATCH_UNKNOWN, .room = WATCH_UNKNOWN, .number = 3};
	struct mutator_window open = {.is_open = 1};
	__u32 zero = 0;

	begin_test();
	stub_reset_map(&mutated);
	stub_reset_map(&changes);
	changes.refuse = false;
	running_stack = 5;
	stub_cookie = CHANGES;
	registers.di = BASE + CONTAINER;
	registers.si = 12345;
	has(10);
	bpf_map_update_elem(&mutated, &key, &unknown, BPF_ANY);
	bpf_map_update_elem(&mutator_window, &zero, &open, BPF_ANY);
}

static void hit_at(__u64 size)
{
	has(size);
	CHECK(container_mutates(&registers) == 0);
}

static struct change_total *changed_by(__u64 stack_id)
{
	return bpf_map_lookup_elem(&changes, &(struct change_key){.stack_id = stack_id, .number = 3});
}

static void test_a_difference_is_of_the_hit_before(void)
{
	begin();
	hit_at(10);
	CHECK(changes.used == 0);
	running_stack = OTHER_STACK;
	hit_at(12);
	CHECK(changed_by(5)->added == 2 && !changed_by(OTHER_STACK));
	hit_at(12), hit_at(9);
	CHECK(changed_by(OTHER_STACK)->removed == 3 && changed_by(OTHER_STACK)->added == 0);
	CHECK(looked_at_now()->hits == 4 && looked_at_now()->last == 9 && looked_at_now()->stack_id == OTHER_STACK);
	CHECK(window()->hits == 4 && window()->taken == 4);
}

static void test_the_container_may_be_the_second_argument(void)
{
	begin();
	registers.si = registers.di;
	registers.di = BASE;
	hit_at(10), hit_at(11);
	CHECK(changed_by(5)->added == 1);
}

/* From 3.11 on: whoever makes the room of a list larger or smaller is credited with the difference. */
static void test_the_room_of_a_list(void)
{
	struct mutator_lists lists = {.sizes = {BASE - 8, BASE + CONTAINER + SIZE_AT}};
	struct list_words words = {.size = 8, .items = 4711, .allocated = 8};
	__u32 zero = 0;

	begin();
	stub_cookie = FIRST_ARGUMENT | MUTATOR_REALLOCATES;
	bpf_map_update_elem(&mutator_lists, &zero, &lists, BPF_ANY);
	put(CONTAINER + SIZE_AT, &words, sizeof(words));
	registers.di = 4711;
	registers.si = 16 * 8;
	container_mutates(&registers);
	CHECK(changed_by(5)->added == 8 && changed_by(5)->removed == 0 && looked_at_now()->hits == 1);
	container_mutates(&registers);	/* called by the one before */
	CHECK(changed_by(5)->added == 8 && looked_at_now()->hits == 1);
	words.allocated = 16;
	put(CONTAINER + SIZE_AT, &words, sizeof(words));
	registers.si = 4 * 8;
	container_mutates(&registers);
	CHECK(changed_by(5)->added == 8 && changed_by(5)->removed == 12);
	registers.di = 4712;		/* another one's block */
	container_mutates(&registers);
	words.items = registers.di = 0;	/* its first */
	put(CONTAINER + SIZE_AT, &words, sizeof(words));
	container_mutates(&registers);
	CHECK(looked_at_now()->hits == 2 && window()->hits == 5 && window()->taken == 3);
}

/* What CPython 3.11 to 3.15 give a list that grows by one: 0, 4, 8, 16, 24, 32, 40, 52, 64, 76, 92, 108. */
static void test_list_resize(void)
{
	static const __u64 rooms[] = {0, 4, 8, 16, 24, 32, 40, 52, 64, 76, 92, 108};

	begin();
	stub_cookie = FIRST_ARGUMENT | MUTATOR_RESIZES;
	for (__u32 index = 0; index < 11; index++) {
		struct list_words full = {.size = rooms[index], .items = 4711, .allocated = rooms[index]};

		put(CONTAINER + SIZE_AT, &full, sizeof(full));
		registers.si = rooms[index] + 1;
		container_mutates(&registers), container_mutates(&registers);
	}
	CHECK(changed_by(5)->added == 108 && changed_by(5)->hits == 11);
	registers.si = 50;		/* of 92: no change of the room */
	container_mutates(&registers);
	registers.si = BASE;		/* no number */
	container_mutates(&registers);
	CHECK(changed_by(5)->added == 108 && changed_by(5)->removed == 0);
}

static void test_what_is_not_looked_at(void)
{
	begin();
	run_as(PID + 1, TID);
	hit_at(20);
	CHECK(window()->hits == 1 && window()->taken == 0 && looked_at_now()->hits == 0);
	run_as(PID, TID);
	window()->is_open = 0;
	hit_at(30);
	CHECK(window()->hits == 2 && window()->taken == 0 && looked_at_now()->hits == 0);
}

static void test_losses(void)
{
	begin();
	key.address = BASE - 8;
	registers.di = BASE - 8 - SIZE_AT;
	bpf_map_update_elem(&mutated, &key, &(struct mutated){.last = 3}, BPF_ANY);
	container_mutates(&registers);
	CHECK(lost(LOSS_WATCH_UNREADABLE) == 1 && changes.used == 0);
	key.address = BASE + CONTAINER + SIZE_AT;
}

static void test_hostile(void)
{
	begin();
	hostility = 1;
	for (int round = 0; round < 10000; round++) {
		running_stack = next_of(&chance);
		stub_cookie = FIRST_ARGUMENT | round % 3;
		container_mutates(&registers);
	}
	CHECK(changes.used <= MAX_CHANGES);
}

int main(void)
{
	test_a_difference_is_of_the_hit_before();
	test_the_container_may_be_the_second_argument();
	test_the_room_of_a_list();
	test_list_resize();
	test_what_is_not_looked_at();
	test_losses();
	test_hostile();
	begin();
	puts("ok");
	return 0;
}
