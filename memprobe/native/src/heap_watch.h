/* Which types change while the heap is walked: some pools are looked at again when the walk is over. */
#ifndef MEMPROBE_HEAP_WATCH_H
#define MEMPROBE_HEAP_WATCH_H

#include "heap_walk.h"

struct heap_sighting {
    uint64_t address;
    uint64_t type; /* index */
};

struct heap_sightings {
    struct heap_sighting *items;
    size_t count, capacity;
};

struct heap_watch {
    uint64_t one_in; /* so many pools, one is watched */
    uint64_t pool_size;
    uint64_t pool; /* the one that was asked for last, and */
    bool is_watched; /* what came of it: objects come pool by pool */
    struct heap_sightings first, again;
};

void heap_watch_open(struct heap_watch *watch, const struct heap *heap);
void heap_watch_close(struct heap_watch *watch);

/* Note an object, if its pool is watched. */
int heap_watch_note(struct heap_watch *watch, const struct heap_object *object);

/* Look again, and put down in heap->changes how many objects came and went. */
int heap_watch_compare(struct heap_watch *watch, struct heap *heap);

#endif
