/* Whether a block of memory holds a live object, and which. */
#ifndef MEMPROBE_HEAP_BLOCKS_H
#define MEMPROBE_HEAP_BLOCKS_H

#include "heap_walk.h"

/* One walk: who is told, and the buffer that the target's memory goes through. */
struct heap_walker {
    struct heap *heap;
    heap_visit visit;
    void *visit_state;
    uint8_t *buffer; /* HEAP_BUFFER_BYTES */
    bool debug_seen;
};

#define HEAP_BUFFER_BYTES ((size_t)2 << 20)

struct heap_block {
    uint64_t address;
    uint64_t size;
    const uint8_t *bytes;
    uint64_t readable; /* of `bytes`; less than size where the block is large */
    bool large;        /* not of a pool */
    bool is_unsure;
};

enum heap_finding {
    HEAP_RAW,   /* no object */
    HEAP_DEAD,  /* one that has been freed, and that Python keeps for its next one of the type */
    HEAP_LIVE
};

/* Look at a block. Returns a heap_finding, with *ret filled if it is live, or a negative errno. */
int heap_recognise(struct heap *heap, const struct heap_block *block, struct heap_object *ret);

/* The same for a place where no allocator told of a block: stricter. *ret has the block that the object
 * would need. `readable` bytes can be looked at from `address` on. */
int heap_recognise_bare(struct heap *heap, const struct heap_block *block, struct heap_object *ret);

/* Whether an address lies in one of the regions outside the arenas. */
bool heap_in_regions(const struct heap *heap, uint64_t address);

/* Recognise a block, count it, and tell the visitor of a live one. */
int heap_visit_block(struct heap_walker *walker, const struct heap_block *block);

/* A breath: let the owner look for signals and show progress. */
int heap_breathe(struct heap_walker *walker, uint64_t bytes);

/* `bytes` holds the pool at `address`, and may be written again. */
int heap_walk_pool(struct heap_walker *walker, uint64_t address, uint8_t *bytes);
int heap_walk_pools(struct heap_walker *walker, const struct heap_span *arena);
int heap_walk_region(struct heap_walker *walker, const struct heap_region *region);

/* Only what begins in a piece of a region. */
struct heap_piece;
int heap_walk_piece(struct heap_walker *walker, const struct heap_piece *piece);

/* Begin to count anew, and take over what the reader has counted. */
void heap_reset(struct heap *heap);
void heap_count_reads(struct heap *heap);

#endif
