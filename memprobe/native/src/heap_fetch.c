#define _GNU_SOURCE

#include "heap_fetch.h"

#include "heap_arenas.h"
#include "heap_blocks.h"
#include "heap_words.h"

#include <errno.h>
#include <stdlib.h>

/* In front of an object: what belongs to it, two frames of PYTHONMALLOC=debug, the chunk's size. */
#define FRONT 72
/* Of an object outside the arenas; the rest of a longer one is asked for where it is wanted. */
#define BODY 2048
#define PAGE 4096u
#define CHUNK_FLAGS 7u
#define CHUNK_MAPPED 2u
#define SMALLEST_CHUNK 32
#define LARGEST_BLOCK ((uint64_t)1 << 46)

struct fetch {
    struct heap *heap;
    const uint64_t *addresses;
    struct heap_request *requests;
    size_t count;
    heap_visit visit;
    void *visit_state;
};

/* --- in pools ---------------------------------------------------------------------------------- */

static int take_header(void *state, const struct heap_request *request, const uint8_t *data, uint32_t bytes)
{
    struct heap *heap = state;

    if (bytes >= (uint64_t)heap->plan.pool_overhead)
        heap_note_pool(heap, (size_t)heap_find_arena(heap, request->address), request->address, data);
    return 0;
}

/* Read the headers of the pools that are not known yet, all at once: one by one they would be dear. */
static int know_pools(struct fetch *fetch)
{
    struct heap *heap = fetch->heap;
    uint64_t mask = ~((uint64_t)heap->plan.pool_size - 1), last = 0;
    size_t count = 0;

    for (size_t i = 0; i < fetch->count; i++) {
        uint64_t pool = fetch->addresses[i] & mask;
        int64_t arena = pool == last ? -1 : heap_find_arena(heap, pool);
        last = pool;
        if (arena >= 0 && *heap_pool_class(heap, (size_t)arena, pool) == 0)
            fetch->requests[count++] = (struct heap_request){
                .address = pool, .bytes = (uint32_t)heap->plan.pool_overhead};
    }
    return heap_deliver(heap, fetch->requests, count, take_header, heap);
}

/* Ask for the block around an address; *ret is false if there is none in which an object can begin there. */
static int ask_block(struct fetch *fetch, size_t index, struct heap_request *request, bool *ret)
{
    struct heap *heap = fetch->heap;
    uint64_t address = fetch->addresses[index], size;
    uint64_t first = (address & ~((uint64_t)heap->plan.pool_size - 1)) + (uint64_t)heap->plan.pool_overhead;
    int err = heap_pool_block_size(heap, address, &size);

    *ret = false;
    if (err != 0 || size == 0 || address < first)
        return err;
    *request = (struct heap_request){
        .address = address - (address - first) % size, .bytes = (uint32_t)size, .tag = (uint32_t)index};
    *ret = true;
    return 0;
}

static int hand_over(struct fetch *fetch, const struct heap_block *block, uint64_t address, bool *ret)
{
    struct heap_object object;
    int found = heap_recognise(fetch->heap, block, &object);

    *ret = found == HEAP_LIVE && object.address == address;
    if (found < 0 || !*ret)
        return found < 0 ? found : 0;
    return fetch->visit(fetch->visit_state, &object);
}

static int take_block(void *state, const struct heap_request *request, const uint8_t *data, uint32_t bytes)
{
    struct fetch *fetch = state;
    bool is_taken;
    struct heap_block block = {
        .address = request->address, .size = request->bytes, .bytes = data, .readable = bytes};

    return hand_over(fetch, &block, fetch->addresses[request->tag], &is_taken);
}

/* --- outside ------------------------------------------------------------------------------------- */

/* The bytes around an object outside the arenas. */
struct around {
    uint64_t address;
    const uint8_t *object; /* `front` bytes in front of it and `there` from it on can be looked at */
    uint64_t front, there;
};

static struct heap_block block_at(const struct around *around, uint64_t before, uint64_t size)
{
    uint64_t readable = around->there + before;

    return (struct heap_block){
        .address = around->address - before,
        .size = size,
        .bytes = around->object - before,
        .readable = readable < size ? readable : size,
        .large = true,
    };
}

