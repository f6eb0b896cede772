#define _GNU_SOURCE

#include "heap_reader.h"
#include "heap_walk.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DIGIT_BITS 11
#define DIGITS (1u << DIGIT_BITS)
#define ADDRESS_DIGITS 6 /* 66 bits */
#define BATCH_REQUESTS 4096
#define BATCH_REGIONS 1024
/* Up to here it is cheaper to read what lies between two requests than to ask for both. */
#define LARGEST_GAP 512
#define AHEAD 512
#define LOOK_AHEAD ((uint64_t)16 << 20)

/* --- in order of address -------------------------------------------------------------------- */

static bool sort_by_digit(const struct heap_request *from, struct heap_request *to, size_t count,
                          unsigned shift)
{
    size_t starts[DIGITS] = {0};
    size_t sum = 0;

    for (size_t i = 0; i < count; i++)
        starts[from[i].address >> shift & (DIGITS - 1)]++;
    if (starts[from[0].address >> shift & (DIGITS - 1)] == count)
        return false; /* all the same */
    for (size_t digit = 0; digit < DIGITS; digit++) {
        size_t here = starts[digit];
        starts[digit] = sum;
        sum += here;
    }
    for (size_t i = 0; i < count; i++)
        to[starts[from[i].address >> shift & (DIGITS - 1)]++] = from[i];
    return true;
}

static int make_room(struct heap_reader *reader, size_t count)
{
    if (reader->sorted_capacity >= count)
        return 0;
    free(reader->sorted);
    reader->sorted = malloc(count * sizeof(*reader->sorted));
    reader->sorted_capacity = reader->sorted == NULL ? 0 : count;
    return reader->sorted == NULL ? -ENOMEM : 0;
}

static int sort_requests(struct heap_reader *reader, struct heap_request *requests, size_t count)
{
    if (count < 2)
        return 0;
    int err = make_room(reader, count);
    if (err != 0)
        return err;
    struct heap_request *from = requests, *to = reader->sorted;
    for (unsigned digit = 0; digit < ADDRESS_DIGITS; digit++) {
        if (!sort_by_digit(from, to, count, digit * DIGIT_BITS))
            continue;
        struct heap_request *swap = from;
        from = to;
        to = swap;
    }
    if (from != requests)
        memcpy(requests, from, count * sizeof(*requests));
    return 0;
}

/* --- one batch -------------------------------------------------------------------------------- */

struct delivery {
    struct heap *heap;
    const struct heap_request *requests;
    size_t count, next;
    size_t first;                            /* of this batch */
    uint32_t readable[BATCH_REQUESTS];       /* bytes of each request that are present */
    uint32_t region_of[BATCH_REQUESTS];
    struct remote_region regions[BATCH_REGIONS];
    int64_t done[BATCH_REGIONS];
    size_t offsets[BATCH_REGIONS];           /* of each region in the stream */
    size_t region_count;
    size_t bytes;
    uint64_t looked_to;
};

/* How much of the next request is present. */
static uint32_t measure_request(struct delivery *delivery, const struct heap_request *request)
{
    uint32_t size = request->bytes < HEAP_LARGEST_REQUEST ? request->bytes : HEAP_LARGEST_REQUEST;
    struct heap_reader *reader = &delivery->heap->reader;

    if (request->address > UINT64_MAX - LOOK_AHEAD)
        return 0;
    if (request->address + size > delivery->looked_to) {
        /* As far as there are requests nearby, in one call. */
        size_t last = delivery->next + AHEAD < delivery->count ? delivery->next + AHEAD : delivery->count - 1;
        uint64_t end = delivery->requests[last].address + size;
        while (end > request->address + LOOK_AHEAD && last > delivery->next) {
            last = delivery->next + (last - delivery->next) / 2;
            end = delivery->requests[last].address + size;
        }
        if (end < request->address + size || end > request->address + LOOK_AHEAD)
            end = request->address + size;
        heap_look_ahead(reader, request->address, end - request->address);
        delivery->looked_to = end;
    }
    return (uint32_t)heap_present(reader, request->address, size);
}

/* Put the next request into the batch; false if it does not fit any more. */
static bool add_request(struct delivery *delivery)
{
    const struct heap_request *request = &delivery->requests[delivery->next];
    size_t slot = delivery->next - delivery->first;

    if (slot == BATCH_REQUESTS || delivery->region_count == BATCH_REGIONS)
        return false;
    uint32_t size = measure_request(delivery, request);
    struct remote_region *last
        = delivery->region_count > 0 ? &delivery->regions[delivery->region_count - 1] : NULL;
    uint64_t end = request->address + size;
    uint64_t grown = last == NULL ? 0 : end > last->address + last->size ? end - last->address : last->size;
    bool joins = last != NULL && size > 0
                 && request->address <= last->address + last->size + LARGEST_GAP;
    uint64_t more = joins ? grown - last->size : size;
    if (delivery->bytes + more > HEAP_STREAM_BYTES)
        return false;
    if (joins)
        last->size = grown;
    else if (size > 0) {
        delivery->offsets[delivery->region_count] = delivery->bytes;
        delivery->regions[delivery->region_count++]
            = (struct remote_region){.address = request->address, .size = size};
    }
    delivery->bytes += more;
    delivery->readable[slot] = size;
    delivery->region_of[slot] = (uint32_t)(delivery->region_count - (size > 0));
    delivery->next++;
    return true;
}

static int hand_over(struct delivery *delivery, size_t slot, heap_delivered deliver, void *state)
{
    const struct heap_request *request = &delivery->requests[delivery->first + slot];
    uint32_t size = delivery->readable[slot];
    const uint8_t *data = delivery->heap->reader.stream;

    if (size > 0) {
        uint32_t region = delivery->region_of[slot];
        uint64_t inside = request->address - delivery->regions[region].address;
        int64_t got = delivery->done[region];
        uint64_t there = got > 0 && (uint64_t)got > inside ? (uint64_t)got - inside : 0;
        data += delivery->offsets[region] + inside;
        size = there < size ? (uint32_t)there : size;
    }
    return deliver(state, request, data, size);
}

static int deliver_batch(struct delivery *delivery, heap_delivered deliver, void *state)
{
    struct heap_reader *reader = &delivery->heap->reader;
    struct remote_result result;
    int err = remote_read_many(&reader->process, delivery->regions, delivery->region_count,
                               reader->stream, delivery->done, &result);

    if (err != 0)
        return err;
    reader->bytes_read += result.bytes;
    for (size_t slot = 0; slot < delivery->next - delivery->first; slot++) {
        err = hand_over(delivery, slot, deliver, state);
        if (err != 0)
            return err;
    }
    return 0;
}

int heap_deliver(struct heap *heap, struct heap_request *requests, size_t count,
                 heap_delivered deliver, void *state)
{
    int err = sort_requests(&heap->reader, requests, count);
    if (err != 0 || count == 0)
        return err;
    struct delivery *delivery = malloc(sizeof(*delivery));
    if (delivery == NULL)
        return -ENOMEM;
    delivery->heap = heap;
    delivery->requests = requests;
    delivery->count = count;
    delivery->next = 0;
    delivery->looked_to = 0;
    while (delivery->next < count && err == 0) {
        delivery->first = delivery->next;
        delivery->region_count = 0;
        delivery->bytes = 0;
        while (delivery->next < count && add_request(delivery))
            ;
        err = deliver_batch(delivery, deliver, state);
    }
    free(delivery);
    return err;
}
