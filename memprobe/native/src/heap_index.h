/* From the address of an object to its number: a bit for every 8 bytes of address space near objects.
 *
 * Windows of 32 KiB in a hash table; each has 64 words of 64 bits, and per word the number of the first
 * object there. Some 1.5 bytes an object, and one look takes two reads of memory. */
#ifndef MEMPROBE_HEAP_INDEX_H
#define MEMPROBE_HEAP_INDEX_H

#include "big_buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEAP_NO_NODE UINT32_MAX
#define HEAP_WINDOW_SHIFT 15
#define HEAP_WINDOW_WORDS 64

struct heap_window {
    uint64_t bits[HEAP_WINDOW_WORDS];
    uint32_t first[HEAP_WINDOW_WORDS];
};

struct heap_window_slot {
    uint32_t key;    /* address >> HEAP_WINDOW_SHIFT, + 1; 0: empty */
    uint32_t window; /* which one */
};

/* All zero is one without objects; heap_index_close may always be called. */
struct heap_index {
    struct big_buffer windows;
    size_t window_count;
    struct heap_window_slot *slots; /* open addressing, a power of two */
    size_t slot_count;
    uint32_t last_key, last_window; /* where the last object went */
};

/* Give the object at `address` the number `node`. Numbers come in rising order, and within 512 bytes
 * addresses do, too; otherwise, and for an address that is there already, *ret is false and nothing is
 * done. Returns 0 or a negative errno. */
int heap_index_add(struct heap_index *index, uint64_t address, uint32_t node, bool *ret);

void heap_index_close(struct heap_index *index);

static inline size_t heap_index_hash(const struct heap_index *index, uint32_t key)
{
    return (size_t)((uint64_t)key * UINT64_C(0x9E3779B97F4A7C15) >> 32) & (index->slot_count - 1);
}

/* The window of an address, or NULL if there are no objects near. */
static inline const struct heap_window *heap_index_window(const struct heap_index *index, uint64_t address)
{
    uint32_t key = (uint32_t)(address >> HEAP_WINDOW_SHIFT) + 1;

    for (size_t slot = heap_index_hash(index, key);; slot = (slot + 1) & (index->slot_count - 1)) {
        if (index->slots[slot].key == key)
            return (const struct heap_window *)index->windows.data + index->slots[slot].window;
        if (index->slots[slot].key == 0)
            return NULL;
    }
}

/* The number of the object at an address below 2^47, or HEAP_NO_NODE. */
static inline uint32_t heap_index_find(const struct heap_index *index, uint64_t address)
{
    if (index->slot_count == 0 || (address & 7) != 0)
        return HEAP_NO_NODE;
    const struct heap_window *window = heap_index_window(index, address);
    if (window == NULL)
        return HEAP_NO_NODE;
    unsigned word = (unsigned)(address >> 9) & (HEAP_WINDOW_WORDS - 1);
    unsigned bit = (unsigned)(address >> 3) & 63;
    uint64_t bits = window->bits[word];
    if ((bits >> bit & 1) == 0)
        return HEAP_NO_NODE;
    return window->first[word] + (uint32_t)__builtin_popcountll(bits & (((uint64_t)1 << bit) - 1));
}

#endif
