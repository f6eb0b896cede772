#define _GNU_SOURCE

#include "heap_watch.h"

#include "heap_blocks.h"

#include <errno.h>
#include <stdlib.h>

/* One pool in so many is looked at twice, so that this costs 3 % of a walk; but enough to see something. */
#define ONE_IN 32
#define FEWEST_POOLS 256
#define MOST_POOLS 1024

void heap_watch_open(struct heap_watch *watch, const struct heap *heap)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < heap->arena_count; i++)
        bytes += heap->arenas[i].size;
    *watch = (struct heap_watch){.pool_size = (uint64_t)heap->plan.pool_size};
    uint64_t pools = bytes / watch->pool_size;
    uint64_t watched = pools / ONE_IN;
    watched = watched < FEWEST_POOLS ? FEWEST_POOLS : watched > MOST_POOLS ? MOST_POOLS : watched;
    watch->one_in = pools / watched + 1;
}

void heap_watch_close(struct heap_watch *watch)
{
    free(watch->first.items);
    free(watch->again.items);
    *watch = (struct heap_watch){0};
}

/* Spread over the heap without a pattern that a program could have as well. */
static bool is_watched(struct heap_watch *watch, uint64_t address)
{
    uint64_t pool = address & ~(watch->pool_size - 1);

    if (pool != watch->pool) {
        watch->pool = pool;
        watch->is_watched
            = (pool / watch->pool_size * UINT64_C(0x9E3779B97F4A7C15) >> 40) % watch->one_in == 0;
    }
    return watch->is_watched;
}

static int add_sighting(struct heap_sightings *sightings, const struct heap_object *object)
{
    if (sightings->count == sightings->capacity) {
        size_t room = sightings->capacity == 0 ? 4096 : 2 * sightings->capacity;
        struct heap_sighting *grown = realloc(sightings->items, room * sizeof(*grown));
        if (grown == NULL)
            return -ENOMEM;
        sightings->items = grown;
        sightings->capacity = room;
    }
    sightings->items[sightings->count++]
        = (struct heap_sighting){.address = object->address, .type = object->type->index};
    return 0;
}

int heap_watch_note(struct heap_watch *watch, const struct heap_object *object)
{
    if ((object->flags & HEAP_LARGE) || !is_watched(watch, object->block))
        return 0;
    return add_sighting(&watch->first, object);
}

static int note_again(void *state, const struct heap_object *object)
{
    struct heap_watch *watch = state;

    return add_sighting(&watch->again, object);
}

/* Read the pools of the first sightings again. */
static int look_again(struct heap_watch *watch, struct heap_walker *walker)
{
    uint64_t last = 0;
    int err = 0;

    for (size_t i = 0; i < watch->first.count && err == 0; i++) {
        uint64_t pool = watch->first.items[i].address & ~(watch->pool_size - 1);
        if (pool == last)
            continue;
        last = pool;
        err = heap_read(&walker->heap->reader, pool, (size_t)watch->pool_size, walker->buffer);
        if (err == 0)
            err = heap_walk_pool(walker, pool, walker->buffer);
    }
    return err;
}

/* Both lists are in order of address; what is in one of them only has come or gone. */
static void compare(const struct heap_watch *watch, struct heap_change *changes)
{
    const struct heap_sighting *old = watch->first.items, *new = watch->again.items;
    const struct heap_sighting *old_end = old + watch->first.count, *new_end = new + watch->again.count;

    for (const struct heap_sighting *one = old; one < old_end; one++)
        changes[one->type].watched++;
    while (old < old_end || new < new_end) {
        bool has_both = old < old_end && new < new_end;
        if (has_both && old->address == new->address && old->type == new->type) {
            old++;
            new++;
        } else if (new == new_end || (old < old_end && old->address <= new->address))
            changes[old++->type].changed++;
        else
            changes[new++->type].changed++;
    }
}

int heap_watch_compare(struct heap_watch *watch, struct heap *heap)
{
    struct heap_walker walker = {
        .heap = heap,
        .visit = note_again,
        .visit_state = watch,
        .buffer = malloc((size_t)watch->pool_size),
    };
    struct heap_counters counters = heap->counters;

    if (walker.buffer == NULL)
        return -ENOMEM;
    int err = look_again(watch, &walker);
    free(walker.buffer);
    /* These pools have been counted before. */
    heap->counters = counters;
    free(heap->changes);
    heap->change_count = 0;
    heap->changes = calloc(heap->types.count + 1, sizeof(*heap->changes));
    if (heap->changes == NULL)
        return -ENOMEM;
    heap->change_count = heap->types.count;
    if (err == 0)
        compare(watch, heap->changes);
    return err;
}
