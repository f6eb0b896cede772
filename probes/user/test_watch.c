/*
 * test_watch.c - changes of a watched word as an ordinary program: differences by stack, limits, full maps, hostile memory.
 */
#include "testing.h"
#include "watch.bpf.c"

#define WORD 64			/* from BASE on */
#define OTHER_STACK 9

static struct watchpoint_context hit = {.address = BASE + WORD};
static struct watch_key key = {.address = BASE + WORD, .pid = PID};

static void watch_word(struct watch watch)
{
	bpf_map_update_elem(&watches, &key, &watch, BPF_ANY);
}

static struct watch *watched(void)
{
	return bpf_map_lookup_elem(&watches, &key);
}

static void begin(void)
{
	begin_test();
	stub_reset_map(&watches);
	stub_reset_map(&changes);
	changes.refuse = false;
	running_stack = 5;
	watch_word((struct watch){.last = 10, .number = 3, .width = 8});
}

static void becomes(__u64 word)
{
	put(WORD, &word, 8);
	CHECK(word_changed(&hit) == TAKEN);
}

static struct change_total *changed_by(__u64 stack_id)
{
	return bpf_map_lookup_elem(&changes, &(struct change_key){.stack_id = stack_id, .number = 3});
}

static void test_differences_are_summed_by_stack(void)
{
	begin();
	becomes(14), becomes(12);
	running_stack = OTHER_STACK;
	becomes(112), becomes(112);
	CHECK(changed_by(5)->added == 4 && changed_by(5)->removed == 2 && changed_by(5)->hits == 2);
	CHECK(changed_by(OTHER_STACK)->added == 100 && changed_by(OTHER_STACK)->hits == 1);
	CHECK(watched()->hits == 4 && watched()->last == 112);
	CHECK(watched()->first_ns && watched()->first_ns < watched()->last_ns);
}

/* The time of the stubs goes on by a nanosecond with each question. */
static void test_a_storm_calls_the_reader_once_in_a_while(void)
{
	begin();
	stub_calls = 0;
	for (__u64 word = 11; word < 11 + STORM_HITS - 1; word++)
		becomes(word);
	CHECK(!stub_calls);
	for (__u64 word = 0; word < 3 * STORM_HITS; word++)
		becomes(word);
	CHECK(stub_calls == 1);
	stub_time_ns += STORM_NS;
	for (__u64 word = 0; word < STORM_HITS; word++)
		becomes(word);
	CHECK(stub_calls == 2);
	watch_word((struct watch){.last = 10, .number = 3, .width = 8, .limit = 1000});
	for (__u64 word = 0; word < STORM_HITS; word++)
		becomes(word);
	CHECK(stub_calls == 2);
}

static void test_a_size_that_is_not_known_yet_is_only_noted(void)
{
	begin();
	watch_word((struct watch){.last = WATCH_UNKNOWN, .number = 3, .width = 8});
	becomes(1000);
	CHECK(!changed_by(5) && watched()->last == 1000);
	becomes(1001);
	CHECK(changed_by(5)->added == 1);
}

static void test_a_word_of_four_bytes(void)
{
	begin();
	watch_word((struct watch){.last = 1, .number = 3, .width = 4});
	becomes(0xdead00000002);
	CHECK(changed_by(5)->added == 1 && watched()->last == 2);
}

static void test_limits(void)
{
	begin();
	watch_word((struct watch){.last = 0, .number = 3, .width = 8, .limit = 2});
	for (__u64 word = 1; word <= 10; word++)
		becomes(word);
	CHECK(watched()->hits == 2 && changed_by(5)->added == 2);
}

static void test_what_is_not_watched(void)
{
	begin();
	run_as(PID + 1, TID);
	becomes(20);
	CHECK(changes.used == 0 && watched()->hits == 0);
}

static void test_losses(void)
{
	begin();
	changes.refuse = true;
	becomes(20);
	CHECK(lost(LOSS_CHANGES_FULL) == 1 && changes.used == 0 && watched()->last == 20);
	begin();
	hit.address = key.address = BASE - 8;
	watch_word((struct watch){.last = 1, .number = 3, .width = 8});
	CHECK(word_changed(&hit) == TAKEN);
	hit.address = key.address = BASE + WORD;
	CHECK(lost(LOSS_WATCH_UNREADABLE) == 1 && changes.used == 0);
}

static void test_hostile(void)
{
	begin();
	hostility = 1;
	for (int round = 0; round < 10000; round++) {
		running_stack = next_of(&chance);
		word_changed(&hit);
	}
	CHECK(changes.used <= MAX_CHANGES && lost(LOSS_CHANGES_FULL) > 0);
}

int main(void)
{
	test_differences_are_summed_by_stack();
	test_a_storm_calls_the_reader_once_in_a_while();
	test_a_size_that_is_not_known_yet_is_only_noted();
	test_a_word_of_four_bytes();
	test_limits();
	test_what_is_not_watched();
	test_losses();
	test_hostile();
	begin();
	puts("ok");
	return 0;
}
