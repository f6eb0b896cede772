#define _GNU_SOURCE

#include "heap_census.h"

#include "heap_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MOST_REQUESTS ((size_t)1 << 18)
#define FIRST_ROWS 1024
#define MORE_BITS 3
#define MOST_ROWS ((size_t)1 << (32 - MORE_BITS))

int heap_census_open(struct heap_census *census, struct heap *heap)
{
    *census = (struct heap_census){.heap = heap};
    census->requests = malloc(MOST_REQUESTS * sizeof(*census->requests));
    return census->requests == NULL ? -ENOMEM : heap_census_rows(census, 1);
}

void heap_census_close(struct heap_census *census)
{
    free(census->rows);
    free(census->requests);
    *census = (struct heap_census){0};
}

static int grow_rows(struct heap_census *census, size_t count)
{
    size_t room = census->row_capacity < FIRST_ROWS ? FIRST_ROWS : census->row_capacity;

    while (room < count)
        room *= 2;
    struct heap_tally *rows = realloc(census->rows, room * sizeof(*rows));
    if (rows == NULL)
        return -ENOMEM;
    memset(rows + census->row_capacity, 0, (room - census->row_capacity) * sizeof(*rows));
    census->rows = rows;
    census->row_capacity = room;
    return 0;
}

int heap_census_rows(struct heap_census *census, size_t count)
{
    if (count > MOST_ROWS)
        return -E2BIG;
    if (count > census->row_capacity) {
        int err = grow_rows(census, count);
        if (err != 0)
            return err;
    }
    if (count > census->row_count)
        census->row_count = count;
    return 0;
}

static void add_size(struct heap_census *census, size_t row, const struct heap_size *size)
{
    census->rows[row].getsizeof_bytes += size->getsizeof_bytes;
    census->rows[row].allocated_bytes += size->allocated_bytes;
    census->table_bytes += size->table_bytes;
}

static int take_more(void *state, const struct heap_request *request, const uint8_t *data, uint32_t bytes)
{
    struct heap_census *census = state;
    struct heap_size size = {0};
    enum heap_more more = request->tag & ((1u << MORE_BITS) - 1);

    heap_measure_more(census->heap, more, data, bytes, &size);
    add_size(census, request->tag >> MORE_BITS, &size);
    return 0;
}

/* A dict without values of its own has its keys to itself, and in a pool the size of the block says how long
 * the table is: nothing has to be read for it. *ret is whether that was so. */
static int take_by_block(struct heap_census *census, const struct heap_request *request,
                         const uint64_t keys_by_class[HEAP_BLOCK_CLASSES], bool *ret)
{
    uint64_t block, bytes = 0;
    struct heap_size size = {0};

    *ret = false;
    if ((request->tag & ((1u << MORE_BITS) - 1)) != HEAP_MORE_KEYS)
        return 0;
    int err = heap_pool_block_size(census->heap, request->address, &block);
    if (err == 0)
        bytes = keys_by_class[block / (uint64_t)census->heap->plan.pool_alignment];
    if (bytes != 0) {
        heap_measure_own_keys(census->heap, bytes, &size);
        add_size(census, request->tag >> MORE_BITS, &size);
        *ret = true;
    }
    return err;
}

/* Take what needs no reading; *ret is how many requests are left, in front. */
static int take_by_blocks(struct heap_census *census, size_t *ret)
{
    uint64_t keys_by_class[HEAP_BLOCK_CLASSES];
    size_t count = census->request_count;

    *ret = 0;
    heap_keys_by_class(census->heap, keys_by_class);
    for (size_t i = 0; i < count; i++) {
        bool is_taken;
        int err = take_by_block(census, &census->requests[i], keys_by_class, &is_taken);
        if (err != 0)
            return err;
        if (!is_taken)
            census->requests[(*ret)++] = census->requests[i];
    }
    return 0;
}

int heap_census_flush(struct heap_census *census)
{
    size_t count;
    int err = take_by_blocks(census, &count);

    census->request_count = 0;
    return err != 0 ? err : heap_deliver(census->heap, census->requests, count, take_more, census);
}

/* Measure the rest now if it is at hand, else together with others. */
static int ask_more(struct heap_census *census, size_t row, struct heap_size *size)
{
    uint32_t bytes = heap_more_bytes(census->heap, size->more);
    const uint8_t *data = heap_held(census->heap, size->more_at, bytes);

    if (data != NULL) {
        heap_measure_more(census->heap, size->more, data, bytes, size);
        return 0;
    }
    if (census->request_count == MOST_REQUESTS) {
        int err = heap_census_flush(census);
        if (err != 0)
            return err;
    }
    census->requests[census->request_count++] = (struct heap_request){
        .address = size->more_at,
        .bytes = bytes,
        .tag = (uint32_t)row << MORE_BITS | size->more,
    };
    return 0;
}

int heap_census_add(struct heap_census *census, size_t row, const struct heap_object *object)
{
    struct heap_size size;
    int err = heap_measure(census->heap, object, &size);

    if (err == 0 && size.more != HEAP_MORE_NONE)
        err = ask_more(census, row, &size);
    if (err != 0)
        return err;
    struct heap_tally *tally = &census->rows[row];
    tally->count++;
    tally->tracked += (object->flags & HEAP_TRACKED) != 0;
    tally->unsure += (object->flags & HEAP_UNSURE) != 0;
    tally->large += (object->flags & HEAP_LARGE) != 0;
    add_size(census, row, &size);
    return 0;
}

static int visit(void *state, const struct heap_object *object)
{
    struct heap_census *census = state;
    size_t row = object->type->index;

    if (row >= census->row_count) {
        int grown = heap_census_rows(census, row + 1);
        if (grown != 0)
            return grown;
    }
    int err = heap_watch_note(census->watch, object);
    return err != 0 ? err : heap_census_add(census, row, object);
}

int heap_census_walk(struct heap_census *census)
{
    struct heap_watch watch;

    heap_watch_open(&watch, census->heap);
    census->watch = &watch;
    int err = heap_walk(census->heap, visit, census);
    if (err == 0)
        err = heap_census_flush(census);
    if (err == 0)
        err = heap_watch_compare(&watch, census->heap);
    census->watch = NULL;
    heap_watch_close(&watch);
    return err;
}
