/* The part of a heap that is nearest to some objects: for heaps whose whole graph would be too large.
 *
 * Level by level over all references; of an object that refers to very many only the first are followed (of
 * those that all begins with, such as the namespaces of modules, some thousand). What is near the roots is
 * what has a name: a leak hangs below it. */
#ifndef MEMPROBE_HEAP_NEAR_H
#define MEMPROBE_HEAP_NEAR_H

#include "heap_walk.h"

#include <stddef.h>

/* References of one object that are followed: enough to tell what a collection is filled with. */
#define HEAP_NEAR_EDGES 1024
/* References that are kept for each object on the average, at most. */
#define HEAP_NEAR_EDGES_EACH 8

/* All zero is none; heap_near_close may always be called. */
struct heap_near {
    uint64_t *addresses; /* of objects that are alive, each once, in the order of a walk */
    size_t count;
    uint64_t *first;     /* those that all began with: addresses, in order */
    size_t first_count;
    uint64_t levels;     /* steps from the first ones up to which all were gone to */
    uint64_t beyond;     /* references that were not followed to what is farther */
};

/* Find the `most` objects that are nearest to `first`, those included. Returns 0 or a negative errno. */
int heap_near_find(struct heap *heap, const uint64_t *first, size_t count, size_t most, struct heap_near *ret);

void heap_near_close(struct heap_near *near);

#endif