/* The object in a chunk of malloc, whose size stands in front of it. */
static int take_chunk(struct fetch *fetch, const struct around *around, uint64_t before, bool *ret)
{
    *ret = false;
    if (before + 8 > around->front)
        return 0;
    uint64_t header = heap_word(around->object - before - 8);
    uint64_t size = header & ~(uint64_t)CHUNK_FLAGS;
    if (size < SMALLEST_CHUNK || size % 16 != 0 || size > LARGEST_BLOCK)
        return 0;
    struct heap_block block = block_at(around, before, size - ((header & CHUNK_MAPPED) != 0 ? 16 : 8));
    return hand_over(fetch, &block, around->address, ret);
}

/* The object as it stands there, whoever gave the memory. */
static int take_bare(struct fetch *fetch, const struct around *around, uint64_t presize)
{
    struct heap_block block = block_at(around, presize, LARGEST_BLOCK);
    struct heap_object object;
    int found = presize > around->front ? HEAP_RAW : heap_recognise_bare(fetch->heap, &block, &object);

    if (found != HEAP_LIVE || object.address != around->address)
        return found < 0 ? found : 0;
    return fetch->visit(fetch->visit_state, &object);
}

static int take_around(struct fetch *fetch, const struct around *around)
{
    const struct heap_type *type;
    bool is_taken = false;

    if (around->there < 16)
        return 0;
    int err = heap_find_type(fetch->heap, heap_word(around->object + fetch->heap->plan.ob_type), &type);
    if (err != 0 || type == NULL)
        return err;
    uint64_t presize = type->presize;
    for (uint64_t frames = 0; frames <= 2 * HEAP_DEBUG_FRONT && !is_taken && err == 0; frames += HEAP_DEBUG_FRONT)
        err = take_chunk(fetch, around, presize + frames, &is_taken);
    return err != 0 || is_taken ? err : take_bare(fetch, around, presize);
}

/* What begins a mapping has nothing in front of it that could be read. */
static int take_first(struct fetch *fetch, uint64_t address)
{
    uint8_t bytes[FRONT + BODY];
    uint64_t front = address % PAGE;
    struct around around = {.address = address, .object = bytes + front, .front = front, .there = BODY};

    if (front > FRONT)
        return 0;
    int err = heap_read(&fetch->heap->reader, address - front, (size_t)front + BODY, bytes);
    return err != 0 ? err : take_around(fetch, &around);
}

static int take_large(void *state, const struct heap_request *request, const uint8_t *data, uint32_t bytes)
{
    struct fetch *fetch = state;
    struct around around = {
        .address = fetch->addresses[request->tag],
        .object = data + FRONT,
        .front = FRONT,
        .there = bytes < FRONT ? 0 : bytes - FRONT,
    };

    return around.there == 0 ? take_first(fetch, around.address) : take_around(fetch, &around);
}

/* --- both ------------------------------------------------------------------------------------------ */

static int fetch_pools(struct fetch *fetch)
{
    size_t count = 0;
    int err = know_pools(fetch);

    for (size_t i = 0; i < fetch->count && err == 0; i++) {
        bool is_block;
        err = ask_block(fetch, i, &fetch->requests[count], &is_block);
        count += err == 0 && is_block;
    }
    return err != 0 ? err : heap_deliver(fetch->heap, fetch->requests, count, take_block, fetch);
}

static int fetch_large(struct fetch *fetch)
{
    size_t count = 0;

    for (size_t i = 0; i < fetch->count; i++) {
        uint64_t address = fetch->addresses[i];
        if (heap_find_arena(fetch->heap, address) < 0 && heap_in_regions(fetch->heap, address))
            fetch->requests[count++] = (struct heap_request){
                .address = address - FRONT, .bytes = FRONT + BODY, .tag = (uint32_t)i};
    }
    return heap_deliver(fetch->heap, fetch->requests, count, take_large, fetch);
}

int heap_fetch(struct heap *heap, const uint64_t *addresses, size_t count, heap_visit visit, void *state)
{
    struct fetch fetch = {
        .heap = heap,
        .addresses = addresses,
        .requests = malloc((count + 1) * sizeof(struct heap_request)),
        .count = count,
        .visit = visit,
        .visit_state = state,
    };

    if (fetch.requests == NULL)
        return -ENOMEM;
    int err = fetch_pools(&fetch);
    if (err == 0)
        err = fetch_large(&fetch);
    free(fetch.requests);
    return err;
}
