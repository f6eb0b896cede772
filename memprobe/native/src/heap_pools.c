#define _GNU_SOURCE

/* The pools of Python's allocator: each holds blocks of one size, and a list of the free ones.
 *
 * The target goes on while it is read, so a pool may be caught in the middle of a change: then its
 * list of free blocks leads astray, or they are not as many as its count says. It is read again a few
 * times, and after that taken as it is and said to be torn. */
#include "heap_arenas.h"
#include "heap_blocks.h"
#include "heap_words.h"

#define ATTEMPTS 3
#define SMALLEST_BLOCK 8
#define BITMAP_WORDS (HEAP_LARGEST_POOL / SMALLEST_BLOCK / 64)

enum pool_state {
    POOL_EMPTY,
    POOL_WHOLE,
    POOL_TORN,   /* the header can be believed, the rest not */
    POOL_BROKEN  /* nothing can */
};

struct pool {
    uint64_t address;
    uint8_t *bytes;
    uint64_t block_size;
    uint32_t carved;                /* blocks that were ever handed out */
    uint32_t live;                  /* as the header says */
    uint32_t free;
    uint64_t is_free[BITMAP_WORDS];
};

static bool is_free(const struct pool *pool, uint32_t index)
{
    return pool->is_free[index / 64] >> (index % 64) & 1;
}

/* Read the header; the number of blocks in use decides whether there is any. */
static enum pool_state parse_header(const struct heap_plan *plan, struct pool *pool)
{
    uint32_t live = heap_half(pool->bytes + plan->pool_count);
    uint32_t class = heap_half(pool->bytes + plan->pool_szidx);
    uint64_t next = heap_half(pool->bytes + plan->pool_nextoffset);
    uint64_t last = heap_half(pool->bytes + plan->pool_maxnextoffset);
    uint64_t pool_size = (uint64_t)plan->pool_size, overhead = (uint64_t)plan->pool_overhead;

    if (live == 0)
        return POOL_EMPTY;
    if (class >= (uint64_t)plan->size_classes)
        return POOL_BROKEN;
    uint64_t size = (class + 1) * (uint64_t)plan->pool_alignment;
    if (last != pool_size - size || next < overhead + size || next > pool_size
        || (next - overhead) % size != 0)
        return POOL_BROKEN;
    pool->block_size = size;
    pool->carved = (uint32_t)((next - overhead) / size);
    pool->live = live;
    return live > pool->carved ? POOL_BROKEN : POOL_WHOLE;
}

/* Follow the list of free blocks and mark them. */
static enum pool_state mark_free(const struct heap_plan *plan, struct pool *pool)
{
    uint64_t first = pool->address + (uint64_t)plan->pool_overhead;
    uint64_t block = heap_word(pool->bytes + plan->pool_freeblock);
    /* Instead of dividing by a variable in the inner loop; exact for offsets below 2^16 and sizes up to 512. */
    uint64_t reciprocal = UINT32_MAX / pool->block_size + 1;

    memset(pool->is_free, 0, (pool->carved / 64 + 1) * sizeof(uint64_t));
    pool->free = 0;
    while (block != 0) {
        uint64_t offset = block - first;
        if (block < first || offset >= pool->carved * pool->block_size)
            return POOL_TORN;
        uint32_t index = (uint32_t)(offset * reciprocal >> 32);
        if (index * pool->block_size != offset || is_free(pool, index))
            return POOL_TORN;
        pool->is_free[index / 64] |= (uint64_t)1 << (index % 64);
        pool->free++;
        block = heap_word(pool->bytes + (block - pool->address));
    }
    return pool->free + pool->live == pool->carved ? POOL_WHOLE : POOL_TORN;
}

static enum pool_state parse_pool(const struct heap_plan *plan, struct pool *pool)
{
    enum pool_state state = parse_header(plan, pool);

    return state == POOL_WHOLE ? mark_free(plan, pool) : state;
}

/* Parse a pool; where it is not in order, read it again. */
static int settle_pool(struct heap_walker *walker, struct pool *pool, enum pool_state *ret)
{
    struct heap *heap = walker->heap;

    *ret = parse_pool(&heap->plan, pool);
    for (int attempt = 1; attempt < ATTEMPTS && *ret >= POOL_TORN; attempt++) {
        heap->counters.retried_pools++;
        int err = heap_read(&heap->reader, pool->address, (size_t)heap->plan.pool_size, pool->bytes);
        if (err != 0)
            return err;
        *ret = parse_pool(&heap->plan, pool);
    }
    return 0;
}

static void count_pool(struct heap *heap, const struct pool *pool, enum pool_state state)
{
    uint32_t taken = pool->carved - pool->free;

    heap->counters.pools++;
    heap->counters.pool_blocks += taken;
    heap->counters.pool_bytes += taken * pool->block_size;
    if (state == POOL_TORN) {
        heap->counters.torn_pools++;
        heap->counters.torn_objects += taken > pool->live ? taken - pool->live : pool->live - taken;
    }
}

static int visit_blocks(struct heap_walker *walker, const struct pool *pool, bool is_unsure)
{
    uint64_t offset = (uint64_t)walker->heap->plan.pool_overhead;

    for (uint32_t i = 0; i < pool->carved; i++, offset += pool->block_size) {
        if (is_free(pool, i))
            continue;
        struct heap_block block = {
            .address = pool->address + offset,
            .size = pool->block_size,
            .bytes = pool->bytes + offset,
            .readable = pool->block_size,
            .is_unsure = is_unsure,
        };
        int err = heap_visit_block(walker, &block);
        if (err != 0)
            return err;
    }
    return 0;
}

int heap_walk_pool(struct heap_walker *walker, uint64_t address, uint8_t *bytes)
{
    struct pool pool;
    enum pool_state state;

    pool.address = address;
    pool.bytes = bytes;
    int err = settle_pool(walker, &pool, &state);
    if (err != 0 || state == POOL_EMPTY)
        return err;
    if (state == POOL_BROKEN) {
        walker->heap->counters.torn_pools++;
        return 0;
    }
    count_pool(walker->heap, &pool, state);
    return visit_blocks(walker, &pool, state == POOL_TORN);
}

int heap_walk_pools(struct heap_walker *walker, const struct heap_span *arena)
{
    uint64_t pool_size = (uint64_t)walker->heap->plan.pool_size;
    uint64_t end = (arena->address + arena->size) & ~(pool_size - 1);
    uint64_t start = (arena->address + pool_size - 1) & ~(pool_size - 1);
    size_t number = (size_t)(arena - walker->heap->arenas);

    while (start < end) {
        uint64_t size = end - start < HEAP_BUFFER_BYTES ? end - start : HEAP_BUFFER_BYTES;
        int err = heap_read(&walker->heap->reader, start, (size_t)size, walker->buffer);
        walker->heap->held = walker->buffer;
        walker->heap->held_start = start;
        walker->heap->held_size = size;
        for (uint64_t done = 0; err == 0 && done < size; done += pool_size) {
            heap_note_pool(walker->heap, number, start + done, walker->buffer + done);
            err = heap_walk_pool(walker, start + done, walker->buffer + done);
        }
        if (err == 0)
            err = heap_breathe(walker, size);
        if (err != 0)
            return err;
        start += size;
    }
    return 0;
}
