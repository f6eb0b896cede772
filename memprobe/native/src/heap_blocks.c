#define _GNU_SOURCE

#include "heap_blocks.h"

#include "heap_sizes.h"
#include "heap_words.h"

/* Of what stands in front of an object: nothing, the collector's header, that and two more words. */
#define PRESIZES 3
#define PRESIZE_STEP 16
#define OBJECT_HEADER 16
#define MOST_REFERENCES ((uint64_t)1 << 33)
#define MOST_BARE_REFERENCES ((uint64_t)1 << 24)
#define SURE_COUNT 65536
#define FLAGS_BITS 8
/* datetime and time without a zone are made shorter than basicsize says. */
#define SHORTER 16
#define LONGER 64
#define GC_HEADER 16
#define DEBUG_FRAMES 2

/* CPython's own, the same in all versions that have them. */
#define TPFLAGS_INLINE_VALUES ((uint64_t)1 << 2)
#define TPFLAGS_HAVE_GC ((uint64_t)1 << 14)

/* The bytes 1 to 7 of the second word that PYTHONMALLOC=debug puts in front of a block. */
#define DEBUG_FENCE UINT64_C(0x00FDFDFDFDFDFDFD)

bool heap_in_regions(const struct heap *heap, uint64_t address)
{
    size_t low = 0, high = heap->region_count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (heap->regions[middle].address + heap->regions[middle].size <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low < heap->region_count && heap->regions[low].address <= address;
}

/* Where a binary is loaded at low addresses, a pointer looks like a count. */
static bool is_pointer(const struct heap *heap, uint64_t word)
{
    if (word < SURE_COUNT || word % 8 != 0)
        return false;
    if (heap->plan.image_start <= (int64_t)word && (int64_t)word < heap->plan.image_end)
        return true;
    return heap_find_arena(heap, word) >= 0 || heap_in_regions(heap, word);
}

/* Whether a word can be a reference count; *ret is what it counts, 0 for a dead object. From 3.14 on the
 * count has 32 bits, with flags above, and a dead object has a link in their place. */
static bool is_count(const struct heap *heap, uint64_t word, uint64_t *ret)
{
    *ret = word;
    if (heap->plan.refcnt_bits == 32) {
        if (word >> 32 & UINT16_MAX || word >> (48 + FLAGS_BITS))
            return false;
        *ret = word & UINT32_MAX;
    } else if (word >= MOST_REFERENCES)
        return false;
    return !is_pointer(heap, *ret);
}

/* A field that is none in a debug frame or in a table may well be a word that looks like a count, and
 * a pointer to a type behind it: what the type says must fit the block, too. */
static bool fits(const struct heap *heap, const struct heap_type *type, const struct heap_block *block,
                 uint64_t offset, uint64_t tail)
{
    if (block->size < offset + tail + OBJECT_HEADER || block->readable < offset + OBJECT_HEADER)
        return false;
    uint64_t room = block->size - offset - tail;
    uint64_t there = block->readable - offset;
    uint64_t own = heap_own_bytes(heap, type, block->bytes + offset, there < room ? there : room, room);
    if (own == 0)
        return false;
    if (type->size_kind != HEAP_SIZE_FIXED || type->itemsize != 0)
        return own <= room;
    if (own > room + SHORTER)
        return false;
    return block->large || (type->flags & TPFLAGS_INLINE_VALUES) != 0 || room <= 2 * own + LONGER;
}

static void fill(const struct heap *heap, const struct heap_type *type, const struct heap_block *block,
                 uint64_t offset, uint64_t tail, uint64_t count, struct heap_object *ret)
{
    const uint8_t *body = block->bytes + offset;
    uint64_t room = block->size - offset - tail;
    uint64_t there = block->readable - offset;
    bool has_gc = (type->flags & TPFLAGS_HAVE_GC) != 0 && type->presize >= GC_HEADER;

    there = there < room ? there : room;
    *ret = (struct heap_object){
        .address = block->address + offset,
        .body = body,
        .body_bytes = there < UINT32_MAX ? (uint32_t)there : UINT32_MAX,
        .block = block->address,
        .block_bytes = block->size,
        .type = type,
        .refcount = count,
        .flags = (block->large ? HEAP_LARGE : 0) | (block->is_unsure ? HEAP_UNSURE : 0)
                 | (has_gc ? HEAP_HAS_GC : 0),
    };
    if (has_gc && heap_word(body - GC_HEADER) != 0)
        ret->flags |= HEAP_TRACKED;
    if (heap->plan.immortal > 0 && count >= (uint64_t)heap->plan.immortal)
        ret->flags |= HEAP_IMMORTAL;
    bool has_items = type->itemsize > 0 || type->size_kind == HEAP_SIZE_LIST
                     || type->size_kind == HEAP_SIZE_DEQUE || type->size_kind == HEAP_SIZE_BYTEARRAY;
    if (has_items && type->size_kind != HEAP_SIZE_BLOCK
        && type->size_kind != HEAP_SIZE_GENERATOR && there >= 24)
        ret->items = (int64_t)heap_word(body + 16);
}

static uint64_t link_of(uint64_t word)
{
    return word & ~(uint64_t)3;
}

/* Whether the next object of the collector's list leads back to this one. */
static int is_linked(struct heap *heap, const struct heap_object *object, bool *ret)
{
    uint8_t bytes[GC_HEADER];
    uint64_t here = object->address - GC_HEADER;
    uint64_t next = link_of(heap_word(object->body - GC_HEADER));
    const uint8_t *header = heap_held(heap, next, GC_HEADER);

    *ret = false;
    if (header == NULL) {
        int err = heap_read(&heap->reader, next, GC_HEADER, bytes);
        if (err != 0)
            return err;
        header = bytes;
    }
    *ret = link_of(heap_word(header + 8)) == here;
    return 0;
}

/* Many references to an object are rare; a chunk that once was a pointer's neighbour is not. What is
 * in a list of the collector must be there in both directions, then. */
static int check_suspect(struct heap *heap, const struct heap_object *object)
{
    bool linked = true;

    if (object->refcount < SURE_COUNT || !(object->flags & HEAP_TRACKED) || !(object->flags & HEAP_LARGE)
        || heap_types_lookup(&heap->types, object->address) >= 0)
        return HEAP_LIVE;
    int err = is_linked(heap, object, &linked);
    if (err != 0)
        return err;
    return linked ? HEAP_LIVE : HEAP_RAW;
}

/* Try the places at which an object can begin in a block of which `front` bytes are a frame. */
static int recognise_behind(struct heap *heap, const struct heap_block *block, uint64_t front,
                            uint64_t tail, struct heap_object *ret)
{
    for (unsigned i = 0; i < PRESIZES; i++) {
        uint64_t offset = front + i * PRESIZE_STEP, count;
        const struct heap_type *type;

        if (block->readable < offset + OBJECT_HEADER)
            break;
        if (!is_count(heap, heap_word(block->bytes + offset), &count))
            continue;
        uint64_t address = heap_word(block->bytes + offset + 8);
        int64_t index = heap_types_lookup(&heap->types, address);
        if (index == HEAP_UNKNOWN_TYPE) {
            int err = count == 0 ? 0 : heap_find_type(heap, address, &type);
            if (err != 0)
                return err;
            index = count == 0 || type == NULL ? HEAP_NO_TYPE : (int64_t)type->index;
        }
        if (index < 0)
            continue;
        type = &heap->types.types[index];
        if (type->presize != offset - front || !fits(heap, type, block, offset, tail))
            continue;
        if (count == 0)
            return HEAP_DEAD;
        fill(heap, type, block, offset, tail, count, ret);
        return check_suspect(heap, ret);
    }
    return HEAP_RAW;
}

/* What a debug frame at `front` says of the bytes behind it; false if there is none. */
static bool read_frame(const struct heap_block *block, uint64_t front, uint64_t tail, uint64_t *ret)
{
    uint64_t taken = front + tail + HEAP_DEBUG_BYTES;

    if (block->size < taken || block->readable < front + HEAP_DEBUG_FRONT + OBJECT_HEADER
        || heap_word(block->bytes + front + 8) >> 8 != DEBUG_FENCE)
        return false;
    *ret = __builtin_bswap64(heap_word(block->bytes + front));
    return *ret <= block->size - taken;
}

int heap_recognise(struct heap *heap, const struct heap_block *block, struct heap_object *ret)
{
    uint64_t front = 0, tail = 0, size;

    /* Large blocks have two frames: that of objects, around it that of malloc. */
    for (int i = 0; i < DEBUG_FRAMES && read_frame(block, front, tail, &size); i++) {
        heap->debug = true;
        front += HEAP_DEBUG_FRONT;
        tail = block->size - front - size;
    }
    return recognise_behind(heap, block, front, tail, ret);
}

int heap_recognise_bare(struct heap *heap, const struct heap_block *block, struct heap_object *ret)
{
    int found = recognise_behind(heap, block, 0, 0, ret);

    if (found != HEAP_LIVE)
        return found < 0 ? found : HEAP_RAW;
    if (ret->refcount > MOST_BARE_REFERENCES && !(ret->flags & HEAP_IMMORTAL))
        return HEAP_RAW;
    if (ret->flags & HEAP_TRACKED) {
        bool linked;
        int err = is_linked(heap, ret, &linked);
        if (err != 0 || !linked)
            return err != 0 ? err : HEAP_RAW;
    }
    uint64_t there = ret->body_bytes;
    uint64_t own = heap_own_bytes(heap, ret->type, ret->body, there, ret->type->basicsize > 0 ? (uint64_t)ret->type->basicsize : 0);
    uint64_t whole = (ret->type->presize + own + 15) & ~(uint64_t)15;
    if (whole > block->size)
        return HEAP_RAW;
    ret->block_bytes = whole;
    if (ret->body_bytes > whole - ret->type->presize)
        ret->body_bytes = (uint32_t)(whole - ret->type->presize);
    return HEAP_LIVE;
}

int heap_visit_block(struct heap_walker *walker, const struct heap_block *block)
{
    struct heap_counters *counters = &walker->heap->counters;
    struct heap_object object;
    int found = heap_recognise(walker->heap, block, &object);

    if (found < 0)
        return found;
    if (found == HEAP_LIVE) {
        counters->objects++;
        return walker->visit(walker->visit_state, &object);
    }
    counters->dead_objects += found == HEAP_DEAD;
    if (!block->large) {
        counters->raw_blocks++;
        counters->raw_bytes += block->size;
    } else if (block->size >= HEAP_BIG_TABLE) {
        counters->big_raw_chunks++;
        counters->big_raw_bytes += block->size;
    }
    return 0;
}
