#define _GNU_SOURCE

#include "heap_types.h"

#include "heap_walk.h"
#include "heap_words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 4096 /* a power of two */
/* So many addresses that only looked like types are looked at; a heap that has more is there to hurt. */
#define MOST_REFUSED ((size_t)1 << 18)
#define MOST_TYPES ((size_t)1 << 20)
#define MOST_MEMBERS 4096
#define MOST_RECIPES ((size_t)1 << 24)
#define DEEPEST_METATYPE 8
#define LARGEST_BASICSIZE ((int64_t)1 << 31)
#define LOWEST_ADDRESS 65536u
#define HIGHEST_ADDRESS ((uint64_t)1 << 47)

/* CPython's own, the same in all versions. */
#define TPFLAGS_TYPE_SUBCLASS ((uint64_t)1 << 31)

int heap_types_open(struct heap_types *types)
{
    types->slots = calloc(FIRST_SLOTS, sizeof(*types->slots));
    types->slot_count = FIRST_SLOTS;
    return types->slots == NULL ? -ENOMEM : 0;
}

void heap_types_close(struct heap_types *types)
{
    free(types->types);
    free(types->recipe);
    free(types->slots);
    *types = (struct heap_types){0};
}

/* --- the table of addresses -------------------------------------------------------------------- */

static void put_slot(struct heap_types *types, uint64_t address, int64_t index)
{
    size_t slot = heap_types_hash(types, address);

    while (types->slots[slot].address != 0 && types->slots[slot].address != address)
        slot = (slot + 1) & (types->slot_count - 1);
    types->slots_used += types->slots[slot].address == 0;
    types->slots[slot] = (struct heap_type_slot){.address = address, .index = index};
}

static int grow_slots(struct heap_types *types)
{
    struct heap_type_slot *old = types->slots;
    size_t count = types->slot_count;
    struct heap_type_slot *slots = calloc(2 * count, sizeof(*slots));

    if (slots == NULL)
        return -ENOMEM;
    types->slots = slots;
    types->slot_count = 2 * count;
    types->slots_used = 0;
    for (size_t i = 0; i < count; i++)
        if (old[i].address != 0)
            put_slot(types, old[i].address, old[i].index);
    free(old);
    return 0;
}

static int note_address(struct heap_types *types, uint64_t address, int64_t index)
{
    if (2 * (types->slots_used + 1) > types->slot_count) {
        int err = grow_slots(types);
        if (err != 0)
            return err;
    }
    put_slot(types, address, index);
    return 0;
}

static int refuse_address(struct heap_types *types, uint64_t address)
{
    types->refused++;
    return note_address(types, address, HEAP_NO_TYPE);
}

/* --- new types ----------------------------------------------------------------------------------- */

static int reserve(void **array, size_t *capacity, size_t wanted, size_t size)
{
    size_t room = *capacity < 256 ? 256 : *capacity;

    if (wanted <= *capacity)
        return 0;
    while (room < wanted)
        room *= 2;
    void *grown = realloc(*array, room * size);
    if (grown == NULL)
        return -ENOMEM;
    *array = grown;
    *capacity = room;
    return 0;
}

static bool is_record(const struct heap_type_record *record, int64_t size)
{
    return size >= (int64_t)sizeof(*record) && record->members <= MOST_MEMBERS
           && size == (int64_t)(sizeof(*record) + record->members * sizeof(struct heap_member))
           && record->basicsize >= 16 && record->basicsize <= LARGEST_BASICSIZE
           && record->itemsize >= 0 && record->itemsize <= LARGEST_BASICSIZE
           && record->size_kind < HEAP_SIZE_KINDS && record->presize % 16 == 0
           && record->presize <= 32;
}

