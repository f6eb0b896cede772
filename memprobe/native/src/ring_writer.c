#include "ring_writer.h"

#include <linux/bpf.h>

static size_t padded(uint32_t size)
{
    return BPF_RINGBUF_HDR_SZ + ((size_t)size + 7) / 8 * 8;
}

size_t ring_waiting(const struct ring_writer *ring)
{
    return *ring->producer - __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
}

static void publish(const struct ring_writer *ring, size_t bytes)
{
    __atomic_store_n(ring->producer, *ring->producer + bytes, __ATOMIC_RELEASE);
}

/* The end of the ring is mapped once: a record that would go on at its beginning lies there as a whole. */
static void fill_up(const struct ring_writer *ring, size_t bytes)
{
    uint32_t *header = (uint32_t *)(void *)(ring->data + (*ring->producer & (ring->size - 1)));

    header[0] = (uint32_t)(bytes - BPF_RINGBUF_HDR_SZ) | BPF_RINGBUF_DISCARD_BIT;
    header[1] = 0;
    publish(ring, bytes);
}

void *ring_reserve(const struct ring_writer *ring, uint32_t size)
{
    size_t place = *ring->producer & (ring->size - 1);
    size_t to_end = ring->size - place;
    size_t filled = padded(size) > to_end ? to_end : 0;

    if (ring_waiting(ring) + filled + padded(size) > ring->size)
        return NULL;
    if (filled > 0) {
        fill_up(ring, filled);
        place = 0;
    }
    uint32_t *header = (uint32_t *)(void *)(ring->data + place);
    header[0] = size;
    header[1] = 0;
    return header + 2;
}

void ring_submit(const struct ring_writer *ring, void *record)
{
    publish(ring, padded(((uint32_t *)record)[-2]));
}
