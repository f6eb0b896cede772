/* Words of the target in a buffer of our own, whatever their alignment there. */
#ifndef MEMPROBE_HEAP_WORDS_H
#define MEMPROBE_HEAP_WORDS_H

#include <stdint.h>
#include <string.h>

static inline uint64_t heap_word(const uint8_t *bytes)
{
    uint64_t value;

    memcpy(&value, bytes, sizeof(value));
    return value;
}

static inline uint32_t heap_half(const uint8_t *bytes)
{
    uint32_t value;

    memcpy(&value, bytes, sizeof(value));
    return value;
}

#endif