static int add_type(struct heap_types *types, uint64_t address, const struct heap_type_record *record)
{
    int err = reserve((void **)&types->types, &types->capacity, types->count + 1, sizeof(*types->types));
    if (err == 0)
        err = reserve((void **)&types->recipe, &types->recipe_capacity,
                      types->recipe_count + record->members + 1, sizeof(*types->recipe));
    if (err == 0)
        err = note_address(types, address, (int64_t)types->count);
    if (err != 0)
        return err;
    memcpy(types->recipe + types->recipe_count, record + 1, record->members * sizeof(struct heap_member));
    types->types[types->count] = (struct heap_type){
        .address = address,
        .index = (uint32_t)types->count,
        .size_kind = record->size_kind,
        .flags = record->flags,
        .basicsize = record->basicsize,
        .itemsize = record->itemsize,
        .presize = record->presize,
        .recipe_start = (uint32_t)types->recipe_count,
        .recipe_count = record->members,
    };
    types->count++;
    types->recipe_count += record->members;
    return 0;
}

static int describe_type(struct heap_types *types, uint64_t address)
{
    const struct heap_type_record *record = NULL;

    if (types->count >= MOST_TYPES || types->recipe_count >= MOST_RECIPES)
        return refuse_address(types, address);
    int64_t size = types->describe(types->describe_state, address, &record);
    if (size < 0)
        return (int)size;
    if (size == 0 || !is_record(record, size))
        return refuse_address(types, address);
    return add_type(types, address, record);
}

/* --- is that a type? ----------------------------------------------------------------------------- */

static bool can_be_type(const struct heap *heap, uint64_t address)
{
    return address >= LOWEST_ADDRESS && address < HIGHEST_ADDRESS && address % 8 == 0
           && heap_find_arena(heap, address) < 0;
}

static bool is_metatype(const struct heap *heap, int64_t index)
{
    return index >= 0 && (heap->types.types[index].flags & TPFLAGS_TYPE_SUBCLASS) != 0;
}

static int check_type(struct heap *heap, uint64_t address, int depth);

/* Whether the object at an address is an instance of a metatype. */
static int has_metatype(struct heap *heap, uint64_t address, int depth, bool *ret)
{
    uint8_t bytes[4096];
    size_t size = (size_t)heap->plan.type_size;
    uint64_t metatype;

    *ret = false;
    int err = heap_read(&heap->reader, address, size, bytes);
    if (err != 0)
        return err;
    metatype = heap_word(bytes + heap->plan.ob_type);
    if (metatype == address) {
        *ret = address == (uint64_t)heap->plan.type_type;
        return 0;
    }
    if (!can_be_type(heap, metatype))
        return 0;
    if (heap_types_lookup(&heap->types, metatype) == HEAP_UNKNOWN_TYPE) {
        err = check_type(heap, metatype, depth + 1);
        if (err != 0)
            return err;
    }
    *ret = is_metatype(heap, heap_types_lookup(&heap->types, metatype));
    return 0;
}

/* Look at an address of which nothing is known yet, and note what it is. */
static int check_type(struct heap *heap, uint64_t address, int depth)
{
    struct heap_types *types = &heap->types;
    bool is_type = false;

    if (depth > DEEPEST_METATYPE || types->refused >= MOST_REFUSED)
        return 0;
    int err = has_metatype(heap, address, depth, &is_type);
    if (err != 0)
        return err;
    /* A metatype may have asked about this one meanwhile: of a circle all are refused. */
    if (heap_types_lookup(types, address) != HEAP_UNKNOWN_TYPE)
        return 0;
    return is_type ? describe_type(types, address) : refuse_address(types, address);
}

int heap_find_type(struct heap *heap, uint64_t address, const struct heap_type **ret)
{
    int64_t index = heap_types_lookup(&heap->types, address);

    *ret = NULL;
    if (index == HEAP_UNKNOWN_TYPE && can_be_type(heap, address)) {
        int err = check_type(heap, address, 0);
        if (err != 0)
            return err;
        index = heap_types_lookup(&heap->types, address);
    }
    if (index >= 0)
        *ret = &heap->types.types[index];
    return 0;
}
