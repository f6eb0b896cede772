#include "graph.h"

#include <string.h>

const char *graph_check(const struct graph *graph)
{
    uint32_t highest = 0;

    if (graph->starts[0] != 0 || graph->starts[graph->nodes] != graph->edges)
        return "starts must begin with 0 and end with the number of targets";
    for (size_t node = 0; node < graph->nodes; node++)
        if (graph->starts[node] > graph->starts[node + 1])
            return "starts must not descend";
    for (uint64_t i = 0; i < graph->edges; i++) {
        uint32_t target = graph->targets[i] & GRAPH_NODE_MASK;
        highest = target > highest ? target : highest;
    }
    return graph->edges > 0 && highest >= graph->nodes ? "a target is not a node" : NULL;
}

const char *graph_check_roots(const struct graph *graph, const struct graph_roots *roots)
{
    for (size_t i = 0; i < roots->count; i++)
        if (roots->nodes[i] >= graph->nodes)
            return "a root is not a node";
    return NULL;
}

struct walk {
    const struct graph *graph;
    uint32_t strengths;
    uint32_t *parent, *queue;
    size_t first, last;
};

static void arrive(struct walk *walk, uint32_t node, uint32_t from)
{
    if (walk->parent[node] != GRAPH_NONE)
        return;
    walk->parent[node] = from;
    walk->queue[walk->last++] = node;
}

/* A root that was reached before stays where it is, but is gone on from: once for each time it is named. */
static void begin(struct walk *walk, uint32_t root, const uint32_t *before)
{
    if (before != NULL && before[root] != GRAPH_NONE)
        walk->queue[walk->last++] = root;
    else
        arrive(walk, root, walk->graph->nodes);
}

/* Ask the cache for what is needed a few turns later: the edges of that node, and what they lead to. */
static void look_ahead(const struct walk *walk)
{
    const struct graph *graph = walk->graph;
    size_t far = walk->first + 16, near = walk->first + 4;

    if (far < walk->last)
        __builtin_prefetch(&graph->starts[walk->queue[far]]);
    if (walk->first + 8 < walk->last)
        __builtin_prefetch(&graph->targets[graph->starts[walk->queue[walk->first + 8]]]);
    if (near >= walk->last)
        return;
    uint64_t start = graph->starts[walk->queue[near]], end = graph->starts[walk->queue[near] + 1];
    for (uint64_t i = start; i < end && i < start + 8; i++)
        __builtin_prefetch(&walk->parent[graph->targets[i] & GRAPH_NODE_MASK], 1);
}

static void leave(struct walk *walk)
{
    uint32_t node = walk->queue[walk->first++];
    const struct graph *graph = walk->graph;

    for (uint64_t i = graph->starts[node]; i < graph->starts[node + 1]; i++)
        if (graph_follows(graph->targets[i], walk->strengths))
            arrive(walk, graph->targets[i] & GRAPH_NODE_MASK, node);
}

static void walk_breadth_first(struct walk *walk, const struct graph_roots *roots, const uint32_t *before)
{
    size_t bytes = walk->graph->nodes * sizeof(uint32_t);

    if (before == NULL)
        memset(walk->parent, 0xFF, bytes);
    else
        memcpy(walk->parent, before, bytes);
    for (size_t i = 0; i < roots->count; i++)
        begin(walk, roots->nodes[i], before);
    while (walk->first < walk->last) {
        look_ahead(walk);
        leave(walk);
    }
}

int graph_reach(const struct graph *graph, const struct graph_roots *roots, uint32_t strengths,
                const uint32_t *before, struct big_buffer *parent)
{
    __attribute__((cleanup(scope_big))) struct big_buffer queue = {0};

    if (graph->nodes == 0)
        return 0;
    int err = big_open(parent, graph->nodes * sizeof(uint32_t));
    err = err != 0 ? err : big_open(&queue, (graph->nodes + roots->count) * sizeof(uint32_t));
    if (err != 0)
        return err;
    struct walk walk = {
        .graph = graph,
        .strengths = strengths,
        .parent = parent->data,
        .queue = queue.data,
    };
    walk_breadth_first(&walk, roots, before);
    return 0;
}
