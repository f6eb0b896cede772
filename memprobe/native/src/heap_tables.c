#define _GNU_SOURCE

/* Over 500 lines: one reader for each kind of table that lies apart from its owner, over one queue. */

#include "heap_edges.h"
#include "heap_sizes.h"
#include "heap_words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Of a table whose size its header tells, as much is asked for at first; most are smaller. */
#define FIRST_BYTES 256u
#define MAXIMUM_LOG2_SIZE 40
/* Blocks of deques and chunks of long tables follow one another; each is a round of its own. */
#define MAXIMUM_ROUNDS (1u << 22)
#define VALUES_BYTES (8u + 8u * 32u) /* instances share at most 30 keys */
#define ELEMENT_BYTES 32u
#define TAGS ((uint64_t)3)

/* What was asked for, as it is delivered. */
struct reading {
    struct heap_edges *edges;
    struct heap_pending *pending;
};

/* --- where edges go ---------------------------------------------------------------------------- */

/* Put an edge into the room that was kept free. */
static inline void put(struct heap_edges *edges, struct heap_pending *pending, uint64_t target,
                       unsigned strength)
{
    if (!heap_may_be_object(edges, target))
        return;
    if (pending->room == 0) {
        edges->graph->counters.torn_tables += edges->most_of_one == UINT64_MAX;
        return;
    }
    pending->room--;
    edges->slots[pending->slot++] = heap_edge(target, strength);
}

/* Ask for what a table leads to: in the next round, if there is one now. Many that claim the same long piece
 * of memory would each have it read to its end: beyond what all can have together they are left out. */
static void follow(struct heap_edges *edges, const struct heap_pending *pending)
{
    uint32_t bytes = heap_table_bytes(edges, pending);

    if (bytes > edges->table_bytes) {
        edges->graph->counters.torn_tables++;
        return;
    }
    edges->table_bytes -= bytes;
    if (!edges->in_round) {
        heap_edges_ask_later(edges, pending);
        return;
    }
    int err = HEAP_ROOM(&edges->following);
    if (err != 0)
        edges->error = edges->error ? edges->error : err;
    else
        edges->following.items[edges->following.count++] = *pending;
}

static void count_absent(struct heap_edges *edges)
{
    edges->graph->counters.absent_tables++;
}

/* --- arrays and sets ----------------------------------------------------------------------------- */

static void take_array(struct heap_edges *edges, struct heap_pending *pending, const uint8_t *data,
                       uint32_t bytes)
{
    uint64_t count = bytes / 8 < pending->count ? bytes / 8 : pending->count;
    bool tagged = pending->table == HEAP_TABLE_TAGGED;

    if (count < pending->count)
        count_absent(edges);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t target = heap_word(data + i * 8);
        if (tagged)
            target = (target & TAGS) == TAGS ? 0 : target & ~TAGS;
        put(edges, pending, target, pending->strength);
    }
}

/* Pairs of (key, hash), as many as there are now; the rest of a long table follows. */
static void take_set(struct heap_edges *edges, struct heap_pending *pending, const uint8_t *data,
                     uint32_t bytes)
{
    uint64_t count = bytes / 16 < pending->count ? bytes / 16 : pending->count;

    if (count == 0) {
        count_absent(edges);
        return;
    }
    for (uint64_t i = 0; i < count; i++)
        put(edges, pending, heap_word(data + i * 16), pending->strength);
    pending->count -= count;
    pending->address += count * 16;
    if (pending->count > 0 && pending->room > 0)
        follow(edges, pending);
}

/* --- dicts ------------------------------------------------------------------------------------------ */

/* What the header of a table of keys says. */
struct keys {
    uint64_t entries;   /* offset of the first */
    uint64_t count;
    bool wide;          /* (hash, key, value), else (key, value) */
    bool visits_keys;
};

static uint64_t index_bytes(uint64_t slots)
{
    if (slots <= 0xff)
        return slots;
    if (slots <= 0xffff)
        return slots * 2;
    return slots <= 0xffffffff ? slots * 4 : slots * 8;
}

