#define _GNU_SOURCE

/* Over 500 lines: one case for each operation of a recipe, with what only it uses beside it. */

#include "heap_edges.h"
#include "heap_words.h"

#include <errno.h>
#include <string.h>

/* Chunks of this size, so that no request is cut. */
#define CHUNK_WORDS ((uint64_t)(HEAP_LARGEST_REQUEST / 8))
#define TAGS ((uint64_t)3)
#define FLAG_HEAP_TYPE ((uint64_t)1 << 9)
/* A class does not share more keys with its instances (SHARED_KEYS_MAX_SIZE); to 3.10 it may. */
#define MAXIMUM_SHARED 4096
#define MAXIMUM_STATE ((uint64_t)1 << 16)
/* On the way from a pointer to a table of keys at least this much has to be there. */
#define KEYS_HEADER 64

struct running {
    struct heap_edges *edges;
    const struct heap_object *object;
    uint32_t node;
};

/* --- what the body has -------------------------------------------------------------------------- */

static inline bool has(const struct heap_object *object, int64_t offset, int64_t size)
{
    return offset >= -(int64_t)object->type->presize && offset + size <= (int64_t)object->body_bytes;
}

static inline uint64_t word_at(const struct heap_object *object, int64_t offset)
{
    return has(object, offset, 8) ? heap_word(object->body + offset) : 0;
}

static inline uint32_t half_at(const struct heap_object *object, int64_t offset)
{
    return has(object, offset, 4) ? heap_half(object->body + offset) : 0;
}

static inline uint8_t byte_at(const struct heap_object *object, int64_t offset)
{
    return has(object, offset, 1) ? object->body[offset] : 0;
}

static inline void add(struct running *run, uint64_t target, unsigned strength)
{
    struct heap_edges *edges = run->edges;

    if (!heap_may_be_object(edges, target) || !heap_edges_reserve(edges, 1))
        return;
    edges->slots[edges->slot_count++] = heap_edge(target, strength);
}

/* --- arrays, wherever they are ------------------------------------------------------------------ */

/* Keep `count` edges free, and ask for as many references at `address`. */
static void ask_array(struct running *run, uint64_t address, uint64_t count, unsigned strength, bool tagged)
{
    struct heap_edges *edges = run->edges;

    count = heap_edges_followed(edges, count);
    if (count == 0 || !heap_may_be_object(edges, address))
        return;
    if (!heap_edges_reserve(edges, count))
        return;
    uint64_t first = edges->slot_count;
    memset(edges->slots + first, 0, (size_t)count * sizeof(uint64_t));
    edges->slot_count += count;
    for (uint64_t done = 0; done < count; done += CHUNK_WORDS) {
        uint64_t here = count - done < CHUNK_WORDS ? count - done : CHUNK_WORDS;
        struct heap_pending pending = {
            .slot = first + done,
            .address = address + done * 8,
            .count = here,
            .room = (uint32_t)here,
            .node = run->node,
            .table = tagged ? HEAP_TABLE_TAGGED : HEAP_TABLE_ARRAY,
            .strength = (uint8_t)strength,
        };
        heap_edges_ask(edges, &pending);
    }
}

/* References in the object itself; what is not in the body that was handed out is asked for. */
static void add_array(struct running *run, int64_t offset, uint64_t count, unsigned strength, bool tagged)
{
    const struct heap_object *object = run->object;
    struct heap_edges *edges = run->edges;
    uint64_t present
        = has(object, offset, 0) ? ((uint64_t)object->body_bytes - (uint64_t)offset) / 8 : 0;

    if (present > count)
        present = count;
    if (present > 0 && heap_edges_reserve(edges, present)) {
        const uint8_t *body = object->body + offset;
        uint64_t slot = edges->slot_count;
        for (uint64_t i = 0; i < present; i++) {
            uint64_t target = heap_word(body + i * 8);
            if (tagged)
                target = (target & TAGS) == TAGS ? 0 : target & ~TAGS;
            if (heap_may_be_object(edges, target))
                edges->slots[slot++] = heap_edge(target, strength);
        }
        edges->slot_count = slot;
    }
    if (count > present && (object->flags & HEAP_LARGE) != 0)
        ask_array(run, object->address + (uint64_t)offset + present * 8, count - present, strength, tagged);
}

