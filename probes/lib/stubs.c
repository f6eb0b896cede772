/*
 * stubs.c - see stubs.h. Part of tests only, never of memprobe.
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

static __u32 padded(__u32 bytes)
{
	return (bytes + 7) & ~7u;
}

static __u32 slot_bytes(const struct stub_map *map)
{
	return 8 + padded(map->key_bytes) + padded(map->value_bytes);
}

static bool is_array(const struct stub_map *map)
{
	return map->kind == STUB_ARRAY || map->kind == STUB_PERCPU_ARRAY;
}

static __u32 capacity(const struct stub_map *map)
{
	return is_array(map) ? map->max_entries : 2 * map->max_entries;
}

static __u8 *slot(struct stub_map *map, __u32 index)
{
	if (!map->slots)
		map->slots = calloc(capacity(map), slot_bytes(map));
	if (!map->slots)
		abort();
	return map->slots + (size_t)index * slot_bytes(map);
}

static __u32 key_hash(const struct stub_map *map, const void *key)
{
	__u32 hash = 2166136261u;

	for (__u32 index = 0; index < map->key_bytes; index++)
		hash = (hash ^ ((const __u8 *)key)[index]) * 16777619u;
	return hash;
}

/* The slot that holds the key, or NULL; *unused is the first one that could. State: 0 never used, 1 used, 2 deleted. */
static __u8 *find(struct stub_map *map, const void *key, __u8 **unused)
{
	__u32 count = capacity(map), start = key_hash(map, key) % count;

	*unused = NULL;
	for (__u32 step = 0; step < count; step++) {
		__u8 *at = slot(map, (start + step) % count);

		if (at[0] == 1 && !memcmp(at + 8, key, map->key_bytes))
			return at;
		if (at[0] != 1 && !*unused)
			*unused = at;
		if (at[0] == 0)
			return NULL;
	}
	return NULL;
}

void *bpf_map_lookup_elem(void *map_, const void *key)
{
	struct stub_map *map = map_;
	__u8 *at, *unused;
	__u32 index;

	if (is_array(map)) {
		memcpy(&index, key, sizeof(index));
		return index < map->max_entries ? slot(map, index) + 8 + padded(map->key_bytes) : NULL;
	}
	at = find(map, key, &unused);
	return at ? at + 8 + padded(map->key_bytes) : NULL;
}

long bpf_map_update_elem(void *map_, const void *key, const void *value, __u64 flags)
{
	struct stub_map *map = map_;
	__u8 *unused = NULL;
	void *found = bpf_map_lookup_elem(map, key);

	if (map->refuse || (flags == BPF_NOEXIST && found) || (flags == BPF_EXIST && !found))
		return -17;
	if (!found && !is_array(map)) {
		if (map->used >= map->max_entries && map->kind == STUB_LRU_HASH)
			stub_reset_map(map);
		if (map->used >= map->max_entries)
			return -7;
		find(map, key, &unused);
		unused[0] = 1;
		memcpy(unused + 8, key, map->key_bytes);
		found = unused + 8 + padded(map->key_bytes);
		map->used++;
	}
	if (!found)
		return -7;
	memcpy(found, value, map->value_bytes);
	return 0;
}

long bpf_map_delete_elem(void *map_, const void *key)
{
	struct stub_map *map = map_;
	__u8 *unused, *at = is_array(map) ? NULL : find(map, key, &unused);

	if (!at)
		return -2;
	at[0] = 2;
	map->used--;
	return 0;
}

void stub_reset_map(struct stub_map *map)
{
	free(map->slots);
	map->slots = NULL;
	map->used = 0;
}

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
