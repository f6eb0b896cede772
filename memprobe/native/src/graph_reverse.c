#include "graph.h"

static void count_edges(const struct graph *graph, uint64_t *counts)
{
    for (uint64_t i = 0; i < graph->edges; i++) {
        if (i + GRAPH_AHEAD < graph->edges)
            __builtin_prefetch(&counts[graph->targets[i + GRAPH_AHEAD] & GRAPH_NODE_MASK], 1);
        counts[graph->targets[i] & GRAPH_NODE_MASK]++;
    }
}

static void place_edges(const struct graph *graph, uint64_t *next, uint32_t *sources)
{
    const uint32_t *targets = graph->targets;

    for (uint32_t node = 0; node < graph->nodes; node++)
        for (uint64_t i = graph->starts[node]; i < graph->starts[node + 1]; i++) {
            if (i + 2 * GRAPH_AHEAD < graph->edges)
                __builtin_prefetch(&next[targets[i + 2 * GRAPH_AHEAD] & GRAPH_NODE_MASK], 1);
            if (i + GRAPH_AHEAD < graph->edges)
                __builtin_prefetch(&sources[next[targets[i + GRAPH_AHEAD] & GRAPH_NODE_MASK]], 1);
            uint32_t target = targets[i] & GRAPH_NODE_MASK;
            sources[next[target]++] = node | (targets[i] & ~GRAPH_NODE_MASK);
        }
}

int graph_reverse(const struct graph *graph, struct big_buffer *starts, struct big_buffer *targets)
{
    size_t nodes = graph->nodes;
    int err = big_open(starts, (nodes + 2) * sizeof(uint64_t));
    err = err != 0 ? err : big_open(targets, graph->edges * sizeof(uint32_t));
    if (err != 0)
        return err;
    /* Counted two places on; added up, each node's start stands one place on; and with its last edge
     * placed that has become the start of the next node. */
    uint64_t *places = starts->data;
    count_edges(graph, places + 2);
    for (size_t i = 2; i < nodes + 2; i++)
        places[i] += places[i - 1];
    place_edges(graph, places + 1, targets->data);
    return big_resize(starts, (nodes + 1) * sizeof(uint64_t));
}

int graph_count_references(const struct graph *graph, uint32_t strengths, struct big_buffer *counts)
{
    int err = big_open(counts, graph->nodes * sizeof(uint32_t));
    if (err != 0)
        return err;
    uint32_t *sums = counts->data;
    for (uint64_t i = 0; i < graph->edges; i++) {
        if (i + GRAPH_AHEAD < graph->edges)
            __builtin_prefetch(&sums[graph->targets[i + GRAPH_AHEAD] & GRAPH_NODE_MASK], 1);
        uint32_t *sum = &sums[graph->targets[i] & GRAPH_NODE_MASK];
        if (graph_follows(graph->targets[i], strengths) && *sum != UINT32_MAX)
            ++*sum;
    }
    return 0;
}
