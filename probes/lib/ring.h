/*
 * ring.h - reserve or count: the only way to send a record.
 *
 * Map `events`: ring buffer; programs write, memprobe's reader drains it. User space sets its size before load.
 * The reader is woken only when it has fallen behind by `wake_bytes` (it looks by itself several times a second):
 * waking it for every record costs more than the record. New stacks wake it at once: they are few, and their code
 * objects may be freed before they are looked up; so do forks, execs and ends, which memprobe has to follow.
 * Minimum kernel: 5.8.
 */
#ifndef MEMPROBE_RING_H
#define MEMPROBE_RING_H

#include "loss.h"

RING(events, 4 * 1024 * 1024);

const volatile __u64 wake_bytes = 1024 * 1024;

static __always_inline void fill_header(struct record_header *header, __u32 kind, __u32 size)
{
	__u64 ids = bpf_get_current_pid_tgid();

	header->kind = kind;
	header->size_bytes = size;
	header->time_ns = bpf_ktime_get_ns();
	header->pid = ids >> 32;
	header->tid = ids;
}

static __always_inline __u64 wakeup(void)
{
	return bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) >= wake_bytes ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

/* Reserve `size` bytes (a constant) for a record, its header filled in; NULL is counted under `loss`. */
static __always_inline void *reserve(__u32 kind, __u32 size, __u32 loss)
{
	struct record_header *header = bpf_ringbuf_reserve(&events, size, 0);

	if (header)
		fill_header(header, kind, size);
	else
		count_loss(loss);
	return header;
}

static __always_inline void submit(void *record)
{
	bpf_ringbuf_submit(record, wakeup());
}

/* Submit and wake the reader, whatever else is in the ring. */
static __always_inline void submit_urgent(void *record)
{
	bpf_ringbuf_submit(record, BPF_RB_FORCE_WAKEUP);
}

static __always_inline long send_and(void *record, __u32 size, __u32 loss, __u64 flags)
{
	long failed = bpf_ringbuf_output(&events, record, size, flags);

	if (failed)
		count_loss(loss);
	return failed;
}

/* Copy a finished record (its header filled in) into the ring; not 0 if it was lost and counted. */
static __always_inline long send(void *record, __u32 size, __u32 loss)
{
	return send_and(record, size, loss, wakeup());
}

/* The same, and wake the reader. */
static __always_inline long send_urgent(void *record, __u32 size, __u32 loss)
{
	return send_and(record, size, loss, BPF_RB_FORCE_WAKEUP);
}

#endif
