#define _GNU_SOURCE

/* Over 500 lines: one way of measuring for each kind of size; each stands alone. */

#include "heap_sizes.h"

#include "heap_words.h"

#include <string.h>

#define HEADER 24 /* of an object with ob_size */
#define POINTER 8
#define TAG_BITS 3
#define MOST_SLOTS ((uint64_t)1 << 20)
#define LARGEST_TABLE ((uint64_t)1 << 46)
#define PAGE 4096u
#define MMAP_THRESHOLD 131072u
#define SET_ENTRY 16
#define DIGIT 4
#define WSTR_UNIT 4

/* CPython's own, the same in all versions that have them. */
#define TPFLAGS_MANAGED_DICT ((uint64_t)1 << 4)
#define TPFLAGS_HEAPTYPE ((uint64_t)1 << 9)

static uint64_t round_up(uint64_t value, uint64_t step)
{
    return (value + step - 1) & ~(step - 1);
}

uint64_t heap_rounded(const struct heap *heap, uint64_t bytes)
{
    uint64_t framed = bytes + (heap->debug ? HEAP_DEBUG_BYTES : 0);

    if (framed <= (uint64_t)heap->plan.small_limit && heap->arena_count > 0)
        return framed == 0 ? (uint64_t)heap->plan.pool_alignment
                           : round_up(framed, (uint64_t)heap->plan.pool_alignment);
    if (framed >= MMAP_THRESHOLD)
        return round_up(framed + 16, PAGE);
    uint64_t chunk = round_up(framed + 8, 16);
    return chunk < 32 ? 32 : chunk;
}

/* A field that the body has, or 0. */
static uint64_t field(const uint8_t *body, uint64_t body_bytes, int64_t offset)
{
    if (offset < 0 || body_bytes < 8 || (uint64_t)offset > body_bytes - 8)
        return 0;
    return heap_word(body + offset);
}

static uint64_t size_of_items(const struct heap_type *type, uint64_t count)
{
    return count > LARGEST_TABLE / (uint64_t)(type->itemsize + 1) ? LARGEST_TABLE
                                                                  : count * (uint64_t)type->itemsize;
}

/* ob_size; its sign means something else (int to 3.11). */
static uint64_t count_of(const uint8_t *body, uint64_t body_bytes)
{
    int64_t size = (int64_t)field(body, body_bytes, 16);

    return size < 0 ? 0 - (uint64_t)size : (uint64_t)size;
}

/* Count what the allocator takes for a table. */
static void add_allocated(const struct heap *heap, uint64_t bytes, uint64_t count, struct heap_size *ret)
{
    uint64_t rounded = heap_rounded(heap, bytes) * count;

    ret->allocated_bytes += rounded;
    if (bytes <= (uint64_t)heap->plan.small_limit && heap->arena_count > 0)
        ret->table_bytes += rounded;
}

static void add_table(const struct heap *heap, uint64_t bytes, struct heap_size *ret)
{
    if (bytes == 0 || bytes > LARGEST_TABLE || (heap->without_big_tables && bytes >= HEAP_BIG_TABLE))
        return;
    ret->getsizeof_bytes += bytes;
    add_allocated(heap, bytes, 1, ret);
}

/* --- str ------------------------------------------------------------------------------------------- */

struct str_state {
    unsigned kind;
    bool compact, ascii, ready;
};

static struct str_state str_state_of(const struct heap_plan *plan, const uint8_t *body)
{
    uint32_t state = heap_half(body + plan->str_state);

    return (struct str_state){
        .kind = state >> plan->str_kind_shift & 7,
        .compact = state >> plan->str_compact_shift & 1,
        .ascii = state >> plan->str_ascii_shift & 1,
        .ready = plan->str_ready_shift < 0 || (state >> plan->str_ready_shift & 1),
    };
}

static bool has_str_header(const struct heap_plan *plan, uint64_t body_bytes)
{
    return plan->str_ascii_size > 0 && plan->str_state >= 0 && plan->str_length >= 0
           && body_bytes >= (uint64_t)plan->str_ascii_size && plan->str_state <= plan->str_ascii_size - 4
           && plan->str_length <= plan->str_ascii_size - 8 && body_bytes >= HEADER;
}

