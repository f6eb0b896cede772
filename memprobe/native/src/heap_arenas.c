#define _GNU_SOURCE

#include "heap_walk.h"

#include "heap_arenas.h"
#include "heap_words.h"

#include <errno.h>
#include <stdlib.h>

#define GRANULE_BITS 18 /* no arena is smaller */
#define MOST_GRANULES ((uint64_t)1 << 22)

static size_t hash(const struct heap_arena_index *index, uint64_t granule)
{
    return (size_t)(granule * UINT64_C(0x9E3779B97F4A7C15) >> 24) & (index->slot_count - 1);
}

static void put(struct heap_arena_index *index, uint64_t granule, uint32_t arena)
{
    size_t slot = hash(index, granule);

    while (index->slots[slot].granule != 0) {
        if (index->slots[slot].granule == granule + 1)
            return; /* the lower one of two stays */
        slot = (slot + 1) & (index->slot_count - 1);
    }
    index->slots[slot] = (struct heap_arena_slot){.granule = granule + 1, .first = arena};
}

static uint64_t granules_of(const struct heap_span *arena)
{
    return ((arena->address + arena->size - 1) >> GRANULE_BITS) - (arena->address >> GRANULE_BITS) + 1;
}

static int make_pool_classes(struct heap *heap)
{
    uint64_t largest = 0;

    for (size_t i = 0; i < heap->arena_count; i++)
        if (heap->arenas[i].size > largest)
            largest = heap->arenas[i].size;
    heap->pools_per_arena = largest / (uint64_t)heap->plan.pool_size + 1;
    heap->pool_classes = calloc(heap->arena_count + 1, heap->pools_per_arena);
    return heap->pool_classes == NULL ? -ENOMEM : 0;
}

int heap_arenas_index(struct heap *heap)
{
    struct heap_arena_index *index = &heap->arena_index;
    uint64_t granules = 0;

    for (size_t i = 0; i < heap->arena_count; i++)
        granules += granules_of(&heap->arenas[i]);
    if (granules > MOST_GRANULES)
        return -E2BIG;
    for (index->slot_count = 64; index->slot_count < 2 * granules + 2;)
        index->slot_count *= 2;
    index->slots = calloc(index->slot_count, sizeof(*index->slots));
    if (index->slots == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < heap->arena_count; i++) {
        uint64_t first = heap->arenas[i].address >> GRANULE_BITS;
        for (uint64_t k = 0; k < granules_of(&heap->arenas[i]); k++)
            put(index, first + k, (uint32_t)i);
    }
    if (heap->arena_count > 0) {
        const struct heap_span *last = &heap->arenas[heap->arena_count - 1];
        index->lowest = heap->arenas[0].address;
        index->highest = last->address + last->size;
    }
    return make_pool_classes(heap);
}

uint8_t *heap_pool_class(struct heap *heap, size_t arena, uint64_t address)
{
    uint64_t pool_size = (uint64_t)heap->plan.pool_size;
    uint64_t first = heap->arenas[arena].address / pool_size;

    return &heap->pool_classes[arena * heap->pools_per_arena + address / pool_size - first];
}

static uint8_t class_in_header(const struct heap_plan *plan, const uint8_t *header)
{
    uint32_t class = heap_half(header + plan->pool_szidx);
    bool is_used = heap_half(header + plan->pool_count) != 0 && class < (uint64_t)plan->size_classes;

    return is_used ? (uint8_t)(class + 1) : HEAP_NO_CLASS;
}

static int read_pool_class(struct heap *heap, uint64_t pool, uint8_t *ret)
{
    uint8_t bytes[256];
    const struct heap_plan *plan = &heap->plan;
    const uint8_t *header = heap_held(heap, pool, (uint64_t)plan->pool_overhead);

    if (header == NULL) {
        int err = heap_read(&heap->reader, pool, (size_t)plan->pool_overhead, bytes);
        if (err != 0)
            return err;
        header = bytes;
    }
    *ret = class_in_header(plan, header);
    return 0;
}

void heap_note_pool(struct heap *heap, size_t arena, uint64_t address, const uint8_t *header)
{
    *heap_pool_class(heap, arena, address) = class_in_header(&heap->plan, header);
}

int heap_pool_block_size(struct heap *heap, uint64_t address, uint64_t *ret)
{
    int64_t arena = heap_find_arena(heap, address);
    uint64_t pool = address & ~((uint64_t)heap->plan.pool_size - 1);

    *ret = 0;
    if (arena < 0 || pool < heap->arenas[arena].address)
        return 0;
    uint8_t *class = heap_pool_class(heap, (size_t)arena, pool);
    if (*class == 0) {
        int err = read_pool_class(heap, pool, class);
        if (err != 0)
            return err;
    }
    if (*class != HEAP_NO_CLASS)
        *ret = *class * (uint64_t)heap->plan.pool_alignment;
    return 0;
}

int64_t heap_find_arena(const struct heap *heap, uint64_t address)
{
    const struct heap_arena_index *index = &heap->arena_index;
    uint64_t granule = address >> GRANULE_BITS;

    if (address < index->lowest || address >= index->highest)
        return -1;
    for (size_t slot = hash(index, granule);; slot = (slot + 1) & (index->slot_count - 1)) {
        if (index->slots[slot].granule == 0)
            return -1;
        if (index->slots[slot].granule != granule + 1)
            continue;
        for (size_t i = index->slots[slot].first; i < heap->arena_count; i++) {
            const struct heap_span *arena = &heap->arenas[i];
            if (address < arena->address)
                return -1;
            if (address - arena->address < arena->size)
                return (int64_t)i;
        }
        return -1;
    }
}
