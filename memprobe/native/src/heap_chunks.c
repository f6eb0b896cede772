#define _GNU_SOURCE

/* What is not in Python's pools: the chunks of glibc's malloc, one behind the other.
 *
 *     [heap], and the heaps of threads   chunks from the first to the top; a chunk's header has its
 *                                        size, and whether the chunk in front of it is in use
 *     larger than a limit                a mapping of its own, with one chunk
 *     anything else                      another allocator: searched in steps of 16 bytes for what
 *                                        can only be an object
 *
 * The target goes on meanwhile, so the chain may break: it is read again, and then taken up where it
 * holds for some chunks in a row. */
#include "heap_blocks.h"
#include "heap_sample.h"
#include "heap_words.h"

#define PAGE 4096u
#define CHUNK_HEADER 16
#define CHUNK_OVERHEAD 8
#define SMALLEST_CHUNK 32
#define IS_PREVIOUS_USED 1u
#define IS_MAPPED 2u
#define IS_OF_THREAD 4u
#define FLAG_BITS 7u
#define SURE_CHUNKS 6
#define LIKELY_CHUNKS 4 /* where the next is too far away to be looked at */
#define ATTEMPTS 3
#define FIRST_WINDOW ((size_t)1 << 16)
#define BODY_WINDOW ((size_t)1 << 16)
#define STEP 16
#define BLANK 48
/* Another allocator's memory that holds no object for so long is somebody's data. */
#define STEP_PATIENCE ((uint64_t)64 << 20)

/* A piece of the region in the buffer. */
struct window {
    struct heap_walker *walker;
    uint64_t start, size;
    uint64_t end;      /* of the region */
    uint64_t stop;     /* what begins behind it is not visited */
    size_t wanted;     /* grows while the reading goes on without gaps */
    uint64_t stepped;  /* since the last object that was found by stepping */
    bool may_step;
};

static bool window_has(const struct window *window, uint64_t address, uint64_t size)
{
    return address >= window->start && address - window->start <= window->size
           && size <= window->size - (address - window->start);
}

static const uint8_t *window_bytes(const struct window *window, uint64_t address)
{
    return window->walker->buffer + (address - window->start);
}

static uint64_t window_left(const struct window *window, uint64_t address)
{
    return window->size - (address - window->start);
}

/* Have `size` bytes from an address on in the buffer, or as many as the region has. */
static int window_read(struct window *window, uint64_t address, uint64_t size)
{
    bool goes_on = address <= window->start + window->size && address >= window->start;
    uint64_t left = window->end - address;

    window->wanted = !goes_on ? FIRST_WINDOW
                     : window->wanted < HEAP_BUFFER_BYTES ? 2 * window->wanted
                                                          : HEAP_BUFFER_BYTES;
    uint64_t wanted = window->wanted > size ? window->wanted : size;
    if (wanted > HEAP_BUFFER_BYTES)
        wanted = HEAP_BUFFER_BYTES;
    window->start = address;
    window->size = wanted < left ? wanted : left;
    window->walker->heap->held = window->walker->buffer;
    window->walker->heap->held_start = address;
    window->walker->heap->held_size = window->size;
    int err = heap_read(&window->walker->heap->reader, address, (size_t)window->size, window->walker->buffer);
    return err != 0 ? err : heap_breathe(window->walker, window->size);
}

static int window_ensure(struct window *window, uint64_t address, uint64_t size)
{
    uint64_t left = window->end - address;

    size = size < left ? size : left;
    return window_has(window, address, size) ? 0 : window_read(window, address, size);
}

/* --- one chunk --------------------------------------------------------------------------------- */

static uint64_t chunk_size(uint64_t header)
{
    return header & ~(uint64_t)FLAG_BITS;
}

static bool is_chunk(uint64_t header, uint64_t room)
{
    uint64_t size = chunk_size(header);

    return size >= SMALLEST_CHUNK && size % 16 == 0 && size <= room && !(header & IS_MAPPED);
}

