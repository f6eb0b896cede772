#define _GNU_SOURCE

#include "heap_near.h"

#include "heap_edges.h"
#include "heap_fetch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A long chain has a link a level; its end is nobody's holder. */
#define MOST_LEVELS 64

struct search {
    struct heap_edges edges;  /* of one level */
    struct heap_graph graph;  /* has them */
    struct heap_near *near;
    uint64_t *seen;           /* open addressing, 0: empty */
    size_t mask, seen_count, most;
    uint64_t *level;
    size_t level_count;
};

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return a < b ? -1 : a > b;
}

static int open_search(struct search *search, struct heap *heap, size_t most)
{
    size_t slots = 1024;

    while (slots < 2 * most)
        slots *= 2;
    search->seen = calloc(slots, sizeof(uint64_t));
    search->level = malloc((most + 1) * sizeof(uint64_t));
    search->near->addresses = malloc((most + 1) * sizeof(uint64_t));
    search->mask = slots - 1;
    search->most = most;
    heap_edges_open(&search->edges, heap, &search->graph, HEAP_NEAR_EDGES, HEAP_NEAR_EDGES_EACH * (uint64_t)most);
    return search->seen == NULL || search->level == NULL || search->near->addresses == NULL ? -ENOMEM : 0;
}

static void close_search(struct search *search)
{
    heap_edges_close(&search->edges);
    heap_graph_close(&search->graph);
    free(search->seen);
    free(search->level);
}

/* Go to an address at the next level, if nobody has. */
static void take(struct search *search, uint64_t address)
{
    size_t slot = (size_t)(address * UINT64_C(0x9E3779B97F4A7C15) >> 20) & search->mask;

    if (address == 0)
        return;
    for (; search->seen[slot] != 0; slot = (slot + 1) & search->mask)
        if (search->seen[slot] == address)
            return;
    if (search->seen_count == search->most) {
        search->near->beyond++;
        return;
    }
    search->seen[slot] = address;
    search->seen_count++;
    search->level[search->level_count++] = address;
}

static int visit(void *state, const struct heap_object *object)
{
    struct search *search = state;
    struct heap_near *near = search->near;

    near->addresses[near->count++] = object->address;
    heap_recipe_run(&search->edges, object, 0);
    return search->edges.error;
}

/* The next level: what the last one refers to. */
static void gather(struct search *search)
{
    struct heap_edges *edges = &search->edges;

    search->level_count = 0;
    for (uint64_t i = 0; i < edges->slot_count; i++)
        take(search, edges->slots[i] & HEAP_EDGE_ADDRESS);
    for (size_t i = 0; i < edges->late.count; i++)
        take(search, edges->late.items[i].edge & HEAP_EDGE_ADDRESS);
    edges->slot_count = 0;
    edges->late.count = edges->links.count = edges->rings.count = 0;
}

static int search_level(struct search *search)
{
    struct heap *heap = search->edges.heap;
    int err = 0;

    for (size_t done = 0; done < search->level_count && err == 0; done += HEAP_FETCH_AT_ONCE) {
        size_t left = search->level_count - done;
        size_t here = left < HEAP_FETCH_AT_ONCE ? left : HEAP_FETCH_AT_ONCE;
        err = heap_fetch(heap, search->level + done, here, visit, search);
        if (err == 0)
            err = heap_tables_read(&search->edges);
    }
    if (err == 0 && heap->tick != NULL)
        err = heap->tick(heap->tick_state);
    if (err == 0)
        gather(search);
    return err;
}

/* The first level. */
static int begin(struct search *search, const uint64_t *first, size_t count)
{
    struct heap_near *near = search->near;

    for (size_t i = 0; i < count; i++)
        if (heap_may_be_object(&search->edges, first[i]))
            take(search, first[i]);
    near->first_count = search->level_count;
    near->first = malloc((near->first_count + 1) * sizeof(uint64_t));
    if (near->first == NULL)
        return -ENOMEM;
    memcpy(near->first, search->level, near->first_count * sizeof(uint64_t));
    qsort(near->first, near->first_count, sizeof(uint64_t), compare);
    search->edges.wide = near->first;
    search->edges.wide_count = near->first_count;
    return 0;
}

/* As a walk goes: those in arenas first, each part in order of address. */
static void put_in_order(const struct heap *heap, struct heap_near *near)
{
    size_t inside = 0;

    for (size_t i = 0; i < near->count; i++) {
        uint64_t address = near->addresses[i];
        if (heap_find_arena(heap, address) < 0)
            continue;
        near->addresses[i] = near->addresses[inside];
        near->addresses[inside++] = address;
    }
    qsort(near->addresses, inside, sizeof(uint64_t), compare);
    qsort(near->addresses + inside, near->count - inside, sizeof(uint64_t), compare);
}

int heap_near_find(struct heap *heap, const uint64_t *first, size_t count, size_t most, struct heap_near *ret)
{
    struct search search = {.near = ret};
    int err = open_search(&search, heap, most);

    if (err == 0)
        err = begin(&search, first, count);
    for (int level = 0; level < MOST_LEVELS && search.level_count > 0 && err == 0; level++) {
        err = search_level(&search);
        uint64_t left_out = ret->beyond + search.graph.counters.refused_edges;
        ret->levels += left_out == 0;
    }
    ret->beyond += search.graph.counters.refused_edges + search.level_count;
    close_search(&search);
    if (err == 0)
        put_in_order(heap, ret);
    return err;
}

void heap_near_close(struct heap_near *near)
{
    free(near->addresses);
    free(near->first);
    *near = (struct heap_near){0};
}
