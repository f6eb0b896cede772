#include "ring.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Of what was copied, so much at a time is given back: programs need not wait for the end of it. */
#define GIVE_BACK_BYTES (64 << 10)

/* What lies behind the end of the ring, for the record that goes on at its beginning. The kernel lets map all of
 * the ring once more; but every page of it counts as resident. */
#define OVERLAP_BYTES (64 << 10)

/* The start of every record of memprobe; see struct record_header in probes/abi.h. */
struct start {
    uint32_t kind;
    uint32_t size_bytes;
};

/* One record as the ring has it. */
struct place {
    const unsigned char *record;
    uint32_t size;        /* as the kernel knows it */
    unsigned long behind; /* position of the next one */
    bool is_committed;
    bool is_discarded;
};

int ring_open(int map, size_t size, struct ring *ret)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    if (size == 0 || (size & (size - 1)) != 0)
        return -EINVAL;
    void *consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
    if (consumer == MAP_FAILED)
        return -errno;
    size_t overlap = size < OVERLAP_BYTES ? size : OVERLAP_BYTES;
    void *producer = mmap(NULL, page + size + overlap, PROT_READ, MAP_SHARED, map, (off_t)page);
    if (producer == MAP_FAILED) {
        int err = -errno;
        munmap(consumer, page);
        return err;
    }
    ret->consumer = consumer;
    ret->producer = producer;
    ret->data = (const unsigned char *)producer + page;
    ret->size = size;
    ret->overlap = overlap;
    ret->page = page;
    return 0;
}

void ring_close(struct ring *ring)
{
    if (ring->data == NULL)
        return;
    munmap(ring->consumer, ring->page);
    munmap((void *)(ring->data - ring->page), ring->page + ring->size + ring->overlap);
    ring->data = NULL;
}

static struct place place_at(const struct ring *ring, unsigned long position)
{
    const unsigned char *header = ring->data + (position & (ring->size - 1));
    /* The kernel writes it last, with the same care. */
    uint32_t length = __atomic_load_n((const uint32_t *)header, __ATOMIC_ACQUIRE);
    uint32_t size = length & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);

    return (struct place){
        .record = header + BPF_RINGBUF_HDR_SZ,
        .size = size,
        .behind = position + BPF_RINGBUF_HDR_SZ + ((unsigned long)size + 7) / 8 * 8,
        .is_committed = (length & BPF_RINGBUF_BUSY_BIT) == 0,
        .is_discarded = (length & BPF_RINGBUF_DISCARD_BIT) != 0,
    };
}

/* The kind of a record that makes sense, and how long its tail is; else RING_KINDS. */
static uint32_t kind_of(const struct ring *ring, const struct place *place, uint32_t *tail)
{
    struct start start;
    uint32_t used;

    if (place->size < sizeof(start))
        return RING_KINDS;
    memcpy(&start, place->record, sizeof(start));
    if (start.kind >= RING_KINDS || start.size_bytes > place->size)
        return RING_KINDS;
    const struct ring_shape *shape = &ring->shapes[start.kind];
    if (start.size_bytes < shape->head_size)
        return RING_KINDS;
    *tail = start.size_bytes - shape->head_size;
    if (shape->tail_length == 0)
        return start.kind;
    memcpy(&used, place->record + shape->tail_length, sizeof(used));
    if (used > *tail)
        return RING_KINDS;
    *tail = used;
    return start.kind;
}

unsigned long ring_measure(const struct ring *ring, struct ring_sizes sizes[RING_KINDS])
{
    unsigned long position = *ring->consumer;
    unsigned long end = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);

    memset(sizes, 0, RING_KINDS * sizeof(*sizes));
    while (position < end) {
        struct place place = place_at(ring, position);
        uint32_t tail = 0;

        if (!place.is_committed || place.behind - position > ring->overlap)
            break;
        uint32_t kind = place.is_discarded ? RING_KINDS : kind_of(ring, &place, &tail);
        if (kind < RING_KINDS && ring->shapes[kind].head_size != 0) {
            sizes[kind].records++;
            sizes[kind].tail_bytes += tail;
        }
        position = place.behind;
    }
    return position;
}

static void copy_record(struct ring_room *room, const struct place *place, uint32_t head, uint32_t tail)
{
    memcpy(room->heads, place->record, head);
    memcpy(room->tails, place->record + head, tail);
    room->heads += head;
    room->tails += tail;
    /* In front of the first end there is a 0. */
    room->tail_ends[0] = room->tail_ends[-1] + tail;
    room->tail_ends++;
}

static void take_record(struct ring *ring, const struct place *place, struct ring_room rooms[RING_KINDS])
{
    uint32_t tail = 0;
    uint32_t kind = kind_of(ring, place, &tail);

    if (kind == RING_KINDS)
        ring->strange++;
    else if (ring->shapes[kind].head_size == 0)
        ring->unwanted++;
    else
        copy_record(&rooms[kind], place, ring->shapes[kind].head_size, tail);
}

void ring_copy(struct ring *ring, unsigned long end, struct ring_room rooms[RING_KINDS])
{
    unsigned long position = *ring->consumer;
    unsigned long given_back = position;

    while (position < end) {
        struct place place = place_at(ring, position);

        if (!place.is_discarded)
            take_record(ring, &place, rooms);
        position = place.behind;
        if (position - given_back >= GIVE_BACK_BYTES) {
            __atomic_store_n(ring->consumer, position, __ATOMIC_RELEASE);
            given_back = position;
        }
    }
    __atomic_store_n(ring->consumer, position, __ATOMIC_RELEASE);
}