static bool is_mapped_chunk(const struct window *window, uint64_t address)
{
    if (address % PAGE != 0 || !window_has(window, address, CHUNK_HEADER))
        return false;
    uint64_t before = heap_word(window_bytes(window, address));
    uint64_t header = heap_word(window_bytes(window, address) + 8);
    uint64_t size = chunk_size(header);
    return before == 0 && (header & FLAG_BITS) == IS_MAPPED && size >= PAGE && size % PAGE == 0
           && size <= window->end - address;
}

/* Hand over a chunk of which at least the first part is in the window. */
static int visit_chunk(struct window *window, uint64_t address, uint64_t size, uint64_t tail)
{
    struct heap_counters *counters = &window->walker->heap->counters;
    uint64_t left = window_left(window, address + CHUNK_HEADER);
    uint64_t room = size - CHUNK_HEADER + tail;
    struct heap_block block = {
        .address = address + CHUNK_HEADER,
        .size = room,
        .bytes = window_bytes(window, address + CHUNK_HEADER),
        .readable = left < room ? left : room,
        .large = true,
    };

    counters->chunks++;
    counters->chunk_bytes += size;
    return heap_visit_block(window->walker, &block);
}

/* --- chunks in a row ------------------------------------------------------------------------------ */

/* Whether chunks follow one another from an address on, as far as the window goes. */
static bool is_chain(const struct window *window, uint64_t address)
{
    for (int i = 0; i < SURE_CHUNKS; i++) {
        if (address == window->end)
            return i > 0;
        if (!window_has(window, address, CHUNK_HEADER))
            return i >= LIKELY_CHUNKS;
        uint64_t header = heap_word(window_bytes(window, address) + 8);
        if (!is_chunk(header, window->end - address))
            return false;
        address += chunk_size(header);
    }
    return true;
}

/* The header of the chunk at an address, and that of the next one (0: there is none). */
static int read_headers(struct window *window, uint64_t address, uint64_t *ret, uint64_t *ret_next)
{
    uint8_t bytes[CHUNK_HEADER];
    int err = window_ensure(window, address, CHUNK_HEADER);

    *ret = *ret_next = 0;
    if (err != 0 || window->end - address < CHUNK_HEADER)
        return err;
    *ret = heap_word(window_bytes(window, address) + 8);
    if (!is_chunk(*ret, window->end - address))
        return 0;
    uint64_t size = chunk_size(*ret), next = address + size;
    if (window->end - next < CHUNK_HEADER)
        return 0;
    if (size <= BODY_WINDOW) {
        err = window_ensure(window, address, size + CHUNK_HEADER);
        if (err == 0)
            *ret_next = heap_word(window_bytes(window, next) + 8);
        return err;
    }
    err = heap_read(&window->walker->heap->reader, next, CHUNK_HEADER, bytes);
    if (err == 0)
        *ret_next = heap_word(bytes + 8);
    return err != 0 ? err : window_ensure(window, address, BODY_WINDOW);
}

/* Read the headers at an address until they fit one another; *ret_next is 0 at the end of a heap. */
static int settle_chunk(struct window *window, uint64_t address, uint64_t *ret, uint64_t *ret_next)
{
    for (int attempt = 0;; attempt++) {
        int err = read_headers(window, address, ret, ret_next);
        if (err != 0)
            return err;
        if (is_chunk(*ret, window->end - address)) {
            uint64_t next = address + chunk_size(*ret);
            if (window->end - next < CHUNK_HEADER || is_chunk(*ret_next, window->end - next))
                return 0;
        }
        if (attempt + 1 == ATTEMPTS)
            break;
        window->size = 0; /* what is in the buffer is not believed */
        window->walker->heap->held_size = 0;
    }
    *ret_next = 0;
    return 0;
}

/* Visit the chunks from an address on; *ret is where they end or the chain breaks. */
static int walk_chain(struct window *window, uint64_t address, uint64_t *ret)
{
    while (address < window->stop) {
        uint64_t header, next;
        int err = settle_chunk(window, address, &header, &next);
        if (err != 0)
            return err;
        if (!is_chunk(header, window->end - address)) {
            window->walker->heap->counters.broken_chunks++;
            break;
        }
        uint64_t size = chunk_size(header);
        /* The last chunk of a heap is its top: free. */
        if (next != 0 && (next & IS_PREVIOUS_USED)) {
            err = visit_chunk(window, address, size, CHUNK_OVERHEAD);
            if (err != 0)
                return err;
        }
        address += size;
    }
    *ret = address;
    return 0;
}

