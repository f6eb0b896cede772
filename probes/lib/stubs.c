/*
 * stubs.c - see stubs.h. Part of tests only, never of memprobe; the maps are in user_maps.c.
 */
#define MEMPROBE_USER 1
#include "stubs.h"
#include <stdlib.h>

bool stub_has_newer_helpers = true;
bool stub_before_6_2;
struct task_struct *stub_task;
struct pt_regs *stub_registers;
__u64 stub_cookie;
__u32 stub_calls;
__u64 stub_pid_tgid;
__u64 stub_time_ns;
int (*stub_read_user)(void *, __u32, __u64);
void **stub_records;
__u32 stub_record_count;
__u32 stub_ring_room = UINT32_MAX;

void stub_reset_ring(void)
{
	for (__u32 index = 0; index < stub_record_count; index++)
		free(stub_records[index]);
	free(stub_records);
	stub_records = NULL;
	stub_record_count = 0;
}

/* Exactly as large as asked for, so that the sanitizer sees a write beyond it. */
void *bpf_ringbuf_reserve(void *ring, __u64 size, __u64 flags)
{
	if (!stub_ring_room)
		return NULL;
	stub_ring_room--;
	return malloc(size);
}

void bpf_ringbuf_submit(void *record, __u64 flags)
{
	bool full = !(stub_record_count & (stub_record_count - 1));	/* room for a power of two */

	if (full)
		stub_records = realloc(stub_records, (stub_record_count ? 2 * stub_record_count : 1) * sizeof(*stub_records));
	if (!stub_records)
		abort();
	stub_records[stub_record_count++] = record;
}

void bpf_ringbuf_discard(void *record, __u64 flags)
{
	stub_calls += flags & BPF_RB_FORCE_WAKEUP ? 1 : 0;
	free(record);
}

long bpf_ringbuf_output(void *ring, void *record, __u64 size, __u64 flags)
{
	void *copy = bpf_ringbuf_reserve(ring, size, flags);

	if (!copy)
		return -11;
	memcpy(copy, record, size);
	bpf_ringbuf_submit(copy, flags);
	return 0;
}

__u64 bpf_ringbuf_query(void *ring, __u64 flags)
{
	return 0;
}

long bpf_probe_read_user(void *destination, __u32 size, const void *address)
{
	if (stub_read_user && !stub_read_user(destination, size, (__u64)address))
		return 0;
	memset(destination, 0, size);	/* as the kernel does */
	return -14;
}

long bpf_probe_read_kernel(void *destination, __u32 size, const void *address)
{
	memcpy(destination, address, size);
	return 0;
}

__u64 bpf_get_current_pid_tgid(void)
{
	return stub_pid_tgid;
}

__u64 bpf_get_current_task(void)
{
	return (__u64)stub_task;
}

__u64 bpf_ktime_get_ns(void)
{
	return ++stub_time_ns;
}

long bpf_loop(__u32 count, void *step_, void *context, __u64 flags)
{
	long (*step)(__u32, void *) = step_;

	for (__u32 index = 0; index < count; index++)
		if (step(index, context))
			return index + 1;
	return count;
}

/* Byte by byte, as a string may end right before a page that is not there. */
long bpf_probe_read_user_str(void *destination, __u32 size, const void *address)
{
	char *text = destination;

	for (__u32 index = 0; index < size; index++) {
		if (bpf_probe_read_user(text + index, 1, (const char *)address + index))
			return -14;
		if (!text[index])
			return index + 1;
	}
	if (size)
		text[size - 1] = 0;
	return size;
}

struct pt_regs *bpf_task_pt_regs(struct task_struct *task)
{
	return stub_registers;
}

struct task_struct *bpf_get_current_task_btf(void)
{
	return stub_task;
}

__u64 bpf_get_attach_cookie(void *context)
{
	return stub_cookie;
}

long bpf_seq_write(struct seq_file *file, const void *data, __u32 size)
{
	return bpf_ringbuf_output(NULL, (void *)data, size, 0);
}

void *bpf_map_lookup_percpu_elem(void *map, const void *key, __u32 cpu)
{
	__u64 base;

	memcpy(&base, map, sizeof(base));
	return (void *)(base + STUB_PROCESSOR_OFFSET + 4 * cpu);
}
