/*
 * tables.h - sends which descriptors of a table are open at this point of the ring.
 *
 * Why: a fork, an exec (close-on-exec) and an unshare each make a new table at one instant; to fold them from births and
 * deaths alone would be a guess wherever another thread is in the middle of a system call. With the bits the ledger
 * knows. The census sends the same for every target, so that reconciliation has its place in the order of events and
 * needs no /proc walk.
 *
 * maps     events (writes), table_scratch (one record per CPU)
 * cost     560 bytes and some 0.3 us for a table of up to 4096 descriptors; up to MAX_TABLE_PARTS such parts
 * losses   table_cut: a table with more than TABLE_WORDS * 64 * MAX_TABLE_PARTS descriptors; table_ring_full
 */
#ifndef MEMPROBE_TABLES_H
#define MEMPROBE_TABLES_H

#include "descriptors.h"
#include "ring.h"

MAP(table_scratch, PERCPU_ARRAY, __u32, struct table_record, 1);

struct table_view {
	struct files_struct *files;
	unsigned long *open_bits;
	__u32 words;
	__u32 pid;
	__u32 tid;
};

static __always_inline void fill_table(struct table_record *record, struct table_view *view, __u32 first)
{
	fill_header(&record->header, RECORD_TABLE, sizeof(*record));
	record->header.pid = view->pid;
	record->header.tid = view->tid;
	record->files = (__u64)view->files;
	record->first = first * 64;
	record->table_words = view->words;
	record->reserved = 0;
}

static __noinline int send_part(struct table_view *view, __u32 first)
{
	__u32 zero = 0;
	__u64 words;
	struct table_record *record = bpf_map_lookup_elem(&table_scratch, &zero);

	if (!record || !view)
		return 0;
	words = view->words - first;
	fill_table(record, view, first);
	barrier_var(words); /* the verifier must see the bound on the register that is used */
	if (words > TABLE_WORDS)
		words = TABLE_WORDS;
	record->words = words;
	bpf_probe_read_kernel(record->open, words * 8, view->open_bits + first);
	send(record, sizeof(*record), LOSS_TABLE_RING_FULL);
	return 0;
}

/* All parts of a table, lowest descriptors first. */
static __always_inline void send_table(struct files_struct *files, __u32 pid, __u32 tid)
{
	struct fdtable *table = BPF_CORE_READ(files, fdt);
	struct table_view view = {.files = files, .pid = pid, .tid = tid};

	view.open_bits = BPF_CORE_READ(table, open_fds);
	view.words = BPF_CORE_READ(table, max_fds) / 64;
	for (__u32 part = 0; part < MAX_TABLE_PARTS && part * TABLE_WORDS < view.words; part++)
		send_part(&view, part * TABLE_WORDS);
	if (view.words > TABLE_WORDS * MAX_TABLE_PARTS)
		count_loss(LOSS_TABLE_CUT);
}

#endif