/* --- memory of unknown allocators ------------------------------------------------------------------ */

/* Look at one place; *ret is how far to go on. */
static int step_once(struct window *window, uint64_t address, uint64_t *ret)
{
    struct heap_walker *walker = window->walker;
    struct heap_object object;
    struct heap_block block = {
        .address = address,
        .size = window->end - address,
        .bytes = window_bytes(window, address),
        .readable = window_left(window, address),
        .large = true,
    };

    *ret = STEP;
    int found = heap_recognise_bare(walker->heap, &block, &object);
    if (found != HEAP_LIVE)
        return found < 0 ? found : 0;
    *ret = object.block_bytes;
    window->stepped = 0;
    walker->heap->counters.objects++;
    return walker->visit(walker->visit_state, &object);
}

/* Whether nothing is here, even if an object could begin with what stands in front of it. */
static bool is_blank(const struct window *window, uint64_t address)
{
    const uint8_t *bytes = window_bytes(window, address);
    uint64_t sum = 0;

    if (!window_has(window, address, BLANK))
        return false;
    for (unsigned i = 0; i < BLANK; i += 8)
        sum |= heap_word(bytes + i);
    return sum == 0;
}

/* Search a page for the beginning of a chain of chunks, or for objects. */
static int search_page(struct window *window, uint64_t address, uint64_t *ret)
{
    uint64_t end = address - address % PAGE + PAGE;
    int err = window_ensure(window, address, 2 * PAGE);

    while (err == 0 && address < end && address < window->end) {
        uint64_t step = STEP;
        if (is_blank(window, address)) {
            address += step;
            continue;
        }
        if (is_mapped_chunk(window, address) || is_chain(window, address))
            break;
        if (window->may_step && window->stepped < STEP_PATIENCE)
            err = step_once(window, address, &step);
        if (window->may_step) {
            window->stepped += step;
            window->walker->heap->counters.stepped_bytes += step;
        }
        address += step;
    }
    *ret = address;
    return err;
}

static int walk_piece(struct window *window, uint64_t address, uint64_t *ret)
{
    uint64_t absent = address % PAGE == 0 && !window_has(window, address, 1)
                          ? heap_absent(&window->walker->heap->reader, address, window->end - address)
                          : 0;
    if (absent > 0) {
        *ret = address + absent;
        return heap_breathe(window->walker, absent);
    }
    int err = window_ensure(window, address, 2 * PAGE);
    if (err != 0)
        return err;
    if (is_mapped_chunk(window, address)) {
        uint64_t size = chunk_size(heap_word(window_bytes(window, address) + 8));
        err = window_ensure(window, address, size < BODY_WINDOW ? size : BODY_WINDOW);
        *ret = address + size;
        return err != 0 ? err : visit_chunk(window, address, size, 0);
    }
    if (is_chain(window, address)) {
        err = walk_chain(window, address, ret);
        if (err == 0 && *ret == address)
            *ret += STEP;
        return err;
    }
    return search_page(window, address, ret);
}

static int walk_window(struct window *window, uint64_t address)
{
    while (address < window->stop) {
        uint64_t next = address + STEP;
        int err = walk_piece(window, address, &next);
        if (err != 0)
            return err;
        address = next;
    }
    return 0;
}

int heap_walk_region(struct heap_walker *walker, const struct heap_region *region)
{
    struct window window = {
        .walker = walker,
        .end = region->address + region->size,
        .stop = region->address + region->size,
        .wanted = FIRST_WINDOW,
        .may_step = region->kind == HEAP_REGION_ANY,
    };

    return walk_window(&window, region->address);
}

int heap_walk_piece(struct heap_walker *walker, const struct heap_piece *piece)
{
    struct window window = {
        .walker = walker,
        .end = piece->end,
        .stop = piece->stop,
        .wanted = FIRST_WINDOW,
        .may_step = piece->kind == HEAP_REGION_ANY,
    };

    return walk_window(&window, piece->start);
}
