/*
 * test_births.c - births of blocks as an ordinary program: which address is told, what is left out, and hostile memory.
 */
#include "testing.h"
#include "births.bpf.c"

#define TABLE 1024		/* of the used pools, from BASE on */
#define POOL 4096
#define MALLOC ((__u64)COOKIE_SI << 8 | BLOCK_MALLOC)

static void watch_classes(__u64 classes, __u64 limit)
{
	struct birth_watch watch = {.used_pools = BASE + TABLE, .classes = classes, .limit = limit};
	__u32 zero = 0;

	bpf_map_update_elem(&birth_watch, &zero, &watch, BPF_ANY);
	bpf_map_update_elem(&birth_counts, &zero, &(struct birth_counts){}, BPF_ANY);
}

/* All size classes are empty but the third (33 to 48 bytes). */
static void begin(void)
{
	begin_test();
	for (__u64 class = 0; class < 32; class++)
		put(TABLE + 16 * class, &(__u64){BASE + TABLE + 16 * class - POOL_NEXT}, 8);
	put(TABLE + 16 * 2, &(__u64){BASE + POOL}, 8);
	put(POOL + POOL_FREE_BLOCK, &(__u64){BASE + POOL + 96}, 8);
	stub_cookie = MALLOC;
	running_stack = 5;
	watch_classes(~0ULL, 100);
}

static void ask(__u64 size)
{
	registers.si = size;
	block_born(&registers);
}

static struct birth_counts counted(void)
{
	__u32 zero = 0;

	return *(struct birth_counts *)bpf_map_lookup_elem(&birth_counts, &zero);
}

static void test_the_next_block_is_told(void)
{
	begin();
	ask(40);
	CHECK(stub_record_count == 1);
	CHECK(RECORD(struct block_record, 0)->address == BASE + POOL + 96);
	CHECK(RECORD(struct block_record, 0)->size_bytes == 40);
	CHECK(RECORD(struct block_record, 0)->stack_id == 5);
	stub_cookie = MALLOC | BLOCK_CALLOC;
	registers.dx = 4;
	ask(12);
	CHECK(RECORD(struct block_record, 1)->size_bytes == 48);
}

static void test_what_is_left_out_is_counted(void)
{
	begin();
	ask(0), ask(513), ask(-1);
	CHECK(counted().hits == 3 && counted().wanted == 0);
	ask(1);		/* needs a new pool */
	CHECK(counted().unknown == 1);
	stub_ring_room = 0;
	ask(33);
	CHECK(counted().unsent == 1);
	CHECK(stub_record_count == 0);
}

static void test_what_was_handed_out_before(void)
{
	__u64 words[BLOCK_WORDS] = {1, 0xabcd};

	begin();
	ask(40);
	CHECK(RECORD(struct block_record, 0)->before == 0);
	put(POOL + 96, words, sizeof(words));
	put(POOL + POOL_FREE_BLOCK, &(__u64){BASE + POOL + 144}, 8);
	ask(40);
	CHECK(RECORD(struct block_record, 1)->before == BASE + POOL + 96);
	CHECK(RECORD(struct block_record, 1)->words[1] == 0xabcd);
	put(POOL + POOL_FREE_BLOCK, &(__u64){8}, 8);
	ask(40), ask(40);
	CHECK(RECORD(struct block_record, 2)->before == BASE + POOL + 144);
	CHECK(RECORD(struct block_record, 3)->before == 0);
}

static void test_limits(void)
{
	begin();
	watch_classes(1 << 2, 2);
	ask(16), ask(48), ask(33), ask(34);
	CHECK(counted().hits == 4 && counted().wanted == 3);
	CHECK(stub_record_count == 2);
}

static void test_hostile(void)
{
	begin();
	hostility = 1;
	watch_classes(~0ULL, ~0ULL);
	for (int round = 0; round < 10000; round++) {
		stub_cookie = next_of(&hostility);
		ask(next_of(&hostility) % 600);
		stub_reset_ring();
		stub_ring_room = UINT32_MAX;
	}
}

int main(void)
{
	test_the_next_block_is_told();
	test_what_is_left_out_is_counted();
	test_what_was_handed_out_before();
	test_limits();
	test_hostile();
	begin();
	puts("ok");
	return 0;
}
