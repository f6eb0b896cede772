/*
 * collector.bpf.c - the collector's runs: when, which generation, how long, what it collected.
 *
 * hooks    uprobes on the places where a collection begins and where it ends: the USDT probes gc__start and gc__done where the
 *          build has them (attached as uprobes with their semaphore), else two instructions of the collector. No return probe:
 *          finalizers run Python code, and a greenlet may switch the stack in between.
 *          The cookie says where the generation (begin) or the number of collected objects (end) is; the constant -1 where nothing says how many.
 * maps     targets, collections (own: what began on which thread), events, losses
 * losses   collection_ring_full
 * minimum  5.15 (bpf_get_attach_cookie)
 * cost     two hits per collection
 */
#include "lib/targets.h"
#include "lib/ring.h"
#include "lib/cookies.h"

const char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define MAX_COLLECTING_THREADS 1024

struct collection {
	__u64 begin_ns;
	__s32 generation;
	__u32 reserved;
};

MAP(collections, LRU_HASH, __u32, struct collection, MAX_COLLECTING_THREADS);

SEC("uprobe")
int collection_begins(struct pt_regs *context)
{
	__u64 cookie = bpf_get_attach_cookie(context);
	__u32 tid = bpf_get_current_pid_tgid();
	struct collection collection = {};

	if (!current_target())
		return 0;
	collection.begin_ns = bpf_ktime_get_ns();
	collection.generation = cookie_number(cookie, context);
	bpf_map_update_elem(&collections, &tid, &collection, BPF_ANY);
	return 0;
}

SEC("uprobe")
int collection_ends(struct pt_regs *context)
{
	__s64 collected = cookie_number(bpf_get_attach_cookie(context), context);
	__u32 tid = bpf_get_current_pid_tgid();
	struct collection *collection = bpf_map_lookup_elem(&collections, &tid);
	struct collection_record *record;

	if (!collection)
		return 0;
	record = reserve(RECORD_COLLECTION, sizeof(*record), LOSS_COLLECTION_RING_FULL);
	if (record) {
		record->duration_ns = record->header.time_ns - collection->begin_ns;
		record->collected = collected;
		record->generation = collection->generation;
		record->reserved = 0;
		submit(record);
	}
	bpf_map_delete_elem(&collections, &tid);
	return 0;
}