/* How many items a field says there are, if the block has room for as many. */
static uint64_t count_in(const struct heap_object *object, uint64_t count)
{
    return count <= object->block_bytes / 8 ? count : 0;
}

static void add_conservative(struct running *run, const struct heap_member *member)
{
    const struct heap_object *object = run->object;
    int64_t end = (int64_t)object->body_bytes;

    if (member->extra > 0 && member->extra < end)
        end = member->extra;
    if (end > member->offset)
        add_array(run, member->offset, (uint64_t)(end - member->offset) / 8, member->strength, false);
}

/* --- dicts and sets ------------------------------------------------------------------------------ */

/* Leave it to a table that is asked for anyway to complete the object's size. */
static void take_size_along(struct heap_edges *edges, struct heap_pending *pending)
{
    if (edges->more == HEAP_MORE_NONE || pending->address != edges->more_at)
        return;
    pending->more = (uint8_t)edges->more;
    edges->more = HEAP_MORE_NONE;
}

/* Keep edges free for a table and ask for it. */
static void ask_table(struct running *run, struct heap_pending pending, uint64_t room)
{
    struct heap_edges *edges = run->edges;

    room = heap_edges_followed(edges, room);
    if (!heap_may_be_object(edges, pending.address))
        return;
    if (room > UINT32_MAX || !heap_edges_reserve(edges, room))
        return;
    pending.slot = edges->slot_count;
    pending.room = (uint32_t)room;
    pending.node = run->node;
    /* Without room there may be no slots at all yet, and no pointer to begin at. */
    if (room > 0)
        memset(edges->slots + edges->slot_count, 0, (size_t)room * sizeof(uint64_t));
    edges->slot_count += room;
    take_size_along(edges, &pending);
    heap_edges_ask(edges, &pending);
}

static void add_dict(struct running *run, const struct heap_member *member, bool twice)
{
    const struct heap_plan *plan = run->edges->plan;
    const struct heap_object *object = run->object;
    uint64_t used = word_at(object, member->offset + plan->dict_used);
    uint64_t keys = word_at(object, member->offset + plan->dict_keys);
    uint64_t values = word_at(object, member->offset + plan->dict_values);
    struct heap_pending pending = {
        .address = keys,
        .count = used,
        .table = HEAP_TABLE_KEYS,
        .strength = (uint8_t)member->strength,
        .flags = twice ? HEAP_PENDING_TWICE : 0,
    };

    if (used > run->edges->slot_limit)
        return;
    if (values == 0) {
        ask_table(run, pending, used * (twice ? 3 : 2));
        return;
    }
    if (plan->values_embedded != HEAP_ABSENT) {
        pending.address = values;
        pending.table = HEAP_TABLE_VALUES;
    } else {
        pending.other = values;
        pending.table = HEAP_TABLE_SPLIT;
    }
    ask_table(run, pending, used);
}

static void add_set(struct running *run, const struct heap_member *member)
{
    const struct heap_plan *plan = run->edges->plan;
    const struct heap_object *object = run->object;
    uint64_t used = word_at(object, plan->set_used), mask = word_at(object, plan->set_mask);
    uint64_t table = word_at(object, plan->set_table);
    /* Removed members leave a mark that may look like an object's address until it is resolved. */
    uint64_t room = word_at(object, plan->set_fill);

    if (room > mask + 1 || used > mask + 1 || mask > run->edges->slot_limit || used == 0)
        return;
    if (table == object->address + (uint64_t)plan->set_smalltable) {
        for (int64_t i = 0; i <= (int64_t)mask && i < 8; i++)
            add(run, word_at(object, plan->set_smalltable + i * 16), member->strength);
        return;
    }
    struct heap_pending pending = {
        .address = table,
        .count = mask + 1,
        .table = HEAP_TABLE_SET,
        .strength = (uint8_t)member->strength,
    };
    ask_table(run, pending, room);
}

