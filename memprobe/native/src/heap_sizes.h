/* How large an object is: what sys.getsizeof would say, and what it takes. */
#ifndef MEMPROBE_HEAP_SIZES_H
#define MEMPROBE_HEAP_SIZES_H

#include "heap_walk.h"

/* What a table of dict keys still has to be asked for. */
enum heap_keys_role {
    HEAP_KEYS_NONE,
    HEAP_KEYS_OWN,    /* of a dict: counts unless it is shared */
    HEAP_KEYS_SPLIT,  /* of a dict with values of its own */
    HEAP_KEYS_CACHED  /* of a type */
};

struct heap_size {
    uint64_t getsizeof_bytes;
    uint64_t allocated_bytes;
    uint64_t table_bytes; /* those of allocated_bytes that are in pools, but not in the object's block */
    uint64_t keys; /* address of a table that has to be read for the rest, see the role */
    enum heap_keys_role role;
};

/* The bytes of the object itself, from its address on; 0 if what it says of itself cannot be.
 * `room` is what the block has from there on, of which body_bytes can be looked at. */
uint64_t heap_own_bytes(const struct heap *heap, const struct heap_type *type, const uint8_t *body,
                        uint64_t body_bytes, uint64_t room);

/* Measure an object that the walk handed out, all but its table of keys. Returns 0 or a negative errno. */
int heap_measure(struct heap *heap, const struct heap_object *object, struct heap_size *ret);

/* What the header of a table of keys adds. `bytes` of `data` are there. */
void heap_measure_keys(const struct heap *heap, enum heap_keys_role role, const uint8_t *data,
                       uint32_t bytes, struct heap_size *ret);

/* Bytes of that header that heap_measure_keys wants. */
uint32_t heap_keys_header(const struct heap *heap);

#endif
