/* Inside the building of a graph: where edges go until they are resolved. */
#ifndef MEMPROBE_HEAP_EDGES_H
#define MEMPROBE_HEAP_EDGES_H

#include "heap_graph.h"
#include "heap_index.h"
#include "heap_sizes.h"
#include "heap_watch.h"

/* An edge is the address of its target, the strength in the two top bits; 0 is none. */
#define HEAP_EDGE_SHIFT 62
#define HEAP_EDGE_ADDRESS (((uint64_t)1 << 48) - 1)

/* What a table is that was asked for. */
enum heap_table {
    HEAP_TABLE_ARRAY,     /* references, one behind another */
    HEAP_TABLE_TAGGED,    /* the same, with tags */
    HEAP_TABLE_SET,       /* (reference, hash) pairs */
    HEAP_TABLE_KEYS,      /* a dict's keys, with its values */
    HEAP_TABLE_ENTRIES,   /* the rest of those */
    HEAP_TABLE_SPLIT,     /* a dict's shared keys; its values are at `other` */
    HEAP_TABLE_CACHED,    /* the keys that instances of a type share */
    HEAP_TABLE_VALUES,    /* a values struct with its own size (3.13 on) */
    HEAP_TABLE_DEQUE,     /* one block of a deque */
    HEAP_TABLE_RING,      /* the items of a SimpleQueue */
    HEAP_TABLE_ELEMENT,   /* what an XML element has out of line */
    HEAP_TABLE_FRAME,     /* the code of a generator that runs; its local variables are at `other` */
    HEAP_TABLE_SIZE,      /* nothing but what the size of an object depends on */
    HEAP_TABLE_LATE       /* references whose number was not known when the object passed */
};

/* A table that was asked for. */
struct heap_pending {
    uint64_t slot;    /* the next of the edges that were kept free for it */
    uint64_t address;
    uint64_t count;   /* of items, or what the table needs */
    uint64_t other;
    uint32_t room;    /* edges that are still free */
    uint32_t node;
    uint8_t table;    /* enum heap_table */
    uint8_t strength;
    uint8_t key_strength;
    uint8_t flags;
    uint8_t more;     /* enum heap_more: what it adds to the size of its object */
};

#define HEAP_PENDING_TWICE 1 /* keys are owned twice: an OrderedDict */
#define HEAP_PENDING_WIDE 2  /* entries have a hash */

/* An edge that was found after its object had passed. */
struct heap_late {
    uint64_t edge;
    uint32_t node;
    uint32_t order;
};

/* A link of an lru_cache. */
struct heap_link {
    uint64_t address, next, key, result;
    uint64_t type; /* 0 if it is not visited */
};

/* An lru_cache: where the ring of its links begins. */
struct heap_ring {
    uint64_t root, first;
    uint32_t node;
};

#define HEAP_ARRAY(type, name)                                                                     \
    struct {                                                                                       \
        type *items;                                                                               \
        size_t count, capacity;                                                                    \
    } name

struct heap_edges {
    struct heap *heap;
    const struct heap_plan *plan;
    struct heap_graph *graph;
    struct heap_index index;
    struct heap_watch watch;
    uint32_t nodes;
    size_t node_capacity;
    uint64_t *slots;           /* in graph->targets */
    uint64_t slot_count, slot_capacity, slot_limit;
    uint64_t most_of_one;      /* references of one object's table that are followed, */
    const uint64_t *wide;      /* and of these objects HEAP_WIDER times as many: addresses, in order */
    size_t wide_count;
    uint64_t passing;          /* the address of the object that passes */
    bool is_cut;               /* the object that passes has more than that */
    bool is_part;              /* not all objects pass */
    uint64_t table_bytes;      /* that may still be read of tables beyond their first part */
    uint64_t more_at;          /* what the size of the object that passes still depends on, */
    enum heap_more more;       /* until somebody asks for it */
    uint64_t lowest, span;     /* objects lie there, and nowhere else */
    HEAP_ARRAY(struct heap_pending, pending);
    HEAP_ARRAY(struct heap_pending, following);
    struct heap_request *requests;
    size_t request_capacity;
    HEAP_ARRAY(struct heap_late, late);
    HEAP_ARRAY(struct heap_link, links);
    HEAP_ARRAY(struct heap_ring, rings);
    HEAP_ARRAY(int16_t, shared_keys); /* by index of the type, -1: not asked yet */
    bool in_round;             /* the tables of a round are being delivered */
    int error;                 /* the first that happened where none can be returned */
};

/* Make room for one more item of a HEAP_ARRAY. Returns 0 or -ENOMEM. */
int heap_make_room(void **items, size_t count, size_t *capacity, size_t size);
#define HEAP_ROOM(array)                                                                           \
    ((array)->count < (array)->capacity                                                            \
         ? 0                                                                                       \
         : heap_make_room((void **)&(array)->items, (array)->count, &(array)->capacity,            \
                          sizeof(*(array)->items)))

static inline bool heap_may_be_object(const struct heap_edges *edges, uint64_t address)
{
    return address - edges->lowest < edges->span && (address & 7) == 0;
}

static inline uint64_t heap_edge(uint64_t target, unsigned strength)
{
    return target | (uint64_t)strength << HEAP_EDGE_SHIFT;
}

#define HEAP_WIDER 16

/* As many references of the object that passes as are followed. */
uint64_t heap_edges_followed(struct heap_edges *edges, uint64_t count);

/* Begin with a graph without nodes. `most_of_one` references of one table are followed, and `most_edges` are
 * kept at most (UINT64_MAX: as many as the heap's memory can hold). */
void heap_edges_open(struct heap_edges *edges, struct heap *heap, struct heap_graph *graph,
                     uint64_t most_of_one, uint64_t most_edges);
void heap_edges_close(struct heap_edges *edges);

/* Make room for so many edges more; false if the heap cannot hold that many references, or memory is
 * short (edges->error). */
bool heap_edges_reserve(struct heap_edges *edges, uint64_t count);

/* Keep an edge of an object that has passed. */
void heap_edges_late(struct heap_edges *edges, uint32_t node, uint64_t target, unsigned strength);

/* Take a table now if the walk has it at hand; else ask for it together with others. */
void heap_edges_ask(struct heap_edges *edges, const struct heap_pending *pending);
void heap_edges_ask_later(struct heap_edges *edges, const struct heap_pending *pending);

/* heap_tables.c: take what was read of a table. */
void heap_table_take(struct heap_edges *edges, struct heap_pending *pending, const uint8_t *data,
                     uint32_t bytes);

/* heap_recipe.c: all edges that an object's body has. */
void heap_recipe_run(struct heap_edges *edges, const struct heap_object *object, uint32_t node);

/* heap_tables.c: read the tables that were asked for. Returns 0 or a negative errno. */
int heap_tables_read(struct heap_edges *edges);

/* heap_tables.c: follow the rings of all lru_caches. */
void heap_tables_follow_rings(struct heap_edges *edges);

/* The bytes of a table to ask for first. */
uint32_t heap_table_bytes(const struct heap_edges *edges, const struct heap_pending *pending);

#endif
