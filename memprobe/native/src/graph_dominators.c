/* Semi-NCA (Georgiadis, "Linear-time algorithms for dominators and related problems", 2005), with three
 * changes. Only edges that go back in the depth-first order are looked at backwards; of the others their
 * lowest source is all that matters, and that is known as the search passes. Paths are compressed by
 * reversing them, so that a chain of a million needs no stack. And the last step, quadratic in the paper,
 * climbs by jump pointers (Myers, 1983), so that no heap can be made to take long.
 *
 * Vertices are numbered from 1 in depth-first order; 0 is the root above all roots. */
#include "graph.h"

#include <errno.h>
#include <string.h>

struct tie;

struct search {
    const struct graph *graph;
    uint32_t strengths;
    uint32_t vertices; /* reached so far */
    uint32_t *number;  /* by node; 0 unseen */
    /* By vertex: */
    uint32_t *parent;   /* in the search tree; dominators at last */
    uint32_t *semi;     /* the lowest vertex from where one comes by the edges looked at so far */
    struct tie *ties;
    uint32_t *sources;  /* of the edges that come back, by vertex */
};

/* Together, as they are used together and far from one another: one miss of the cache instead of two. */
struct tie {
    uint32_t ancestor; /* how many edges come back, then where they start in `sources`, then the forest */
    uint32_t label;    /* the lowest semi on the compressed path */
};

/* The nodes from a root to where the search stands, and how many of their edges were looked at. */
struct trail {
    uint32_t *nodes, *seen;
    size_t depth;
};

struct buffers {
    struct big_buffer number, parent, semi, ties, sources;
};

static void scope_buffers(struct buffers *buffers)
{
    big_close(&buffers->number);
    big_close(&buffers->parent);
    big_close(&buffers->semi);
    big_close(&buffers->ties);
    big_close(&buffers->sources);
}

static uint32_t lower(uint32_t one, uint32_t other)
{
    return one < other ? one : other;
}

static void prefetch_edges(const struct graph *graph, uint32_t node)
{
    __builtin_prefetch(&graph->targets[graph->starts[node]]);
}

/* A node that is first seen, coming from vertex `from`. */
static void enter(struct search *search, struct trail *trail, uint32_t node, uint32_t from)
{
    const struct graph *graph = search->graph;
    uint64_t start = graph->starts[node], end = graph->starts[node + 1];
    uint32_t vertex = ++search->vertices;

    search->number[node] = vertex;
    search->parent[vertex] = from;
    search->semi[vertex] = from;
    if (start == end)
        return;
    trail->nodes[trail->depth] = node;
    trail->seen[trail->depth++] = 0;
    if (end - start > GRAPH_AHEAD)
        end = start + GRAPH_AHEAD;
    for (uint64_t i = start; i < end; i++) {
        uint32_t target = graph->targets[i] & GRAPH_NODE_MASK;
        __builtin_prefetch(&search->number[target], 1);
        __builtin_prefetch(&graph->starts[target]);
    }
}

/* An edge between vertices that both have been seen. */
static void pass(struct search *search, uint32_t from, uint32_t to)
{
    if (to < from)
        search->ties[to].ancestor++;
    else
        search->semi[to] = lower(search->semi[to], from);
}

/* Look at the edges of the last node of the trail up to one that leads to an unseen node, and enter that. */
static void step(struct search *search, struct trail *trail)
{
    const struct graph *graph = search->graph;
    uint32_t node = trail->nodes[trail->depth - 1], vertex = search->number[node];
    uint64_t start = graph->starts[node], end = graph->starts[node + 1];

    for (uint64_t i = start + trail->seen[trail->depth - 1]; i < end; i++) {
        uint32_t target = graph->targets[i] & GRAPH_NODE_MASK;
        if (i + GRAPH_AHEAD < end)
            __builtin_prefetch(&search->number[graph->targets[i + GRAPH_AHEAD] & GRAPH_NODE_MASK], 1);
        if (!graph_follows(graph->targets[i], search->strengths))
            continue;
        if (search->number[target] != 0) {
            pass(search, vertex, search->number[target]);
            continue;
        }
        trail->seen[trail->depth - 1] = (uint32_t)(i + 1 - start);
        enter(search, trail, target, vertex);
        if (i + 1 < end)
            prefetch_edges(graph, graph->targets[i + 1] & GRAPH_NODE_MASK);
        return;
    }
    trail->depth--;
}

static void search_depth_first(struct search *search, const struct graph_roots *roots, struct trail *trail)
{
    for (size_t i = 0; i < roots->count; i++) {
        if (search->number[roots->nodes[i]] != 0) {
            search->semi[search->number[roots->nodes[i]]] = 0;
            continue;
        }
        enter(search, trail, roots->nodes[i], 0);
        while (trail->depth > 0)
            step(search, trail);
    }
}

/* From how many edges come back to each vertex to where the next one of them ends. */
static uint32_t add_up(struct search *search)
{
    uint32_t sum = 0;

    for (size_t vertex = 1; vertex <= search->vertices; vertex++)
        search->ties[vertex].ancestor = sum += search->ties[vertex].ancestor;
    return sum;
}

