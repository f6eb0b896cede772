/* How large an object is: what sys.getsizeof would say, and what it takes. */
#ifndef MEMPROBE_HEAP_SIZES_H
#define MEMPROBE_HEAP_SIZES_H

#include "heap_walk.h"

/* What still has to be read of an object that lies elsewhere. */
enum heap_more {
    HEAP_MORE_NONE,
    HEAP_MORE_KEYS,   /* of a dict: counts unless it is shared */
    HEAP_MORE_SPLIT,  /* keys of a dict with values of its own */
    HEAP_MORE_CACHED, /* keys of a type */
    HEAP_MORE_CODE,   /* of a generator: how large its frame is */
    HEAP_MORE_BYTES   /* of a BytesIO: counts unless it is shared */
};

struct heap_size {
    uint64_t getsizeof_bytes;
    uint64_t allocated_bytes;
    uint64_t table_bytes; /* those of allocated_bytes that are in pools, but not in the object's block */
    uint64_t more_at; /* address of what has to be read for the rest */
    enum heap_more more;
};

/* The bytes of the object itself, from its address on; 0 if what it says of itself cannot be.
 * `room` is what the block has from there on, of which body_bytes can be looked at. */
uint64_t heap_own_bytes(const struct heap *heap, const struct heap_type *type, const uint8_t *body,
                        uint64_t body_bytes, uint64_t room);

/* Measure an object that the walk handed out, but for what is said to be more. Returns 0 or a negative errno. */
int heap_measure(struct heap *heap, const struct heap_object *object, struct heap_size *ret);

/* Bytes that are wanted of it. */
uint32_t heap_more_bytes(const struct heap *heap, enum heap_more more);

/* Add what it tells. `bytes` of `data` are there. */
void heap_measure_more(const struct heap *heap, enum heap_more more, const uint8_t *data, uint32_t bytes,
                       struct heap_size *ret);

#define HEAP_BLOCK_CLASSES 256

/* Of each size class of pools the length of the tables of keys that lie in blocks of it; 0 where there are
 * none, or of several lengths. */
void heap_keys_by_class(const struct heap *heap, uint64_t ret[HEAP_BLOCK_CLASSES]);

/* Add a table of keys of a known length that no other dict uses. */
void heap_measure_own_keys(const struct heap *heap, uint64_t bytes, struct heap_size *ret);

#endif