static uint64_t characters_size(uint64_t length, unsigned kind)
{
    return length >= LARGEST_TABLE ? LARGEST_TABLE : (length + 1) * kind;
}

/* The object itself, with its characters if they are inside. */
static uint64_t own_of_str(const struct heap *heap, const struct heap_type *type, const uint8_t *body,
                           uint64_t body_bytes)
{
    const struct heap_plan *plan = &heap->plan;

    if (!has_str_header(plan, body_bytes))
        return 0;
    struct str_state state = str_state_of(plan, body);
    uint64_t length = field(body, body_bytes, plan->str_length);
    if (!state.compact)
        return (uint64_t)type->basicsize;
    if (state.kind != 1 && state.kind != 2 && state.kind != 4)
        return 0;
    if (state.ascii)
        return (uint64_t)plan->str_ascii_size + characters_size(length, 1);
    return (uint64_t)plan->str_compact_size + characters_size(length, state.kind);
}

/* What is outside: characters of a str that is not compact, cached encodings. */
static void measure_str(const struct heap *heap, const struct heap_object *object, struct heap_size *ret)
{
    const struct heap_plan *plan = &heap->plan;
    const uint8_t *body = object->body;
    uint64_t there = object->body_bytes;
    struct str_state state = str_state_of(plan, body);
    uint64_t length = field(body, there, plan->str_length);
    uint64_t inside = object->address + (uint64_t)(state.ascii ? plan->str_ascii_size : plan->str_compact_size);
    uint64_t data = state.compact ? inside : field(body, there, plan->str_data);

    if (!state.compact && data != 0)
        add_table(heap, characters_size(length, state.kind), ret);
    if (!(state.compact && state.ascii) && plan->str_utf8 > 0) {
        uint64_t utf8 = field(body, there, plan->str_utf8);
        if (utf8 != 0 && utf8 != data)
            add_table(heap, characters_size(field(body, there, plan->str_utf8_length), 1), ret);
    }
    if (plan->str_wstr > 0) {
        uint64_t wstr = field(body, there, plan->str_wstr);
        if (wstr != 0 && wstr != data) {
            uint64_t units = state.compact && state.ascii ? length : field(body, there, plan->str_wstr_length);
            add_table(heap, characters_size(units, WSTR_UNIT), ret);
        }
    }
}

/* --- the object itself ------------------------------------------------------------------------------- */

static uint64_t digits_of(const struct heap_plan *plan, const uint8_t *body, uint64_t body_bytes)
{
    if (plan->long_tag >= 0)
        return field(body, body_bytes, plan->long_tag) >> 3;
    return count_of(body, body_bytes);
}

static uint64_t own_of_int(const struct heap_plan *plan, const struct heap_type *type,
                           const uint8_t *body, uint64_t body_bytes)
{
    uint64_t digits = digits_of(plan, body, body_bytes);

    if (digits == 0)
        digits = 1;
    return digits > LARGEST_TABLE ? 0 : (uint64_t)type->basicsize + digits * DIGIT;
}

/* To 3.11 int.__sizeof__ does not know what subclasses have more. */
static uint64_t told_of_int(const struct heap_plan *plan, const struct heap_type *type, uint64_t own)
{
    if (plan->long_tag >= 0 || plan->long_digits <= 0 || type->basicsize < plan->long_digits)
        return own;
    return own - (uint64_t)(type->basicsize - plan->long_digits);
}

uint64_t heap_own_bytes(const struct heap *heap, const struct heap_type *type, const uint8_t *body,
                        uint64_t body_bytes, uint64_t room)
{
    uint64_t basicsize = (uint64_t)type->basicsize;

    switch (type->size_kind) {
    case HEAP_SIZE_STR:
        return own_of_str(heap, type, body, body_bytes);
    case HEAP_SIZE_INT:
        return own_of_int(&heap->plan, type, body, body_bytes);
    case HEAP_SIZE_BLOCK:
    case HEAP_SIZE_GENERATOR:
        return basicsize > room ? basicsize : room;
    case HEAP_SIZE_FIXED:
        if (type->itemsize == 0)
            return basicsize;
        if (body_bytes < HEADER)
            return 0;
        return basicsize + size_of_items(type, count_of(body, body_bytes));
    default:
        return body_bytes < basicsize ? 0 : basicsize;
    }
}