/* --- instances ------------------------------------------------------------------------------------ */

/* How many keys the instances of a type share; asked of the target once per type. */
static unsigned shared_keys(struct running *run)
{
    struct heap_edges *edges = run->edges;
    const struct heap_plan *plan = edges->plan;
    const struct heap_type *type = run->object->type;
    uint8_t pointer[8] = {0}, header[KEYS_HEADER] = {0};

    while (edges->shared_keys.count <= type->index) {
        if (HEAP_ROOM(&edges->shared_keys) != 0)
            return 0;
        edges->shared_keys.items[edges->shared_keys.count++] = -1;
    }
    int16_t *known = &edges->shared_keys.items[type->index];
    if (*known >= 0)
        return (unsigned)*known;
    *known = 0;
    if (heap_read(&edges->heap->reader, type->address + (uint64_t)plan->ht_cached_keys, 8, pointer) != 0)
        return 0;
    uint64_t keys = heap_word(pointer);
    if (keys == 0 || plan->keys_nentries > KEYS_HEADER - 8
        || heap_read(&edges->heap->reader, keys, KEYS_HEADER, header) != 0)
        return 0;
    uint64_t count = heap_word(header + plan->keys_nentries);
    *known = (int16_t)(count <= MAXIMUM_SHARED ? count : 0);
    return (unsigned)*known;
}

/* 3.13 and later: values inside the instance, until somebody asks for its dict; from then on the dict
 * visits them, or (3.13.0) the instance goes on to do so and leaves the dict out. */
static void add_inline_values(struct running *run, const struct heap_member *member)
{
    const struct heap_plan *plan = run->edges->plan;
    int64_t values = run->object->type->basicsize;
    uint64_t dict = word_at(run->object, plan->managed_dict);
    bool has_values = (run->object->type->flags & (uint64_t)plan->flag_inline_values) != 0
                      && byte_at(run->object, values + plan->values_valid) != 0;
    bool visits_values = has_values && (dict == 0 || plan->values_by_dict != 1);
    uint64_t count = byte_at(run->object, values + plan->values_capacity);

    add(run, dict, visits_values ? HEAP_OWNED : member->strength);
    if (visits_values)
        add_array(run, values + plan->values_start, count, member->strength, false);
}

static void add_instance(struct running *run, const struct heap_member *member)
{
    const struct heap_plan *plan = run->edges->plan;
    const struct heap_object *object = run->object;
    uint64_t dict = word_at(object, plan->managed_dict), values = 0;

    if (plan->flag_inline_values != HEAP_ABSENT) {
        add_inline_values(run, member);
        return;
    }
    if (plan->managed_values != HEAP_ABSENT)
        values = word_at(object, plan->managed_values);
    else if (plan->version == 0x030C && (dict & 1) != 0) {
        values = dict + 1;
        dict = 0;
    }
    add(run, dict, member->strength);
    if (values != 0)
        ask_array(run, values + (uint64_t)plan->values_start, shared_keys(run), member->strength, false);
}

/* The instance dict at tp_dictoffset; below zero it is counted from the object's end. */
static void add_dict_pointer(struct running *run, const struct heap_member *member)
{
    const struct heap_plan *plan = run->edges->plan;
    const struct heap_object *object = run->object;
    const struct heap_type *type = object->type;
    int64_t offset = member->offset;

    if (offset < 0) {
        int64_t items = object->items < 0 ? -object->items : object->items;
        if (plan->long_tag != HEAP_ABSENT && (type->flags & (uint64_t)plan->flag_long) != 0)
            items = (int64_t)((uint64_t)object->items >> 3);
        if (items > (int64_t)(object->block_bytes) || type->itemsize > (int64_t)object->block_bytes)
            return;
        offset += (type->basicsize + items * type->itemsize + 7) & ~(int64_t)7;
        if (offset < 0)
            return;
    }
    if (has(object, offset, 8))
        add(run, word_at(object, offset), member->strength);
    else if (offset >= 0 && (object->flags & HEAP_LARGE) != 0)
        ask_array(run, object->address + (uint64_t)offset, 1, member->strength, false);
}

