/*
 * test_allocator.c - the growth edges of the allocator as an ordinary program: what a cookie says, and hostile ones.
 */
#include "testing.h"
#include "allocator.bpf.c"

#define COOKIE(how, place, width, flags, constant) \
	((__u64)(how) | (__u64)(place) << 8 | (__u64)(width) << 16 | (flags) | (__u64)(constant) << 24)

static void begin(void)
{
	begin_test();
	stub_reset_map(&growth);
	stub_reset_map(&thread_growth);
	turn((struct knobs){.growth = 1, .growth_stacks = 1, .growth_pages = 1});
	running_stack = 5;
}

static __u64 grown_by(__u64 cookie)
{
	struct growth_key key = {.stack_id = 5, .pid = PID, .how = cookie & 0xff};
	struct growth_total *total;

	begin();
	stub_cookie = cookie;
	registers.di = 1000, registers.si = -1000, registers.sp = BASE + 64;
	put(64 + 16, &(__u64){0x1fffffff0ULL}, 8);
	heap_grew(&registers);
	total = bpf_map_lookup_elem(&growth, &key);
	return total ? total->grown_bytes - total->freed_bytes : 0;
}

static void test_cookies(void)
{
	CHECK(grown_by(COOKIE(GROWTH_POOL, COOKIE_CONSTANT, 0, 0, 16384)) == 16384);
	CHECK(grown_by(COOKIE(GROWTH_LARGE, COOKIE_DI, 0, 0, 0)) == 1000);
	CHECK(grown_by(COOKIE(GROWTH_LARGE, COOKIE_DI, 0, 0, 24)) == 1024);
	CHECK(grown_by(COOKIE(GROWTH_LARGE, COOKIE_DI, 0, 0, (1ULL << 40) - 8)) == 992);
	CHECK(grown_by(COOKIE(GROWTH_LARGE, COOKIE_SP, 0, COOKIE_IN_MEMORY, 16)) == 0x1fffffff0ULL);
	CHECK(grown_by(COOKIE(GROWTH_LARGE, COOKIE_SP, 4, COOKIE_IN_MEMORY, 16)) == (__u64)-16);
	CHECK(grown_by(COOKIE(GROWTH_LARGE, COOKIE_DI, 0, COOKIE_IN_MEMORY, 0)) == 0);	/* cannot be read */
}

static void test_who_is_not_followed(void)
{
	begin();
	stub_cookie = COOKIE(GROWTH_POOL, COOKIE_CONSTANT, 0, 0, 16384);
	run_as(PID + 1, TID);
	heap_grew(&registers);
	run_as(PID, TID);
	turn((struct knobs){});
	heap_grew(&registers);
	CHECK(growth.used == 0);
}

static void test_hostile(void)
{
	begin();
	hostility = 1;
	for (int round = 0; round < 100000; round++) {
		stub_cookie = next_of(&hostility);
		registers.di = next_of(&hostility);
		cookie_number(stub_cookie, &registers);
		if (round % 64 == 0)
			heap_grew(&registers);
	}
}

int main(void)
{
	test_cookies();
	test_who_is_not_followed();
	test_hostile();
	begin();
	puts("ok");
	return 0;
}
