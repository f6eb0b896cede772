#define _GNU_SOURCE

#include "heap_walk.h"

#include "heap_blocks.h"

#include <errno.h>
#include <stdlib.h>

int heap_breathe(struct heap_walker *walker, uint64_t bytes)
{
    struct heap *heap = walker->heap;

    heap->walked += bytes;
    return heap->tick == NULL ? 0 : heap->tick(heap->tick_state);
}

void heap_count_reads(struct heap *heap)
{
    heap->counters.bytes_read = heap->reader.bytes_read;
    heap->counters.absent_bytes = heap->reader.absent_bytes;
    heap->counters.swapped_bytes = heap->reader.swapped_bytes;
    heap->counters.unreadable_bytes = heap->reader.unreadable_bytes;
    heap->counters.refused_types = heap->types.refused;
}

void heap_reset(struct heap *heap)
{
    heap->counters = (struct heap_counters){0};
    heap->reader.bytes_read = heap->reader.absent_bytes = 0;
    heap->reader.swapped_bytes = heap->reader.unreadable_bytes = 0;
    heap->walked = heap->to_walk = 0;
    for (size_t i = 0; i < heap->arena_count; i++)
        heap->to_walk += heap->arenas[i].size;
    for (size_t i = 0; i < heap->region_count; i++)
        heap->to_walk += heap->regions[i].size;
}

static int walk_all(struct heap_walker *walker)
{
    struct heap *heap = walker->heap;
    int err = 0;

    for (size_t i = 0; i < heap->arena_count && err == 0; i++)
        err = heap_walk_pools(walker, &heap->arenas[i]);
    for (size_t i = 0; i < heap->region_count && err == 0; i++)
        err = heap_walk_region(walker, &heap->regions[i]);
    /* Absent ends of regions are skipped, torn places read twice: say that this was all. */
    return err != 0 ? err : heap_breathe(walker, heap->to_walk - heap->walked);
}

int heap_walk(struct heap *heap, heap_visit visit, void *state)
{
    struct heap_walker walker = {
        .heap = heap,
        .visit = visit,
        .visit_state = state,
        .buffer = malloc(HEAP_BUFFER_BYTES),
    };

    if (walker.buffer == NULL)
        return -ENOMEM;
    heap_reset(heap);
    int err = walk_all(&walker);
    heap_count_reads(heap);
    heap->held_size = 0;
    free(walker.buffer);
    return err;
}

void heap_clear(struct heap *heap)
{
    heap_reader_close(&heap->reader);
    heap_types_close(&heap->types);
    free(heap->arenas);
    free(heap->regions);
    free(heap->arena_index.slots);
    free(heap->pool_classes);
    free(heap->changes);
    heap->changes = NULL;
    heap->pool_classes = NULL;
    heap->arenas = NULL;
    heap->regions = NULL;
    heap->arena_index.slots = NULL;
}
