#define _GNU_SOURCE

#include "heap_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 1024

static int grow_slots(struct heap_index *index)
{
    struct heap_window_slot *old = index->slots;
    size_t old_count = index->slot_count;
    size_t count = old_count ? old_count * 2 : FIRST_SLOTS;
    struct heap_window_slot *slots = calloc(count, sizeof(*slots));

    if (slots == NULL)
        return -ENOMEM;
    index->slots = slots;
    index->slot_count = count;
    for (size_t i = 0; i < old_count; i++) {
        if (old[i].key == 0)
            continue;
        size_t slot = heap_index_hash(index, old[i].key);
        while (slots[slot].key != 0)
            slot = (slot + 1) & (count - 1);
        slots[slot] = old[i];
    }
    free(old);
    return 0;
}

/* The window of a key, made if there is none yet. */
static int window_of(struct heap_index *index, uint32_t key, uint32_t *ret)
{
    if (index->window_count * 2 >= index->slot_count) {
        int err = grow_slots(index);
        if (err != 0)
            return err;
    }
    size_t slot = heap_index_hash(index, key);
    while (index->slots[slot].key != 0 && index->slots[slot].key != key)
        slot = (slot + 1) & (index->slot_count - 1);
    if (index->slots[slot].key == 0) {
        int err = big_resize(&index->windows, (index->window_count + 1) * sizeof(struct heap_window));
        if (err != 0)
            return err;
        index->slots[slot] = (struct heap_window_slot){key, (uint32_t)index->window_count++};
    }
    *ret = index->slots[slot].window;
    return 0;
}

int heap_index_add(struct heap_index *index, uint64_t address, uint32_t node, bool *ret)
{
    uint32_t key = (uint32_t)(address >> HEAP_WINDOW_SHIFT) + 1;

    *ret = false;
    if ((address & 7) != 0 || address >> 47 != 0)
        return 0;
    if (key != index->last_key) {
        int err = window_of(index, key, &index->last_window);
        if (err != 0)
            return err;
        index->last_key = key;
    }
    struct heap_window *window = (struct heap_window *)index->windows.data + index->last_window;
    unsigned word = (unsigned)(address >> 9) & (HEAP_WINDOW_WORDS - 1);
    uint64_t bit = (uint64_t)1 << (address >> 3 & 63);
    uint64_t bits = window->bits[word];
    if (bits == 0)
        window->first[word] = node;
    else if (bits >= bit || window->first[word] + (uint32_t)__builtin_popcountll(bits) != node)
        return 0; /* not behind the others of these 512 bytes, or others came between */
    window->bits[word] = bits | bit;
    *ret = true;
    return 0;
}

void heap_index_close(struct heap_index *index)
{
    big_close(&index->windows);
    free(index->slots);
    *index = (struct heap_index){0};
}
