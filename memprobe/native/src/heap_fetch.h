/* Objects at known addresses: what a walk would hand out there, without the walk. */
#ifndef MEMPROBE_HEAP_FETCH_H
#define MEMPROBE_HEAP_FETCH_H

#include "heap_walk.h"

/* So many at once: what they lead to is asked for after them. */
#define HEAP_FETCH_AT_ONCE ((size_t)1 << 15)

/* Visit the objects at some addresses, as heap_walk does and in its order; where there is none, nothing
 * happens. An address that is there twice is visited twice. The visitor must not deliver anything itself: the
 * objects are in the reader's stream. Returns as heap_walk does. */
int heap_fetch(struct heap *heap, const uint64_t *addresses, size_t count, heap_visit visit, void *state);

#endif
