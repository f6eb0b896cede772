/* A graph as two arrays, and what can be asked of it. Knows nothing of Python, nor of heaps.
 *
 * The edges of node n are targets[starts[n]] to targets[starts[n + 1] - 1]; the two top bits of a target
 * are the edge's strength. `strengths` is always the set of those to follow: 1 << strength, added up.
 * Every function but graph_check trusts that graph_check has been asked before. None recurses, and all end
 * on every graph: O(edges) time, O(edges * log nodes) for the dominators. */
#ifndef MEMPROBE_GRAPH_H
#define MEMPROBE_GRAPH_H

#include "big_buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GRAPH_STRENGTH_SHIFT 30
#define GRAPH_NODE_MASK (((uint32_t)1 << GRAPH_STRENGTH_SHIFT) - 1)
/* No such node: not reached, no dominator. The number of nodes stands for the root above all roots. */
#define GRAPH_NONE UINT32_MAX
/* How many edges ahead to ask the cache for what they lead to: memory takes some 100 ns, an edge 5. */
#define GRAPH_AHEAD 24

struct graph {
    const uint64_t *starts;
    const uint32_t *targets;
    uint32_t nodes;
    uint64_t edges;
};

struct graph_roots {
    const uint32_t *nodes;
    size_t count;
};

static inline bool graph_follows(uint32_t target, uint32_t strengths)
{
    return strengths >> (target >> GRAPH_STRENGTH_SHIFT) & 1;
}

/* What is wrong with the arrays, or NULL. */
const char *graph_check(const struct graph *graph);
const char *graph_check_roots(const struct graph *graph, const struct graph_roots *roots);

/* Immediate dominators as seen from one root above all `roots`: idom[n] is a node, graph->nodes for that
 * root, or GRAPH_NONE where nothing leads. `order` gets the nodes that are reached, dominators first.
 * Takes 20 bytes a node and at most 4 an edge meanwhile, the results among them.
 * Returns 0, -ENOMEM, -ENOSPC or -EOVERFLOW (2^32 edges). */
int graph_dominators(const struct graph *graph, const struct graph_roots *roots, uint32_t strengths,
                     struct big_buffer *idom, struct big_buffer *order);

/* retained[n]: its own size and those of everything that it dominates. `sizes` are 1, 4 or 8 bytes wide. */
struct graph_sizes {
    const void *sizes;
    size_t width;
};
int graph_retained(const uint32_t *idom, uint32_t nodes, const uint32_t *order, size_t ordered,
                   struct graph_sizes sizes, struct big_buffer *retained);

/* The same on any forest, whose nodes are in no order: above[n] is the node before n, or no node. Takes 4
 * bytes a node meanwhile. What goes round in circles is no forest: it is left as it is, and the end comes. */
int graph_sums(const uint32_t *above, uint32_t nodes, struct graph_sizes sizes, struct big_buffer *sums);

/* A byte for each node: whether one of `tops` is or dominates it. */
int graph_dominated(const uint32_t *idom, uint32_t nodes, const uint32_t *order, size_t ordered,
                    const struct graph_roots *tops, struct big_buffer *inside);

/* A tree of shortest ways: the node before each node; graph->nodes before a root, GRAPH_NONE where nothing
 * leads. Roots that come first win. What `before`, such a tree, has reached already stays as it is there, and
 * is gone on from only where it is a root; NULL is a tree of nothing. */
int graph_reach(const struct graph *graph, const struct graph_roots *roots, uint32_t strengths,
                const uint32_t *before, struct big_buffer *parent);

/* The same edges seen from their targets, strengths kept; the sources of a node are in ascending order. */
int graph_reverse(const struct graph *graph, struct big_buffer *starts, struct big_buffer *targets);

/* How many edges lead to each node, as uint32_t. */
int graph_count_references(const struct graph *graph, uint32_t strengths, struct big_buffer *counts);

/* What a node is to the collector. */
enum graph_role {
    GRAPH_CANDIDATE = 1, /* in one of the lists that are collected: tracked, not frozen */
    GRAPH_LEGACY = 2,    /* has a tp_del: it and what it holds is not freed but put into gc.garbage */
};

/* What the collector would make of it. */
enum graph_verdict {
    GRAPH_KEPT,
    GRAPH_GARBAGE,       /* unreachable: freed */
    GRAPH_UNCOLLECTABLE, /* unreachable, but a legacy finalizer is or holds it */
    GRAPH_DIES_TOO,      /* no candidate, but only garbage refers to it */
};

struct graph_collection {
    const uint32_t *refcounts;
    const uint8_t *roles;
    uint32_t visited; /* strengths that tp_traverse sees */
    uint32_t owned;   /* strengths that count in a refcount, `visited` among them */
};

/* The collector's own algorithm. `verdicts` are bytes; ret_impossible becomes the number of candidates
 * that have more references from candidates than their refcount says (torn, or not understood). */
int graph_garbage(const struct graph *graph, const struct graph_collection *collection,
                  struct big_buffer *verdicts, uint64_t *ret_impossible);

#endif
