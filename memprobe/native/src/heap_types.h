/* The types of the target's objects: which addresses are types, and what is known of each.
 *
 * Knows nothing of Python: what a type is like is asked through a callback, once per type. */
#ifndef MEMPROBE_HEAP_TYPES_H
#define MEMPROBE_HEAP_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How the full size of an object is computed; memprobe/heap/types.py has the same numbers. */
enum heap_size_kind {
    HEAP_SIZE_FIXED,     /* basicsize, and itemsize for each of ob_size items */
    HEAP_SIZE_INT,
    HEAP_SIZE_STR,
    HEAP_SIZE_LIST,
    HEAP_SIZE_DICT,
    HEAP_SIZE_SET,
    HEAP_SIZE_BYTEARRAY,
    HEAP_SIZE_DEQUE,
    HEAP_SIZE_ODICT,
    HEAP_SIZE_TYPE,
    HEAP_SIZE_ARRAY,
    HEAP_SIZE_BLOCK,     /* has items, but no ob_size: what the allocator's block has room for */
    HEAP_SIZE_GENERATOR, /* from 3.11 on: a frame inside, as large as its code says */
    HEAP_SIZE_BYTESIO,
    HEAP_SIZE_KINDS
};

/* What a member of a recipe is. `count_at` and others are in `extra`. */
enum heap_operation {
    HEAP_OP_POINTER,         /* one reference at offset */
    HEAP_OP_TAGGED_POINTER,  /* one reference with tag bits (3.14 on) */
    HEAP_OP_ITEMS,           /* inline references from offset on, as many as the word at `extra` says */
    HEAP_OP_LIST,
    HEAP_OP_TUPLE,
    HEAP_OP_DICT,
    HEAP_OP_DICT_KEYS,
    HEAP_OP_SET,
    HEAP_OP_DEQUE,
    HEAP_OP_ODICT,
    HEAP_OP_INSTANCE,        /* managed dict or inline values */
    HEAP_OP_DICT_POINTER,    /* at tp_dictoffset, from the end if negative */
    HEAP_OP_FRAME,
    HEAP_OP_CODE,
    HEAP_OP_CONSERVATIVE,    /* every word of the body may be one */
    HEAP_OP_ARRAY,           /* `extra` references in the body */
    HEAP_OP_TABLE,           /* a pointer to `extra` references */
    HEAP_OP_ITEMS_INT,       /* as ITEMS, with a 32-bit count */
    HEAP_OP_RING,            /* of a SimpleQueue */
    HEAP_OP_LRU_LINKS,
    HEAP_OP_LRU_LINK,
    HEAP_OP_MODULE_STATE,
    HEAP_OP_ELEMENT,         /* of xml.etree */
    HEAP_OP_PAIRS,           /* a pointer to (reference, word) pairs */
    HEAP_OP_AFTER_ITEMS,     /* one reference behind the items */
    HEAP_OP_IF,              /* one reference, if the byte at `extra` is not 0 */
    HEAP_OPS
};

enum heap_strength {
    HEAP_VISITED,  /* tp_traverse visits it */
    HEAP_OWNED,    /* an owned reference that tp_traverse does not visit */
    HEAP_WEAK,
    HEAP_GUESSED   /* by HEAP_OP_CONSERVATIVE */
};

struct heap_member {
    uint16_t op;
    uint16_t strength;
    int32_t offset;
    int32_t extra;
};

/* What the callback answers: this, and `members` struct heap_member behind it. */
struct heap_type_record {
    uint64_t flags;     /* tp_flags */
    int64_t basicsize;
    int64_t itemsize;
    uint32_t size_kind;
    uint32_t presize;   /* bytes in front of the object: 0, 16, 32 */
    uint32_t members;
    uint32_t reserved;
};

/* One type object of the target, verified. */
struct heap_type {
    uint64_t address;
    uint32_t index;     /* in the order in which they were met */
    uint32_t size_kind;
    uint64_t flags;
    int64_t basicsize;
    int64_t itemsize;
    uint32_t presize;
    uint32_t recipe_start; /* in heap_types.recipe */
    uint32_t recipe_count;
};

/* Describe the type at an address. Returns the size of the record at *ret (which stays the
 * callback's, until it is called again), 0 if that is no type, or a negative errno. */
typedef int64_t (*heap_describe)(void *state, uint64_t address, const struct heap_type_record **ret);

struct heap_type_slot {
    uint64_t address; /* 0: empty */
    int64_t index;    /* of the type, or below zero: that is none */
};

struct heap_types {
    struct heap_type *types; /* by index; moves when it grows */
    size_t count, capacity;
    struct heap_member *recipe;
    size_t recipe_count, recipe_capacity;
    struct heap_type_slot *slots; /* open addressing, a power of two */
    size_t slot_count, slots_used;
    size_t refused;          /* addresses that turned out to be no type */
    heap_describe describe;
    void *describe_state;
};

/* What a slot says instead of an index. */
#define HEAP_NO_TYPE (-1)
#define HEAP_UNKNOWN_TYPE (-2)

/* The first slot that an address may have. */
static inline size_t heap_types_hash(const struct heap_types *types, uint64_t address)
{
    return (size_t)((address >> 4) * UINT64_C(0x9E3779B97F4A7C15) >> 20) & (types->slot_count - 1);
}

/* What is known of an address: the index of a type, or one of the two above. */
static inline int64_t heap_types_lookup(const struct heap_types *types, uint64_t address)
{
    size_t slot = heap_types_hash(types, address);

    while (types->slots[slot].address != 0) {
        if (types->slots[slot].address == address)
            return types->slots[slot].index;
        slot = (slot + 1) & (types->slot_count - 1);
    }
    return HEAP_UNKNOWN_TYPE;
}

/* Returns 0 or -ENOMEM. */
int heap_types_open(struct heap_types *types);
void heap_types_close(struct heap_types *types);

#endif