static bool parse_old_keys(const struct heap_edges *edges, const uint8_t *data, struct keys *ret)
{
    const struct heap_plan *plan = edges->plan;
    uint64_t slots = heap_word(data + plan->keys_slots);

    if (slots == 0 || slots >> MAXIMUM_LOG2_SIZE != 0 || (slots & (slots - 1)) != 0)
        return false;
    ret->entries = (uint64_t)plan->keys_indices + index_bytes(slots);
    ret->wide = true;
    ret->visits_keys = plan->lookup_general != HEAP_ABSENT
                       && heap_word(data + plan->keys_lookup) == (uint64_t)plan->lookup_general;
    return ret->count <= slots;
}

static bool parse_keys(const struct heap_edges *edges, const uint8_t *data, uint32_t bytes, struct keys *ret)
{
    const struct heap_plan *plan = edges->plan;

    if (bytes < (uint64_t)plan->keys_indices)
        return false;
    ret->count = heap_word(data + plan->keys_nentries);
    if (plan->keys_log2_size == HEAP_ABSENT)
        return parse_old_keys(edges, data, ret);
    unsigned log2_size = data[plan->keys_log2_size], log2_index = data[plan->keys_log2_index_bytes];
    if (log2_size > MAXIMUM_LOG2_SIZE || log2_index > MAXIMUM_LOG2_SIZE + 3)
        return false;
    ret->entries = (uint64_t)plan->keys_indices + ((uint64_t)1 << log2_index);
    ret->wide = ret->visits_keys = data[plan->keys_kind] == (uint8_t)plan->kind_general;
    return ret->count <= (uint64_t)1 << log2_size;
}

static void take_entries(struct heap_edges *edges, struct heap_pending *pending, const uint8_t *data,
                         uint64_t bytes)
{
    uint64_t width = (pending->flags & HEAP_PENDING_WIDE) != 0 ? 24 : 16;
    uint64_t count = bytes / width < pending->count ? bytes / width : pending->count;

    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *end = data + (i + 1) * width;
        uint64_t key = heap_word(end - 16), value = heap_word(end - 8);
        if (value == 0)
            continue;
        put(edges, pending, key, pending->key_strength);
        put(edges, pending, value, pending->strength);
        if ((pending->flags & HEAP_PENDING_TWICE) != 0)
            put(edges, pending, key, pending->strength);
    }
    pending->count -= count;
    pending->address += count * width;
    if (pending->count == 0 || pending->room == 0)
        return;
    /* What was asked for is at most one entry short of a whole number of them. */
    if (count == 0 && pending->table == HEAP_TABLE_ENTRIES)
        count_absent(edges);
    else {
        pending->table = HEAP_TABLE_ENTRIES;
        follow(edges, pending);
    }
}

static void add_size(struct heap_edges *edges, struct heap_pending *pending, const uint8_t *data, uint32_t bytes)
{
    uint32_t *size = (uint32_t *)edges->graph->sizes.data + pending->node;
    struct heap_size more = {0};

    if (pending->more == HEAP_MORE_NONE)
        return;
    if (bytes >= heap_more_bytes(edges->heap, (enum heap_more)pending->more))
        heap_measure_more(edges->heap, (enum heap_more)pending->more, data, bytes, &more);
    pending->more = HEAP_MORE_NONE;
    edges->graph->counters.table_bytes += more.table_bytes;
    *size = more.allocated_bytes < UINT32_MAX - *size ? *size + (uint32_t)more.allocated_bytes : UINT32_MAX;
}

/* The keys and values of a dict that has both in one table. */
static void take_keys(struct heap_edges *edges, struct heap_pending *pending, const uint8_t *data,
                      uint32_t bytes)
{
    struct keys keys;

    if (!parse_keys(edges, data, bytes, &keys)) {
        edges->graph->counters.torn_tables++;
        return;
    }
    pending->count = keys.count;
    pending->address += keys.entries;
    pending->flags = (uint8_t)(pending->flags | (keys.wide ? HEAP_PENDING_WIDE : 0));
    pending->key_strength = keys.visits_keys ? pending->strength : HEAP_OWNED;
    if (pending->room == 0)
        return;
    take_entries(edges, pending, data + (keys.entries < bytes ? keys.entries : bytes),
                 keys.entries < bytes ? bytes - keys.entries : 0);
}