static void sort_node(struct search *search, uint32_t vertex, uint64_t start, uint64_t end)
{
    const uint32_t *targets = search->graph->targets;

    for (uint64_t i = start; i < end; i++) {
        if (i + GRAPH_AHEAD < search->graph->edges)
            __builtin_prefetch(&search->number[targets[i + GRAPH_AHEAD] & GRAPH_NODE_MASK]);
        uint32_t to = search->number[targets[i] & GRAPH_NODE_MASK];
        if (to < vertex && graph_follows(targets[i], search->strengths))
            search->sources[--search->ties[to].ancestor] = vertex;
    }
}

/* The edges that go back, by where they go; `ancestor` becomes where those of each vertex start. */
static void sort_edges(struct search *search)
{
    const struct graph *graph = search->graph;

    for (uint32_t node = 0; node < graph->nodes; node++)
        if (search->number[node] != 0)
            sort_node(search, search->number[node], graph->starts[node], graph->starts[node + 1]);
}

/* The lowest semi on the way up from `vertex` to the first one that is not above `last`, which is left out. */
static uint32_t lowest(struct tie *ties, uint32_t vertex, uint32_t last)
{
    uint32_t below = 0;

    while (ties[vertex].ancestor > last) {
        uint32_t above = ties[vertex].ancestor;
        ties[vertex].ancestor = below;
        below = vertex;
        vertex = above;
    }
    uint32_t top = ties[vertex].ancestor, best = ties[vertex].label;
    while (below != 0) {
        uint32_t next = ties[below].ancestor;
        best = lower(best, ties[below].label);
        ties[below] = (struct tie){.ancestor = top, .label = best};
        below = next;
    }
    return best;
}

static void find_semidominators(struct search *search, uint32_t end)
{
    struct tie *ties = search->ties;

    for (uint32_t vertex = search->vertices; vertex > 0; vertex--) {
        uint32_t start = ties[vertex].ancestor, best = search->semi[vertex];
        for (uint32_t i = end; i-- > start && best > 0;) {
            if (i >= GRAPH_AHEAD)
                __builtin_prefetch(&ties[search->sources[i - GRAPH_AHEAD]], 1);
            best = lower(best, lowest(ties, search->sources[i], vertex));
        }
        end = start;
        search->semi[vertex] = best;
        ties[vertex] = (struct tie){.ancestor = search->parent[vertex], .label = best};
    }
}

/* A dominator is the nearest one above the parent that is not after the semidominator. */
static void find_dominators(struct search *search)
{
    uint32_t *dominator = search->parent;
    struct jump {
        uint32_t to, depth;
    } *jumps = (struct jump *)search->ties;

    jumps[0] = (struct jump){0};
    dominator[0] = 0;
    for (size_t vertex = 1; vertex <= search->vertices; vertex++) {
        uint32_t above = dominator[vertex], semi = search->semi[vertex];
        while (above > semi)
            above = jumps[above].to > semi ? jumps[above].to : dominator[above];
        struct jump up = jumps[above], far = jumps[up.to];
        bool even = up.depth - far.depth == far.depth - jumps[far.to].depth;
        dominator[vertex] = above;
        jumps[vertex] = (struct jump){.to = even ? far.to : above, .depth = up.depth + 1};
    }
}

/* From vertices back to nodes, in the arrays that are there: `number` becomes idom, `semi` the order. */
static void rename_vertices(struct search *search)
{
    uint32_t nodes = search->graph->nodes, *order = search->semi;

    for (uint32_t node = 0; node < nodes; node++)
        if (search->number[node] != 0)
            order[search->number[node] - 1] = node;
    for (uint32_t node = 0; node < nodes; node++) {
        uint32_t vertex = search->number[node];
        uint32_t above = search->parent[vertex];
        search->number[node] = vertex == 0 ? GRAPH_NONE : above == 0 ? nodes : order[above - 1];
    }
}

static int open_buffers(struct buffers *buffers, size_t nodes)
{
    int err = big_open(&buffers->number, nodes * sizeof(uint32_t));

    err = err != 0 ? err : big_open(&buffers->parent, (nodes + 1) * sizeof(uint32_t));
    err = err != 0 ? err : big_open(&buffers->semi, (nodes + 1) * sizeof(uint32_t));
    return err != 0 ? err : big_open(&buffers->ties, (nodes + 1) * sizeof(struct tie));
}

static int search_with_trail(struct search *search, const struct graph_roots *roots)
{
    struct big_buffer nodes = {0}, seen = {0};
    size_t bytes = search->graph->nodes * sizeof(uint32_t);

    /* Nothing is there of memory that is not touched: this costs what the depth of the graph costs. */
    int err = big_open(&nodes, bytes);
    err = err != 0 ? err : big_open(&seen, bytes);
    if (err == 0)
        search_depth_first(search, roots, &(struct trail){.nodes = nodes.data, .seen = seen.data});
    big_close(&nodes);
    big_close(&seen);
    return err;
}

