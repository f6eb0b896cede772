/* Every live object of a process, met once, in order of address; the process keeps running.
 *
 * Nothing that is read is believed: see heap_pools.c and heap_chunks.c for what is checked. A walk
 * ends, whatever the target's memory holds: each step goes forward in a region that was given. */
#ifndef MEMPROBE_HEAP_WALK_H
#define MEMPROBE_HEAP_WALK_H

#include "heap_plan.h"
#include "heap_reader.h"
#include "heap_types.h"

struct heap_span {
    uint64_t address;
    uint64_t size;
};

/* What PYTHONMALLOC=debug puts around each block, 16 of it in front. */
#define HEAP_DEBUG_BYTES 24
#define HEAP_DEBUG_FRONT 16

enum heap_region_kind {
    HEAP_REGION_ANY,
    HEAP_REGION_CHUNKS /* may be a stack: only what is surely a chunk of malloc counts */
};

struct heap_region {
    uint64_t address;
    uint64_t size;
    uint64_t kind;
};

/* What a walk met and did; Python's heap/census.py names them for people. */
#define HEAP_COUNTERS(FIELD)                                                                       \
    FIELD(objects)             /* handed out */                                                    \
    FIELD(pools)               /* that hold blocks */                                              \
    FIELD(pool_blocks)         /* live blocks in them */                                           \
    FIELD(pool_bytes)          /* what those take */                                               \
    FIELD(raw_blocks)          /* those that hold no object: tables and others */               \
    FIELD(raw_bytes)                                                                               \
    FIELD(chunks)              /* of malloc, in use */                                             \
    FIELD(chunk_bytes)                                                                             \
    FIELD(retried_pools)       /* read again because the target was changing them */               \
    FIELD(torn_pools)          /* still inconsistent after that */                                 \
    FIELD(torn_objects)        /* left out, or read while they changed */                          \
    FIELD(dead_objects)        /* in Python's free lists */                                        \
    FIELD(big_raw_chunks)      /* in use, at least HEAP_BIG_TABLE, and no object */                \
    FIELD(big_raw_bytes)                                                                           \
    FIELD(broken_chunks)       /* places where malloc's chunks do not follow one another */        \
    FIELD(stepped_bytes)       /* searched in steps of 16 bytes, as no allocator was recognised */ \
    FIELD(bytes_read)                                                                              \
    FIELD(absent_bytes)        /* never touched, or dropped */                                     \
    FIELD(swapped_bytes)       /* left where they are: reading them would bring them in */         \
    FIELD(unreadable_bytes)                                                                        \
    FIELD(refused_types)       /* addresses that looked like a type and are none */

/* A few tables of this size can hold most of the memory. */
#define HEAP_BIG_TABLE ((uint64_t)1 << 16)

struct heap_counters {
#define HEAP_COUNTER_MEMBER(name) uint64_t name;
    HEAP_COUNTERS(HEAP_COUNTER_MEMBER)
#undef HEAP_COUNTER_MEMBER
};

/* Which arena covers a piece of the address space: open addressing by 256 KiB granules. */
struct heap_arena_slot {
    uint64_t granule; /* address / 256 KiB, plus one; 0: empty */
    uint32_t first;   /* of the at most two arenas in it, the lower one */
};

struct heap_arena_index {
    struct heap_arena_slot *slots;
    size_t slot_count;
    uint64_t lowest, highest;
};

/* How many objects of a type were in pools that were looked at again when a census was over, and how many
 * had come or gone there meanwhile. */
struct heap_change {
    uint64_t watched;
    uint64_t changed;
};

/* The item size of one kind of array.array. */
struct heap_array_kind {
    uint64_t description;
    uint32_t itemsize;
};

#define HEAP_ARRAY_KINDS 64

struct heap {
    struct heap_plan plan;
    struct heap_reader reader;
    struct heap_types types;
    struct heap_span *arenas;   /* of Python's allocator, by address, not overlapping */
    size_t arena_count;
    struct heap_region *regions; /* private anonymous writable memory outside them, by address */
    size_t region_count;
    struct heap_arena_index arena_index;
    uint8_t *pool_classes;      /* of each pool: 0 unknown, else its size class + 1, or 255 for none */
    uint64_t pools_per_arena;   /* how far apart the arenas are in it */
    const uint8_t *held;        /* what the walk has in its buffer just now */
    uint64_t held_start, held_size;
    struct heap_counters counters;
    struct heap_change *changes; /* of the last census, by index of the type */
    size_t change_count;
    struct heap_array_kind array_kinds[HEAP_ARRAY_KINDS];
    bool without_big_tables;    /* do not count tables of HEAP_BIG_TABLE and more for their owners */
    bool debug;                 /* PYTHONMALLOC=debug: blocks have a frame of their own around them */
    uint64_t walked, to_walk;   /* bytes: how far a walk is */
    int (*tick)(void *state);   /* called now and then; nonzero (a negative errno) ends the walk */
    void *tick_state;
};

enum heap_object_flags {
    HEAP_TRACKED = 1,   /* in a list of the collector */
    HEAP_LARGE = 2,     /* outside the arenas */
    HEAP_IMMORTAL = 4,
    HEAP_HAS_GC = 8,    /* has a collector's header, tracked or not */
    HEAP_UNSURE = 16,   /* from a pool that would not hold still */
    HEAP_CUT = 32       /* refers to more than was followed */
};

/* One live object. `body` points into a buffer that is valid during the call; the type's presize
 * bytes in front of it are readable, too. */
struct heap_object {
    uint64_t address;
    const uint8_t *body;
    uint32_t body_bytes;       /* readable at body: what the block has, or the beginning of a large one;
                                * at least basicsize unless the kind of size says otherwise (str, int) */
    uint32_t flags;
    uint64_t block;            /* the allocator's block */
    uint64_t block_bytes;
    const struct heap_type *type; /* valid during the call */
    uint64_t refcount;
    int64_t items;             /* ob_size as it stands; 0 for types without */
};

/* Nonzero ends the walk; heap_walk returns it. */
typedef int (*heap_visit)(void *state, const struct heap_object *object);

/* Visit all objects: those in arenas in order of address, then the others in order of address.
 * Returns 0, what `visit` returned, or a negative errno. */
int heap_walk(struct heap *heap, heap_visit visit, void *state);

/* The arena that holds an address, or -1. */
int64_t heap_find_arena(const struct heap *heap, uint64_t address);

/* The type at an address: *ret is NULL if there is none. Returns 0, or a negative errno if asking failed. */
int heap_find_type(struct heap *heap, uint64_t address, const struct heap_type **ret);

/* `size` bytes of the target that the walk happens to have in its buffer, or NULL. */
static inline const uint8_t *heap_held(const struct heap *heap, uint64_t address, uint64_t size)
{
    uint64_t inside = address - heap->held_start;

    if (address < heap->held_start || inside >= heap->held_size || size > heap->held_size - inside)
        return NULL;
    return heap->held + inside;
}

/* *ret is the size of the block in a pool that holds an address, 0 if no pool does. Reads a pool's header
 * at most once. Returns 0 or a negative errno. */
int heap_pool_block_size(struct heap *heap, uint64_t address, uint64_t *ret);

/* What the allocator takes for a request of this size: the rest of a pool's block or of a chunk included. */
uint64_t heap_rounded(const struct heap *heap, uint64_t bytes);

/* Let go of everything that the walk made. */
void heap_clear(struct heap *heap);

#endif
