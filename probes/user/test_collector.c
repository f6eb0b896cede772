/*
 * test_collector.c - collections as an ordinary program: begin and end on one thread, on several, and one without the other.
 */
#include "testing.h"
#include "collector.bpf.c"

static void begin(void)
{
	begin_test();
	stub_reset_map(&collections);
}

static void collection_of(__u32 tid, int generation, bool ends)
{
	run_as(PID, tid);
	registers.si = ends ? 100 + generation : generation;
	stub_cookie = COOKIE_SI << 8;
	if (ends)
		collection_ends(&registers);
	else
		collection_begins(&registers);
}

static void test_one(void)
{
	struct collection_record *record;

	begin();
	collection_of(TID, 2, false);
	stub_time_ns += 5000;
	collection_of(TID, 2, true);
	record = RECORD(struct collection_record, 0);
	CHECK(stub_record_count == 1 && record->generation == 2 && record->collected == 102);
	CHECK(record->duration_ns >= 5000 && record->duration_ns < 5010 && record->header.tid == TID);
	CHECK(collections.used == 0);
	collection_of(TID, 2, true);	/* the end of one that began before the attach */
	CHECK(stub_record_count == 1);
}

static void test_threads_do_not_mix(void)
{
	begin();
	for (int thread = 0; thread < 50; thread++)
		collection_of(thread, thread % 3, false);
	for (int thread = 49; thread >= 0; thread--)
		collection_of(thread, thread % 3, true);
	CHECK(stub_record_count == 50 && RECORD(struct collection_record, 0)->generation == 49 % 3);
}

static void test_who_is_not_followed_and_a_full_ring(void)
{
	begin();
	bpf_map_delete_elem(&targets, &(__u32){PID});
	collection_of(TID, 1, false);
	CHECK(collections.used == 0);
	begin();
	collection_of(TID, 1, false);
	stub_ring_room = 0;
	collection_of(TID, 1, true);
	CHECK(lost(LOSS_COLLECTION_RING_FULL) == 1 && collections.used == 0);
}

int main(void)
{
	test_one();
	test_threads_do_not_mix();
	test_who_is_not_followed_and_a_full_ring();
	begin();
	puts("ok");
	return 0;
}
