#define _GNU_SOURCE

#include "heap_frozen.h"

#include "heap_words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096u
#define KEPT_PAGES 1024 /* a power of two */
#define MOST_OBJECTS ((uint64_t)1 << 26)
#define GC_HEADER 16
#define TYPE_OFFSET 8
#define BREATH 65536

/* Pages that were read before: neighbours in the list are often neighbours in memory. */
struct pages {
    uint64_t numbers[KEPT_PAGES]; /* plus one; 0: none */
    uint8_t bytes[KEPT_PAGES][PAGE];
};

static int page_at(struct heap *heap, struct pages *pages, uint64_t address, const uint8_t **ret)
{
    uint64_t number = address / PAGE;
    size_t slot = number & (KEPT_PAGES - 1);

    if (pages->numbers[slot] != number + 1) {
        pages->numbers[slot] = 0;
        int err = heap_read(&heap->reader, number * PAGE, PAGE, pages->bytes[slot]);
        if (err != 0)
            return err;
        pages->numbers[slot] = number + 1;
    }
    *ret = pages->bytes[slot];
    return 0;
}

/* The links of a header, which lies in one page. */
static int read_links(struct heap *heap, struct pages *pages, uint64_t address, uint64_t *ret_next,
                      uint64_t *ret_previous)
{
    const uint8_t *page;
    int err = page_at(heap, pages, address, &page);

    if (err != 0)
        return err;
    *ret_next = heap_word(page + address % PAGE) & ~(uint64_t)1;
    *ret_previous = heap_word(page + address % PAGE + 8) & ~(uint64_t)3;
    return 0;
}

/* The type of an object, given its header: it may begin in the next page. */
static int read_type(struct heap *heap, struct pages *pages, uint64_t header, uint64_t *ret_type)
{
    uint64_t place = header + GC_HEADER + TYPE_OFFSET;
    const uint8_t *page;
    int err = page_at(heap, pages, place, &page);

    if (err == 0)
        *ret_type = heap_word(page + place % PAGE);
    return err;
}

static int count_type(struct heap *heap, uint64_t address, struct heap_frozen *ret)
{
    const struct heap_type *type;
    int err = heap_find_type(heap, address, &type);

    if (err != 0 || type == NULL)
        return err;
    size_t index = type->index;
    if (index >= ret->types) {
        size_t room = heap->types.count + 64;
        uint64_t *grown = realloc(ret->counts, room * sizeof(*grown));
        if (grown == NULL)
            return -ENOMEM;
        memset(grown + ret->types, 0, (room - ret->types) * sizeof(*grown));
        ret->counts = grown;
        ret->types = room;
    }
    ret->counts[index]++;
    return 0;
}

static int add_address(struct heap_frozen *ret, uint64_t address)
{
    if (ret->objects == ret->room) {
        size_t room = 2 * ret->room + 1024;
        uint64_t *grown = realloc(ret->addresses, room * sizeof(*grown));
        if (grown == NULL)
            return -ENOMEM;
        ret->addresses = grown;
        ret->room = room;
    }
    ret->addresses[ret->objects++] = address;
    return 0;
}

static int follow(struct heap *heap, struct pages *pages, uint64_t head, struct heap_frozen *ret)
{
    uint64_t address, previous, type, before = head;
    int err = read_links(heap, pages, head, &address, &previous);

    for (uint64_t i = 0; err == 0 && address != head; i++) {
        uint64_t here = address;
        if (i == MOST_OBJECTS || address % 16 != 0 || address < PAGE)
            return 0;
        err = read_links(heap, pages, here, &address, &previous);
        if (err == 0 && previous != before)
            return 0;
        if (err == 0)
            err = read_type(heap, pages, here, &type);
        if (err == 0)
            err = count_type(heap, type, ret);
        if (err == 0 && ret->wants_addresses)
            err = add_address(ret, here + GC_HEADER);
        if (err == 0 && i % BREATH == BREATH - 1 && heap->tick != NULL)
            err = heap->tick(heap->tick_state);
        before = here;
    }
    ret->is_whole = err == 0;
    return err;
}

int heap_count_frozen(struct heap *heap, uint64_t head, struct heap_frozen *ret)
{
    struct pages *pages = malloc(sizeof(*pages));

    if (pages == NULL)
        return -ENOMEM;
    memset(pages->numbers, 0, sizeof(pages->numbers));
    ret->is_whole = false;
    int err = head % PAGE > PAGE - GC_HEADER || head > UINT64_MAX - PAGE ? 0 : follow(heap, pages, head, ret);
    free(pages);
    return err;
}
