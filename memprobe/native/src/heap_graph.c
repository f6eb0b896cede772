#define _GNU_SOURCE

#include "heap_graph.h"

#include "heap_blocks.h"
#include "heap_edges.h"
#include "heap_fetch.h"
#include "heap_sizes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_NODES ((size_t)1 << 16)
#define FIRST_SLOTS ((uint64_t)1 << 18)
/* Larger batches are read more densely; one takes some 80 bytes per table. */
#define TABLES_AT_ONCE ((size_t)1 << 18)
#define AHEAD 16
#define MAXIMUM_NODES (((uint32_t)1 << HEAP_STRENGTH_SHIFT) - 1)

int heap_make_room(void **items, size_t count, size_t *capacity, size_t size)
{
    size_t wanted = count < 1024 ? 1024 : count + count / 2;
    void *more = realloc(*items, wanted * size);

    if (more == NULL)
        return -ENOMEM;
    *items = more;
    *capacity = wanted;
    return 0;
}

static int compare_addresses(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return a < b ? -1 : a > b;
}

uint64_t heap_edges_followed(struct heap_edges *edges, uint64_t count)
{
    uint64_t most = edges->most_of_one;

    if (count <= most)
        return count;
    if (edges->wide_count > 0
        && bsearch(&edges->passing, edges->wide, edges->wide_count, sizeof(uint64_t), compare_addresses) != NULL)
        most *= HEAP_WIDER;
    edges->is_cut = edges->is_cut || count > most;
    return count < most ? count : most;
}

bool heap_edges_reserve(struct heap_edges *edges, uint64_t count)
{
    /* The count may be anything: nothing is added to it before it is known to be small. */
    if (count <= edges->slot_capacity - edges->slot_count)
        return true;
    if (edges->error != 0)
        return false;
    if (count > edges->slot_limit - edges->slot_count) {
        edges->graph->counters.refused_edges += count;
        edges->is_cut = true;
        return false;
    }
    uint64_t wanted = edges->slot_count + count;
    uint64_t grown = edges->slot_capacity + edges->slot_capacity / 4 + FIRST_SLOTS;
    wanted = wanted > grown ? wanted : grown;
    edges->error = big_resize(&edges->graph->targets, (size_t)wanted * sizeof(uint64_t));
    if (edges->error != 0)
        return false;
    edges->slots = edges->graph->targets.data;
    edges->slot_capacity = wanted;
    return true;
}

void heap_edges_late(struct heap_edges *edges, uint32_t node, uint64_t target, unsigned strength)
{
    if (!heap_may_be_object(edges, target))
        return;
    if (edges->slot_count + edges->late.count >= edges->slot_limit) {
        edges->graph->counters.refused_edges++;
        return;
    }
    int err = HEAP_ROOM(&edges->late);
    if (err != 0) {
        edges->error = edges->error ? edges->error : err;
        return;
    }
    edges->late.items[edges->late.count] = (struct heap_late){
        .edge = heap_edge(target, strength),
        .node = node,
        .order = (uint32_t)edges->late.count,
    };
    edges->late.count++;
}

void heap_edges_ask(struct heap_edges *edges, const struct heap_pending *pending)
{
    uint32_t bytes = heap_table_bytes(edges, pending);
    const uint8_t *data = heap_held(edges->heap, pending->address, bytes);

    if (data == NULL) {
        heap_edges_ask_later(edges, pending);
        return;
    }
    struct heap_pending now = *pending;
    heap_table_take(edges, &now, data, bytes);
}

void heap_edges_ask_later(struct heap_edges *edges, const struct heap_pending *pending)
{
    int err = HEAP_ROOM(&edges->pending);

    if (err != 0)
        edges->error = edges->error ? edges->error : err;
    else
        edges->pending.items[edges->pending.count++] = *pending;
}

/* --- nodes ------------------------------------------------------------------------------------ */