/* The shared keys of a dict: they tell how many values it may have. */
static void take_split(struct heap_edges *edges, struct heap_pending *pending, const uint8_t *data,
                       uint32_t bytes)
{
    struct keys keys;

    if (!parse_keys(edges, data, bytes, &keys)) {
        edges->graph->counters.torn_tables++;
        return;
    }
    pending->address = pending->other + (uint64_t)edges->plan->values_start;
    pending->count = keys.count * 8 <= HEAP_LARGEST_REQUEST ? keys.count : 0;
    pending->table = HEAP_TABLE_ARRAY;
    if (pending->count > 0 && pending->room > 0)
        follow(edges, pending);
}

/* The keys that the instances of a type share: the type owns them. */
static void take_cached(struct heap_edges *edges, struct heap_pending *pending, const uint8_t *data,
                        uint32_t bytes)
{
    struct keys keys;

    if (!parse_keys(edges, data, bytes, &keys))
        return;
    uint64_t width = keys.wide ? 24 : 16;
    for (uint64_t i = 0; i < keys.count && keys.entries + (i + 1) * width <= bytes; i++)
        heap_edges_late(edges, pending->node, heap_word(data + keys.entries + (i + 1) * width - 16),
                        HEAP_OWNED);
}

/* Values that say themselves how many they are. */
static void take_values(struct heap_edges *edges, struct heap_pending *pending, const uint8_t *data,
                        uint32_t bytes)
{
    const struct heap_plan *plan = edges->plan;

    if (bytes < (uint64_t)plan->values_start) {
        count_absent(edges);
        return;
    }
    if (data[plan->values_embedded] != 0 && plan->values_by_dict != 1)
        return;
    pending->count = data[plan->values_capacity];
    take_array(edges, pending, data + plan->values_start, bytes - (uint32_t)plan->values_start);
}

/* --- types of C modules ------------------------------------------------------------------------------ */

static void take_deque(struct heap_edges *edges, struct heap_pending *pending, const uint8_t *data,
                       uint32_t bytes)
{
    const struct heap_plan *plan = edges->plan;
    uint64_t length = (uint64_t)plan->deque_block_length;

    if (bytes < (uint64_t)plan->deque_block_right + 8) {
        count_absent(edges);
        return;
    }
    for (uint64_t i = pending->other; i < length && pending->count > 0; i++, pending->count--)
        put(edges, pending, heap_word(data + (uint64_t)plan->deque_block_data + i * 8), pending->strength);
    pending->other = 0;
    pending->address = heap_word(data + plan->deque_block_right);
    if (pending->count > 0 && heap_may_be_object(edges, pending->address))
        follow(edges, pending);
}

static void take_ring(struct heap_edges *edges, struct heap_pending *pending, const uint8_t *data,
                      uint32_t bytes)
{
    uint64_t capacity = pending->count, items = pending->room;

    if (bytes / 8 < capacity) {
        count_absent(edges);
        return;
    }
    for (uint64_t i = 0; i < items; i++)
        put(edges, pending, heap_word(data + (pending->other + i) % capacity * 8), pending->strength);
}

/* Attributes, number of children, room for children, children. */
static void take_element(struct heap_edges *edges, struct heap_pending *pending, const uint8_t *data,
                         uint32_t bytes)
{
    if (bytes < ELEMENT_BYTES) {
        count_absent(edges);
        return;
    }
    heap_edges_late(edges, pending->node, heap_word(data), pending->strength);
    pending->count = heap_word(data + 8);
    if (pending->count > edges->most_of_one)
        pending->count = edges->most_of_one;
    pending->address = heap_word(data + 24);
    pending->table = HEAP_TABLE_LATE;
    if (pending->count > 0 && pending->count <= edges->slot_limit)
        follow(edges, pending);
}