/* --- tables ------------------------------------------------------------------------------------------ */


static uint64_t table_bytes(uint64_t count, uint64_t size)
{
    return count > LARGEST_TABLE / size ? LARGEST_TABLE + 1 : count * size;
}

static void measure_set(const struct heap *heap, const struct heap_object *object, struct heap_size *ret)
{
    const struct heap_plan *plan = &heap->plan;
    uint64_t table = field(object->body, object->body_bytes, plan->set_table);
    uint64_t mask = field(object->body, object->body_bytes, plan->set_mask);

    if (table != object->address + (uint64_t)plan->set_smalltable && table != 0)
        add_table(heap, table_bytes(mask + 1, SET_ENTRY), ret);
}

static void measure_bytearray(const struct heap *heap, const struct heap_object *object, struct heap_size *ret)
{
    uint64_t bytes = field(object->body, object->body_bytes, heap->plan.bytearray_alloc);

    if (heap->plan.bytearray_object < 0)
        add_table(heap, bytes, ret);
    else if (bytes <= LARGEST_TABLE)
        ret->getsizeof_bytes += bytes;
}

static void measure_deque(const struct heap *heap, const struct heap_object *object, struct heap_size *ret)
{
    const struct heap_plan *plan = &heap->plan;
    uint64_t items = count_of(object->body, object->body_bytes);
    uint64_t left = field(object->body, object->body_bytes, plan->deque_leftindex);
    uint64_t room = (uint64_t)plan->deque_block_items;

    if (plan->deque_block_items <= 0 || plan->deque_block_size <= 0 || items > LARGEST_TABLE || left > room)
        return;
    uint64_t blocks = (left + items + room - 1) / room;
    if (blocks == 0)
        blocks = 1;
    uint64_t each = (uint64_t)plan->deque_block_size;
    if (blocks > LARGEST_TABLE / each)
        return;
    ret->getsizeof_bytes += blocks * each;
    add_allocated(heap, each, blocks, ret);
}

static void measure_dict(const struct heap *heap, const struct heap_object *object, struct heap_size *ret)
{
    const struct heap_plan *plan = &heap->plan;
    uint64_t values = field(object->body, object->body_bytes, plan->dict_values);

    ret->more_at = field(object->body, object->body_bytes, plan->dict_keys);
    ret->more = values != 0 ? HEAP_MORE_SPLIT : HEAP_MORE_KEYS;
}

static void measure_odict(const struct heap *heap, const struct heap_object *object, struct heap_size *ret)
{
    const struct heap_plan *plan = &heap->plan;
    uint64_t fast = field(object->body, object->body_bytes, plan->odict_fast_nodes_size);
    uint64_t used = field(object->body, object->body_bytes, plan->dict_used);

    measure_dict(heap, object, ret);
    add_table(heap, table_bytes(fast, POINTER), ret);
    if (plan->odict_node_size > 0 && used <= LARGEST_TABLE / (uint64_t)plan->odict_node_size) {
        ret->getsizeof_bytes += used * (uint64_t)plan->odict_node_size;
        add_allocated(heap, (uint64_t)plan->odict_node_size, used, ret);
    }
}

static void measure_type(const struct heap *heap, const struct heap_object *object, struct heap_size *ret)
{
    const struct heap_plan *plan = &heap->plan;
    uint64_t flags = field(object->body, object->body_bytes, plan->tp_flags);

    if (!(flags & TPFLAGS_HEAPTYPE)) {
        ret->getsizeof_bytes = (uint64_t)plan->type_size;
        return;
    }
    ret->getsizeof_bytes = object->type->presize + (uint64_t)plan->heap_type_size;
    ret->more_at = field(object->body, object->body_bytes, plan->ht_cached_keys);
    ret->more = ret->more_at != 0 ? HEAP_MORE_CACHED : HEAP_MORE_NONE;
}

