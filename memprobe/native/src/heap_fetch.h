/* Objects at known addresses: what a walk would hand out there, without the walk. */
#ifndef MEMPROBE_HEAP_FETCH_H
#define MEMPROBE_HEAP_FETCH_H

#include "heap_walk.h"

/* Visit the objects at some addresses, as heap_walk does and in its order; where there is none, nothing
 * happens. An address that is there twice is visited twice. Returns as heap_walk does. */
int heap_fetch(struct heap *heap, const uint64_t *addresses, size_t count, heap_visit visit, void *state);

#endif