/* The code of a frame: it tells how many local variables there are. */
static void take_frame(struct heap_edges *edges, struct heap_pending *pending, const uint8_t *data,
                       uint32_t bytes)
{
    uint32_t wanted = heap_more_bytes(edges->heap, HEAP_MORE_CODE);

    if (wanted == 0 || bytes < wanted) {
        count_absent(edges);
        return;
    }
    uint32_t count = heap_half(data + edges->plan->code_nlocalsplus);
    pending->address = pending->other;
    pending->count = count < pending->room ? count : pending->room;
    pending->table = HEAP_TABLE_TAGGED;
    if (pending->count > 0)
        follow(edges, pending);
}

static void take_late(struct heap_edges *edges, struct heap_pending *pending, const uint8_t *data,
                      uint32_t bytes)
{
    uint64_t count = bytes / 8 < pending->count ? bytes / 8 : pending->count;

    for (uint64_t i = 0; i < count; i++)
        heap_edges_late(edges, pending->node, heap_word(data + i * 8), pending->strength);
    pending->count -= count;
    pending->address += count * 8;
    if (count > 0 && pending->count > 0)
        follow(edges, pending);
}

/* --- reading ------------------------------------------------------------------------------------------ */

void heap_table_take(struct heap_edges *edges, struct heap_pending *pending, const uint8_t *data,
                     uint32_t bytes)
{
    add_size(edges, pending, data, bytes);
    switch ((enum heap_table)pending->table) {
    case HEAP_TABLE_ARRAY:
    case HEAP_TABLE_TAGGED:
        take_array(edges, pending, data, bytes);
        break;
    case HEAP_TABLE_SET:
        take_set(edges, pending, data, bytes);
        break;
    case HEAP_TABLE_KEYS:
        take_keys(edges, pending, data, bytes);
        break;
    case HEAP_TABLE_ENTRIES:
        take_entries(edges, pending, data, bytes);
        break;
    case HEAP_TABLE_SPLIT:
        take_split(edges, pending, data, bytes);
        break;
    case HEAP_TABLE_CACHED:
        take_cached(edges, pending, data, bytes);
        break;
    case HEAP_TABLE_VALUES:
        take_values(edges, pending, data, bytes);
        break;
    case HEAP_TABLE_DEQUE:
        take_deque(edges, pending, data, bytes);
        break;
    case HEAP_TABLE_RING:
        take_ring(edges, pending, data, bytes);
        break;
    case HEAP_TABLE_ELEMENT:
        take_element(edges, pending, data, bytes);
        break;
    case HEAP_TABLE_LATE:
        take_late(edges, pending, data, bytes);
        break;
    case HEAP_TABLE_FRAME:
        take_frame(edges, pending, data, bytes);
        break;
    case HEAP_TABLE_SIZE:
        break;
    }
}

static int take(void *state, const struct heap_request *request, const uint8_t *data, uint32_t bytes)
{
    struct reading *reading = state;

    heap_table_take(reading->edges, &reading->pending[request->tag], data, bytes);
    return reading->edges->error;
}

/* A table of keys is at most a third larger than what is used, unless much was deleted. */
static uint64_t keys_bytes(uint64_t used)
{
    uint64_t slots = 8;

    while (slots < used + used / 2 + 1 && slots < ((uint64_t)1 << 20))
        slots *= 2;
    return 64 + index_bytes(slots) + slots * 2 / 3 * 24;
}

uint32_t heap_table_bytes(const struct heap_edges *edges, const struct heap_pending *pending)
{
    uint64_t bytes = FIRST_BYTES;

    switch ((enum heap_table)pending->table) {
    case HEAP_TABLE_ARRAY:
    case HEAP_TABLE_TAGGED:
    case HEAP_TABLE_RING:
    case HEAP_TABLE_LATE:
        bytes = pending->count > HEAP_LARGEST_REQUEST ? HEAP_LARGEST_REQUEST : pending->count * 8;
        break;
    case HEAP_TABLE_SET:
        bytes = pending->count > HEAP_LARGEST_REQUEST ? HEAP_LARGEST_REQUEST : pending->count * 16;
        break;
    case HEAP_TABLE_ENTRIES:
        bytes = pending->count > HEAP_LARGEST_REQUEST ? HEAP_LARGEST_REQUEST : pending->count * 24;
        break;
    case HEAP_TABLE_KEYS:
        bytes = pending->room == 0 ? 64 : keys_bytes(pending->count);
        break;
    case HEAP_TABLE_SPLIT:
        bytes = 64;
        break;
    case HEAP_TABLE_CACHED:
        bytes = 4096;
        break;
    case HEAP_TABLE_VALUES:
        bytes = VALUES_BYTES;
        break;
    case HEAP_TABLE_DEQUE:
        bytes = (uint64_t)edges->plan->deque_block_right + 8;
        break;
    case HEAP_TABLE_ELEMENT:
        bytes = ELEMENT_BYTES;
        break;
    case HEAP_TABLE_FRAME:
        bytes = heap_more_bytes(edges->heap, HEAP_MORE_CODE);
        break;
    case HEAP_TABLE_SIZE:
        bytes = heap_more_bytes(edges->heap, (enum heap_more)pending->more);
        break;
    }
    return bytes < HEAP_LARGEST_REQUEST ? (uint32_t)bytes : HEAP_LARGEST_REQUEST;
}