/* The frame in a generator; its code says how many slots it has. */
static void measure_generator(const struct heap *heap, const struct heap_object *object, struct heap_size *ret)
{
    ret->getsizeof_bytes = object->type->presize + (uint64_t)object->type->basicsize;
    ret->more_at = field(object->body, object->body_bytes, heap->plan.gen_code) & ~(uint64_t)TAG_BITS;
    ret->more = HEAP_MORE_CODE;
}

/* arraydescr are static, a few for all arrays. */
static int measure_array(struct heap *heap, const struct heap_object *object, struct heap_size *ret)
{
    const struct heap_plan *plan = &heap->plan;
    uint64_t description = field(object->body, object->body_bytes, plan->array_descr);
    uint64_t allocated = field(object->body, object->body_bytes, plan->array_allocated);
    struct heap_array_kind *kind = &heap->array_kinds[description / 8 % HEAP_ARRAY_KINDS];
    uint8_t bytes[4];

    if (description == 0 || plan->array_descr_itemsize < 0)
        return 0;
    if (kind->description != description) {
        int err = heap_read(&heap->reader, description + (uint64_t)plan->array_descr_itemsize, sizeof(bytes), bytes);
        if (err != 0)
            return err;
        *kind = (struct heap_array_kind){.description = description, .itemsize = heap_half(bytes)};
    }
    if (kind->itemsize > 0 && kind->itemsize <= 16)
        add_table(heap, table_bytes(allocated, kind->itemsize), ret);
    return 0;
}

static void measure_bytesio(const struct heap *heap, const struct heap_object *object, struct heap_size *ret)
{
    ret->more_at = field(object->body, object->body_bytes, heap->plan.bytesio_buf);
    ret->more = ret->more_at != 0 ? HEAP_MORE_BYTES : HEAP_MORE_NONE;
}

/* 3.11 and 3.12: an instance without a dict has its values in a block of their own. */
static int measure_values(struct heap *heap, const struct heap_object *object, struct heap_size *ret)
{
    uint64_t size;
    uint64_t values = heap_word(object->body + heap->plan.values_at);

    if (heap->plan.values_tag > 0 && !(values & (uint64_t)heap->plan.values_tag))
        return 0; /* a dict, or nothing */
    int err = heap_pool_block_size(heap, values, &size);
    ret->allocated_bytes += size;
    ret->table_bytes += size;
    return err;
}

int heap_measure(struct heap *heap, const struct heap_object *object, struct heap_size *ret)
{
    const struct heap_plan *plan = &heap->plan;
    const struct heap_type *type = object->type;
    const uint8_t *body = object->body;
    uint64_t there = object->body_bytes;
    uint64_t room = object->block_bytes - (object->address - object->block);
    uint64_t own = heap_own_bytes(heap, type, body, there, room);

    *ret = (struct heap_size){
        .getsizeof_bytes = type->presize + own,
        .allocated_bytes = object->block_bytes,
    };
    switch (type->size_kind) {
    case HEAP_SIZE_STR:
        measure_str(heap, object, ret);
        break;
    case HEAP_SIZE_INT:
        ret->getsizeof_bytes = type->presize + told_of_int(plan, type, own);
        break;
    case HEAP_SIZE_LIST:
        add_table(heap, table_bytes(field(body, there, plan->list_allocated), POINTER), ret);
        break;
    case HEAP_SIZE_DICT:
        measure_dict(heap, object, ret);
        break;
    case HEAP_SIZE_SET:
        measure_set(heap, object, ret);
        break;
    case HEAP_SIZE_BYTEARRAY:
        measure_bytearray(heap, object, ret);
        break;
    case HEAP_SIZE_DEQUE:
        measure_deque(heap, object, ret);
        break;
    case HEAP_SIZE_ODICT:
        measure_odict(heap, object, ret);
        break;
    case HEAP_SIZE_TYPE:
        measure_type(heap, object, ret);
        break;
    case HEAP_SIZE_ARRAY:
        return measure_array(heap, object, ret);
    case HEAP_SIZE_GENERATOR:
        measure_generator(heap, object, ret);
        break;
    case HEAP_SIZE_BYTESIO:
        measure_bytesio(heap, object, ret);
        break;
    default:
        break;
    }
    if ((type->flags & TPFLAGS_MANAGED_DICT) && plan->values_at < 0 && plan->values_at >= -(int64_t)type->presize)
        return measure_values(heap, object, ret);
    return 0;
}