static int find_all(struct search *search, const struct graph_roots *roots, struct big_buffer *sources)
{
    int err = search_with_trail(search, roots);
    if (err != 0)
        return err;
    uint32_t back = add_up(search);
    err = big_open(sources, back * sizeof(uint32_t));
    if (err != 0)
        return err;
    search->sources = sources->data;
    sort_edges(search);
    find_semidominators(search, back);
    find_dominators(search);
    rename_vertices(search);
    return 0;
}

/* Let go of all but the results, in the smallest room. */
static int hand_over(struct buffers *buffers, uint32_t vertices, struct big_buffer *idom,
                     struct big_buffer *order)
{
    int err = big_resize(&buffers->semi, vertices * sizeof(uint32_t));
    if (err == 0)
        err = big_trim(&buffers->semi);
    if (err != 0)
        return err;
    *idom = buffers->number;
    *order = buffers->semi;
    buffers->number = buffers->semi = (struct big_buffer){0};
    return 0;
}

int graph_dominators(const struct graph *graph, const struct graph_roots *roots, uint32_t strengths,
                     struct big_buffer *idom, struct big_buffer *order)
{
    __attribute__((cleanup(scope_buffers))) struct buffers buffers = {0};

    if (graph->edges >= UINT32_MAX)
        return -EOVERFLOW;
    int err = open_buffers(&buffers, graph->nodes);
    if (err != 0)
        return err;
    struct search search = {
        .graph = graph,
        .strengths = strengths,
        .number = buffers.number.data,
        .parent = buffers.parent.data,
        .semi = buffers.semi.data,
        .ties = buffers.ties.data,
    };
    err = find_all(&search, roots, &buffers.sources);
    return err != 0 ? err : hand_over(&buffers, search.vertices, idom, order);
}

static uint64_t size_of(struct graph_sizes sizes, size_t node)
{
    if (sizes.width == sizeof(uint8_t))
        return ((const uint8_t *)sizes.sizes)[node];
    return sizes.width == sizeof(uint32_t) ? ((const uint32_t *)sizes.sizes)[node]
                                           : ((const uint64_t *)sizes.sizes)[node];
}

static void add_size(uint64_t *sum, uint64_t size)
{
    if (__builtin_add_overflow(*sum, size, sum))
        *sum = UINT64_MAX;
}

int graph_retained(const uint32_t *idom, uint32_t nodes, const uint32_t *order, size_t ordered,
                   struct graph_sizes sizes, struct big_buffer *retained)
{
    int err = big_open(retained, nodes * sizeof(uint64_t));
    if (err != 0)
        return err;
    uint64_t *sums = retained->data;
    for (size_t node = 0; node < nodes; node++)
        sums[node] = size_of(sizes, node);
    for (size_t i = ordered; i-- > 0;) {
        if (i >= GRAPH_AHEAD && order[i - GRAPH_AHEAD] < nodes)
            __builtin_prefetch(&idom[order[i - GRAPH_AHEAD]]);
        if (order[i] < nodes && idom[order[i]] < nodes)
            add_size(&sums[idom[order[i]]], sums[order[i]]);
    }
    return 0;
}

/* Climb from a node whose sum is known for as long as that makes the next one known. */
static void climb(const uint32_t *above, uint32_t nodes, uint32_t *waiting, uint64_t *sums, uint32_t node)
{
    while (waiting[node] == 0) {
        uint32_t next = above[node];
        waiting[node] = GRAPH_NONE;
        if (next >= nodes)
            return;
        add_size(&sums[next], sums[node]);
        waiting[next]--;
        node = next;
    }
}

int graph_sums(const uint32_t *above, uint32_t nodes, struct graph_sizes sizes, struct big_buffer *sums)
{
    __attribute__((cleanup(scope_big))) struct big_buffer counts = {0};
    int err = big_open(&counts, nodes * sizeof(uint32_t));

    err = err != 0 ? err : big_open(sums, nodes * sizeof(uint64_t));
    if (err != 0)
        return err;
    uint32_t *waiting = counts.data; /* for how many below; GRAPH_NONE: has been added to the one above */
    uint64_t *found = sums->data;
    for (size_t node = 0; node < nodes; node++) {
        found[node] = size_of(sizes, node);
        if (above[node] < nodes)
            waiting[above[node]]++;
    }
    for (uint32_t node = 0; node < nodes; node++)
        climb(above, nodes, waiting, found, node);
    return 0;
}

int graph_dominated(const uint32_t *idom, uint32_t nodes, const uint32_t *order, size_t ordered,
                    const struct graph_roots *tops, struct big_buffer *inside)
{
    int err = big_open(inside, nodes);
    if (err != 0)
        return err;
    uint8_t *marks = inside->data;
    for (size_t i = 0; i < tops->count; i++)
        if (tops->nodes[i] < nodes)
            marks[tops->nodes[i]] = 1;
    for (size_t i = 0; i < ordered; i++)
        if (order[i] < nodes && idom[order[i]] < nodes)
            marks[order[i]] |= marks[idom[order[i]]];
    return 0;
}