static int make_requests(struct heap_edges *edges, size_t count)
{
    if (edges->request_capacity < count) {
        free(edges->requests);
        edges->request_capacity = count + count / 4;
        edges->requests = malloc(edges->request_capacity * sizeof(*edges->requests));
        if (edges->requests == NULL) {
            edges->request_capacity = 0;
            return -ENOMEM;
        }
    }
    for (size_t i = 0; i < count; i++)
        edges->requests[i] = (struct heap_request){
            .address = edges->pending.items[i].address,
            .bytes = heap_table_bytes(edges, &edges->pending.items[i]),
            .tag = (uint32_t)i,
        };
    return 0;
}

/* One round: what tables lead to is asked for in the next. */
static int read_round(struct heap_edges *edges)
{
    struct reading reading = {.edges = edges, .pending = edges->pending.items};
    size_t count = edges->pending.count;
    int err = make_requests(edges, count);

    edges->following.count = 0;
    edges->in_round = true;
    if (err == 0)
        err = heap_deliver(edges->heap, edges->requests, count, take, &reading);
    edges->in_round = false;
    struct heap_pending *items = edges->pending.items;
    size_t capacity = edges->pending.capacity;
    edges->pending.items = edges->following.items;
    edges->pending.count = edges->following.count;
    edges->pending.capacity = edges->following.capacity;
    edges->following.items = items;
    edges->following.capacity = capacity;
    edges->following.count = 0;
    return err;
}

int heap_tables_read(struct heap_edges *edges)
{
    for (unsigned round = 0; edges->pending.count > 0 && round < MAXIMUM_ROUNDS; round++) {
        int err = read_round(edges);
        if (err != 0)
            return err;
    }
    edges->pending.count = 0;
    return edges->error;
}

/* --- lru_cache ------------------------------------------------------------------------------------------ */

static int by_address(const void *left, const void *right)
{
    const struct heap_link *a = left, *b = right;

    return a->address < b->address ? -1 : a->address > b->address;
}

static const struct heap_link *find_link(const struct heap_edges *edges, uint64_t address)
{
    struct heap_link wanted = {.address = address};

    return edges->links.count == 0 ? NULL
                                   : bsearch(&wanted, edges->links.items, edges->links.count,
                                             sizeof(wanted), by_address);
}

void heap_tables_follow_rings(struct heap_edges *edges)
{
    /* All rings together cannot have more links than there are. */
    size_t left = edges->links.count;

    if (left > 0)
        qsort(edges->links.items, left, sizeof(*edges->links.items), by_address);
    for (size_t i = 0; i < edges->rings.count; i++) {
        const struct heap_ring *ring = &edges->rings.items[i];
        for (uint64_t at = ring->first; at != ring->root && left > 0; left--) {
            const struct heap_link *link = find_link(edges, at);
            if (link == NULL)
                break;
            heap_edges_late(edges, ring->node, link->address, HEAP_OWNED);
            heap_edges_late(edges, ring->node, link->type, HEAP_VISITED);
            heap_edges_late(edges, ring->node, link->key, HEAP_VISITED);
            heap_edges_late(edges, ring->node, link->result, HEAP_VISITED);
            at = link->next;
        }
    }
}