/* --- frames ----------------------------------------------------------------------------------------- */

static uint64_t frame_locals_count(const struct running *run, int64_t frame)
{
    const struct heap_plan *plan = run->edges->plan;
    const struct heap_object *object = run->object;

    if (plan->frame_stack_top != HEAP_ABSENT) {
        int32_t top = (int32_t)half_at(object, frame + plan->frame_stack_top);
        return top > 0 ? (uint64_t)top : 0;
    }
    uint64_t start = object->address + (uint64_t)(frame + plan->frame_locals);
    uint64_t pointer = word_at(object, frame + plan->frame_stack_pointer);
    return pointer > start ? (pointer - start) / 8 : 0;
}

static void add_reference(struct running *run, int64_t offset, unsigned strength)
{
    uint64_t target = word_at(run->object, offset);

    if ((target & TAGS) != TAGS)
        add(run, target & ~TAGS, strength);
}

/* Of a frame that runs only its code knows how many local variables it has. The collector does not see them. */
static void add_running_frame(struct running *run, int64_t frame)
{
    const struct heap_plan *plan = run->edges->plan;
    const struct heap_object *object = run->object;
    struct heap_pending pending = {
        .address = word_at(object, frame + plan->frame_executable) & ~TAGS,
        .other = object->address + (uint64_t)(frame + plan->frame_locals),
        .table = HEAP_TABLE_FRAME,
        .strength = HEAP_OWNED,
    };

    ask_table(run, pending, object->block_bytes / 8);
}

/* A frame of 3.11 and later, in a generator (which has a state) or in a frame object (which owns the
 * frame, or only points to it). */
static void add_frame(struct running *run, const struct heap_member *member)
{
    const struct heap_plan *plan = run->edges->plan;
    const struct heap_object *object = run->object;
    int64_t frame = member->offset;
    bool cleared = false;

    if (member->extra > 0)
        cleared = (int8_t)byte_at(object, member->extra) >= (int8_t)plan->frame_cleared;
    else if (byte_at(object, frame + plan->frame_owner) != (uint8_t)plan->frame_owned_by_object
             || word_at(object, plan->frame_of_object) != object->address + (uint64_t)frame)
        return;
    if (!cleared || plan->version >= 0x030E)
        add_reference(run, frame + plan->frame_executable, member->strength);
    if (cleared)
        return;
    add_reference(run, frame + plan->frame_function, member->strength);
    add_reference(run, frame + plan->frame_names, member->strength);
    add_reference(run, frame + plan->frame_object, member->strength);
    uint64_t count = count_in(object, frame_locals_count(run, frame));
    if (count == 0 && member->extra > 0)
        add_running_frame(run, frame);
    else
        add_array(run, frame + plan->frame_locals, count, member->strength, true);
}

/* Locals and stack of a frame object to 3.10. */
static void add_old_frame(struct running *run, const struct heap_member *member)
{
    const struct heap_plan *plan = run->edges->plan;
    const struct heap_object *object = run->object;
    uint64_t start = object->address + (uint64_t)member->offset;
    uint64_t stack = word_at(object, plan->frame_value_stack);
    uint64_t depth = 0;

    if (stack < start)
        return;
    if (plan->frame_value_stack_depth != HEAP_ABSENT) {
        int32_t signed_depth = (int32_t)half_at(object, plan->frame_value_stack_depth);
        depth = signed_depth > 0 ? (uint64_t)signed_depth : 0;
    } else {
        uint64_t top = word_at(object, plan->frame_value_stack_top);
        depth = top > stack ? (top - stack) / 8 : 0;
    }
    uint64_t count = count_in(object, (stack - start) / 8 + depth);
    add_array(run, member->offset, count, member->strength, false);
}

