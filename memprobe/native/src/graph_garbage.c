#include "graph.h"

#include <errno.h>
#include <string.h>

/* A list of nodes that is worked off while it grows; each node enters once. */
struct work {
    uint32_t *nodes;
    size_t first, last;
};

struct collector {
    const struct graph *graph;
    const struct graph_collection *given;
    uint32_t *left; /* of each refcount, what is not explained yet */
    uint8_t *verdicts;
    struct work work;
    uint64_t impossible;
};

/* What is done with the target of an edge. */
typedef void (*follower)(struct collector *collector, uint32_t target);

static bool is_candidate(const struct collector *collector, uint32_t node)
{
    return collector->given->roles[node] & GRAPH_CANDIDATE;
}

static void follow_edges(struct collector *collector, uint32_t node, uint32_t strengths, follower follow)
{
    const struct graph *graph = collector->graph;

    for (uint64_t i = graph->starts[node]; i < graph->starts[node + 1]; i++) {
        if (i + GRAPH_AHEAD < graph->edges)
            __builtin_prefetch(&collector->left[graph->targets[i + GRAPH_AHEAD] & GRAPH_NODE_MASK], 1);
        if (graph_follows(graph->targets[i], strengths))
            follow(collector, graph->targets[i] & GRAPH_NODE_MASK);
    }
}

static void work_off(struct collector *collector, uint32_t strengths, follower follow)
{
    while (collector->work.first < collector->work.last)
        follow_edges(collector, collector->work.nodes[collector->work.first++], strengths, follow);
}

static void add_work(struct collector *collector, uint32_t node, enum graph_verdict verdict)
{
    collector->verdicts[node] = (uint8_t)verdict;
    collector->work.nodes[collector->work.last++] = node;
}

static void start_work(struct collector *collector)
{
    collector->work.first = collector->work.last = 0;
}

/* subtract_refs of CPython's collector. */
static void subtract(struct collector *collector, uint32_t target)
{
    if (!is_candidate(collector, target))
        return;
    if (collector->left[target] == 0)
        collector->impossible++;
    else
        collector->left[target]--;
}

static void keep(struct collector *collector, uint32_t target)
{
    if (is_candidate(collector, target) && collector->verdicts[target] == GRAPH_GARBAGE)
        add_work(collector, target, GRAPH_KEPT);
}

/* move_legacy_finalizer_reachable of CPython's collector. */
static void spare(struct collector *collector, uint32_t target)
{
    if (collector->verdicts[target] == GRAPH_GARBAGE)
        add_work(collector, target, GRAPH_UNCOLLECTABLE);
}

/* Take away a reference that dies. What is no candidate, or one that the collector could not explain,
 * goes with its last one. */
static void release(struct collector *collector, uint32_t target)
{
    uint8_t verdict = collector->verdicts[target];

    if (verdict == GRAPH_KEPT && collector->left[target] > 0 && --collector->left[target] == 0)
        add_work(collector, target, GRAPH_DIES_TOO);
}

static void find_unreachable(struct collector *collector)
{
    uint32_t nodes = collector->graph->nodes, visited = collector->given->visited;

    for (uint32_t node = 0; node < nodes; node++)
        if (is_candidate(collector, node))
            follow_edges(collector, node, visited, subtract);
    for (uint32_t node = 0; node < nodes; node++)
        collector->verdicts[node] = is_candidate(collector, node) ? GRAPH_GARBAGE : GRAPH_KEPT;
    start_work(collector);
    for (uint32_t node = 0; node < nodes; node++)
        if (is_candidate(collector, node) && collector->left[node] > 0)
            keep(collector, node);
    work_off(collector, visited, keep);
}

static void find_uncollectable(struct collector *collector)
{
    start_work(collector);
    for (uint32_t node = 0; node < collector->graph->nodes; node++)
        if (collector->given->roles[node] & GRAPH_LEGACY)
            spare(collector, node);
    work_off(collector, collector->given->visited, spare);
}

static void find_what_dies_too(struct collector *collector)
{
    uint32_t nodes = collector->graph->nodes;

    memcpy(collector->left, collector->given->refcounts, nodes * sizeof(uint32_t));
    start_work(collector);
    for (uint32_t node = 0; node < nodes; node++)
        if (collector->verdicts[node] == GRAPH_GARBAGE)
            add_work(collector, node, GRAPH_GARBAGE);
    work_off(collector, collector->given->owned, release);
}

int graph_garbage(const struct graph *graph, const struct graph_collection *collection,
                  struct big_buffer *verdicts, uint64_t *ret_impossible)
{
    __attribute__((cleanup(scope_big))) struct big_buffer left = {0};
    __attribute__((cleanup(scope_big))) struct big_buffer queue = {0};
    size_t bytes = graph->nodes * sizeof(uint32_t);

    *ret_impossible = 0;
    if (graph->nodes == 0)
        return 0;
    int err = big_open(verdicts, graph->nodes);
    err = err != 0 ? err : big_open(&left, bytes);
    err = err != 0 ? err : big_open(&queue, bytes);
    if (err != 0)
        return err;
    struct collector collector = {
        .graph = graph,
        .given = collection,
        .left = left.data,
        .verdicts = verdicts->data,
        .work.nodes = queue.data,
    };
    memcpy(collector.left, collection->refcounts, bytes);
    find_unreachable(&collector);
    find_uncollectable(&collector);
    find_what_dies_too(&collector);
    *ret_impossible = collector.impossible;
    return 0;
}
