/* The object graph of a heap: who refers to whom, as arrays with an entry per object.
 *
 * One walk. What an object's body has is taken as it passes; what lies elsewhere (items of lists, tables
 * of dicts and sets) is asked for in batches, in order of address. Targets stand as addresses until all
 * objects have a number, and are then replaced in place. */
#ifndef MEMPROBE_HEAP_GRAPH_H
#define MEMPROBE_HEAP_GRAPH_H

#include "big_buffer.h"
#include "heap_near.h"
#include "heap_walk.h"

#define HEAP_STRENGTH_SHIFT 30 /* of a target: the strength above, the number of the object below */

/* What building a graph met; Python's heap/graph.py names them for people. */
#define HEAP_GRAPH_COUNTERS(FIELD)                                                                 \
    FIELD(nodes)                                                                                   \
    FIELD(edges)                                                                                   \
    FIELD(outside)         /* references to what is no object of the heap: static ones, freed ones */ \
    FIELD(torn_tables)     /* that had more than their owner said, or contradicted themselves */   \
    FIELD(absent_tables)   /* that were not there, or not whole */                                 \
    FIELD(refused_edges)   /* beyond what the heap's memory could hold */                          \
    FIELD(odd_objects)     /* left out: met twice, or at an impossible address */               \
    FIELD(table_bytes)     /* of sizes: blocks in pools that belong to an object elsewhere */    \
    FIELD(levels)          /* of a part: steps from the first objects up to which all is there */ \
    FIELD(beyond)          /* of a part: references to what is farther */

struct heap_graph_counters {
#define HEAP_GRAPH_MEMBER(name) uint64_t name;
    HEAP_GRAPH_COUNTERS(HEAP_GRAPH_MEMBER)
#undef HEAP_GRAPH_MEMBER
};

/* All zero is an empty one; heap_graph_close may always be called. */
struct heap_graph {
    struct big_buffer addresses;  /* uint64_t each */
    struct big_buffer types;      /* uint32_t: index of the type */
    struct big_buffer sizes;      /* uint32_t: allocated bytes, at most UINT32_MAX */
    struct big_buffer flags;      /* uint8_t: enum heap_object_flags */
    struct big_buffer refcounts;  /* uint32_t, at most UINT32_MAX */
    struct big_buffer starts;     /* uint64_t, one more than nodes */
    struct big_buffer targets;    /* uint32_t */
    struct heap_graph_counters counters;
};

/* Walk the heap and build its graph, or that of a part only (if not NULL). Returns 0 or a negative errno. */
int heap_graph_build(struct heap *heap, const struct heap_near *part, struct heap_graph *ret);

void heap_graph_close(struct heap_graph *graph);

#endif
