/*
 * user_maps.c - the maps of the programs where they run as ordinary ones: in their tests, and in the tracer of the engine
 * ptrace. See stubs.h. Not thread-safe.
 */
#define MEMPROBE_USER 1
#include "stubs.h"
#include <stdlib.h>

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

bool stub_next(struct stub_map *map, __u32 *index, const void **key, const void **value)
{
	while (map->slots && *index < capacity(map)) {
		const __u8 *at = slot(map, (*index)++);

		if (at[0] != 1)
			continue;
		*key = at + 8;
		*value = at + 8 + padded(map->key_bytes);
		return true;
	}
	return false;
}

void stub_reset_map(struct stub_map *map)
{
	free(map->slots);
	map->slots = NULL;
	map->used = 0;
}