/* --- types of C modules ------------------------------------------------------------------------------ */

static void add_deque(struct running *run, const struct heap_member *member)
{
    const struct heap_plan *plan = run->edges->plan;
    uint64_t count = word_at(run->object, plan->ob_size);
    struct heap_pending pending = {
        .address = word_at(run->object, plan->deque_leftblock),
        .count = count,
        .other = word_at(run->object, plan->deque_leftindex),
        .table = HEAP_TABLE_DEQUE,
        .strength = (uint8_t)member->strength,
    };

    /* Its blocks are followed as long as there are items to come. */
    pending.count = heap_edges_followed(run->edges, count);
    if (count > 0 && count <= run->edges->slot_limit)
        ask_table(run, pending, count);
}

/* The ring buffer: put index, get index, items, capacity, number of items. */
static void add_ring(struct running *run, const struct heap_member *member)
{
    uint64_t count = word_at(run->object, member->offset + 32);
    struct heap_pending pending = {
        .address = word_at(run->object, member->offset + 16),
        .count = word_at(run->object, member->offset + 24),
        .other = word_at(run->object, member->offset + 8),
        .table = HEAP_TABLE_RING,
        .strength = (uint8_t)member->strength,
    };

    if (count > 0 && count <= pending.count && count <= run->edges->slot_limit)
        ask_table(run, pending, count);
}

static void note_ring(struct running *run, const struct heap_member *member)
{
    struct heap_edges *edges = run->edges;

    if (HEAP_ROOM(&edges->rings) != 0)
        return;
    edges->rings.items[edges->rings.count++] = (struct heap_ring){
        .root = run->object->address + (uint64_t)member->offset,
        .first = word_at(run->object, member->offset + edges->plan->link_next),
        .node = run->node,
    };
}

static void note_link(struct running *run)
{
    struct heap_edges *edges = run->edges;
    const struct heap_plan *plan = edges->plan;

    if (HEAP_ROOM(&edges->links) != 0)
        return;
    edges->links.items[edges->links.count++] = (struct heap_link){
        .address = run->object->address,
        .next = word_at(run->object, plan->link_next),
        .key = word_at(run->object, plan->link_key),
        .result = word_at(run->object, plan->link_result),
        .type = run->object->type->flags & FLAG_HEAP_TYPE ? run->object->type->address : 0,
    };
}

/* The state of a C module: words that its definition gives a size. */
static void ask_module_state(struct running *run, const struct heap_member *member)
{
    struct heap_edges *edges = run->edges;
    uint64_t state = word_at(run->object, member->offset);
    uint64_t definition = word_at(run->object, member->extra);
    uint8_t size[8] = {0};

    if (state == 0 || definition == 0 || edges->plan->definition_size == HEAP_ABSENT)
        return;
    if (heap_read(&edges->heap->reader, definition + (uint64_t)edges->plan->definition_size, 8, size) != 0)
        return;
    uint64_t bytes = heap_word(size);
    struct heap_pending pending = {
        .address = state,
        .count = bytes / 8,
        .node = run->node,
        .table = HEAP_TABLE_LATE,
        .strength = (uint8_t)member->strength,
    };
    if (bytes <= MAXIMUM_STATE && heap_may_be_object(edges, state))
        heap_edges_ask(edges, &pending);
}

static void ask_pairs(struct running *run, const struct heap_member *member)
{
    uint64_t count = word_at(run->object, member->extra);
    struct heap_pending pending = {
        .address = word_at(run->object, member->offset),
        .count = count,
        .table = HEAP_TABLE_SET,
        .strength = (uint8_t)member->strength,
    };

    if (count > 0 && count <= run->edges->slot_limit)
        ask_table(run, pending, count);
}