static int grow_nodes(struct heap_edges *edges)
{
    struct heap_graph *graph = edges->graph;
    size_t wanted = edges->node_capacity + edges->node_capacity / 4 + FIRST_NODES;
    int err = big_resize(&graph->addresses, wanted * sizeof(uint64_t));

    if (err == 0)
        err = big_resize(&graph->types, wanted * sizeof(uint32_t));
    if (err == 0)
        err = big_resize(&graph->sizes, wanted * sizeof(uint32_t));
    if (err == 0)
        err = big_resize(&graph->flags, wanted);
    if (err == 0)
        err = big_resize(&graph->refcounts, wanted * sizeof(uint32_t));
    if (err == 0)
        err = big_resize(&graph->starts, (wanted + 1) * sizeof(uint64_t));
    if (err == 0)
        edges->node_capacity = wanted;
    return err;
}

static uint32_t at_most_32_bits(uint64_t value)
{
    return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

static int describe_node(struct heap_edges *edges, const struct heap_object *object, uint32_t node)
{
    struct heap_graph *graph = edges->graph;
    struct heap_size size = {0};
    int err = heap_measure(edges->heap, object, &size);

    edges->more = size.more;
    edges->more_at = size.more_at;
    graph->counters.table_bytes += size.table_bytes;
    ((uint64_t *)graph->addresses.data)[node] = object->address;
    ((uint32_t *)graph->types.data)[node] = object->type->index;
    ((uint32_t *)graph->sizes.data)[node] = at_most_32_bits(size.allocated_bytes);
    ((uint8_t *)graph->flags.data)[node] = (uint8_t)object->flags;
    ((uint32_t *)graph->refcounts.data)[node] = at_most_32_bits(object->refcount);
    ((uint64_t *)graph->starts.data)[node] = edges->slot_count;
    return err;
}

/* The recipe may have asked for it already, as a table. */
static void ask_for_size(struct heap_edges *edges, uint32_t node)
{
    struct heap_pending pending = {
        .address = edges->more_at,
        .node = node,
        .table = HEAP_TABLE_SIZE,
        .more = (uint8_t)edges->more,
    };

    if (edges->more != HEAP_MORE_NONE)
        heap_edges_ask(edges, &pending);
}

static int visit(void *state, const struct heap_object *object)
{
    struct heap_edges *edges = state;
    bool added;

    if (edges->nodes == edges->node_capacity) {
        int err = grow_nodes(edges);
        if (err != 0)
            return err;
    }
    if (edges->nodes == MAXIMUM_NODES)
        return -EOVERFLOW;
    int err = heap_index_add(&edges->index, object->address, edges->nodes, &added);
    if (err != 0)
        return err;
    if (!added) {
        edges->graph->counters.odd_objects++;
        return 0;
    }
    err = edges->is_part ? 0 : heap_watch_note(&edges->watch, object);
    if (err == 0)
        err = describe_node(edges, object, edges->nodes);
    if (err != 0)
        return err;
    heap_recipe_run(edges, object, edges->nodes);
    if (edges->is_cut)
        ((uint8_t *)edges->graph->flags.data)[edges->nodes] |= HEAP_CUT;
    ask_for_size(edges, edges->nodes++);
    if (!edges->is_part && edges->pending.count >= TABLES_AT_ONCE)
        err = heap_tables_read(edges);
    return err != 0 ? err : edges->error;
}

/* --- from addresses to numbers ---------------------------------------------------------------- */

static int by_node(const void *left, const void *right)
{
    const struct heap_late *a = left, *b = right;

    if (a->node != b->node)
        return a->node < b->node ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

/* Edges that came late stand between the others: move those away from the front by so much. */
static int make_room_for_late(struct heap_edges *edges)
{
    size_t late = edges->late.count;

    if (late == 0)
        return 0;
    int err = big_resize(&edges->graph->targets, (size_t)(edges->slot_count + late) * sizeof(uint64_t));
    if (err != 0)
        return err;
    edges->slots = edges->graph->targets.data;
    memmove(edges->slots + late, edges->slots, (size_t)edges->slot_count * sizeof(uint64_t));
    qsort(edges->late.items, late, sizeof(*edges->late.items), by_node);
    return 0;
}

struct resolving {
    const struct heap_index *index;
    uint32_t *targets;
    uint64_t written, outside;
};

static inline void resolve_one(struct resolving *resolving, uint64_t edge)
{
    if (edge == 0)
        return;
    uint32_t node = heap_index_find(resolving->index, edge & HEAP_EDGE_ADDRESS);
    if (node == HEAP_NO_NODE)
        resolving->outside++;
    else
        resolving->targets[resolving->written++]
            = node | (uint32_t)(edge >> HEAP_EDGE_SHIFT) << HEAP_STRENGTH_SHIFT;
}

/* The hash table stays in the cache, the windows do not. */
static inline void look_ahead(const struct heap_index *index, uint64_t edge)
{
    if (edge == 0)
        return;
    const struct heap_window *window = heap_index_window(index, edge & HEAP_EDGE_ADDRESS);
    if (window == NULL)
        return;
    unsigned word = (unsigned)(edge >> 9) & (HEAP_WINDOW_WORDS - 1);
    __builtin_prefetch(&window->bits[word]);
    __builtin_prefetch(&window->first[word]);
}

/* Targets are half as wide as edges and never more, so that they fit where edges have been read. */
static int resolve(struct heap_edges *edges)
{
    struct heap_graph *graph = edges->graph;
    uint64_t *starts = graph->starts.data;
    int err = make_room_for_late(edges);

    if (err != 0)
        return err;
    size_t late = edges->late.count, next_late = 0;
    uint64_t end = edges->slot_count + late;
    struct resolving resolving = {.index = &edges->index, .targets = graph->targets.data};
    if (edges->nodes > 0)
        starts[edges->nodes] = edges->slot_count;
    for (uint32_t node = 0; node < edges->nodes; node++) {
        uint64_t first = starts[node] + late, last = starts[node + 1] + late;
        starts[node] = resolving.written;
        for (uint64_t slot = first; slot < last; slot++) {
            if (slot + AHEAD < end)
                look_ahead(&edges->index, edges->slots[slot + AHEAD]);
            resolve_one(&resolving, edges->slots[slot]);
        }
        for (; next_late < late && edges->late.items[next_late].node == node; next_late++)
            resolve_one(&resolving, edges->late.items[next_late].edge);
    }
    starts[edges->nodes] = resolving.written;
    graph->counters.outside = resolving.outside;
    graph->counters.edges = resolving.written;
    return 0;
}

static int trim(struct heap_edges *edges)
{
    struct heap_graph *graph = edges->graph;
    size_t nodes = edges->nodes;
    struct {
        struct big_buffer *buffer;
        size_t bytes;
    } all[] = {
        {&graph->addresses, nodes * sizeof(uint64_t)},
        {&graph->types, nodes * sizeof(uint32_t)},
        {&graph->sizes, nodes * sizeof(uint32_t)},
        {&graph->flags, nodes},
        {&graph->refcounts, nodes * sizeof(uint32_t)},
        {&graph->starts, (nodes + 1) * sizeof(uint64_t)},
        {&graph->targets, (size_t)graph->counters.edges * sizeof(uint32_t)},
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        int err = big_resize(all[i].buffer, all[i].bytes);
        if (err == 0)
            err = big_trim(all[i].buffer);
        if (err != 0)
            return err;
    }
    return 0;
}

/* --- all of it -------------------------------------------------------------------------------- */

/* Where objects can be, and how many references that much memory can hold. Twice as many, since some are
 * counted under two names (the keys of an OrderedDict). A table has one owner, so all together are no longer
 * than the memory they are in; twice that, since more may be asked for than there is. */
static void set_bounds(struct heap_edges *edges)
{
    const struct heap *heap = edges->heap;
    uint64_t highest = 0, bytes = 0, lowest = UINT64_MAX;

    for (size_t i = 0; i < heap->arena_count + heap->region_count; i++) {
        struct heap_span span
            = i < heap->arena_count
                  ? heap->arenas[i]
                  : (struct heap_span){heap->regions[i - heap->arena_count].address,
                                       heap->regions[i - heap->arena_count].size};
        bytes += span.size;
        lowest = span.address < lowest ? span.address : lowest;
        highest = span.address + span.size > highest ? span.address + span.size : highest;
    }
    if (highest > (uint64_t)1 << 47)
        highest = (uint64_t)1 << 47;
    edges->lowest = lowest;
    edges->span = highest > lowest ? highest - lowest : 0;
    edges->table_bytes = 2 * bytes;
    edges->slot_limit = bytes / 4 < SIZE_MAX / 64 ? bytes / 4 : SIZE_MAX / 64;
}

void heap_edges_open(struct heap_edges *edges, struct heap *heap, struct heap_graph *graph,
                     uint64_t most_of_one, uint64_t most_edges)
{
    *edges = (struct heap_edges){
        .heap = heap, .plan = &heap->plan, .graph = graph, .most_of_one = most_of_one};
    *graph = (struct heap_graph){0};
    set_bounds(edges);
    if (edges->slot_limit > most_edges)
        edges->slot_limit = most_edges;
}

void heap_edges_close(struct heap_edges *edges)
{
    heap_index_close(&edges->index);
    heap_watch_close(&edges->watch);
    free(edges->pending.items);
    free(edges->following.items);
    free(edges->requests);
    free(edges->late.items);
    free(edges->links.items);
    free(edges->rings.items);
    free(edges->shared_keys.items);
}

/* Have all objects visited, and whatever else lies apart from them read. */
static int visit_all(struct heap_edges *edges)
{
    heap_watch_open(&edges->watch, edges->heap);
    int err = heap_walk(edges->heap, visit, edges);
    if (err == 0)
        err = heap_tables_read(edges);
    if (err == 0)
        err = heap_watch_compare(&edges->watch, edges->heap);
    heap_count_reads(edges->heap);
    return err;
}

static int visit_part(struct heap_edges *edges, const struct heap_near *part)
{
    edges->is_part = true;
    edges->wide = part->first;
    edges->wide_count = part->first_count;
    edges->graph->counters.levels = part->levels;
    edges->graph->counters.beyond = part->beyond;
    int err = 0;
    for (size_t done = 0; done < part->count && err == 0; done += HEAP_FETCH_AT_ONCE) {
        size_t left = part->count - done;
        size_t here = left < HEAP_FETCH_AT_ONCE ? left : HEAP_FETCH_AT_ONCE;
        err = heap_fetch(edges->heap, part->addresses + done, here, visit, edges);
        if (err == 0)
            err = heap_tables_read(edges);
    }
    return err;
}

int heap_graph_build(struct heap *heap, const struct heap_near *part, struct heap_graph *ret)
{
    struct heap_edges edges;

    if (part == NULL)
        heap_edges_open(&edges, heap, ret, UINT64_MAX, UINT64_MAX);
    else
        heap_edges_open(&edges, heap, ret, HEAP_NEAR_EDGES, HEAP_NEAR_EDGES_EACH * (uint64_t)part->count);
    int err = grow_nodes(&edges);
    if (err == 0)
        err = part == NULL ? visit_all(&edges) : visit_part(&edges, part);
    if (err == 0) {
        heap_tables_follow_rings(&edges);
        err = edges.error;
    }
    if (err == 0 && edges.slots == NULL)
        err = heap_edges_reserve(&edges, 1) ? 0 : edges.error;
    if (err == 0)
        err = resolve(&edges);
    if (err == 0)
        err = trim(&edges);
    ret->counters.nodes = edges.nodes;
    heap_edges_close(&edges);
    return err;
}

void heap_graph_close(struct heap_graph *graph)
{
    big_close(&graph->addresses);
    big_close(&graph->types);
    big_close(&graph->sizes);
    big_close(&graph->flags);
    big_close(&graph->refcounts);
    big_close(&graph->starts);
    big_close(&graph->targets);
}
