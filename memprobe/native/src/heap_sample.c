#define _GNU_SOURCE

#include "heap_sample.h"

#include "heap_blocks.h"
#include "heap_words.h"

#include <errno.h>
#include <stdlib.h>

#define BREATH_POOLS 64

/* --- headers --------------------------------------------------------------------------------------- */

struct header_reader {
    const struct heap_plan *plan;
    struct heap_pool_headers *found;
};

static int take_header(void *state, const struct heap_request *request, const uint8_t *data, uint32_t bytes)
{
    struct header_reader *reader = state;
    const struct heap_plan *plan = reader->plan;

    if (bytes < (uint64_t)plan->pool_overhead)
        return 0;
    uint32_t live = heap_half(data + plan->pool_count), class = heap_half(data + plan->pool_szidx);
    if (live == 0 || class >= (uint64_t)plan->size_classes
        || live > (uint64_t)plan->pool_size / ((class + 1) * (uint64_t)plan->pool_alignment))
        return 0;
    reader->found->headers[reader->found->count++]
        = (struct heap_pool_header){.address = request->address, .live = live, .class = class};
    return 0;
}

static uint64_t first_pool(const struct heap *heap, size_t arena)
{
    uint64_t pool_size = (uint64_t)heap->plan.pool_size;

    return (heap->arenas[arena].address + pool_size - 1) & ~(pool_size - 1);
}

static uint64_t last_pool_end(const struct heap *heap, size_t arena)
{
    return (heap->arenas[arena].address + heap->arenas[arena].size) & ~((uint64_t)heap->plan.pool_size - 1);
}

/* Ask for every `step`-th pool, or only count them. */
static size_t list_pools(const struct heap *heap, uint64_t step, struct heap_request *requests)
{
    uint64_t pool_size = (uint64_t)heap->plan.pool_size, ordinal = 0;
    size_t count = 0;

    for (size_t i = 0; i < heap->arena_count; i++)
        for (uint64_t pool = first_pool(heap, i); pool < last_pool_end(heap, i); pool += pool_size)
            if (ordinal++ % step == 0) {
                if (requests != NULL)
                    requests[count] = (struct heap_request){
                        .address = pool, .bytes = (uint32_t)heap->plan.pool_overhead};
                count++;
            }
    return count;
}

int heap_read_pool_headers(struct heap *heap, uint64_t step, struct heap_pool_headers *ret)
{
    size_t count = list_pools(heap, step, NULL);
    struct heap_request *requests = malloc((count + 1) * sizeof(*requests));
    struct header_reader reader = {.plan = &heap->plan, .found = ret};

    *ret = (struct heap_pool_headers){.headers = malloc((count + 1) * sizeof(*ret->headers))};
    int err = requests == NULL || ret->headers == NULL ? -ENOMEM : 0;
    if (err == 0) {
        list_pools(heap, step, requests);
        err = heap_deliver(heap, requests, count, take_header, &reader);
    }
    free(requests);
    return err;
}

/* --- units ------------------------------------------------------------------------------------------- */

int heap_sample_open(struct heap_sample *sample, struct heap *heap)
{
    *sample = (struct heap_sample){0};
    int err = heap_census_open(&sample->census, heap);
    sample->census.row_count = 0; /* rows have keys here */
    return err;
}

void heap_sample_close(struct heap_sample *sample)
{
    heap_census_close(&sample->census);
    free(sample->keys);
    free(sample->row_of_type);
    *sample = (struct heap_sample){0};
}

static int grow(void **array, size_t *capacity, size_t wanted, size_t size)
{
    size_t room = *capacity < 1024 ? 1024 : *capacity;

    while (room < wanted)
        room *= 2;
    char *grown = realloc(*array, room * size);
    if (grown == NULL)
        return -ENOMEM;
    memset(grown + *capacity * size, 0, (room - *capacity) * size);
    *array = grown;
    *capacity = room;
    return 0;
}

/* A new row for a type of the present unit. */
static int add_row(struct heap_sample *sample, uint32_t type, size_t *ret)
{
    size_t row = sample->census.row_count;
    int err = heap_census_rows(&sample->census, row + 1);

    if (err == 0 && row >= sample->key_capacity)
        err = grow((void **)&sample->keys, &sample->key_capacity, row + 1, sizeof(*sample->keys));
    if (err != 0)
        return err;
    sample->keys[row] = (struct heap_sample_key){.unit = sample->unit, .type = type};
    sample->row_of_type[type] = (uint32_t)row + 1;
    *ret = row;
    return 0;
}

static int visit(void *state, const struct heap_object *object)
{
    struct heap_sample *sample = state;
    uint32_t type = object->type->index;
    int err = 0;

    if (type >= sample->type_capacity)
        err = grow((void **)&sample->row_of_type, &sample->type_capacity, type + 1, sizeof(*sample->row_of_type));
    if (err != 0)
        return err;
    /* Rows of earlier units are left where they are: only a later one counts. */
    size_t row = sample->row_of_type[type];
    if (row > sample->first_row)
        row--;
    else
        err = add_row(sample, type, &row);
    return err != 0 ? err : heap_census_add(&sample->census, row, object);
}

static int walk_pool(struct heap_walker *walker, uint64_t address)
{
    struct heap *heap = walker->heap;
    size_t size = (size_t)heap->plan.pool_size;
    int64_t arena = heap_find_arena(heap, address);

    if (address % size != 0 || arena < 0 || address + size > last_pool_end(heap, (size_t)arena))
        return 0;
    int err = heap_read(&heap->reader, address, size, walker->buffer);
    heap->held = walker->buffer;
    heap->held_start = address;
    heap->held_size = size;
    return err != 0 ? err : heap_walk_pool(walker, address, walker->buffer);
}

static int walk_units(struct heap_sample *sample, struct heap_walker *walker, const uint64_t *pools,
                      size_t pool_count, const struct heap_piece *pieces, size_t piece_count)
{
    int err = 0;

    for (size_t i = 0; i < pool_count + piece_count && err == 0; i++) {
        sample->unit = (uint32_t)i;
        sample->first_row = sample->census.row_count;
        err = i < pool_count ? walk_pool(walker, pools[i]) : heap_walk_piece(walker, &pieces[i - pool_count]);
        if (err == 0 && i % BREATH_POOLS == 0)
            err = heap_breathe(walker, 0);
    }
    return err;
}

int heap_sample_walk(struct heap_sample *sample, const uint64_t *pools, size_t pool_count,
                     const struct heap_piece *pieces, size_t piece_count)
{
    struct heap *heap = sample->census.heap;
    struct heap_walker walker = {
        .heap = heap,
        .visit = visit,
        .visit_state = sample,
        .buffer = malloc(HEAP_BUFFER_BYTES),
    };

    if (walker.buffer == NULL)
        return -ENOMEM;
    heap_reset(heap);
    heap->without_big_tables = true;
    int err = walk_units(sample, &walker, pools, pool_count, pieces, piece_count);
    heap->held_size = 0;
    free(walker.buffer);
    if (err == 0)
        err = heap_census_flush(&sample->census);
    heap->without_big_tables = false;
    heap_count_reads(heap);
    return err;
}