/* --- tables of keys ------------------------------------------------------------------------------------ */

#define MOST_LOG2_SIZE 40

/* USABLE_FRACTION of CPython. */
static uint64_t usable(uint64_t slots)
{
    return (slots << 1) / 3;
}

struct keys_shape {
    uint64_t bytes;    /* of the table */
    uint64_t usable;   /* entries that it has room for */
    uint64_t refcount;
};

/* From 3.11 on. */
static bool read_keys(const struct heap_plan *plan, const uint8_t *data, struct keys_shape *ret)
{
    unsigned log2_size = data[plan->keys_log2_size];
    unsigned log2_bytes = data[plan->keys_log2_index_bytes];
    uint64_t entry = (uint64_t)(data[plan->keys_kind] == plan->kind_general ? plan->entry_size
                                                                             : plan->unicode_entry_size);

    if (log2_size > MOST_LOG2_SIZE || log2_bytes > MOST_LOG2_SIZE + 3)
        return false;
    ret->usable = usable((uint64_t)1 << log2_size);
    ret->bytes = (uint64_t)plan->keys_size + ((uint64_t)1 << log2_bytes) + ret->usable * entry;
    return true;
}

static uint64_t index_bytes(uint64_t slots)
{
    return slots <= 0xFF ? 1 : slots <= 0xFFFF ? 2 : slots <= 0xFFFFFFFF ? 4 : 8;
}

/* To 3.10. */
static bool read_old_keys(const struct heap_plan *plan, const uint8_t *data, struct keys_shape *ret)
{
    uint64_t slots = heap_word(data + plan->keys_slots);

    if (slots > (uint64_t)1 << MOST_LOG2_SIZE || (slots & (slots - 1)) != 0)
        return false;
    ret->usable = usable(slots);
    ret->bytes = (uint64_t)plan->keys_size + slots * index_bytes(slots) + ret->usable * (uint64_t)plan->entry_size;
    return true;
}

#define LEAST_LOG2_SIZE 3
#define MOST_LOG2_SIZE_IN_POOL 6
#define SEVERAL_LENGTHS UINT64_MAX

static void note_keys(const struct heap *heap, uint64_t bytes, uint64_t ret[HEAP_BLOCK_CLASSES])
{
    uint64_t class = heap_rounded(heap, bytes) / (uint64_t)heap->plan.pool_alignment;

    if (bytes + (heap->debug ? HEAP_DEBUG_BYTES : 0) <= (uint64_t)heap->plan.small_limit
        && class < HEAP_BLOCK_CLASSES)
        ret[class] = ret[class] == 0 || ret[class] == bytes ? bytes : SEVERAL_LENGTHS;
}

void heap_keys_by_class(const struct heap *heap, uint64_t ret[HEAP_BLOCK_CLASSES])
{
    const struct heap_plan *plan = &heap->plan;

    memset(ret, 0, HEAP_BLOCK_CLASSES * sizeof(*ret));
    if (plan->keys_size <= 0 || plan->entry_size <= 0 || heap->arena_count == 0)
        return;
    for (unsigned log2_size = LEAST_LOG2_SIZE; log2_size <= MOST_LOG2_SIZE_IN_POOL; log2_size++) {
        uint64_t slots = (uint64_t)1 << log2_size, before = (uint64_t)plan->keys_size + slots;
        note_keys(heap, before + usable(slots) * (uint64_t)plan->entry_size, ret);
        if (plan->keys_slots < 0 && plan->unicode_entry_size > 0)
            note_keys(heap, before + usable(slots) * (uint64_t)plan->unicode_entry_size, ret);
    }
    for (size_t class = 0; class < HEAP_BLOCK_CLASSES; class++)
        if (ret[class] == SEVERAL_LENGTHS)
            ret[class] = 0;
}

