/* The objects that the collector has put aside: by gc.freeze(), and in 3.12 all immortal ones. They are
 * tracked, but gc.get_objects() does not have them. */
#ifndef MEMPROBE_HEAP_FROZEN_H
#define MEMPROBE_HEAP_FROZEN_H

#include "heap_walk.h"

struct heap_frozen {
    uint64_t *counts;    /* per type, by index; the caller's to free */
    size_t types;
    bool wants_addresses;
    uint64_t *addresses; /* of the objects, if they are wanted; the caller's to free */
    size_t objects, room;
    bool is_whole;       /* the list led back to its head */
};

/* Follow the list whose head is at an address and add what it has. Returns 0 or a negative errno. */
int heap_count_frozen(struct heap *heap, uint64_t head, struct heap_frozen *ret);

#endif