static void ask_late(struct running *run, const struct heap_member *member, enum heap_table table,
                     uint64_t count)
{
    struct heap_pending pending = {
        .address = word_at(run->object, member->offset),
        .count = count,
        .node = run->node,
        .table = (uint8_t)table,
        .strength = (uint8_t)member->strength,
    };

    if (!heap_may_be_object(run->edges, pending.address))
        return;
    take_size_along(run->edges, &pending);
    heap_edges_ask(run->edges, &pending);
}

/* --- all of them -------------------------------------------------------------------------------------- */

static void run_member(struct running *run, const struct heap_member *member)
{
    const struct heap_object *object = run->object;
    unsigned strength = member->strength;

    switch (member->op) {
    case HEAP_OP_POINTER:
        add(run, word_at(object, member->offset), strength);
        break;
    case HEAP_OP_TAGGED_POINTER:
        add_reference(run, member->offset, strength);
        break;
    case HEAP_OP_ITEMS:
    case HEAP_OP_TUPLE:
        add_array(run, member->offset, count_in(object, word_at(object, member->extra)),
                  strength, false);
        break;
    case HEAP_OP_ITEMS_INT:
        add_array(run, member->offset, count_in(object, half_at(object, member->extra)),
                  strength, false);
        break;
    case HEAP_OP_ARRAY:
        add_array(run, member->offset, (uint64_t)member->extra, strength, false);
        break;
    case HEAP_OP_LIST:
        ask_array(run, word_at(object, member->offset), word_at(object, member->extra), strength, false);
        break;
    case HEAP_OP_TABLE:
        ask_array(run, word_at(object, member->offset), (uint64_t)member->extra, strength, false);
        break;
    case HEAP_OP_DICT:
    case HEAP_OP_ODICT:
        add_dict(run, member, member->op == HEAP_OP_ODICT);
        break;
    case HEAP_OP_DICT_KEYS:
        ask_late(run, member, HEAP_TABLE_CACHED, 0);
        break;
    case HEAP_OP_SET:
        add_set(run, member);
        break;
    case HEAP_OP_DEQUE:
        add_deque(run, member);
        break;
    case HEAP_OP_INSTANCE:
        add_instance(run, member);
        break;
    case HEAP_OP_DICT_POINTER:
        add_dict_pointer(run, member);
        break;
    case HEAP_OP_FRAME:
        add_frame(run, member);
        break;
    case HEAP_OP_CODE:
        add_old_frame(run, member);
        break;
    case HEAP_OP_RING:
        add_ring(run, member);
        break;
    case HEAP_OP_LRU_LINKS:
        note_ring(run, member);
        break;
    case HEAP_OP_LRU_LINK:
        note_link(run);
        break;
    case HEAP_OP_MODULE_STATE:
        ask_module_state(run, member);
        break;
    case HEAP_OP_ELEMENT:
        ask_late(run, member, HEAP_TABLE_ELEMENT, 0);
        break;
    case HEAP_OP_PAIRS:
        ask_pairs(run, member);
        break;
    case HEAP_OP_AFTER_ITEMS:
        if ((uint64_t)object->items <= object->block_bytes && object->type->itemsize <= 4096)
            add(run, word_at(object, member->offset + ((object->items * object->type->itemsize + 7) & ~7)),
                strength);
        break;
    case HEAP_OP_IF:
        if (byte_at(object, member->extra) != 0)
            add(run, word_at(object, member->offset), strength);
        break;
    case HEAP_OP_CONSERVATIVE:
        add_conservative(run, member);
        break;
    default:
        break;
    }
}

void heap_recipe_run(struct heap_edges *edges, const struct heap_object *object, uint32_t node)
{
    struct running run = {.edges = edges, .object = object, .node = node};
    const struct heap_type *type = object->type;

    edges->passing = object->address;
    edges->is_cut = false;
    for (uint32_t i = 0; i < type->recipe_count; i++) {
        /* heap_read may make the walk meet no new types, so the recipes stay where they are. */
        struct heap_member member = edges->heap->types.recipe[type->recipe_start + i];
        run_member(&run, &member);
    }
}