void heap_measure_own_keys(const struct heap *heap, uint64_t bytes, struct heap_size *ret)
{
    add_table(heap, bytes, ret);
}

static uint32_t keys_header(const struct heap *heap)
{
    int64_t size = heap->plan.keys_size;

    return size >= 16 && size <= 64 ? (uint32_t)size : 64;
}

static bool are_keys_known(const struct heap *heap)
{
    const struct heap_plan *plan = &heap->plan;
    int64_t end = keys_header(heap);

    if (plan->keys_refcnt < 0 || plan->keys_refcnt > end - 8 || plan->keys_size <= 0)
        return false;
    if (plan->keys_slots >= 0)
        return plan->keys_slots <= end - 8;
    return plan->keys_log2_size >= 0 && plan->keys_log2_size < end && plan->keys_log2_index_bytes >= 0
           && plan->keys_log2_index_bytes < end && plan->keys_kind >= 0 && plan->keys_kind < end;
}

static void measure_keys(const struct heap *heap, enum heap_more more, const uint8_t *data,
                         uint32_t bytes, struct heap_size *ret)
{
    const struct heap_plan *plan = &heap->plan;
    struct keys_shape shape;

    if (bytes < keys_header(heap) || !are_keys_known(heap))
        return;
    shape.refcount = heap_word(data + plan->keys_refcnt);
    if (!(plan->keys_slots >= 0 ? read_old_keys(plan, data, &shape) : read_keys(plan, data, &shape)))
        return;
    if (more == HEAP_MORE_SPLIT && plan->split_values_inline > 0)
        ret->getsizeof_bytes += table_bytes(shape.usable, POINTER);
    else if (more == HEAP_MORE_SPLIT)
        add_table(heap, table_bytes(shape.usable, POINTER), ret);
    if (more == HEAP_MORE_CACHED || shape.refcount == 1)
        add_table(heap, shape.bytes, ret);
}

/* --- what else lies elsewhere ---------------------------------------------------------------------------- */

static uint32_t code_bytes(const struct heap_plan *plan)
{
    int64_t last = plan->code_nlocalsplus > plan->code_stacksize ? plan->code_nlocalsplus : plan->code_stacksize;

    return last < 0 || last > 1024 ? 0 : (uint32_t)last + 4;
}

static void measure_code(const struct heap_plan *plan, const uint8_t *data, uint32_t bytes, struct heap_size *ret)
{
    if (plan->code_nlocalsplus < 0 || plan->code_stacksize < 0 || bytes < code_bytes(plan))
        return;
    uint64_t slots = (uint64_t)heap_half(data + plan->code_nlocalsplus) + heap_half(data + plan->code_stacksize);
    if (slots <= MOST_SLOTS)
        ret->getsizeof_bytes += slots * POINTER;
}

/* The bytes object is counted in its own row, too: sys.getsizeof does the same. */
static void measure_bytes(const struct heap *heap, const uint8_t *data, uint32_t bytes, struct heap_size *ret)
{
    if (bytes < HEADER || heap->plan.bytes_size <= 0 || heap_word(data) != 1)
        return;
    uint64_t size = heap_word(data + 16);
    if (size <= LARGEST_TABLE)
        ret->getsizeof_bytes += (uint64_t)heap->plan.bytes_size + size;
}

uint32_t heap_more_bytes(const struct heap *heap, enum heap_more more)
{
    if (more == HEAP_MORE_CODE)
        return code_bytes(&heap->plan);
    return more == HEAP_MORE_BYTES ? HEADER : keys_header(heap);
}

void heap_measure_more(const struct heap *heap, enum heap_more more, const uint8_t *data, uint32_t bytes,
                       struct heap_size *ret)
{
    if (more == HEAP_MORE_CODE)
        measure_code(&heap->plan, data, bytes, ret);
    else if (more == HEAP_MORE_BYTES)
        measure_bytes(heap, data, bytes, ret);
    else
        measure_keys(heap, more, data, bytes, ret);
}
